package budget

import (
	"time"

	"strata/domain"
)

// Created says that a budget came into being.
type Created struct {
	Name        string       `json:"name"`
	ScopeType   string       `json:"scope_type"`
	ScopeID     string       `json:"scope_id,omitempty"`
	Limit       domain.Money `json:"limit_micro_usd"`
	LimitTokens int64        `json:"limit_tokens,omitempty"`
	Period      Period       `json:"period"`
	PeriodStart time.Time    `json:"period_start"`
	Hard        bool         `json:"hard_limit"`
	Disabled    bool         `json:"disabled,omitempty"`
}

// Renamed says that the budget has another name.
type Renamed struct {
	Name string `json:"name"`
}

// LimitRaised and LimitLowered say what may be spent from now on.
type LimitRaised struct {
	From domain.Money `json:"from_micro_usd"`
	To   domain.Money `json:"to_micro_usd"`
}

// LimitLowered: see [LimitRaised]. What was spent stays spent.
type LimitLowered struct {
	From domain.Money `json:"from_micro_usd"`
	To   domain.Money `json:"to_micro_usd"`
}

// TokenLimitSet says how many tokens may be used in a period; 0 = no limit.
type TokenLimitSet struct {
	Tokens int64 `json:"tokens"`
}

// PeriodChanged says over which span the limit counts; what was spent in the
// current one goes on counting.
type PeriodChanged struct {
	Period      Period    `json:"period"`
	PeriodStart time.Time `json:"period_start"`
}

// Hardened and Softened say whether the limit refuses calls or only shows.
type Hardened struct{}

// Softened: see [Hardened].
type Softened struct{}

// Enabled and Disabled say whether the budget counts at all.
type Enabled struct{}

// Disabled: see [Enabled].
type Disabled struct{}

// Deleted ends the budget.
type Deleted struct{}

// Reset sets what was spent in the current period to zero.
type Reset struct {
	Reason string       `json:"reason,omitempty"`
	Spent  domain.Money `json:"spent_micro_usd"` // what it was
	Tokens int64        `json:"tokens"`
}

// PeriodRolled says that a new period began.
type PeriodRolled struct {
	PeriodStart time.Time    `json:"period_start"`
	Spent       domain.Money `json:"spent_micro_usd"` // in the period that ended
	Tokens      int64        `json:"tokens"`
}

// Reserved holds money and tokens for one call.
type Reserved struct {
	ID        string       `json:"id"`
	Amount    domain.Money `json:"amount_micro_usd"`
	Tokens    int64        `json:"tokens"`
	ExpiresAt time.Time    `json:"expires_at"`
}

// Settled says what a call really cost.
type Settled struct {
	ID     string       `json:"id"`
	Amount domain.Money `json:"amount_micro_usd"`
	Tokens int64        `json:"tokens"`
	Late   bool         `json:"late,omitempty"` // the reservation had expired
}

// Released says that a call cost nothing, or (Expired) that nobody settled in time.
type Released struct {
	ID      string `json:"id"`
	Expired bool   `json:"expired,omitempty"`
}

func (Created) EventType() string       { return "budget.created.v1" }
func (Renamed) EventType() string       { return "budget.renamed.v1" }
func (LimitRaised) EventType() string   { return "budget.limit_raised.v1" }
func (LimitLowered) EventType() string  { return "budget.limit_lowered.v1" }
func (TokenLimitSet) EventType() string { return "budget.token_limit_set.v1" }
func (PeriodChanged) EventType() string { return "budget.period_changed.v1" }
func (Hardened) EventType() string      { return "budget.hardened.v1" }
func (Softened) EventType() string      { return "budget.softened.v1" }
func (Enabled) EventType() string       { return "budget.enabled.v1" }
func (Disabled) EventType() string      { return "budget.disabled.v1" }
func (Deleted) EventType() string       { return "budget.deleted.v1" }
func (Reset) EventType() string         { return "budget.reset.v1" }
func (PeriodRolled) EventType() string  { return "budget.period_rolled.v1" }
func (Reserved) EventType() string      { return "budget.reserved.v1" }
func (Settled) EventType() string       { return "budget.settled.v1" }
func (Released) EventType() string      { return "budget.released.v1" }

// FactTypes lists the facts of budgets for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Created](), domain.FactOf[Renamed](), domain.FactOf[LimitRaised](), domain.FactOf[LimitLowered](),
		domain.FactOf[TokenLimitSet](), domain.FactOf[PeriodChanged](), domain.FactOf[Hardened](), domain.FactOf[Softened](),
		domain.FactOf[Enabled](), domain.FactOf[Disabled](), domain.FactOf[Deleted](), domain.FactOf[Reset](),
		domain.FactOf[PeriodRolled](), domain.FactOf[Reserved](), domain.FactOf[Settled](), domain.FactOf[Released](),
	}
}
