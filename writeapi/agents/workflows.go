package agents

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/workflowrun"
	"strata/gateway/mcp"
)

// Workflows runs the workflows that agents have as tools.
type Workflows interface {
	// Describe says what a workflow is for and what its inputs are, as JSON Schema;
	// nil: anything. Errors: NOT_FOUND.
	Describe(ctx context.Context, p domain.Principal, name string) (description string, inputs map[string]any, err error)
	// StartChild starts a run that a step waits for and returns its id; the same
	// request starts the same run. Errors: NOT_FOUND, CONFLICT for a workflow that may
	// not run, VALIDATION_ERROR, WORKFLOW_ERROR when it is too deep.
	StartChild(ctx context.Context, req commands.Request, name string, child workflowrun.Started) (id string, err error)
	// CancelChild cancels a run. Errors: NOT_FOUND, CONFLICT when it is over.
	CancelChild(ctx context.Context, req commands.Request, reason string) error
}

// workflowTool makes a tool of a workflow.
func (s *Service) workflowTool(ctx context.Context, by mcp.Caller, name string) (tool, error) {
	description, inputs, err := s.Workflows.Describe(ctx, domain.System(by.Organization, by.Workspace), name)
	if err != nil {
		return tool{}, err
	}
	schema := map[string]any{"type": "object"} // which is what models want arguments to be
	maps.Copy(schema, inputs)
	schema["type"] = "object"
	b, err := json.Marshal(schema)
	return tool{name: nameOf("workflow", name), target: agentrun.WorkflowTool + name, schema: b,
		description: cmp.Or(description, "Runs the workflow "+name+" and answers with its outputs.")}, err
}

// child is the request that starts the run of a step: the same however often it is
// performed.
func (s *Service) child(run steps.Ref, j *job) commands.Request {
	return commands.Request{Principal: s.principal(run, j), IdempotencyKey: steps.Key(run, agentrun.StepID(j.step.Index), 0),
		Route: "agent step", CorrelationID: run.ID}
}

// startChild starts the run of a workflow, for whose end the step waits. What goes
// wrong is for the model to know.
func (s *Service) startChild(ctx context.Context, run steps.Ref, j *job) (domain.Decider[agentrun.State], error) {
	call := j.step.Call
	failed := func(output string) (domain.Decider[agentrun.State], error) {
		return agentrun.AnswerTool{ToolAnswered: agentrun.ToolAnswered{Step: j.step.Index, Output: output, Failed: true}}, nil
	}
	inputs := json.RawMessage(cmp.Or(strings.TrimSpace(call.Arguments), "{}"))
	if !json.Valid(inputs) {
		return failed("The arguments are not a JSON object.")
	}
	id, err := s.Workflows.StartChild(ctx, s.child(run, j), strings.TrimPrefix(call.Target, agentrun.WorkflowTool), workflowrun.Started{
		Inputs: inputs, Parent: &workflowrun.Parent{Run: run.ID, Step: agentrun.StepID(j.step.Index)}, Depth: j.depth + 1,
		SessionID: j.sessionID, UserID: j.userID, APIKey: j.apiKey, AppID: j.appID, Subject: j.subject})
	if err == nil {
		return agentrun.OpenChild{ChildStarted: agentrun.ChildStarted{Step: j.step.Index, Run: id}}, nil
	}
	e, ours := errors.AsType[*domain.Error](err)
	if !ours || ctx.Err() != nil || e.Code == domain.CodeUnavailable || e.Code == domain.CodeTimeout {
		return nil, err // it may have been started
	}
	return failed(told(err))
}

// stopChild cancels the run that a step of a run that is over waits for, or has
// started without being known to wait for it.
func (s *Service) stopChild(ctx context.Context, run steps.Ref, j *job) (domain.Decider[agentrun.State], error) {
	id := cmp.Or(j.step.Child, s.Handler.NewID(workflowrun.Aggregate.Prefix, s.child(run, j)))
	req := commands.Request{Principal: domain.System(run.Organization, run.Workspace), ID: id, CorrelationID: run.ID}
	err := s.Workflows.CancelChild(ctx, req, "the agent's run that started it is over")
	if code := domain.CodeOf(err); err != nil && code != domain.CodeConflict && code != domain.CodeNotFound && code != domain.CodeGone {
		return nil, err
	}
	return agentrun.StopChild{ChildStopped: agentrun.ChildStopped{Step: j.step.Index}}, nil
}
