package agentrun

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/domain"
)

// Status of a run.
type Status string

// A run is queued until its first step has begun.
const (
	Queued      Status = "queued"
	Running     Status = "running"
	IsCompleted Status = "completed"
	IsFailed    Status = "failed"
	IsCancelled Status = "cancelled"
)

// Over tells whether a run has ended.
func (s Status) Over() bool { return s == IsCompleted || s == IsFailed || s == IsCancelled }

// The types of steps.
const (
	LLM    = "llm"
	Tool   = "tool"
	Memory = "memory" // recalls what the agent remembers, before its model is asked
)

// The targets of calls that are not of tools elsewhere.
const (
	SearchKnowledge = "search_knowledge" // in the agent's knowledge bases
	Recall          = "recall"           // memories
	Remember        = "remember"         // something
)

// Kind is what sort of step it is for those who watch the run: a tool that looks
// something up is a retrieval.
func (s *Step) Kind() string {
	if s.Call == nil {
		return s.Type
	}
	switch s.Call.Target {
	case SearchKnowledge:
		return "retrieval"
	case Recall, Remember:
		return Memory
	}
	return s.Type
}

// Step is one step of a run.
type Step struct {
	Index      int          `json:"index"` // from 1
	Type       string       `json:"type"`  // LLM, Tool or Memory
	Name       string       `json:"name"`  // model or tool
	Call       *Call        `json:"call,omitempty"`
	Message    int          `json:"message"`             // how many messages the model was shown before it
	Execution  int          `json:"execution,omitempty"` // how often it has begun
	Done       bool         `json:"done,omitempty"`
	Failed     bool         `json:"failed,omitempty"`
	Output     string       `json:"output,omitempty"`
	Calls      []Call       `json:"calls,omitempty"`   // that the model asked for
	Child      string       `json:"child,omitempty"`   // run of a workflow that it waits for
	Stopped    bool         `json:"stopped,omitempty"` // which was told to stop, the run being over
	Usage      Usage        `json:"usage,omitzero"`
	Cost       domain.Money `json:"cost,omitempty"`
	StartedAt  time.Time    `json:"started_at,omitzero"`
	FinishedAt time.Time    `json:"finished_at,omitzero"`
}

// Status is the status of the step.
func (s *Step) Status(run Status) string {
	switch {
	case s.Failed && s.Type == LLM:
		return "failed"
	case s.Done && s.Failed:
		return "failed"
	case s.Done:
		return "completed"
	case run.Over():
		return "skipped"
	}
	return "running"
}

