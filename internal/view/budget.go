package view

import (
	"time"

	"strata/domain"
	"strata/domain/budget"
)

// Budget is a budget as answers show it.
type Budget struct {
	ID           string     `json:"id" example:"bud_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name         string     `json:"name" example:"Team budget"`
	ScopeType    string     `json:"scope_type" enum:"organization,workspace,agent,app,user,api_key,model" example:"workspace"`
	ScopeID      string     `json:"scope_id"`
	LimitUSD     float64    `json:"limit_usd" doc:"What may be spent in a period, in US dollars." example:"100"`
	LimitTokens  *int64     `json:"limit_tokens,omitempty" doc:"How many tokens may be used in a period."`
	Period       string     `json:"period" enum:"daily,weekly,monthly,total" example:"monthly"`
	HardLimit    bool       `json:"hard_limit" doc:"Whether calls are refused when it is spent." example:"true"`
	Status       string     `json:"status" enum:"active,exceeded,disabled" example:"active"`
	SpentUSD     float64    `json:"spent_usd" doc:"Settled in the current period." example:"12.5"`
	ReservedUSD  float64    `json:"reserved_usd" doc:"Held for calls that are running." example:"0.02"`
	RemainingUSD float64    `json:"remaining_usd" doc:"Neither spent nor reserved." example:"87.48"`
	PeriodStart  *time.Time `json:"period_start" nullable:"true" doc:"Null for the period total."`
	PeriodEnd    *time.Time `json:"period_end" nullable:"true" doc:"Null for the period total."`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// BudgetOf shows a budget as it stands at a moment.
func BudgetOf(s *budget.State, f budget.Figures, created, updated time.Time) Budget {
	b := Budget{ID: s.ID, Name: s.Name, ScopeType: s.ScopeType, ScopeID: s.ScopeID, LimitUSD: s.Limit.Dollars(),
		Period: string(s.Period), HardLimit: s.Hard, Status: f.Status, SpentUSD: f.Spent.Dollars(),
		ReservedUSD: f.Reserved.Dollars(), RemainingUSD: f.Remaining.Dollars(),
		PeriodStart: timeOrNil(f.Start), PeriodEnd: timeOrNil(f.End), CreatedAt: created, UpdatedAt: updated}
	if limit := s.LimitTokens; limit > 0 { // a copy: the state goes on changing
		b.LimitTokens = &limit
	}
	return b
}

// BudgetUsage is what was spent against a budget, and on what.
type BudgetUsage struct {
	BudgetID    string            `json:"budget_id"`
	SpentUSD    float64           `json:"spent_usd" example:"12.5"`
	LimitUSD    float64           `json:"limit_usd" example:"100"`
	PercentUsed float64           `json:"percent_used" example:"12.5"`
	Tokens      int64             `json:"tokens" example:"125000"`
	PeriodStart *time.Time        `json:"period_start" nullable:"true"`
	PeriodEnd   *time.Time        `json:"period_end" nullable:"true"`
	Breakdown   []BudgetBreakdown `json:"breakdown" doc:"From the inference log; lags the ledger by about a second."`
	// BreakdownUnavailable is "" when there is a breakdown.
	BreakdownUnavailable string `json:"breakdown_unavailable,omitempty" doc:"Why there is no breakdown at this moment. The other figures come from the ledger and are exact."`
}

// BudgetBreakdown is one share of what was spent.
type BudgetBreakdown struct {
	Key     string  `json:"key" doc:"Agent, model or day." example:"strata/extract-1"`
	CostUSD float64 `json:"cost_usd" example:"12.5"`
	Tokens  int64   `json:"tokens" example:"125000"`
	Calls   int64   `json:"calls" example:"310"`
}

// UsageOf shows a budget's figures without the breakdown.
func UsageOf(s *budget.State, f budget.Figures) BudgetUsage {
	u := BudgetUsage{BudgetID: s.ID, SpentUSD: f.Spent.Dollars(), LimitUSD: s.Limit.Dollars(), Tokens: f.Tokens,
		PeriodStart: timeOrNil(f.Start), PeriodEnd: timeOrNil(f.End), Breakdown: []BudgetBreakdown{}}
	if s.Limit > 0 {
		u.PercentUsed = 100 * float64(f.Spent) / float64(s.Limit)
	}
	return u
}

// BudgetCheck answers whether a planned spend fits.
type BudgetCheck struct {
	Allowed          bool    `json:"allowed" example:"true"`
	RemainingUSD     float64 `json:"remaining_usd" doc:"The least that is left in any budget that applies." example:"87.48"`
	BlockingBudgetID string  `json:"blocking_budget_id,omitempty" doc:"The first budget that would refuse."`
}

// Dollars is an amount in an input: US dollars, to the micro-dollar.
func Dollars(usd *float64) *domain.Money {
	if usd == nil {
		return nil
	}
	m := domain.FromDollars(*usd)
	return &m
}
