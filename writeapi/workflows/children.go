package workflows

import (
	"cmp"
	"context"
	"encoding/json"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
)

// Agents runs agents for agent nodes.
type Agents interface {
	// StartChild starts a run that a step waits for and returns its id; the same
	// request starts the same run. Errors: NOT_FOUND for an agent that there is not,
	// CONFLICT for one that may not run, VALIDATION_ERROR.
	StartChild(ctx context.Context, req commands.Request, child AgentChild) (id string, err error)
	// CancelChild cancels a run. Errors: NOT_FOUND, CONFLICT when it is over.
	CancelChild(ctx context.Context, req commands.Request, reason string) error
}

// AgentChild is what an agent node wants to have run.
type AgentChild struct {
	Agent     string // id or name
	Version   int    // 0: the current one
	Input     json.RawMessage
	Variables map[string]any
	SessionID string
	TimeoutMS int // 0: the agent's own
	Parent    agentrun.Parent
	Depth     int
	Subject   string
}

// child is the request that starts the run of a step's attempt: the same however
// often it is performed.
func (j *job) child(run steps.Ref, step string) commands.Request {
	return commands.Request{Principal: j.payer(run), IdempotencyKey: steps.Key(run, step, j.attempt), Route: "workflow step", CorrelationID: run.ID}
}

// childEnded is what came of the run that a step has waited for.
func (s *Service) childEnded(j *job, what string) (came, error) {
	if j.ended.Status != workflowrun.StatusCompleted {
		why := j.ended.Error
		if j.ended.Status == workflowrun.StatusCancelled && j.late(s.Handler.Now()) {
			why = &tooLong // which it may not have known when it said that it was cancelled
		}
		message := what + " was " + string(j.ended.Status)
		if why != nil && why.Message != "" {
			message += ": " + why.Message
		}
		code := domain.CodeWorkflow
		if why != nil && why.Code == string(domain.CodeTimeout) {
			code = domain.CodeTimeout
		}
		return came{}, passing{domain.Errorf(code, "%s", message)}
	}
	var outputs any
	err := json.Unmarshal(j.ended.Outputs, &outputs)
	return came{output: outputs}, err
}

// call starts the run of another workflow, and ends when that has ended.
func (s *Service) call(ctx context.Context, run steps.Ref, step string, j *job, vars map[string]any) (came, error) {
	if j.open != nil && j.ended != nil {
		return s.childEnded(j, "the workflow it called")
	}
	var c workflow.CallConfig
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	req := j.child(run, step)
	started, err := s.load(ctx, req.Principal, c.Workflow, c.Version)
	if err != nil {
		return came{input: config}, mark(err)
	}
	if c.Inputs != nil {
		if started.Inputs, err = encode(c.Inputs); err != nil {
			return came{}, err
		}
	}
	old := j.started
	started.Trigger, started.Parent, started.Depth = "api", &workflowrun.Parent{Run: run.ID, Step: step}, old.Depth+1
	started.SessionID, started.UserID, started.APIKey, started.AppID, started.Subject = old.SessionID, old.UserID, old.APIKey, old.AppID, old.Subject
	out, err := s.start(ctx, req, started)
	if err != nil {
		return came{input: config}, mark(err)
	}
	return came{input: config, opens: &workflowrun.StepOpened{Awaits: workflowrun.Child, Child: out.ID}}, nil
}

// runAgent starts the run of an agent, and ends when that has ended.
func (s *Service) runAgent(ctx context.Context, run steps.Ref, step string, j *job, vars map[string]any) (came, error) {
	if j.open != nil && j.ended != nil {
		return s.childEnded(j, "the agent's run")
	}
	var c workflow.AgentConfig
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	if c.Input == nil {
		c.Input = map[string]any{"message": c.Message}
	}
	input, err := json.Marshal(c.Input)
	if err != nil {
		return came{}, err
	}
	st := &j.started
	id, err := s.Agents.StartChild(ctx, j.child(run, step), AgentChild{Agent: c.Agent, Version: c.Version, Input: input, Variables: c.Variables,
		SessionID: st.SessionID, TimeoutMS: j.node.TimeoutMS, Parent: agentrun.Parent{Run: run.ID, Step: step}, Depth: st.Depth + 1, Subject: st.Subject})
	if err != nil {
		return came{input: config}, mark(err)
	}
	return came{input: config, opens: &workflowrun.StepOpened{Awaits: workflowrun.Child, Child: id}}, nil
}

