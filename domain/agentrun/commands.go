package agentrun

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/schema"
)

// The limits of what goes through a run, in bytes.
const (
	MaxInput      = 1 << 20   // input and first messages
	MaxToolOutput = 128 << 10 // longer ones are cut
	MaxTranscript = 2 << 20   // what the model is shown
)

// maxDepth bounds how deep runs of workflows and agents may call each other; that
// of workflows among themselves is the same.
const maxDepth = 8

// Start begins a run.
type Start struct {
	Started
	Timeout time.Duration
}

// Decide implements domain.Decider.
func (c Start) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "agent run %q was started already", s.ID)
	}
	f := c.Started
	if f.Depth > maxDepth {
		return nil, domain.Errorf(domain.CodeWorkflow, "workflows and agents may call each other at most %d deep", maxDepth)
	}
	var faults domain.Faults
	faults.Add(len(f.Messages) == 0, "input", "holds no message")
	faults.Add(len(f.Input)+size(f.Messages) > 2*MaxInput || len(f.Input) > MaxInput, "input", "must be at most %d bytes", MaxInput)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	f.Deadline = env.Now.Add(c.Timeout)
	f.Subject = cmp.Or(f.Subject, f.Person, f.UserID, s.ID)
	return []domain.Fact{f}, nil
}

func size(messages []Message) int {
	n := 0
	for _, m := range messages {
		n += len(m.Content)
		for _, c := range m.Calls {
			n += len(c.Arguments)
		}
	}
	return n
}

func (s *State) alive() error {
	switch {
	case !s.Exists:
		return domain.NotFound(Aggregate.Noun, s.ID)
	case s.Erased:
		return domain.Gone(Aggregate.Noun, s.ID)
	case s.Status.Over():
		return domain.Errorf(domain.CodeConflict, "agent run %q is %s", s.ID, s.Status)
	}
	return nil
}

// open returns a step that has begun and not ended.
func (s *State) open(index int) (*Step, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	step := s.step(index)
	if step == nil || step.Done || step.Execution == 0 {
		return nil, domain.Errorf(domain.CodeConflict, "step %d is not at this point", index)
	}
	return step, nil
}

// Begin records that a step is about to be performed, for the nth time.
type Begin struct{ Step, Execution int }

// Decide implements domain.Decider.
func (c Begin) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	step := s.step(c.Step)
	if step == nil || step.Done || step.Execution != c.Execution-1 {
		return nil, domain.Errorf(domain.CodeConflict, "step %d is not to begin", c.Step)
	}
	return []domain.Fact{StepBegan(c)}, nil
}

// Answer records what the model said.
type Answer struct{ ModelAnswered }

// Decide implements domain.Decider.
func (c Answer) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	step, err := s.open(c.Step)
	if err != nil {
		return nil, err
	}
	if step.Type != LLM {
		return nil, domain.Errorf(domain.CodeConflict, "step %d is no call of the model", c.Step)
	}
	f := c.ModelAnswered
	f.Subject = s.Subject
	if len(f.Calls) > 0 || len(s.Agent.OutputSchema) == 0 {
		return []domain.Fact{f}, nil
	}
	problem := Problem(s.Agent.OutputSchema, f.Content)
	if problem == "" {
		return []domain.Fact{f}, nil
	}
	if s.Corrected {
		return []domain.Fact{f, Failed{Code: domain.CodeAIService, Message: "the answer does not keep the agent's output schema: " + problem, Subject: s.Subject}}, nil
	}
	f.Correction = "Your answer must be JSON that keeps this schema, and nothing else: " + string(compact(s.Agent.OutputSchema)) + "\nWhat is wrong with it: " + problem
	return []domain.Fact{f}, nil
}

func compact(v any) []byte {
	b, _ := json.Marshal(v) // came from JSON
	return b
}

// Problem says in what an answer does not keep a schema; "" when it does.
func Problem(document map[string]any, content string) string {
	checker, err := schema.Parse(document)
	if err != nil {
		return fmt.Sprintf("the schema %v", err)
	}
	var value any
	if err := json.Unmarshal([]byte(unfenced(content)), &value); err != nil {
		return "it is not JSON"
	}
	var out []string
	for _, fault := range checker.Faults("", value) {
		out = append(out, strings.TrimSpace(fault.Field+" "+fault.Message))
	}
	return strings.Join(out, "; ")
}

// unfenced takes the fence of Markdown off that models put around JSON.
func unfenced(content string) string {
	text := strings.TrimSpace(content)
	inner, fenced := strings.CutPrefix(text, "```")
	if !fenced {
		return text
	}
	inner, fenced = strings.CutSuffix(inner, "```")
	if !fenced {
		return text
	}
	return strings.TrimSpace(strings.TrimPrefix(inner, "json"))
}

// AnswerTool records what a tool said.
type AnswerTool struct{ ToolAnswered }

// Decide implements domain.Decider.
func (c AnswerTool) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	step, err := s.open(c.Step)
	if err != nil {
		return nil, err
	}
	if step.Type == LLM {
		return nil, domain.Errorf(domain.CodeConflict, "step %d is no call of a tool", c.Step)
	}
	f := c.ToolAnswered
	f.Subject = s.Subject
	if len(f.Output) > MaxToolOutput {
		f.Output = strings.ToValidUTF8(f.Output[:MaxToolOutput], "") + "\n(cut: the rest is too long)"
	}
	return []domain.Fact{f}, nil
}

// TellSession records that the session was told a turn.
type TellSession struct{ SessionTold }

// Decide implements domain.Decider.
func (c TellSession) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if !s.tells(c.Turn) {
		return nil, domain.Errorf(domain.CodeConflict, "the session is not to be told the %s", c.Turn)
	}
	return []domain.Fact{c.SessionTold}, nil
}

// Fail ends a run because a step failed for good, or because it may not go on.
type Fail struct{ Failed }

// Decide implements domain.Decider.
func (c Fail) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	f := c.Failed
	f.Subject = s.Subject
	return []domain.Fact{f}, nil
}

// Complete ends a run with its answer.
type Complete struct{}

// Decide implements domain.Decider.
func (Complete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if s.Answer == nil {
		return nil, domain.Errorf(domain.CodeConflict, "there is no answer yet")
	}
	return []domain.Fact{Completed{Output: s.Answer, Subject: s.Subject}}, nil
}

// Cancel ends a run that somebody does not want any more.
type Cancel struct{ Reason string }

// Decide implements domain.Decider.
func (c Cancel) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status == IsCancelled && !s.Erased {
		return nil, nil
	}
	if err := s.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{Cancelled{Reason: c.Reason, Subject: s.Subject}}, nil
}
