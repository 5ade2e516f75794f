package memory

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"strata/domain"
)

// By says on whose behalf a provider is asked for memories.
type By struct {
	domain.Principal
	Agent, Run string // of an agent that remembers, if one does
	RequestID  string
	// CorrelationID leads from what a provider did to what it did it for.
	CorrelationID string
	// IdempotencyKey makes an addition one memory however often it is asked for,
	// where the provider can tell. Internal can; mem0 cannot.
	IdempotencyKey string
}

// Scope narrows a list or a search of a workspace's memories. Empty fields do not.
type Scope struct {
	AgentID, UserID, SessionID, AppID string
	Type                              Kind
	Metadata                          domain.Doc // that must be equal; null wants a field to be absent
}

// Holds tells whether a memory of these fields is within the scope, and has not
// expired by a time. It is for providers that cannot be asked so exactly.
func (s Scope) Holds(f Fields, now time.Time) bool {
	for _, pair := range [][2]string{{s.AgentID, f.AgentID}, {s.UserID, f.UserID}, {s.SessionID, f.SessionID}, {s.AppID, f.AppID}, {string(s.Type), string(f.Type)}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	for key, want := range s.Metadata {
		if !equalJSON(want, f.Metadata[key]) {
			return false
		}
	}
	return f.ExpiresAt.IsZero() || f.ExpiresAt.After(now)
}

// equalJSON compares two values; what is absent equals null.
func equalJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if len(a) > 0 && json.Unmarshal(a, &x) != nil || len(b) > 0 && json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// Query is what memories are searched for.
type Query struct {
	Scope
	Text  string
	Limit int     // at most so many, 10 when 0
	Least float64 // the score that a memory must have, 0 to 1
}

// Found is a memory that a provider keeps.
type Found struct {
	State
	Score float64 // how well it fits a search, 0 to 1
}

// Page is a part of what there is.
type Page struct {
	Items []Found
	More  bool
}
