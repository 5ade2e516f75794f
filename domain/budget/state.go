package budget

import (
	"time"

	"strata/domain"
)

// Period is the span a limit counts over. Days begin at midnight UTC, weeks on
// Monday, months on the first.
type Period string

// The periods. Total never ends.
const (
	Daily   Period = "daily"
	Weekly  Period = "weekly"
	Monthly Period = "monthly"
	Total   Period = "total"
)

// Start returns when the period that holds t began; the zero time for Total.
func (p Period) Start(t time.Time) time.Time {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch p {
	case Daily:
		return day
	case Weekly:
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case Monthly:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Time{}
}

// End returns when the period that began at start ends; the zero time for Total.
func (p Period) End(start time.Time) time.Time {
	switch p {
	case Daily:
		return start.AddDate(0, 0, 1)
	case Weekly:
		return start.AddDate(0, 0, 7)
	case Monthly:
		return start.AddDate(0, 1, 0)
	}
	return time.Time{}
}

// Ref names a budget and what it limits.
type Ref struct {
	ID        string
	ScopeType string
	ScopeID   string
}

// Hold is an open reservation.
type Hold struct {
	Amount    domain.Money `json:"amount"`
	Tokens    int64        `json:"tokens"`
	ExpiresAt time.Time    `json:"expires_at"`
}

// State of a budget.
type State struct {
	ID          string       `json:"id"`
	Exists      bool         `json:"exists"`
	IsDeleted   bool         `json:"deleted,omitempty"`
	Name        string       `json:"name"`
	ScopeType   string       `json:"scope_type"`
	ScopeID     string       `json:"scope_id,omitempty"`
	Limit       domain.Money `json:"limit"`
	LimitTokens int64        `json:"limit_tokens,omitempty"`
	Period      Period       `json:"period"`
	PeriodStart time.Time    `json:"period_start"`
	Hard        bool         `json:"hard"`
	Off         bool         `json:"off,omitempty"`

	Spent          domain.Money    `json:"spent"` // settled in the current period
	Tokens         int64           `json:"tokens"`
	Reserved       domain.Money    `json:"reserved"` // sum of Open
	ReservedTokens int64           `json:"reserved_tokens"`
	Open           map[string]Hold `json:"open,omitempty"`
	// Expired remembers reservations released by time, so that a call that did
	// happen can still be settled, once.
	Expired map[string]time.Time `json:"expired,omitempty"`
}

// expiredKept bounds how long a late settlement is possible. A call cannot
// outlive it: the gateway's own limit is far shorter.
const expiredKept = 7 * 24 * time.Hour

// Aggregate folds budgets.
var Aggregate = &domain.Aggregate[State]{
	Category: "budget", Prefix: "bud", Noun: "budget", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: Apply,
	Facts: FactTypes(),
}

// Apply folds one event.
func Apply(s *State, e domain.Event) {
	switch f := e.Fact.(type) {
	case Created:
		*s = State{ID: s.ID, Exists: true, Name: f.Name, ScopeType: f.ScopeType, ScopeID: f.ScopeID, Limit: f.Limit,
			LimitTokens: f.LimitTokens, Period: f.Period, PeriodStart: f.PeriodStart, Hard: f.Hard, Off: f.Disabled}
	case Renamed:
		s.Name = f.Name
	case LimitRaised:
		s.Limit = f.To
	case LimitLowered:
		s.Limit = f.To
	case TokenLimitSet:
		s.LimitTokens = f.Tokens
	case PeriodChanged:
		s.Period, s.PeriodStart = f.Period, f.PeriodStart
	case Hardened:
		s.Hard = true
	case Softened:
		s.Hard = false
	case Enabled:
		s.Off = false
	case Disabled:
		s.Off = true
	case Deleted:
		s.IsDeleted = true
	case Reset:
		s.Spent, s.Tokens = 0, 0
	default:
		s.applyLedger(e)
	}
}

func (s *State) applyLedger(e domain.Event) {
	switch f := e.Fact.(type) {
	case PeriodRolled:
		s.PeriodStart, s.Spent, s.Tokens = f.PeriodStart, 0, 0
	case Reserved:
		if s.Open == nil {
			s.Open = map[string]Hold{}
		}
		s.Open[f.ID] = Hold{Amount: f.Amount, Tokens: f.Tokens, ExpiresAt: f.ExpiresAt}
		s.Reserved += f.Amount
		s.ReservedTokens += f.Tokens
	case Settled:
		s.close(f.ID)
		delete(s.Expired, f.ID)
		s.Spent += f.Amount
		s.Tokens += f.Tokens
	case Released:
		s.close(f.ID)
		if f.Expired {
			s.expire(f.ID, e.Meta.OccurredAt)
		}
	}
}

func (s *State) close(id string) {
	h, ok := s.Open[id]
	if !ok {
		return
	}
	delete(s.Open, id)
	s.Reserved -= h.Amount
	s.ReservedTokens -= h.Tokens
}

func (s *State) expire(id string, at time.Time) {
	if s.Expired == nil {
		s.Expired = map[string]time.Time{}
	}
	for old, when := range s.Expired {
		if at.Sub(when) > expiredKept {
			delete(s.Expired, old)
		}
	}
	s.Expired[id] = at
}

// At returns the figures as of now: a period that has ended counts nothing,
// even before the next reservation records its end.
func (s *State) At(now time.Time) Figures {
	f := Figures{Spent: s.Spent, Tokens: s.Tokens, Reserved: s.Reserved, Start: s.PeriodStart, End: s.Period.End(s.PeriodStart)}
	if s.over(now) {
		f.Spent, f.Tokens, f.Start = 0, 0, s.Period.Start(now)
		f.End = s.Period.End(f.Start)
	}
	f.Remaining = max(0, s.Limit-f.Spent-f.Reserved)
	switch {
	case s.Off:
		f.Status = "disabled"
	case f.Spent >= s.Limit || s.LimitTokens > 0 && f.Tokens >= s.LimitTokens:
		f.Status = "exceeded"
	default:
		f.Status = "active"
	}
	return f
}

// Figures are what a budget shows at a moment.
type Figures struct {
	Spent, Reserved, Remaining domain.Money
	Tokens                     int64
	Start, End                 time.Time // zero for Total
	Status                     string    // active, exceeded, disabled
}

func (s *State) over(now time.Time) bool {
	end := s.Period.End(s.PeriodStart)
	return !end.IsZero() && !now.Before(end)
}

func (s *State) alive() error {
	if !s.Exists || s.IsDeleted {
		return domain.NotFound("budget", s.ID)
	}
	return nil
}
