// Package memorycall holds the facts of what was changed at providers that keep
// memories elsewhere: who added, changed or deleted what, and apart from it what was
// said. They are facts only; there is nothing to decide.
package memorycall

import (
	"cmp"
	"encoding/json"
	"time"

	"strata/domain"
)

// Category is the stream category; streams are "memory_call-<workspace>_<yyyymmdd>",
// so that one day of one workspace can be dropped as a whole.
const Category = "memory_call"

// StreamOf returns the stream that holds calls of a workspace on the day of t (UTC).
func StreamOf(workspace string, t time.Time) domain.StreamID {
	return domain.Stream(Category, workspace+"_"+t.UTC().Format("20060102"))
}

// The operations that are recorded.
const (
	Add    = "add"
	Update = "update"
	Delete = "delete"
)

// Made is one change that a provider was asked for.
type Made struct {
	ID         string    `json:"id"` // memc_…
	ProviderID string    `json:"provider_id"`
	Provider   string    `json:"provider"`
	Operation  string    `json:"operation"`
	MemoryID   string    `json:"memory_id,omitempty"` // as the provider names it
	User       string    `json:"user,omitempty"`
	APIKey     string    `json:"api_key_id,omitempty"`
	Agent      string    `json:"agent_id,omitempty"`
	Run        string    `json:"run_id,omitempty"`
	ErrorCode  string    `json:"error_code,omitempty"`
	StartedAt  time.Time `json:"started_at"`
	LatencyUS  int64     `json:"latency_us"`
}

// EventType implements domain.Fact.
func (Made) EventType() string { return "memory_call.made.v1" }

// PayloadRecorded is what was said in a call: personal, kept apart so that it can
// have a shorter life and its subject's key can be destroyed.
type PayloadRecorded struct {
	ID      string          `json:"id"` // of the call
	Subject string          `json:"subject"`
	Sent    json.RawMessage `json:"sent,omitempty"` // the memory's fields, or those that changed
	Error   string          `json:"error,omitempty"`
}

// EventType implements domain.Fact.
func (PayloadRecorded) EventType() string { return "memory_call.payload_recorded.v1" }

// DataSubject implements domain.PersonalFact.
func (p PayloadRecorded) DataSubject() string { return p.Subject }

// Subject is under whose key what was said is sealed: the person's whom the memory is
// about, or who said it.
func Subject(about, user, apiKey, workspace string) string {
	return cmp.Or(about, user, apiKey, workspace)
}

// FactTypes lists the facts of this package for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[Made](), domain.FactOf[PayloadRecorded]()}
}
