package session

import (
	"bytes"
	"encoding/json"
	"slices"

	"strata/domain"
)

// EventKind says what sort of thing happened in a session.
type EventKind string

// The kinds of session events.
const (
	Message     EventKind = "message"
	ToolCall    EventKind = "tool_call"
	ToolResult  EventKind = "tool_result"
	StateChange EventKind = "state_change"
	ErrorEvent  EventKind = "error"
	Custom      EventKind = "custom"
)

// EventKinds lists the kinds, for validation and documentation.
func EventKinds() []EventKind {
	return []EventKind{Message, ToolCall, ToolResult, StateChange, ErrorEvent, Custom}
}

// AddEvent appends one event to an active session.
type AddEvent struct {
	Author       string          // "user", an agent's name or a tool's
	Type         EventKind       // "" is Message
	Content      json.RawMessage // an object: {"role","parts"} or {"text"}, or what the client likes
	StateDelta   domain.Doc      // merged into the session's state; null removes a key
	InvocationID string          // groups the events of one agent invocation
}

// Decide implements domain.Decider.
func (c AddEvent) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if c.Type == "" {
		c.Type = Message
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	if s.Status == Closed {
		return nil, domain.Errorf(domain.CodeConflict, "session %q is closed and takes no more events", s.UID)
	}
	return []domain.Fact{EventAdded{
		ID: env.NewID("sev"), Sequence: s.EventCount + 1,
		Author: c.Author, Type: c.Type, Content: c.Content, StateDelta: c.StateDelta,
		InvocationID: c.InvocationID, Subject: s.subject(),
	}}, nil
}

func (c AddEvent) check(s *State) error {
	var f domain.Faults
	f.Add(c.Author == "", "author", "is required")
	f.Add(len(c.Author) > maxName, "author", "must be at most %d bytes long", maxName)
	f.Add(!slices.Contains(EventKinds(), c.Type), "type", "must be one of %v", EventKinds())
	f.Add(!isObject(c.Content), "content", "must be an object")
	f.Add(len(c.Content) > maxContent, "content", "must be at most %d bytes of JSON", maxContent)
	f.Add(len(c.StateDelta) > 0 && size(s.State.Merge(c.StateDelta)) > maxState,
		"state_delta", "would make the session's state larger than %d bytes of JSON", maxState)
	f.Add(len(c.InvocationID) > maxName, "invocation_id", "must be at most %d bytes long", maxName)
	return f.Err()
}

func isObject(b json.RawMessage) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{' && json.Valid(b)
}
