package sessions

import (
	"encoding/json"

	"strata/domain"
	"strata/domain/session"
)

// Past is a session at some revision with its latest events.
type Past struct {
	session.State
	Events []Event // oldest first
}

// PastAggregate folds a session together with its n latest events, to the same
// that the model's tables would have shown.
func PastAggregate(n int) *domain.Aggregate[Past] {
	plain := session.Aggregate
	return &domain.Aggregate[Past]{Category: plain.Category, Prefix: plain.Prefix, Noun: plain.Noun, Facts: plain.Facts,
		New:   func(key string) *Past { return &Past{State: *plain.New(key)} },
		Apply: func(p *Past, e domain.Event) { p.apply(n, e) }}
}

func (p *Past) apply(n int, e domain.Event) {
	session.Aggregate.Apply(&p.State, e)
	switch f := e.Fact.(type) {
	case session.EventAdded:
		f.Subject = "" // as in the rows: whose key sealed it is not shown
		p.Events = append(p.Events, Event{EventAdded: f, At: e.Meta.OccurredAt})
	case domain.Erased:
		for i := range p.Events {
			old := &p.Events[i]
			*old = Event{EventAdded: session.EventAdded{ID: old.ID, Sequence: old.Sequence, Type: old.Type, Content: json.RawMessage("{}")}, At: old.At, Erased: true}
		}
		if f.Type == (session.EventAdded{}).EventType() {
			p.Events = append(p.Events, Event{EventAdded: erasedPlace(e, p.EventCount), At: e.Meta.OccurredAt, Erased: true})
		}
	}
	if len(p.Events) > n {
		p.Events = p.Events[len(p.Events)-n:]
	}
}

// erasedPlace is what is shown of an event that can no longer be read.
func erasedPlace(e domain.Event, sequence int64) session.EventAdded {
	return session.EventAdded{ID: domain.FormatID("sev", e.ID), Sequence: sequence, Type: session.Custom, Content: json.RawMessage("{}")}
}
