package budget

import (
	"slices"

	"strata/domain"
)

// ScopeTypes are what a budget can limit.
var ScopeTypes = []string{"organization", "workspace", "agent", "app", "user", "api_key", "model"}

// Create makes a budget. An organization's or workspace's own budget needs no
// ScopeID; every other scope names one agent, app, user, key or model.
type Create struct {
	Name        string
	ScopeType   string
	ScopeID     string
	Limit       domain.Money
	LimitTokens int64
	Period      Period
	Soft        bool
	Disabled    bool
}

// Decide implements domain.Decider.
func (c Create) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "budget %q exists already", s.ID)
	}
	var f domain.Faults
	checkName(&f, c.Name)
	f.Add(!slices.Contains(ScopeTypes, c.ScopeType), "scope_type", "must be one of %v", ScopeTypes)
	own := c.ScopeType == "organization" || c.ScopeType == "workspace"
	f.Add(!own && c.ScopeID == "", "scope_id", "is required for the scope %s", c.ScopeType)
	f.Add(c.ScopeType == "organization" && c.ScopeID != "" && c.ScopeID != env.Organization, "scope_id", "is not your organization")
	f.Add(c.ScopeType == "workspace" && c.ScopeID != "" && c.ScopeID != env.Workspace, "scope_id", "is not your workspace")
	checkLimits(&f, &c.Limit, &c.LimitTokens)
	checkPeriod(&f, c.Period)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.ScopeType == "organization" {
		c.ScopeID = env.Organization
	} else if c.ScopeType == "workspace" {
		c.ScopeID = env.Workspace
	}
	return []domain.Fact{Created{Name: c.Name, ScopeType: c.ScopeType, ScopeID: c.ScopeID, Limit: c.Limit,
		LimitTokens: c.LimitTokens, Period: c.Period, PeriodStart: c.Period.Start(env.Now), Hard: !c.Soft, Disabled: c.Disabled}}, nil
}

func checkName(f *domain.Faults, name string) {
	f.Add(name == "", "name", "is required")
	f.Add(len(name) > 200, "name", "is longer than 200 bytes")
}

// maxLimit keeps sums of money far from the end of an int64.
const maxLimit = domain.Money(1e9 * 1e6)

func checkLimits(f *domain.Faults, limit *domain.Money, tokens *int64) {
	if limit != nil {
		f.Add(*limit < 0, "limit_usd", "must not be negative")
		f.Add(*limit > maxLimit, "limit_usd", "must be at most %.0f", maxLimit.Dollars())
	}
	if tokens != nil {
		f.Add(*tokens < 0, "limit_tokens", "must not be negative")
	}
}

func checkPeriod(f *domain.Faults, p Period) {
	f.Add(!slices.Contains([]Period{Daily, Weekly, Monthly, Total}, p), "period", "must be one of daily, weekly, monthly, total")
}
