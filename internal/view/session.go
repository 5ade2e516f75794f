package view

import (
	"encoding/json"
	"time"

	"strata/domain"
	"strata/domain/session"
)

// Session is a session as answers show it.
type Session struct {
	UID         string         `json:"uid" doc:"Identifier of the session." example:"ses_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	AppName     string         `json:"app_name" example:"helpdesk"`
	AgentName   string         `json:"agent_name" example:"triage"`
	UserID      string         `json:"user_id" example:"user_bob"`
	State       domain.Doc     `json:"state" doc:"The agent's working state: the merge of all state deltas."`
	Metadata    domain.Doc     `json:"metadata" doc:"The client's own data."`
	EventCount  int64          `json:"event_count" example:"2"`
	Status      string         `json:"status" enum:"active,closed" example:"active"`
	LastEventAt *time.Time     `json:"last_event_at" nullable:"true" doc:"When the last event was added; null without events."`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
	Events      []SessionEvent `json:"events,omitempty" doc:"The latest events, oldest first; when one session is asked for."`
}

// SessionEvent is one thing that happened in a session.
type SessionEvent struct {
	ID           string          `json:"id" example:"sev_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	SessionUID   string          `json:"session_uid" example:"ses_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Author       string          `json:"author" doc:"user, an agent's name or a tool's." example:"user"`
	Type         string          `json:"type" enum:"message,tool_call,tool_result,state_change,error,custom" example:"message"`
	Content      json.RawMessage `json:"content" doc:"What happened, an object."`
	StateDelta   domain.Doc      `json:"state_delta,omitempty" doc:"What it changed in the session's state."`
	InvocationID string          `json:"invocation_id,omitempty" example:"inv_1"`
	Sequence     int64           `json:"sequence" doc:"Its number in the session, from 1." example:"1"`
	Timestamp    time.Time       `json:"timestamp"`
}

// SessionOf shows a session's state.
func SessionOf(s *session.State) Session {
	return Session{UID: s.UID, AppName: s.AppName, AgentName: s.AgentName, UserID: s.UserID,
		State: docOrEmpty(s.State), Metadata: docOrEmpty(s.Metadata), EventCount: s.EventCount, Status: string(s.Status),
		LastEventAt: timeOrNil(s.LastEventAt), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
}

// SessionEventOf shows an event of a session.
func SessionEventOf(uid string, e session.EventAdded, at time.Time) SessionEvent {
	return SessionEvent{ID: e.ID, SessionUID: uid, Author: e.Author, Type: string(e.Type), Content: e.Content,
		StateDelta: e.StateDelta, InvocationID: e.InvocationID, Sequence: e.Sequence, Timestamp: at}
}

// docOrEmpty shows an absent document as an empty one.
func docOrEmpty(d domain.Doc) domain.Doc {
	if d == nil {
		return domain.Doc{}
	}
	return d
}