// State is a run: the fold of its facts.
type State struct {
	ID         string          `json:"id"`
	Exists     bool            `json:"exists"`
	Erased     bool            `json:"erased,omitempty"`
	Agent      Agent           `json:"agent"`
	Input      json.RawMessage `json:"input,omitempty"`
	Messages   []Message       `json:"messages,omitempty"`
	First      int             `json:"first,omitempty"` // how many of the messages it began with
	SessionID  string          `json:"session_id,omitempty"`
	UserID     string          `json:"user_id,omitempty"`
	APIKey     string          `json:"api_key_id,omitempty"`
	AppID      string          `json:"app_id,omitempty"`
	Deadline   time.Time       `json:"deadline,omitzero"`
	Origin     *Origin         `json:"origin,omitempty"`
	Parent     *Parent         `json:"parent,omitempty"`
	Depth      int             `json:"depth,omitempty"`
	Person     string          `json:"person,omitempty"`
	Memories   string          `json:"memories,omitempty"` // recalled, as JSON; "" when there are none
	Subject    string          `json:"subject,omitempty"`
	Own        int             `json:"own,omitempty"`
	Told       []string        `json:"told,omitempty"` // turns that the session was told
	Steps      []Step          `json:"steps,omitempty"`
	Corrected  bool            `json:"corrected,omitempty"` // the model was told once that its answer is wrong
	Answer     json.RawMessage `json:"answer,omitempty"`    // final, not yet recorded as such
	Status     Status          `json:"status"`
	Output     json.RawMessage `json:"output,omitempty"`
	Code       domain.Code     `json:"code,omitempty"`
	Reason     string          `json:"reason,omitempty"` // why it failed or was cancelled
	Usage      Usage           `json:"usage,omitzero"`
	Cost       domain.Money    `json:"cost,omitempty"`
	StartedAt  time.Time       `json:"started_at,omitzero"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
}

// Aggregate folds the streams of runs.
var Aggregate = &domain.Aggregate[State]{
	Category: "agent_run", Prefix: "arun", Noun: "agent run", Fold: "4",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: apply,
	Gone:  func(s *State) bool { return s.Erased },
	Facts: FactTypes(),
}

func apply(s *State, e domain.Event) {
	at := e.Meta.OccurredAt
	if s.Erased { // what is left of its facts says nothing
		return
	}
	switch f := e.Fact.(type) {
	case Started:
		s.Exists, s.Status, s.StartedAt = true, Queued, at
		s.Agent, s.Input, s.Messages, s.SessionID, s.UserID = f.Agent, f.Input, f.Messages, f.SessionID, f.UserID
		s.APIKey, s.AppID, s.Deadline, s.Origin, s.Subject = f.APIKey, f.AppID, f.Deadline, f.Origin, f.Subject
		s.Parent, s.Depth = f.Parent, f.Depth
		s.Person, s.Memories, s.Own, s.First = f.Person, f.Memories, f.Own, len(f.Messages)
		if f.Recall {
			s.recall()
		} else {
			s.askModel()
		}
	case StepBegan:
		s.Status = Running
		if step := s.step(f.Step); step != nil {
			step.Execution = f.Execution
			if step.StartedAt.IsZero() {
				step.StartedAt = at
			}
		}
	case ModelAnswered:
		s.answered(f, at)
	case ToolAnswered:
		s.toolAnswered(f, at)
	case ChildStarted:
		if step := s.step(f.Step); step != nil {
			step.Child = f.Run
		}
	case ChildStopped:
		if step := s.step(f.Step); step != nil {
			step.Stopped = true
		}
	case SessionTold:
		s.Told = append(s.Told, f.Turn)
	case Completed:
		s.Status, s.Output, s.FinishedAt = IsCompleted, f.Output, at
	case Failed:
		s.Status, s.Code, s.Reason, s.FinishedAt = IsFailed, f.Code, f.Message, at
		if step := s.step(f.Step); step != nil {
			step.Failed, step.Output, step.FinishedAt = true, f.Message, at
		}
	case Cancelled:
		s.Status, s.Reason, s.FinishedAt = IsCancelled, f.Reason, at
	case domain.Erased:
		s.erase(at)
	}
}

func (s *State) step(index int) *Step {
	if index < 1 || index > len(s.Steps) {
		return nil
	}
	return &s.Steps[index-1]
}

func (s *State) add(step Step) {
	step.Index, step.Message = len(s.Steps)+1, len(s.Messages)
	s.Steps = append(s.Steps, step)
}

// maxRecallQuery is how much of a message memories are recalled by, in bytes.
const maxRecallQuery = 2000

// recall is for what the agent remembers of the last thing that was said.
func (s *State) recall() {
	query := ""
	for _, m := range s.Messages {
		if m.Role == "user" {
			query = m.Content
		}
	}
	if len(query) > maxRecallQuery {
		query = strings.ToValidUTF8(query[:maxRecallQuery], "")
	}
	arguments, _ := json.Marshal(map[string]string{"query": query}) // texts always encode
	s.add(Step{Type: Memory, Name: Recall, Call: &Call{Name: Recall, Target: Recall, Arguments: string(arguments)}})
}

func (s *State) askModel() { s.add(Step{Type: LLM, Name: s.Agent.Model}) }

func (s *State) answered(f ModelAnswered, at time.Time) {
	step := s.step(f.Step)
	if step == nil {
		return
	}
	step.Done, step.FinishedAt, step.Output, step.Calls, step.Usage, step.Cost = true, at, f.Content, f.Calls, f.Usage, f.Cost
	s.Usage.Prompt += f.Usage.Prompt
	s.Usage.Completion += f.Usage.Completion
	s.Cost += f.Cost
	s.Messages = append(s.Messages, Message{Role: "assistant", Content: f.Content, Calls: f.Calls})
	switch {
	case len(f.Calls) > 0:
		for _, c := range f.Calls {
			s.add(Step{Type: Tool, Name: c.Name, Call: &c})
		}
	case f.Correction != "":
		s.Corrected = true
		s.Messages = append(s.Messages, Message{Role: "user", Content: f.Correction})
		s.askModel()
	default:
		s.Answer = s.outputOf(f.Content)
	}
}

func (s *State) toolAnswered(f ToolAnswered, at time.Time) {
	step := s.step(f.Step)
	if step == nil || step.Call == nil {
		return
	}
	step.Done, step.Failed, step.Output, step.FinishedAt, step.Usage, step.Cost = true, f.Failed, f.Output, at, Usage{Prompt: f.Prompt, Completion: f.Completion}, f.Cost
	s.Usage.Prompt += f.Prompt
	s.Usage.Completion += f.Completion
	s.Cost += f.Cost
	if step.Type == Memory {
		if !f.Failed { // without its memories the agent can still answer
			s.Memories = f.Output
		}
		s.askModel()
		return
	}
	first := len(s.Steps) // of the tools called together
	for first > 0 && s.Steps[first-1].Type == Tool {
		first--
	}
	together := s.Steps[first:]
	for i := range together {
		if !together[i].Done {
			return
		}
	}
	for i := range together { // in the order they were asked for, whichever answered first
		s.Messages = append(s.Messages, Message{Role: "tool", Content: together[i].Output, ToolCallID: together[i].Call.ID})
	}
	s.askModel()
}

// outputOf is what a final answer comes to.
func (s *State) outputOf(content string) json.RawMessage {
	if len(s.Agent.OutputSchema) > 0 {
		return json.RawMessage(unfenced(content))
	}
	out, _ := json.Marshal(map[string]string{"message": content}) // texts always encode
	return out
}

// erase leaves of a run that it was there. It does not go on.
func (s *State) erase(at time.Time) {
	*s = State{ID: s.ID, Exists: true, Erased: true, Status: IsCancelled, StartedAt: at, FinishedAt: at}
}

// The turns of a run that are added to its session.
const (
	InputTurn  = "input"
	AnswerTurn = "answer"
)

// tells tells whether the session is still to be told a turn.
func (s *State) tells(turn string) bool { return s.Own > 0 && !slices.Contains(s.Told, turn) }

// Turns are the messages of a turn.
func (s *State) Turns(turn string) []Message {
	if turn == AnswerTurn {
		var plain struct {
			Message *string `json:"message"`
		}
		if len(s.Agent.OutputSchema) == 0 && json.Unmarshal(s.Answer, &plain) == nil && plain.Message != nil {
			return []Message{{Role: "assistant", Content: *plain.Message}}
		}
		return []Message{{Role: "assistant", Content: string(s.Answer)}}
	}
	first := s.Messages[:min(s.First, len(s.Messages))]
	return slices.Clone(first[max(0, len(first)-s.Own):])
}

// StepID names a step for those who perform it.
func StepID(index int) string { return strconv.Itoa(index) }

// ModelCalls is how many calls of the model there are, the one that is next included.
func (s *State) ModelCalls() int {
	n := 0
	for i := range s.Steps {
		if s.Steps[i].Type == LLM {
			n++
		}
	}
	return n
}
