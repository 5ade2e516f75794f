// Package inference holds the facts of a model call: one row of the inference
// log, and apart from it what was said. Calls are facts only, there is nothing
// to decide: the gateway records each one, whatever its outcome.
package inference

import (
	"cmp"
	"encoding/json"
	"time"

	"strata/domain"
)

// Category is the stream category; streams are "inference-<workspace>_<yyyymmdd>",
// so that one day of one workspace can be dropped as a whole.
const Category = "inference"

// StreamOf returns the stream that holds calls of a workspace on the day of t (UTC).
func StreamOf(workspace string, t time.Time) domain.StreamID {
	return domain.Stream(Category, workspace+"_"+t.UTC().Format("20060102"))
}

// Status of a call.
type Status string

// A cancelled call is one whose client went away: it is a success for what was
// produced if the provider answered, and says so in Cancelled.
const (
	Success Status = "success"
	Failed  Status = "error"
)

// Reservation names a budget's reservation that a call must settle.
type Reservation struct {
	BudgetID string `json:"budget_id"`
	ID       string `json:"id"`
}

// Details are what somebody wrote into a call's record in their own words. They
// may name a person, so they are sealed under the user's key; the figures are not.
type Details struct {
	Tags     []string          `json:"tags,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Error    string            `json:"error,omitempty"` // may quote the request
}

// Recorded is one model call, without its payloads. It is the row of the
// inference log and the source every cost and usage figure is computed from.
type Recorded struct {
	ID             string        `json:"id"` // inf_…
	StartedAt      time.Time     `json:"started_at"`
	Organization   string        `json:"organization_id"`
	Workspace      string        `json:"workspace_id"`
	User           string        `json:"user,omitempty"` // end user as the request names it, else the caller
	APIKey         string        `json:"api_key_id,omitempty"`
	App            string        `json:"app_id,omitempty"`
	Agent          string        `json:"agent_id,omitempty"`
	Session        string        `json:"session_id,omitempty"`
	Conversation   string        `json:"conversation_id,omitempty"`
	Type           string        `json:"type"`               // chat, embedding
	RequestedModel string        `json:"requested_model"`    // as the client wrote it
	Model          string        `json:"model"`              // provider/model that answered (or was tried last)
	Provider       string        `json:"provider,omitempty"` // provider part of Model
	Route          string        `json:"route,omitempty"`    // model route, for flotorch/<route>
	Stream         bool          `json:"stream,omitempty"`
	Status         Status        `json:"status"`
	HTTPStatus     int           `json:"http_status"`          // what the client was answered
	ErrorCode      string        `json:"error_code,omitempty"` // domain code
	Cancelled      bool          `json:"cancelled,omitempty"`  // the client went away
	FinishReason   string        `json:"finish_reason,omitempty"`
	InputTokens    int64         `json:"input_tokens"`
	OutputTokens   int64         `json:"output_tokens"`
	CachedTokens   int64         `json:"cached_tokens,omitempty"`   // part of InputTokens the provider served from its cache
	UsageEstimated bool          `json:"usage_estimated,omitempty"` // counted by us, the provider gave no usage
	Cost           domain.Money  `json:"cost_micro_usd"`
	LatencyUS      int64         `json:"latency_us"`        // whole call
	FirstTokenUS   int64         `json:"ttft_us,omitempty"` // streams: to the first content frame
	Attempts       int           `json:"attempts"`          // upstream requests made
	CorrelationID  string        `json:"correlation_id,omitempty"`
	RequestID      string        `json:"request_id,omitempty"`
	Reservations   []Reservation `json:"reservations,omitempty"`
	Details
}

// EventType implements domain.Fact.
func (Recorded) EventType() string { return "inference.recorded.v1" }

// SplitPersonal implements domain.PartlyPersonalFact.
func (r Recorded) SplitPersonal() (open domain.Fact, personal any, subject string) {
	if len(r.Tags) == 0 && len(r.Metadata) == 0 && r.Error == "" {
		return r, nil, ""
	}
	details := r.Details
	r.Details = Details{}
	return r, details, cmp.Or(r.User, r.APIKey, r.Workspace)
}

// PayloadRecorded is what was said in a call: personal, kept apart so that it
// can have a shorter life and its subject's key can be destroyed.
type PayloadRecorded struct {
	ID       string          `json:"id"` // of the call
	Subject  string          `json:"subject"`
	Request  json.RawMessage `json:"request,omitempty"`
	Response json.RawMessage `json:"response,omitempty"` // for a stream: the assembled answer
}

// EventType implements domain.Fact.
func (PayloadRecorded) EventType() string { return "inference.payload_recorded.v1" }

// DataSubject implements domain.PersonalFact.
func (p PayloadRecorded) DataSubject() string { return p.Subject }

// FactTypes lists the facts of this package for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[Recorded](), domain.FactOf[PayloadRecorded]()}
}
