// Package projection holds the facts about projections themselves: what follows
// the log, read models as well as reactors and writers. Everything such a
// follower does can be derived from the log again, but for one decision: that an
// event it cannot take shall be left out for good. Somebody answers for that, so
// it is an event.
package projection

import (
	"strings"

	"strata/domain"
)

// Category is the stream category; there is one stream per projection.
const Category = "projection"

// MaxReason is the longest reason, in bytes.
const MaxReason = 2000

// EventDiscarded says that a projection leaves out an event, now and in every
// later rebuild. Who decided it is in the metadata.
type EventDiscarded struct {
	Projection string          `json:"projection"`
	Position   domain.Position `json:"position"` // of the event that is left out
	Stream     domain.StreamID `json:"stream"`
	Type       string          `json:"type"`
	Reason     string          `json:"reason"`
}

// EventType implements domain.Fact.
func (EventDiscarded) EventType() string { return "projection.event_discarded.v1" }

// State of a projection: what it leaves out.
type State struct {
	Discarded map[domain.Position]bool `json:"discarded"`
}

// Aggregate folds a projection's stream. Its id is the projection's name.
var Aggregate = &domain.Aggregate[State]{
	Category: Category, Prefix: Category, Noun: "projection",
	New: func(string) *State { return &State{Discarded: map[domain.Position]bool{}} },
	Apply: func(s *State, e domain.Event) {
		if f, ok := e.Fact.(EventDiscarded); ok {
			s.Discarded[f.Position] = true
		}
	},
	Facts: []domain.FactType{domain.FactOf[EventDiscarded]()},
}

// Left is an event that is to be left out.
type Left struct {
	Position domain.Position
	Stream   domain.StreamID
	Type     string
}

// Discard leaves events out of a projection. Those that are left out already
// are not mentioned again.
type Discard struct {
	Projection string
	Events     []Left
	Reason     string
}

// Decide implements domain.Decider.
func (c Discard) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	reason := strings.TrimSpace(c.Reason)
	var f domain.Faults
	f.Add(reason == "", "reason", "is required: somebody will want to know why")
	f.Add(len(reason) > MaxReason, "reason", "must be at most %d bytes", MaxReason)
	if err := f.Err(); err != nil {
		return nil, err
	}
	var facts []domain.Fact
	for _, e := range c.Events {
		if !s.Discarded[e.Position] {
			facts = append(facts, EventDiscarded{Projection: c.Projection, Position: e.Position, Stream: e.Stream, Type: e.Type, Reason: reason})
		}
	}
	return facts, nil
}
