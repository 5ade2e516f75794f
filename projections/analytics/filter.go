package analytics

import (
	"fmt"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
)

// Filter selects calls. Empty fields select everything, except that Workspace
// or Organization must be given: no answer ever crosses tenants.
type Filter struct {
	Workspace     string
	Organization  string    // all workspaces of it, for what is organization-wide (budgets); used when Workspace is empty
	Start, End    time.Time // [Start, End) of when calls started; zero: 30 days back, and now
	User          string    // end user
	Model         string    // provider/model that answered
	App           string
	Agent         string
	APIKey        string
	Type          string // chat, embedding
	Status        string // success, error
	Tag           string
	CorrelationID string
	Session       string
}

// defaultRange is how far back a report looks that gives no start.
const defaultRange = 30 * 24 * time.Hour

// normalise fills in the range and checks the filter.
func (f Filter) normalise(now time.Time) (Filter, error) {
	if f.Workspace == "" && f.Organization == "" {
		return f, fmt.Errorf("analytics: a query without a tenant")
	}
	if f.End.IsZero() {
		f.End = now
		if f.Start.After(now) { // nothing has happened since, which is no fault
			f.End = f.Start
		}
	}
	if f.Start.IsZero() {
		f.Start = f.End.Add(-defaultRange)
	}
	f.Start, f.End = f.Start.UTC().Truncate(time.Microsecond), f.End.UTC().Truncate(time.Microsecond)
	var faults domain.Faults
	faults.Add(f.Start.Before(minTime) || f.Start.After(maxTime), "start_date", "must be between 1970 and 2105")
	faults.Add(f.End.Before(minTime) || f.End.After(maxTime), "end_date", "must be between 1970 and 2105")
	faults.Add(f.Start.After(f.End), "start_date", "must not be after end_date")
	faults.Add(f.Status != "" && f.Status != "success" && f.Status != "error", "status", "must be success or error")
	return f, faults.Err()
}

// condition is a filter as SQL over a table's own columns. Values are always
// parameters, never text of the statement.
type condition struct {
	terms   []string
	columns []string // beyond the tenant and the time
	args    []any
}

func (c *condition) where(column, value string) {
	if value == "" {
		return
	}
	c.terms = append(c.terms, column+" = {"+column+":String}")
	c.columns = append(c.columns, column)
	c.args = append(c.args, ch.Named(column, value))
}

// condition translates everything but the range, which each span has its own of.
func (f Filter) condition() condition {
	var c condition
	tenant, tenantID := "workspace_id", f.Workspace
	if f.Workspace == "" {
		tenant, tenantID = "organization_id", f.Organization
	}
	c.terms = append(c.terms, tenant+" = {tenant:String}")
	c.args = append(c.args, ch.Named("tenant", tenantID))
	c.where("end_user", f.User)
	c.where("model", f.Model)
	c.where("app_id", f.App)
	c.where("agent_id", f.Agent)
	c.where("api_key_id", f.APIKey)
	c.where("type", f.Type)
	c.where("status", f.Status)
	c.where("correlation_id", f.CorrelationID)
	c.where("session_id", f.Session)
	if f.Tag != "" {
		c.terms = append(c.terms, "has(tags, {tag:String})")
		c.columns = append(c.columns, "tags")
		c.args = append(c.args, ch.Named("tag", f.Tag))
	}
	return c
}
