package timer

import (
	"time"

	"strata/domain"
)

// State of a timer. It is pending while Due is set.
type State struct {
	ID    string
	Kind  string // what it is for: "budget-period"; reactors choose by it
	Owner string // id of the aggregate it is about
	Due   time.Time
	Fires int64 // how often it has fired
}

// Aggregate folds timers.
var Aggregate = &domain.Aggregate[State]{
	Category: "timer", Prefix: "tmr", Noun: "timer", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: []domain.FactType{domain.FactOf[Scheduled](), domain.FactOf[Cancelled](), domain.FactOf[Fired]()},
}

// ID is the timer of a kind for an owner: there is one, which may be moved.
func ID(kind, owner string) string { return kind + "." + owner }

// Scheduled says when the timer is to fire. A later one moves it.
type Scheduled struct {
	Kind  string    `json:"kind"`
	Owner string    `json:"owner"`
	Due   time.Time `json:"due"`
}

// EventType implements domain.Fact.
func (Scheduled) EventType() string { return "timer.scheduled.v1" }

// Cancelled says that the timer is not to fire any more.
type Cancelled struct{}

// EventType implements domain.Fact.
func (Cancelled) EventType() string { return "timer.cancelled.v1" }

// Fired says that the timer's time has come. The event's own time tells how late.
type Fired struct {
	Kind  string    `json:"kind"`
	Owner string    `json:"owner"`
	Due   time.Time `json:"due"`
	Fires int64     `json:"fires"` // how often this timer has fired, this one counted
}

// EventType implements domain.Fact.
func (Fired) EventType() string { return "timer.fired.v1" }

func (s *State) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case Scheduled:
		s.Kind, s.Owner, s.Due = f.Kind, f.Owner, f.Due
	case Cancelled:
		s.Due = time.Time{}
	case Fired:
		s.Due, s.Fires = time.Time{}, f.Fires
	}
}

// Schedule sets or moves a timer. Asking again for what is set already does
// nothing, so it may be repeated.
type Schedule struct {
	Kind, Owner string
	Due         time.Time
	// Sooner leaves a timer alone that is pending for an earlier time.
	Sooner bool
}

// Decide implements domain.Decider.
func (c Schedule) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	var f domain.Faults
	f.Add(c.Kind == "", "kind", "is required")
	f.Add(c.Owner == "", "owner", "is required")
	f.Add(c.Due.IsZero(), "due", "is required")
	if err := f.Err(); err != nil {
		return nil, err
	}
	due := c.Due.UTC().Truncate(time.Microsecond)
	if s.Due.Equal(due) || c.Sooner && !s.Due.IsZero() && s.Due.Before(due) {
		return nil, nil
	}
	return []domain.Fact{Scheduled{Kind: c.Kind, Owner: c.Owner, Due: due}}, nil
}

// Cancel ends a timer that is pending; any other is left as it is.
type Cancel struct{}

// Decide implements domain.Decider.
func (Cancel) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Due.IsZero() {
		return nil, nil
	}
	return []domain.Fact{Cancelled{}}, nil
}

// Fire fires a timer that is due. One that is not (any more) is left as it is:
// somebody else was faster, or it was moved or cancelled.
type Fire struct{}

// Decide implements domain.Decider.
func (Fire) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Due.IsZero() || env.Now.Before(s.Due) {
		return nil, nil
	}
	return []domain.Fact{Fired{Kind: s.Kind, Owner: s.Owner, Due: s.Due, Fires: s.Fires + 1}}, nil
}
