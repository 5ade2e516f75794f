package view

import (
	"encoding/json"
	"time"

	"strata/domain/workflowrun"
)

// WorkflowRun is one run of a workflow. Its id has three names, one per product
// whose API shows it.
type WorkflowRun struct {
	RunID           string          `json:"run_id" doc:"Identifier of the run." example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ExecutionID     string          `json:"execution_id" doc:"The same." example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	InvocationID    string          `json:"invocation_id" doc:"The same." example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	WorkflowID      string          `json:"workflow_id" example:"wf_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	WorkflowName    string          `json:"workflow_name" doc:"Its name when the run began." example:"support-triage"`
	WorkflowVersion int             `json:"workflow_version" doc:"Version that runs." example:"1"`
	Status          string          `json:"status" enum:"queued,running,paused,completed,failed,cancelled" doc:"A paused run waits for a person." example:"completed"`
	Inputs          json.RawMessage `json:"inputs" doc:"What it was given." example:"{\"question\":\"What is tea?\"}"`
	Outputs         json.RawMessage `json:"outputs" doc:"What came out of it; empty until it has completed." example:"{\"answer\":\"A drink.\"}"`
	Error           *RunError       `json:"error,omitempty" doc:"Why it failed."`
	ExecutionTime   int64           `json:"execution_time" doc:"Milliseconds it took, or has taken." example:"2500"`
	TokenUsage      TokenUsage      `json:"token_usage" doc:"Tokens that its models have used."`
	CostUSD         float64         `json:"cost_usd" doc:"What its models have cost." example:"0.0012"`
	Trigger         string          `json:"trigger" enum:"api,schedule,event,deployment,retry" example:"api"`
	SessionID       string          `json:"session_id,omitempty" doc:"Session it belongs to."`
	OriginRunID     string          `json:"origin_run_id,omitempty" doc:"The run whose results it began with: a retry or a fork."`
	ParentRunID     string          `json:"parent_run_id,omitempty" doc:"The run that called its workflow."`
	StartedAt       *time.Time      `json:"started_at,omitempty" example:"2024-01-15T10:30:00Z"`
	FinishedAt      *time.Time      `json:"finished_at,omitempty" example:"2024-01-15T10:30:02Z"`
	CreatedBy       string          `json:"created_by,omitempty" doc:"Who started it." example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
}

// RunError says why a run or a step failed.
type RunError struct {
	Code    string `json:"code" example:"AI_SERVICE_ERROR"`
	Message string `json:"message" example:"the provider did not answer"`
	NodeID  string `json:"node_id,omitempty" doc:"The node that failed." example:"answer"`
}

// WorkflowStep is what a run did for a node, or for one item of a loop.
type WorkflowStep struct {
	ID         string          `json:"id" doc:"Node, and item of a loop." example:"answer"`
	RunID      string          `json:"run_id" example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	NodeID     string          `json:"node_id" example:"answer"`
	NodeType   string          `json:"node_type" example:"llm"`
	Status     string          `json:"status" enum:"queued,running,completed,failed,skipped" doc:"A queued step is to be tried again. A running one may wait; see waits_for." example:"completed"`
	Attempt    int             `json:"attempt" doc:"Which try it is; 0 when the result is another run's." example:"1"`
	Input      json.RawMessage `json:"input,omitempty" doc:"What it worked on." example:"{\"prompt\":\"What is tea?\"}"`
	Output     json.RawMessage `json:"output,omitempty" doc:"What came of it." example:"{\"text\":\"A drink.\"}"`
	Error      *RunError       `json:"error,omitempty"`
	WaitsFor   string          `json:"waits_for,omitempty" enum:"time,human,child,items" doc:"What it waits, or has waited, for."`
	WaitsUntil *time.Time      `json:"waits_until,omitempty"`
	ChildRunID string          `json:"child_run_id,omitempty" doc:"The run that it waits, or has waited, for."`
	TokenUsage TokenUsage      `json:"token_usage"`
	CostUSD    float64         `json:"cost_usd" example:"0.0012"`
	DurationMS int64           `json:"duration_ms" example:"1200"`
	StartedAt  *time.Time      `json:"started_at,omitempty" example:"2024-01-15T10:30:00Z"`
	FinishedAt *time.Time      `json:"finished_at,omitempty" example:"2024-01-15T10:30:02Z"`
}

