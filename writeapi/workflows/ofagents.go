package workflows

import (
	"context"
	"fmt"
	"strconv"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/catalogue"
	"strata/domain/workflowrun"
)

// Describe says what a workflow is for and what its inputs are, as JSON Schema.
// Errors: NOT_FOUND.
func (s *Service) Describe(ctx context.Context, p domain.Principal, name string) (description string, inputs map[string]any, err error) {
	id, err := s.Resources.Resolve(ctx, catalogue.Workflows, p, name)
	if err != nil {
		return "", nil, err
	}
	doc, err := s.Resources.Load(ctx, catalogue.Workflows, p, id)
	if err != nil {
		return "", nil, err
	}
	w, err := domain.Decode[catalogue.Workflow](doc.Resource.Doc)
	return w.Description, w.InputSchema, err
}

// StartChild starts the run of a workflow that a step of another run waits for; child
// says all but the workflow. Errors: as Start.
func (s *Service) StartChild(ctx context.Context, req commands.Request, name string, child workflowrun.Started) (id string, err error) {
	if out, repeated, err := commands.Repeat(ctx, s.Handler, workflowrun.Aggregate, req, s.show); repeated || err != nil {
		return out.ID, err
	}
	of, err := s.load(ctx, req.Principal, name, 0)
	if err != nil {
		return "", err
	}
	child.WorkflowID, child.WorkflowName, child.Version, child.Definition, child.Trigger = of.WorkflowID, of.WorkflowName, of.Version, of.Definition, "api"
	out, err := s.start(ctx, req, child)
	return out.ID, err
}

// CancelChild cancels a run. Errors: NOT_FOUND, CONFLICT when it is over.
func (s *Service) CancelChild(ctx context.Context, req commands.Request, reason string) error {
	_, err := s.steer(ctx, req, workflowrun.Cancel{Reason: reason})
	return err
}

// tellAgent tells the run of an agent how a workflow's run has ended that it waits for.
func (s *Service) tellAgent(ctx context.Context, child steps.Ref, parent string, end workflowrun.ChildEnded) error {
	step, err := strconv.Atoi(end.Step)
	if err != nil {
		return fmt.Errorf("step of the agent's run %s: %w", parent, err)
	}
	said := agentrun.ToolAnswered{Step: step, Output: string(end.Outputs), Prompt: end.Usage.Prompt, Completion: end.Usage.Completion, Cost: end.Cost}
	if end.Status != workflowrun.StatusCompleted {
		said.Failed, said.Output = true, "The workflow was "+string(end.Status)
		if end.Error != nil && end.Error.Message != "" {
			said.Output += ": " + end.Error.Message
		}
	}
	req := commands.Request{Principal: domain.System(child.Organization, child.Workspace), ID: parent, CorrelationID: child.ID}
	_, err = commands.Run[agentrun.State, struct{}](ctx, s.Handler, agentrun.Aggregate, req, agentrun.EndChild{Run: child.ID, ToolAnswered: said}, nil)
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return nil
	}
	return err
}
