package agentrun

import (
	"encoding/json"
	"time"

	"strata/domain"
)

// Agent is the agent as a run uses it, whatever becomes of it afterwards.
type Agent struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	Version       int            `json:"version"`
	Instructions  string         `json:"instructions,omitempty"` // with its places filled
	Model         string         `json:"model"`
	Temperature   *float64       `json:"temperature,omitempty"`
	MaxTokens     int            `json:"max_tokens,omitempty"`
	Tools         []string       `json:"tools,omitempty"`
	DatasetIDs    []string       `json:"dataset_ids,omitempty"`     // knowledge bases it may search
	Memory        string         `json:"memory_provider,omitempty"` // where it remembers; "": nowhere
	OutputSchema  map[string]any `json:"output_schema,omitempty"`
	MaxSteps      int            `json:"max_steps"` // calls of the model
	MaxCost       domain.Money   `json:"max_cost_micro_usd,omitempty"`
	ParallelTools int            `json:"parallel_tools"`
}

// Call is a tool that the model wants called.
type Call struct {
	ID        string `json:"id"`
	Name      string `json:"name"`             // as the model knows it
	Arguments string `json:"arguments"`        // JSON, as the model wrote it
	Target    string `json:"target,omitempty"` // what it stands for: "mcp:search/find"; "" for no tool of the agent
}

// Message is one turn of what the model is shown.
type Message struct {
	Role       string `json:"role"` // user, assistant, tool
	Content    string `json:"content"`
	ToolCallID string `json:"tool_call_id,omitempty"`
	Calls      []Call `json:"calls,omitempty"` // of the assistant
}

// Usage counts tokens.
type Usage struct {
	Prompt     int64 `json:"prompt"`
	Completion int64 `json:"completion"`
}

// Origin is the step of another run that a run was forked from.
type Origin struct {
	Run  string `json:"run"`
	Step int    `json:"step"`
}

// Parent is the step of a workflow's run that waits for a run.
type Parent struct {
	Run  string `json:"run,omitempty"`
	Step string `json:"step,omitempty"`
}

// Started begins a run.
type Started struct {
	Agent     Agent           `json:"agent"`
	Input     json.RawMessage `json:"input"`
	Messages  []Message       `json:"messages"` // what the model is shown first
	SessionID string          `json:"session_id,omitempty"`
	UserID    string          `json:"user_id,omitempty"` // whose budgets it spends from
	APIKey    string          `json:"api_key_id,omitempty"`
	AppID     string          `json:"app_id,omitempty"`
	Deadline  time.Time       `json:"deadline"`
	Origin    *Origin         `json:"origin,omitempty"`
	Parent    *Parent         `json:"parent,omitempty"`
	Depth     int             `json:"depth,omitempty"`    // of runs that wait for runs
	Person    string          `json:"person,omitempty"`   // whom it is about, if that is not who started it
	Recall    bool            `json:"recall,omitempty"`   // it begins with what the agent remembers
	Memories  string          `json:"memories,omitempty"` // what the run it was forked from had recalled
	Own       int             `json:"own,omitempty"`      // so many of the messages, the last ones, and the answer are added to the session
	Subject   string          `json:"subject"`            // whose key seals this fact
}

// EventType implements domain.Fact.
func (Started) EventType() string { return "agent_run.started.v1" }

// DataSubject implements domain.PersonalFact.
func (f Started) DataSubject() string { return f.Subject }

// StepBegan says that a step is about to be performed. A second execution means
// that it is not known how the first ended.
type StepBegan struct {
	Step      int `json:"step"`
	Execution int `json:"execution"`
}

// EventType implements domain.Fact.
func (StepBegan) EventType() string { return "agent_run.step_began.v1" }

// ModelAnswered is what the model said.
type ModelAnswered struct {
	Step         int          `json:"step"`
	Content      string       `json:"content"`
	Calls        []Call       `json:"calls,omitempty"`
	Correction   string       `json:"correction,omitempty"` // what the model is told of an answer that does not keep the schema
	Model        string       `json:"model"`                // that answered, provider/model
	FinishReason string       `json:"finish_reason,omitempty"`
	Usage        Usage        `json:"usage,omitzero"`
	Cost         domain.Money `json:"cost_micro_usd,omitempty"`
	Subject      string       `json:"subject"`
}

// EventType implements domain.Fact.
func (ModelAnswered) EventType() string { return "agent_run.model_answered.v1" }

// DataSubject implements domain.PersonalFact.
func (f ModelAnswered) DataSubject() string { return f.Subject }

// ToolAnswered is what a tool said, or why it said nothing.
type ToolAnswered struct {
	Step       int          `json:"step"`
	Output     string       `json:"output"`
	Failed     bool         `json:"failed,omitempty"`
	Prompt     int64        `json:"prompt_tokens,omitempty"` // of the run that it has waited for, like the rest
	Completion int64        `json:"completion_tokens,omitempty"`
	Cost       domain.Money `json:"cost_micro_usd,omitempty"`
	Subject    string       `json:"subject"`
}

// EventType implements domain.Fact.
func (ToolAnswered) EventType() string { return "agent_run.tool_answered.v1" }

// DataSubject implements domain.PersonalFact.
func (f ToolAnswered) DataSubject() string { return f.Subject }

// ChildStarted says that a step waits for the run of a workflow.
type ChildStarted struct {
	Step int    `json:"step"`
	Run  string `json:"run"`
}

// EventType implements domain.Fact.
func (ChildStarted) EventType() string { return "agent_run.child_started.v1" }

// ChildStopped says that the run that a step has started was told to stop, because
// its own is over.
type ChildStopped struct {
	Step int `json:"step"`
}

// EventType implements domain.Fact.
func (ChildStopped) EventType() string { return "agent_run.child_stopped.v1" }

// SessionTold says that the run's session has a turn of it, or will never have it.
type SessionTold struct {
	Turn    string `json:"turn"`              // InputTurn or AnswerTurn
	Problem string `json:"problem,omitempty"` // why the session did not take it
}

// EventType implements domain.Fact.
func (SessionTold) EventType() string { return "agent_run.session_told.v1" }

// Completed ends a run that has its answer.
type Completed struct {
	Output  json.RawMessage `json:"output"` // {"message": …}, or what the output schema describes
	Subject string          `json:"subject"`
}

// EventType implements domain.Fact.
func (Completed) EventType() string { return "agent_run.completed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Completed) DataSubject() string { return f.Subject }

// Failed ends a run that cannot go on.
type Failed struct {
	Code    domain.Code `json:"code"`
	Message string      `json:"message"`
	Step    int         `json:"step,omitempty"` // that failed; 0: none did
	Subject string      `json:"subject"`
}

// EventType implements domain.Fact.
func (Failed) EventType() string { return "agent_run.failed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Failed) DataSubject() string { return f.Subject }

// Cancelled ends a run that somebody does not want any more.
type Cancelled struct {
	Reason  string `json:"reason,omitempty"`
	Subject string `json:"subject"`
}

// EventType implements domain.Fact.
func (Cancelled) EventType() string { return "agent_run.cancelled.v1" }

// DataSubject implements domain.PersonalFact.
func (f Cancelled) DataSubject() string { return f.Subject }

// FactTypes lists the facts of runs for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[Started](), domain.FactOf[StepBegan](), domain.FactOf[ModelAnswered](), domain.FactOf[ToolAnswered](), domain.FactOf[SessionTold](), domain.FactOf[ChildStarted](), domain.FactOf[ChildStopped](),
		domain.FactOf[Completed](), domain.FactOf[Failed](), domain.FactOf[Cancelled]()}
}