// RunErrorOf shows a failure.
func RunErrorOf(f *workflowrun.Failure) *RunError {
	if f == nil {
		return nil
	}
	return &RunError{Code: f.Code, Message: f.Message, NodeID: f.NodeID}
}

// RunUsage shows the tokens of a run or step.
func RunUsage(u workflowrun.Usage) TokenUsage {
	return TokenUsage{Prompt: u.Prompt, Completion: u.Completion, Total: u.Prompt + u.Completion}
}

// WorkflowRunOf shows a run as its state is. now is for how long it has taken.
func WorkflowRunOf(s *workflowrun.State, createdBy string, now time.Time) WorkflowRun {
	v := WorkflowRun{
		RunID: s.ID, ExecutionID: s.ID, InvocationID: s.ID, WorkflowID: s.WorkflowID, WorkflowName: s.WorkflowName, WorkflowVersion: s.Version,
		Status: string(s.Status()), Inputs: objectOr(s.Inputs), Outputs: objectOr(s.Outputs), Error: RunErrorOf(s.Error), TokenUsage: RunUsage(s.Usage),
		CostUSD: s.Cost.Dollars(), Trigger: s.Trigger, SessionID: s.SessionID, OriginRunID: s.Origin,
		StartedAt: timeOrNil(s.StartedAt), FinishedAt: timeOrNil(s.FinishedAt), CreatedBy: createdBy,
	}
	if s.Parent != nil {
		v.ParentRunID = s.Parent.Run
	}
	v.ExecutionTime = Took(s.StartedAt, s.FinishedAt, now)
	return v
}

// Took is how many milliseconds something took that began at a time; up to now
// when it has not ended.
func Took(from, to, now time.Time) int64 {
	if from.IsZero() {
		return 0
	}
	if to.IsZero() {
		to = now
	}
	return max(0, to.Sub(from).Milliseconds())
}

func objectOr(b json.RawMessage) json.RawMessage {
	if len(b) == 0 || string(b) == "null" {
		return json.RawMessage("{}")
	}
	return b
}

// EndedStep shows a step that has ended.
func EndedStep(run string, f workflowrun.StepEnded, at time.Time) WorkflowStep {
	node, _ := workflowrun.NodeOf(f.Step)
	return WorkflowStep{ID: f.Step, RunID: run, NodeID: node, Status: "completed", Attempt: f.Attempt, Input: f.Input, Output: f.Output,
		TokenUsage: RunUsage(f.Usage), CostUSD: f.Cost.Dollars(), FinishedAt: timeOrNil(at)}
}

// FailedStep shows a step that has failed, for good or until it is tried again.
func FailedStep(run string, f workflowrun.StepFailed, at time.Time) WorkflowStep {
	node, _ := workflowrun.NodeOf(f.Step)
	out := WorkflowStep{ID: f.Step, RunID: run, NodeID: node, Status: "failed", Attempt: f.Attempt, Input: f.Input, Output: f.Output,
		Error: RunErrorOf(&f.Error), FinishedAt: timeOrNil(at)}
	if !f.RetryAt.IsZero() {
		out.Status, out.WaitsUntil, out.FinishedAt = "queued", timeOrNil(f.RetryAt), nil
	}
	return out
}

// BegunStep shows a step that is being performed.
func BegunStep(run string, f workflowrun.StepBegan, at time.Time) WorkflowStep {
	node, _ := workflowrun.NodeOf(f.Step)
	return WorkflowStep{ID: f.Step, RunID: run, NodeID: node, Status: "running", Attempt: f.Attempt, StartedAt: timeOrNil(at)}
}

// OpenedStep shows a step that waits.
func OpenedStep(run string, f workflowrun.StepOpened) WorkflowStep {
	node, _ := workflowrun.NodeOf(f.Step)
	return WorkflowStep{ID: f.Step, RunID: run, NodeID: node, Status: "running", Attempt: f.Attempt, Input: f.Input, WaitsFor: string(f.Awaits),
		WaitsUntil: timeOrNil(f.Until), ChildRunID: f.Child}
}

// SkippedStep shows a node that a run has not come to.
func SkippedStep(run, node string, at time.Time) WorkflowStep {
	return WorkflowStep{ID: node, RunID: run, NodeID: node, Status: "skipped", FinishedAt: timeOrNil(at)}
}
