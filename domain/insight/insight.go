// Package insight is what a model makes of a client and some actions: which
// argument holds, over which channel, when, and why.
//
// The request is durable before the model is called, as with arguments: what a
// crash left open is known, and a failure is the insight's error. What is said of
// the client is sealed under the client's id, or the insight's own.
package insight

import (
	"time"

	"strata/domain"
	"strata/domain/argument"
)

// Requested asks for an insight.
type Requested struct {
	Actions []string `json:"actions,omitempty"` // ids
	Client  string   `json:"client,omitempty"`  // an id, or what is known of the client
	Model   string   `json:"model"`             // as it was asked for
	Subject string   `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Requested) EventType() string { return "insight.requested.v1" }

// DataSubject implements domain.PersonalFact.
func (f Requested) DataSubject() string { return f.Subject }

// Found is what the model answered, read as far as it can be.
type Found struct {
	Argument         string `json:"argument,omitempty"`          // thinking and content together
	ArgumentContent  string `json:"argument_content,omitempty"`  // without what was thought
	ArgumentThinking string `json:"argument_thinking,omitempty"` // what was thought for it
	BestChannel      string `json:"best_channel,omitempty"`
	BestTime         string `json:"best_time,omitempty"`
	Timeliness       string `json:"timeliness,omitempty"`
	Insight          string `json:"insight,omitempty"`
	Thinking         string `json:"thinking,omitempty"` // what was thought before answering
	Type             string `json:"type,omitempty"`     // of the action
}

// Completed is an insight.
type Completed struct {
	Found
	DurationMS   int64          `json:"duration_ms"`
	Usage        argument.Usage `json:"usage"`
	FinishReason string         `json:"finish_reason,omitempty"`
	Model        string         `json:"model"` // that answered
	Cost         domain.Money   `json:"cost_micro_usd,omitempty"`
	Subject      string         `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Completed) EventType() string { return "insight.completed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Completed) DataSubject() string { return f.Subject }

// Failed says why there is no insight.
type Failed struct {
	Code       string `json:"code"` // an error code of the API
	Message    string `json:"message"`
	DurationMS int64  `json:"duration_ms"`
	Subject    string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Failed) EventType() string { return "insight.failed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Failed) DataSubject() string { return f.Subject }

// Deleted removes an insight from view.
type Deleted struct{}

// EventType implements domain.Fact.
func (Deleted) EventType() string { return "insight.deleted.v1" }

// FactTypes lists the facts of insights for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[Requested](), domain.FactOf[Completed](), domain.FactOf[Failed](), domain.FactOf[Deleted]()}
}

// State is what is known of an insight at one revision.
type State struct {
	ID      string
	Actions []string
	Client  string
	Model   string // asked for, and once it has answered, that did
	Found
	Usage        argument.Usage
	FinishReason string
	Cost         domain.Money
	DurationMS   int64
	ErrorCode    string
	Error        string // why there is no insight
	Open         bool   // the model has not answered yet
	Exists       bool
	Deleted      bool
	Erased       bool
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Aggregate folds the streams of insights.
var Aggregate = &domain.Aggregate[State]{
	Category: "insight", Prefix: "ins", Noun: "insight", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Gone:  func(s *State) bool { return s.Erased },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Requested:
		s.Exists, s.CreatedAt, s.Open = true, at, true
		s.Actions, s.Client, s.Model = f.Actions, f.Client, f.Model
	case Completed:
		s.Open, s.Found, s.DurationMS = false, f.Found, f.DurationMS
		s.Usage, s.FinishReason, s.Model, s.Cost = f.Usage, f.FinishReason, f.Model, f.Cost
	case Failed:
		s.Open, s.ErrorCode, s.Error, s.DurationMS = false, f.Code, f.Message, f.DurationMS
	case Deleted:
		s.Deleted = true
	case domain.Erased:
		s.Actions, s.Client, s.Found, s.Error, s.Open, s.Erased = nil, "", Found{}, "", false, true
		if f.Type == (Requested{}).EventType() {
			s.Exists, s.CreatedAt = true, at
		}
	}
	s.UpdatedAt = at
}

// Subject is whose key seals what is said in the insight.
func (s *State) Subject() string { return subject(s.Client, s.ID) }
