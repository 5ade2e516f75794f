package view

import (
	"encoding/json"
	"strconv"
	"time"

	"strata/domain/agentrun"
)

// AgentRun is a run of an agent.
type AgentRun struct {
	ID           string          `json:"id" example:"arun_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	AgentID      string          `json:"agent_id" example:"agt_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	AgentVersion int             `json:"agent_version" example:"1"`
	SessionID    string          `json:"session_id" doc:"Session that it belongs to."`
	Input        json.RawMessage `json:"input" doc:"{message}, {messages} or whatever the agent's input schema describes." example:"{\"message\":\"Where is order 4711?\"}"`
	Status       string          `json:"status" enum:"queued,running,completed,failed,cancelled" example:"completed"`
	Output       json.RawMessage `json:"output" doc:"{message}, or what the agent's output schema describes; null without an answer." example:"{\"message\":\"It arrives tomorrow.\"}"`
	Error        *RunFault       `json:"error" doc:"Why it failed or was cancelled; null otherwise."`
	TokenUsage   TokenUsage      `json:"token_usage"`
	CostUSD      float64         `json:"cost_usd" example:"0.0012"`
	LatencyMS    int64           `json:"latency_ms" doc:"From its start to its end; 0 while it goes on." example:"2500"`
	StepCount    int             `json:"step_count" doc:"Steps that have begun." example:"3"`
	ForkedFrom   *RunOrigin      `json:"forked_from" doc:"Step of another run that it was forked from; null otherwise."`
	ParentRunID  string          `json:"parent_run_id,omitempty" doc:"Run of a workflow that waits for it."`
	StartedAt    *time.Time      `json:"started_at"`
	FinishedAt   *time.Time      `json:"finished_at" doc:"null while it goes on."`
}

// RunFault says why a run or a step came to nothing.
type RunFault struct {
	Code    string `json:"code" example:"AI_SERVICE_ERROR"`
	Message string `json:"message" example:"the model provider does not answer"`
}

// RunOrigin is the step of another run.
type RunOrigin struct {
	RunID string `json:"run_id"`
	Step  int    `json:"step" example:"2"`
}

// AgentRunStep is a step of a run of an agent.
type AgentRunStep struct {
	ID         string          `json:"id" example:"arun_01jk2m3n4p5q6r7s8t9v0w1x2y_s1"`
	RunID      string          `json:"run_id" example:"arun_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Index      int             `json:"index" doc:"From 1, in the order of the run." example:"1"`
	Type       string          `json:"type" enum:"llm,tool,memory,retrieval,guard,message,handoff" example:"tool"`
	Name       string          `json:"name" doc:"Model or tool." example:"calculator"`
	Status     string          `json:"status" enum:"running,completed,failed,skipped" example:"completed"`
	Input      json.RawMessage `json:"input" doc:"Arguments of a tool. Of a call of the model {messages, omitted}: the latest messages that it was shown, and how many earlier ones are left out here." example:"{\"expression\":\"6 * 7\"}"`
	Output     json.RawMessage `json:"output" doc:"{content, tool_calls} of a model, {content} of a tool; null without." example:"{\"content\":\"42\"}"`
	ChildRunID string          `json:"child_run_id,omitempty" doc:"Run of a workflow that it waits for, or has waited for."`
	Error      *RunFault       `json:"error"`
	TokenUsage TokenUsage      `json:"token_usage"`
	CostUSD    float64         `json:"cost_usd" example:"0"`
	LatencyMS  int64           `json:"latency_ms" example:"12"`
	StartedAt  *time.Time      `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"`
}

func usageOf(u agentrun.Usage) TokenUsage {
	return TokenUsage{Prompt: u.Prompt, Completion: u.Completion, Total: u.Prompt + u.Completion}
}

func latency(from, to time.Time) int64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(0, to.Sub(from).Milliseconds())
}