// tooLong is why a run was cancelled that a step has waited for as long as its node
// allows.
var tooLong = workflowrun.Failure{Code: string(domain.CodeTimeout), Message: "it took longer than the node's timeout_ms allows"}

// giveUp cancels the run that a step waits for, or that it has started without being
// known to wait for it: its own run is over, or it has waited as long as its node
// allows. One that has ended in the very last moment counts as it has ended.
func (s *Service) giveUp(ctx context.Context, run steps.Ref, step string, j *job) (domain.Decider[workflowrun.State], error) {
	end := workflowrun.ChildEnded{Step: step, Status: workflowrun.StatusCancelled}
	reason := "the run that started it is over"
	if !j.cancelled {
		reason, end.Error = "the step that started it does not wait any longer", &tooLong
	}
	of := workflowrun.Aggregate.Prefix
	if j.node.Type == workflow.Agent {
		of = agentrun.Aggregate.Prefix
	}
	if j.open != nil {
		end.Run = j.open.Child
	}
	end.Run = cmp.Or(end.Run, s.Handler.NewID(of, j.child(run, step)))
	req := commands.Request{Principal: domain.System(run.Organization, run.Workspace), ID: end.Run, CorrelationID: run.ID}
	var err error
	if j.node.Type == workflow.Agent {
		err = s.Agents.CancelChild(ctx, req, reason)
	} else {
		_, err = s.steer(ctx, req, workflowrun.Cancel{Reason: reason})
	}
	if err != nil && !over(err) {
		return nil, err
	}
	last, err := s.endOf(ctx, req, j.node.Type)
	if err != nil && !over(err) {
		return nil, err
	}
	end.Usage, end.Cost = last.Usage, last.Cost
	if err == nil && last.Status != workflowrun.StatusCancelled {
		end.Status, end.Outputs, end.Error = last.Status, last.Outputs, last.Error
	}
	return workflowrun.EndChild{ChildEnded: end}, nil
}

// endOf is how a run has ended that a step of a type has started.
func (s *Service) endOf(ctx context.Context, req commands.Request, of workflow.Type) (workflowrun.ChildEnded, error) {
	if of == workflow.Agent {
		return commands.Load(ctx, s.Handler, agentrun.Aggregate, req.Principal, req.ID, func(l *commands.Loaded[agentrun.State]) workflowrun.ChildEnded {
			return endOfAgent(l.State)
		})
	}
	return commands.Load(ctx, s.Handler, workflowrun.Aggregate, req.Principal, req.ID, func(l *commands.Loaded[workflowrun.State]) workflowrun.ChildEnded {
		st := l.State
		return workflowrun.ChildEnded{Status: st.End, Outputs: st.Outputs, Error: st.Error, Usage: st.Usage, Cost: st.Cost}
	})
}

// over tells whether an error says that a run has ended, or is gone.
func over(err error) bool {
	code := domain.CodeOf(err)
	return err != nil && (code == domain.CodeConflict || code == domain.CodeNotFound || code == domain.CodeGone)
}

// report tells the run that waits for this one how it ended.
func (s *Service) report(ctx context.Context, run steps.Ref, j *job) (domain.Decider[workflowrun.State], error) {
	p := j.started.Parent
	err := s.tellParent(ctx, run, p.Run, workflowrun.ChildEnded{Step: p.Step, Run: run.ID, Status: j.status, Outputs: j.result, Error: j.failure, Usage: j.usage, Cost: j.cost})
	if err != nil {
		return nil, err
	}
	return workflowrun.Report{}, nil
}

// tellParent tells a run how another has ended that it waits for.
func (s *Service) tellParent(ctx context.Context, child steps.Ref, parent string, end workflowrun.ChildEnded) error {
	if domain.HasPrefix(parent, agentrun.Aggregate.Prefix) {
		return s.tellAgent(ctx, child, parent, end)
	}
	req := commands.Request{Principal: domain.System(child.Organization, child.Workspace), ID: parent, CorrelationID: child.ID}
	_, err := s.steer(ctx, req, workflowrun.EndChild{ChildEnded: end})
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return nil
	}
	return err
}
