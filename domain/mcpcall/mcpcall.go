// Package mcpcall holds the facts of operations at Model Context Protocol servers:
// who called which tool, and apart from it what was said. They are facts only;
// there is nothing to decide.
package mcpcall

import (
	"cmp"
	"encoding/json"
	"time"

	"strata/domain"
)

// Category is the stream category; streams are "mcp_call-<workspace>_<yyyymmdd>",
// so that one day of one workspace can be dropped as a whole.
const Category = "mcp_call"

// StreamOf returns the stream that holds calls of a workspace on the day of t (UTC).
func StreamOf(workspace string, t time.Time) domain.StreamID {
	return domain.Stream(Category, workspace+"_"+t.UTC().Format("20060102"))
}

// Made is one operation that a server was asked for.
type Made struct {
	ID         string    `json:"id"` // mcpc_…
	ServerID   string    `json:"server_id"`
	Server     string    `json:"server"`
	Method     string    `json:"method"`           // tools/call, resources/read, prompts/get
	Target     string    `json:"target,omitempty"` // the tool's or prompt's name; not a resource's URI, which may name a person
	User       string    `json:"user,omitempty"`
	APIKey     string    `json:"api_key_id,omitempty"`
	Agent      string    `json:"agent_id,omitempty"`
	Run        string    `json:"run_id,omitempty"`
	ErrorCode  string    `json:"error_code,omitempty"`  // domain code, or JSONRPC_ERROR for what the server answered
	ToolFailed bool      `json:"tool_failed,omitempty"` // the tool answered that it failed
	StartedAt  time.Time `json:"started_at"`
	LatencyUS  int64     `json:"latency_us"`
}

// EventType implements domain.Fact.
func (Made) EventType() string { return "mcp_call.made.v1" }

// Subject is under whose key what was said is sealed.
func (m Made) Subject(workspace string) string { return cmp.Or(m.User, m.APIKey, workspace) }

// PayloadRecorded is what was said in a call: personal, kept apart so that it can
// have a shorter life and its subject's key can be destroyed.
type PayloadRecorded struct {
	ID      string          `json:"id"` // of the call
	Subject string          `json:"subject"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// EventType implements domain.Fact.
func (PayloadRecorded) EventType() string { return "mcp_call.payload_recorded.v1" }

// DataSubject implements domain.PersonalFact.
func (p PayloadRecorded) DataSubject() string { return p.Subject }

// FactTypes lists the facts of this package for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[Made](), domain.FactOf[PayloadRecorded]()}
}