// AgentRunOf shows a run. Nothing of it points into the state.
func AgentRunOf(s *agentrun.State) AgentRun {
	out := AgentRun{ID: s.ID, AgentID: s.Agent.ID, AgentVersion: s.Agent.Version, SessionID: s.SessionID, Input: json.RawMessage(string(s.Input)),
		Status: string(s.Status), TokenUsage: usageOf(s.Usage), CostUSD: s.Cost.Dollars(), LatencyMS: latency(s.StartedAt, s.FinishedAt),
		StartedAt: timeOrNil(s.StartedAt), FinishedAt: timeOrNil(s.FinishedAt)}
	if len(out.Input) == 0 {
		out.Input = nil
	}
	if len(s.Output) > 0 {
		out.Output = json.RawMessage(string(s.Output))
	}
	switch s.Status {
	case agentrun.IsFailed:
		out.Error = &RunFault{Code: string(s.Code), Message: s.Reason}
	case agentrun.IsCancelled:
		out.Error = &RunFault{Code: "CANCELLED", Message: s.Reason}
	}
	if s.Origin != nil {
		out.ForkedFrom = &RunOrigin{RunID: s.Origin.Run, Step: s.Origin.Step}
	}
	if s.Parent != nil {
		out.ParentRunID = s.Parent.Run
	}
	for i := range s.Steps {
		if s.Steps[i].Execution > 0 {
			out.StepCount++
		}
	}
	return out
}

// AgentRunStepsOf shows the steps of a run that have begun.
func AgentRunStepsOf(s *agentrun.State) []AgentRunStep {
	out := []AgentRunStep{}
	for i := range s.Steps {
		if s.Steps[i].Execution > 0 {
			out = append(out, agentRunStep(s, &s.Steps[i]))
		}
	}
	return out
}

// AgentRunStepOf shows one step of a run; ok is false when it has not begun.
func AgentRunStepOf(s *agentrun.State, index int) (out AgentRunStep, ok bool) {
	if index < 1 || index > len(s.Steps) || s.Steps[index-1].Execution == 0 {
		return out, false
	}
	return agentRunStep(s, &s.Steps[index-1]), true
}

func agentRunStep(s *agentrun.State, step *agentrun.Step) AgentRunStep {
	out := AgentRunStep{ID: s.ID + "_s" + strconv.Itoa(step.Index), RunID: s.ID, Index: step.Index, Type: step.Kind(), Name: step.Name, Status: step.Status(s.Status),
		TokenUsage: usageOf(step.Usage), CostUSD: step.Cost.Dollars(), LatencyMS: latency(step.StartedAt, step.FinishedAt),
		StartedAt: timeOrNil(step.StartedAt), FinishedAt: timeOrNil(step.FinishedAt)}
	out.ChildRunID = step.Child
	if step.Call != nil {
		out.Input = argumentsOf(step.Call)
	} else {
		out.Input = askedOf(s, step)
	}
	switch {
	case step.Failed && step.Type == agentrun.LLM:
		out.Error = &RunFault{Code: string(s.Code), Message: step.Output}
	case step.Failed:
		out.Error = &RunFault{Code: "TOOL_FAILED", Message: step.Output}
	case step.Done:
		shown := map[string]any{"content": step.Output}
		if len(step.Calls) > 0 {
			shown["tool_calls"] = callsOf(step.Calls)
		}
		out.Output, _ = json.Marshal(shown) // texts and checked JSON
	}
	return out
}

// mostAsked bounds what is shown of the messages before one call of a model, in
// bytes: the steps of a run are listed together, and each call has all before it.
const mostAsked = 16 << 10

// askedOf shows what a model was asked: the latest messages, and how many there were
// before them.
func askedOf(s *agentrun.State, step *agentrun.Step) json.RawMessage {
	all := s.Messages[:min(step.Message, len(s.Messages))]
	first, size := len(all), 0
	for first > 0 && (size == 0 || size+len(all[first-1].Content) <= mostAsked) {
		first--
		size += len(all[first].Content) + 1
	}
	messages := []map[string]any{}
	for _, m := range all[first:] {
		shown := map[string]any{"role": m.Role, "content": m.Content}
		if m.ToolCallID != "" {
			shown["tool_call_id"] = m.ToolCallID
		}
		if len(m.Calls) > 0 {
			shown["tool_calls"] = callsOf(m.Calls)
		}
		messages = append(messages, shown)
	}
	b, _ := json.Marshal(map[string]any{"messages": messages, "omitted": first}) // texts and checked JSON
	return b
}

func callsOf(calls []agentrun.Call) []map[string]any {
	out := []map[string]any{}
	for i := range calls {
		c := &calls[i]
		out = append(out, map[string]any{"id": c.ID, "name": c.Name, "arguments": argumentsOf(c)})
	}
	return out
}

// argumentsOf shows a call's arguments, as a text when the model wrote no JSON.
func argumentsOf(c *agentrun.Call) json.RawMessage {
	if json.Valid([]byte(c.Arguments)) {
		return json.RawMessage(c.Arguments)
	}
	quoted, _ := json.Marshal(c.Arguments) // a text always encodes
	return quoted
}
