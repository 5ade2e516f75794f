package session

import (
	"encoding/json"

	"strata/domain"
)

// Created begins a session.
type Created struct {
	AppName   string     `json:"app_name,omitempty"`
	AgentName string     `json:"agent_name,omitempty"`
	UserID    string     `json:"user_id,omitempty"`
	State     domain.Doc `json:"state,omitempty"`
	Metadata  domain.Doc `json:"metadata,omitempty"`
	Subject   string     `json:"subject,omitempty"` // whose key seals this fact
}

// EventType implements domain.Fact.
func (Created) EventType() string { return "session.created.v1" }

// DataSubject implements domain.PersonalFact.
func (f Created) DataSubject() string { return f.Subject }

// EventAdded is one thing said or done in a session.
type EventAdded struct {
	ID           string          `json:"id"`       // sev_…
	Sequence     int64           `json:"sequence"` // from 1, without gaps
	Author       string          `json:"author"`
	Type         EventKind       `json:"type"`
	Content      json.RawMessage `json:"content"` // an object
	StateDelta   domain.Doc      `json:"state_delta,omitempty"`
	InvocationID string          `json:"invocation_id,omitempty"`
	Subject      string          `json:"subject,omitempty"` // whose key seals this fact
}

// EventType implements domain.Fact.
func (EventAdded) EventType() string { return "session.event_added.v1" }

// DataSubject implements domain.PersonalFact.
func (f EventAdded) DataSubject() string { return f.Subject }

// Ended closes a session: it takes no more events.
type Ended struct{}

// EventType implements domain.Fact.
func (Ended) EventType() string { return "session.closed.v1" }

// Deleted removes a session from view. Its identifier stays used.
type Deleted struct{}

// EventType implements domain.Fact.
func (Deleted) EventType() string { return "session.deleted.v1" }

// FactTypes lists the facts of sessions for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Created](),
		domain.FactOf[EventAdded](),
		domain.FactOf[Ended](),
		domain.FactOf[Deleted](),
	}
}
