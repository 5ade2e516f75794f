package readapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/audit"
	"strata/projections/events"
)

// auditScope says whose chain is meant.
type auditScope struct {
	Scope string `query:"scope" enum:"workspace,organization" default:"workspace" doc:"organization: what concerns the whole organization, such as its users and workspaces."`
}

// chain is the chain that a request is about.
func (s *auditScope) chain(ctx context.Context) (string, error) {
	p := httpx.From(ctx).Principal
	if s.Scope != "organization" {
		return p.Workspace, nil
	}
	if !p.Can("organizations:get") {
		return "", domain.Errorf(domain.CodeForbidden, "the permission %q is missing", "organizations:get")
	}
	return p.Organization, nil
}

type auditRange struct {
	auditScope
	StartDate time.Time `query:"start_date" doc:"Not before."`
	EndDate   time.Time `query:"end_date" doc:"Before."`
}

// auditFilter narrows down which entries are meant.
type auditFilter struct {
	ActorID      string `query:"actor_id" json:"actor_id" doc:"Done by one user or key."`
	Action       string `query:"action" json:"action" doc:"One action, app.updated, or a family, app.*"`
	ResourceType string `query:"resource_type" json:"resource_type" doc:"One kind of resource." example:"app"`
	ResourceID   string `query:"resource_id" json:"resource_id" doc:"One resource."`
	Outcome      string `query:"outcome" json:"outcome" enum:"success,denied,error" doc:"Everything in the log is a success."`
}

// query is the filter as the read model takes it; false when nothing matches.
func (f *auditFilter) query(chain string, since, until time.Time) (events.Query, bool) {
	q := events.Query{Scope: events.Scope{Workspace: chain}, Category: f.ResourceType, Subject: f.ResourceID, Actor: f.ActorID, Since: since, Until: until}
	if f.Action != "" {
		q.Types = []string{f.Action}
	}
	return q, f.Outcome == "" || f.Outcome == audit.Success
}

// given are the filters that are set, for the proof of a file.
func (f *auditFilter) given() map[string]string {
	out := map[string]string{}
	for name, value := range map[string]string{"actorId": f.ActorID, "action": f.Action, "resourceType": f.ResourceType,
		"resourceId": f.ResourceID, "outcome": f.Outcome} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

type listAudit struct {
	httpx.ListParams
	auditRange
	auditFilter
}

type auditLogID struct {
	auditScope
	ID string `path:"log_id"`
}

func (a *API) audit() {
	op := func(id, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: "/audit" + path, Mount: httpx.API, Tag: "Audit", Summary: summary,
			Permission: "audit:" + verb, Reads: events.Name}
	}
	listing := op("listAuditLogs", "/logs", "Query audit logs", "list")
	listing.Paging, listing.Sort, listing.Search = httpx.Cursor, []string{"timestamp"}, true
	httpx.Register(a.r, listing, a.listAudit)
	httpx.Register(a.r, op("getAuditLog", "/logs/{log_id}", "Get an audit log entry", "get"), a.auditLog)
	httpx.Register(a.r, op("getAuditStats", "/stats", "Get audit statistics", "list"), a.auditStats)
	verify := op("verifyAudit", "/verify", "Verify the audit chain", "verify")
	verify.Description = "Checks every entry's hash, its link to the one before, and each of its fields against the log. Stops at the first that is broken."
	verify.Timeout = verifyTimeout
	httpx.Register(a.r, verify, a.verifyAudit)
	a.auditExports()
}

// verifyTimeout bounds a check of a whole chain, which reads all of it and the log.
const verifyTimeout = 5 * time.Minute

func (a *API) listAudit(ctx context.Context, in *listAudit) (httpx.Reply[httpx.List[view.AuditLog]], error) {
	var none httpx.Reply[httpx.List[view.AuditLog]]
	chain, err := in.chain(ctx)
	if err != nil {
		return none, err
	}
	q, some := in.query(chain, in.StartDate, in.EndDate)
	if !some {
		none.Body.Items = []view.AuditLog{}
		return none, nil
	}
	q.Search, q.Page = in.Search, page(in.ListParams)
	found, err := a.Events.List(ctx, q)
	if err != nil {
		return none, err
	}
	return list(found, always(showAudit))
}

func showAudit(e *events.Event) view.AuditLog {
	return view.AuditLog{ID: e.ID, Timestamp: e.OccurredAt, ActorID: e.Actor, ActorType: e.ActorType(), Action: e.Action(), Type: e.Type,
		ResourceType: e.Category(), ResourceID: e.Subject, Stream: string(e.Stream), Revision: int64(e.Revision), Position: uint64(e.Position),
		Outcome: audit.Success, RequestID: e.RequestID, CorrelationID: e.CorrelationID, OrganizationID: e.Organization, WorkspaceID: e.Workspace,
		ContentHash: e.Content.String(), PrevHash: e.Prev.String(), Hash: e.Hash.String()}
}

func (a *API) auditLog(ctx context.Context, in *auditLogID) (httpx.Reply[view.AuditLog], error) {
	var none httpx.Reply[view.AuditLog]
	chain, err := in.chain(ctx)
	if err != nil {
		return none, err
	}
	e, err := a.Events.Entry(ctx, chain, in.ID)
	if err != nil {
		return none, err
	}
	out := showAudit(e)
	if changes := a.changes[e.Category()]; changes != nil {
		found, err := changes(ctx, e.Stream.Key(), e.Revision)
		if err != nil && domain.CodeOf(err) != domain.CodeNotFound { // the log may have forgotten it
			return none, err
		}
		out.Changes = make(map[string]view.AuditChange, len(found))
		for _, c := range found {
			out.Changes[strings.TrimSuffix(c.Path, "/-")] = view.AuditChange{Op: c.Op, Before: c.Before, After: c.After}
		}
	}
	return httpx.Reply[view.AuditLog]{Body: out}, nil
}

func (a *API) auditStats(ctx context.Context, in *auditRange) (httpx.Reply[view.AuditStats], error) {
	var none httpx.Reply[view.AuditStats]
	chain, err := in.chain(ctx)
	if err != nil {
		return none, err
	}
	s, err := a.Events.Stats(ctx, events.Query{Scope: events.Scope{Workspace: chain}, Since: in.StartDate, Until: in.EndDate})
	if err != nil {
		return none, err
	}
	out := view.AuditStats{Total: s.Total, ByAction: s.ByAction, ByActor: s.ByActor, ByOutcome: map[string]int{}}
	if s.Total > 0 {
		out.ByOutcome[audit.Success] = s.Total
	}
	return httpx.Reply[view.AuditStats]{Body: out}, nil
}

func (a *API) verifyAudit(ctx context.Context, in *auditRange) (httpx.Reply[view.AuditVerification], error) {
	var none httpx.Reply[view.AuditVerification]
	chain, err := in.chain(ctx)
	if err != nil {
		return none, err
	}
	v, err := a.Events.Verify(ctx, chain, in.StartDate, in.EndDate)
	if err != nil {
		return none, err
	}
	out := view.AuditVerification{Valid: v.Broken == nil, Chain: chain, Checked: v.Checked, Head: v.Head.String(),
		Position: uint64(v.Position), Removed: v.Gone, PublicKey: a.auditPublicKey()}
	if b := v.Broken; b != nil {
		out.FirstBrokenID, out.FirstBrokenPosition, out.Reason, out.Detail = b.ID, uint64(b.Position), string(b.Reason), b.Detail
	}
	return httpx.Reply[view.AuditVerification]{Body: out}, nil
}
