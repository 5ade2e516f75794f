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
	Embedding   *Embedding `json:"embedding,omitempty" doc:"Whether it is found by its meaning, beside its words; in answers of reads."`
	Score       *float64   `json:"score,omitempty" doc:"How well it fits a search, from 0 to 1; in search answers only."`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

// Embedding tells whether a memory is found by its meaning.
type Embedding struct {
	Status string `json:"status" enum:"pending,embedded,failed,outdated" doc:"pending: not yet, and tried again by itself; failed: refused, for a reason that somebody has to mend, and tried again now and then; outdated: by a model that is not used any more." example:"embedded"`
	Model  string `json:"model,omitempty" doc:"That embedded the text." example:"strata/embed-1"`
	Code   string `json:"code,omitempty" doc:"Of the error of the last try that failed." example:"QUOTA_EXCEEDED"`
	Reason string `json:"reason,omitempty" doc:"What that error said."`
}

// EmbeddingOf shows how the embedding of a text stands with the model that is in use:
// by which model it was made ("" for none), or why it could not be.
func EmbeddingOf(inUse, model string, code domain.Code, reason string) *Embedding {
	e := &Embedding{Status: "pending", Model: model, Code: string(code), Reason: reason}
	switch {
	case code != "" && !memory.Passing(code):
		e.Status = "failed"
	case code != "" || model == "":
	case model == inUse:
		e.Status = "embedded"
	default:
		e.Status = "outdated"
	}
	return e
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
