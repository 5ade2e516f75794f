package view

import (
	"time"

	"strata/domain"
	"strata/domain/memory"
)

// Memory is a memory as answers show it.
type Memory struct {
	ID          string     `json:"id" example:"mem_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Provider    string     `json:"provider" doc:"Who keeps it; internal is Strata itself." example:"internal"`
	Content     string     `json:"content" example:"Prefers answers in German"`
	Type        string     `json:"type" enum:"episodic,semantic,procedural,working" example:"semantic"`
	AgentID     string     `json:"agent_id,omitempty"`
	UserID      string     `json:"user_id,omitempty" example:"user_bob"`
	SessionID   string     `json:"session_id,omitempty"`
	AppID       string     `json:"app_id,omitempty"`
	Metadata    domain.Doc `json:"metadata,omitempty" doc:"The client's own data."`
	Importance  *float64   `json:"importance,omitempty" doc:"From 0 (trivial) to 1 (vital)." example:"0.5"`
	DuplicateOf string     `json:"duplicate_of,omitempty" doc:"The memory that said nearly the same when this one was embedded. Both are kept; it is for you to choose."`
	Score       *float64   `json:"score,omitempty" doc:"How well it fits a search, from 0 to 1; in search answers only."`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

// MemoryOf shows a memory's state.
func MemoryOf(s *memory.State) Memory {
	m := MemoryFields(s.ID, s.Fields)
	m.Provider, m.CreatedAt, m.UpdatedAt = s.Provider, s.CreatedAt, s.UpdatedAt
	return m
}

// MemoryFields shows the fields a client may set.
func MemoryFields(id string, f memory.Fields) Memory {
	return Memory{ID: id, Content: f.Content, Type: string(f.Type), AgentID: f.AgentID, UserID: f.UserID,
		SessionID: f.SessionID, AppID: f.AppID, Metadata: f.Metadata, Importance: f.Importance, ExpiresAt: timeOrNil(f.ExpiresAt)}
}
