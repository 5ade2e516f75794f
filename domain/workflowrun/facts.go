package workflowrun

import (
	"encoding/json"
	"time"

	"strata/domain"
	"strata/domain/workflow"
)

// Usage counts the tokens that models have used.
type Usage struct {
	Prompt     int64 `json:"prompt"`
	Completion int64 `json:"completion"`
}

// Failure says why a step or run failed.
type Failure struct {
	Code    string `json:"code"` // an error code of the API
	Message string `json:"message"`
	NodeID  string `json:"node_id,omitempty"`
}

// Result is what a step came to.
type Result struct {
	Output json.RawMessage `json:"output,omitempty"`
	Taken  []int           `json:"taken,omitempty"` // edges of the definition, by index
}

// Parent is the step of another run that waits for this one.
type Parent struct {
	Run  string `json:"run"`
	Step string `json:"step"`
}

// Started begins a run.
type Started struct {
	WorkflowID   string              `json:"workflow_id"`
	WorkflowName string              `json:"workflow_name"`
	Version      int                 `json:"version"`
	Definition   workflow.Definition `json:"definition"`
	Inputs       json.RawMessage     `json:"inputs"`
	Trigger      string              `json:"trigger"` // api, retry, …
	SessionID    string              `json:"session_id,omitempty"`
	UserID       string              `json:"user_id,omitempty"` // who started it, and whose budgets it spends from
	APIKey       string              `json:"api_key_id,omitempty"`
	AppID        string              `json:"app_id,omitempty"`
	Deadline     time.Time           `json:"deadline,omitzero"`
	Parent       *Parent             `json:"parent,omitempty"`
	Depth        int                 `json:"depth,omitempty"`   // of workflows in workflows
	Origin       string              `json:"origin,omitempty"`  // run whose results it carries
	Carried      map[string]Result   `json:"carried,omitempty"` // by node
	Subject      string              `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Started) EventType() string { return "workflow_run.started.v1" }

// DataSubject implements domain.PersonalFact.
func (f Started) DataSubject() string { return f.Subject }

// StepBegan says that a step with effects is about to be performed. A further
// execution of the same attempt means that it is not known how the last one ended.
type StepBegan struct {
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	Execution int    `json:"execution"`
}

// EventType implements domain.Fact.
func (StepBegan) EventType() string { return "workflow_run.step_began.v1" }

// Awaited is what a step that is open waits for.
type Awaited string

// What steps wait for.
const (
	Time  Awaited = "time"
	Human Awaited = "human"
	Child Awaited = "child"
	Items Awaited = "items"
)

// StepOpened says that a step waits for something.
type StepOpened struct {
	Step    string            `json:"step"`
	Attempt int               `json:"attempt"`
	Awaits  Awaited           `json:"awaits"`
	Until   time.Time         `json:"until,omitzero"`
	Child   string            `json:"child,omitempty"` // the run it waits for
	Items   []json.RawMessage `json:"items,omitempty"`
	Input   json.RawMessage   `json:"input,omitempty"`
	Subject string            `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (StepOpened) EventType() string { return "workflow_run.step_opened.v1" }

// DataSubject implements domain.PersonalFact.
func (f StepOpened) DataSubject() string { return f.Subject }

// StepEnded says what a step came to.
type StepEnded struct {
	Step    string          `json:"step"`
	Attempt int             `json:"attempt"`
	Input   json.RawMessage `json:"input,omitempty"`
	Result
	Usage   Usage        `json:"usage,omitzero"`
	Cost    domain.Money `json:"cost_micro_usd,omitempty"`
	Subject string       `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (StepEnded) EventType() string { return "workflow_run.step_ended.v1" }

// DataSubject implements domain.PersonalFact.
func (f StepEnded) DataSubject() string { return f.Subject }

// StepFailed says that a step failed: it is to be tried again at a time, or its
// failure is taken care of, or the run has failed with it.
type StepFailed struct {
	Step    string          `json:"step"`
	Attempt int             `json:"attempt"`
	Input   json.RawMessage `json:"input,omitempty"`
	Error   Failure         `json:"error"`
	RetryAt time.Time       `json:"retry_at,omitzero"`
	Handled bool            `json:"handled,omitempty"`
	Result                  // when it is handled
	Subject string          `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (StepFailed) EventType() string { return "workflow_run.step_failed.v1" }

// DataSubject implements domain.PersonalFact.
func (f StepFailed) DataSubject() string { return f.Subject }

// HumanAnswered is somebody's decision at a human node.
type HumanAnswered struct {
	Step     string          `json:"step"`
	Decision string          `json:"decision"`
	Payload  json.RawMessage `json:"payload,omitempty"`
	By       string          `json:"by"`
	Subject  string          `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (HumanAnswered) EventType() string { return "workflow_run.human_answered.v1" }

// DataSubject implements domain.PersonalFact.
func (f HumanAnswered) DataSubject() string { return f.Subject }

// ChildEnded says how the run ended that a step waits for.
type ChildEnded struct {
	Step    string          `json:"step"`
	Run     string          `json:"run,omitempty"` // that ended
	Status  Status          `json:"status"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
	Error   *Failure        `json:"error,omitempty"`
	Usage   Usage           `json:"usage,omitzero"`
	Cost    domain.Money    `json:"cost_micro_usd,omitempty"`
	Subject string          `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (ChildEnded) EventType() string { return "workflow_run.child_ended.v1" }

// DataSubject implements domain.PersonalFact.
func (f ChildEnded) DataSubject() string { return f.Subject }

// Completed ends a run that has come to its end.
type Completed struct {
	Outputs json.RawMessage `json:"outputs"`
	Skipped []string        `json:"skipped,omitempty"` // nodes that were not come to
	Subject string          `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Completed) EventType() string { return "workflow_run.completed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Completed) DataSubject() string { return f.Subject }

// Failed ends a run that cannot go on.
type Failed struct {
	Error   Failure `json:"error"`
	Subject string  `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Failed) EventType() string { return "workflow_run.failed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Failed) DataSubject() string { return f.Subject }

// Cancelled ends a run that somebody does not want any more.
type Cancelled struct {
	Reason  string `json:"reason,omitempty"`
	Subject string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Cancelled) EventType() string { return "workflow_run.cancelled.v1" }

// DataSubject implements domain.PersonalFact.
func (f Cancelled) DataSubject() string { return f.Subject }

// Reported says that the run that waits for this one knows how it ended.
type Reported struct{}

// EventType implements domain.Fact.
func (Reported) EventType() string { return "workflow_run.reported.v1" }

// FactTypes lists the facts of runs for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Started](), domain.FactOf[StepBegan](), domain.FactOf[StepOpened](), domain.FactOf[StepEnded](), domain.FactOf[StepFailed](),
		domain.FactOf[HumanAnswered](), domain.FactOf[ChildEnded](), domain.FactOf[Completed](), domain.FactOf[Failed](), domain.FactOf[Cancelled](),
		domain.FactOf[Reported](),
	}
}
