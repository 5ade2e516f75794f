package budget

import (
	"time"

	"strata/domain"
)

// Change alters a budget; nil fields stay as they are. One fact per intent, so
// that the history reads "limit raised from 10 to 20", not "changed".
type Change struct {
	Name        *string
	Limit       *domain.Money
	LimitTokens *int64
	Period      *Period
	Hard        *bool
	Status      *string // active or disabled; exceeded is a finding, not a setting
	// ScopeType and ScopeID may repeat what the budget limits, not change it.
	ScopeType *string
	ScopeID   *string
}

// Decide implements domain.Decider.
func (c Change) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	var f domain.Faults
	if c.Name != nil {
		checkName(&f, *c.Name)
	}
	checkLimits(&f, c.Limit, c.LimitTokens)
	if c.Period != nil {
		checkPeriod(&f, *c.Period)
	}
	f.Add(c.Status != nil && *c.Status != "active" && *c.Status != "disabled" && *c.Status != s.At(env.Now).Status,
		"status", "must be active or disabled")
	f.Add(c.ScopeType != nil && *c.ScopeType != s.ScopeType, "scope_type", "cannot be changed")
	f.Add(c.ScopeID != nil && *c.ScopeID != s.ScopeID, "scope_id", "cannot be changed")
	if err := f.Err(); err != nil {
		return nil, err
	}
	facts := s.roll(env)
	if c.Name != nil && *c.Name != s.Name {
		facts = append(facts, Renamed{Name: *c.Name})
	}
	if c.Limit != nil && *c.Limit > s.Limit {
		facts = append(facts, LimitRaised{From: s.Limit, To: *c.Limit})
	} else if c.Limit != nil && *c.Limit < s.Limit {
		facts = append(facts, LimitLowered{From: s.Limit, To: *c.Limit})
	}
	if c.LimitTokens != nil && *c.LimitTokens != s.LimitTokens {
		facts = append(facts, TokenLimitSet{Tokens: *c.LimitTokens})
	}
	if c.Period != nil && *c.Period != s.Period {
		facts = append(facts, PeriodChanged{Period: *c.Period, PeriodStart: c.Period.Start(env.Now)})
	}
	if c.Hard != nil && *c.Hard != s.Hard {
		if *c.Hard {
			facts = append(facts, Hardened{})
		} else {
			facts = append(facts, Softened{})
		}
	}
	if c.Status != nil {
		if off := *c.Status == "disabled"; off != s.Off && off {
			facts = append(facts, Disabled{})
		} else if off != s.Off {
			facts = append(facts, Enabled{})
		}
	}
	return facts, nil
}

// Delete ends a budget.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{Deleted{}}, nil
}

// Clear sets what was spent in the current period to zero. Open reservations
// stay reserved.
type Clear struct{ Reason string }

// Decide implements domain.Decider.
func (c Clear) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if facts := s.roll(env); len(facts) > 0 {
		return facts, nil // the new period begins at zero anyway
	}
	return []domain.Fact{Reset{Reason: c.Reason, Spent: s.Spent, Tokens: s.Tokens}}, nil
}

// Roll records that a period is over and another has begun, if that is so. A
// reservation or a change does it as well; this is for when nothing else happens.
type Roll struct{}

// Decide implements domain.Decider.
func (Roll) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return s.roll(env), nil
}

// NextExpiry is when the first of the open reservations expires; zero when
// none is open.
func (s *State) NextExpiry() (first time.Time) {
	for _, h := range s.Open {
		if first.IsZero() || h.ExpiresAt.Before(first) {
			first = h.ExpiresAt
		}
	}
	return first
}

// PeriodEnd is when the current period ends; zero for one that never does, and
// for a budget that is gone.
func (s *State) PeriodEnd() time.Time {
	if s.alive() != nil {
		return time.Time{}
	}
	return s.Period.End(s.PeriodStart)
}

// roll records the end of the period, if it is over.
func (s *State) roll(env domain.Env) []domain.Fact {
	if !s.over(env.Now) {
		return nil
	}
	return []domain.Fact{PeriodRolled{PeriodStart: s.Period.Start(env.Now), Spent: s.Spent, Tokens: s.Tokens}}
}
