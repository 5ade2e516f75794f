package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"strata/domain"
	"strata/projections/audit"
)

// Event is a line of the public list and of the audit trail.
type Event struct {
	audit.Entry
	Subject string // id of the resource it happened to
	Summary string // a few words for a person: "budget limit raised"

	// Data is what the event carries, with secrets masked; {"erased":true} when
	// its subject was erased. Only Reader fills it.
	Data json.RawMessage
}

// EventOf describes an event, without data and hashes.
func EventOf(e *domain.Event) *Event {
	kind := e.Fact.EventType()
	if u, ok := e.Fact.(domain.Unread); ok {
		kind = u.Recorded
	}
	return &Event{
		Entry: audit.Entry{ID: domain.FormatID("evt", e.ID), Type: kind, Stream: e.Stream, Revision: e.Revision, Position: e.Position,
			Workspace: e.Meta.Workspace, Organization: e.Meta.Organization, Actor: e.Meta.Actor, RequestID: e.Meta.RequestID,
			CorrelationID: e.Meta.CorrelationID, OccurredAt: e.Meta.OccurredAt.UTC().Truncate(time.Microsecond)},
		Subject: e.Stream.Key(), Summary: inWords(audit.Unversioned(kind)),
	}
}

// inWords makes "budget limit raised" of "budget.limit_raised".
func inWords(kind string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '_' {
			return ' '
		}
		return r
	}, kind)
}

// Category is the kind of resource the event happened to.
func (e *Event) Category() string { return e.Stream.Category() }

// masked is shown in place of a secret.
var masked = json.RawMessage(`"********"`)

// dataOf shows what a fact carries, with the values of secret fields masked
// wherever they occur in it.
func dataOf(f domain.Fact, secret func(field string) bool) (json.RawMessage, error) {
	if _, gone := f.(domain.Erased); gone {
		return json.RawMessage(`{"erased":true}`), nil
	}
	b, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("show %s: %w", f.EventType(), err)
	}
	return mask(b, secret)
}

func mask(b json.RawMessage, secret func(field string) bool) (json.RawMessage, error) {
	switch {
	case len(b) > 0 && b[0] == '{':
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			return nil, err
		}
		for name, value := range fields {
			if secret(name) && string(value) != "null" {
				fields[name] = masked
				continue
			}
			inner, err := mask(value, secret)
			if err != nil {
				return nil, err
			}
			fields[name] = inner
		}
		return json.Marshal(fields)
	case len(b) > 0 && b[0] == '[':
		var items []json.RawMessage
		if err := json.Unmarshal(b, &items); err != nil {
			return nil, err
		}
		for i, item := range items {
			inner, err := mask(item, secret)
			if err != nil {
				return nil, err
			}
			items[i] = inner
		}
		return json.Marshal(items)
	}
	return b, nil
}
