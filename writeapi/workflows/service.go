package workflows

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"strata/commands"
	library "strata/commands/knowledge"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
	"strata/gateway"
	"strata/internal/vault"
	"strata/internal/view"
	"strata/streams"
)

// Service starts and performs runs. Every field but At must be set.
type Service struct {
	Handler    *commands.Handler
	Resources  *commands.Resources
	Gateway    *gateway.Gateway
	Store      streams.Store
	Codec      *streams.Codec
	Library    library.Finder // where knowledge nodes look things up
	Tools      Tools
	Agents     Agents
	Connectors Connectors
	// Transport makes the requests of http nodes, and decides where to they may go.
	Transport      http.RoundTripper
	Secrets        *vault.Vault    // that headers of http nodes refer to
	RecordPayloads bool            // keep what is said to models in the inference log
	Live           context.Context // ends when the server begins to drain
}

// Machine makes runs performable by an executor. open lists those that are.
func (s *Service) Machine(open func(ctx context.Context, after string, limit int) ([]steps.Ref, error)) steps.Machine[workflowrun.State, job] {
	return steps.Machine[workflowrun.State, job]{
		Aggregate: workflowrun.Aggregate,
		Plan: func(l *commands.Loaded[workflowrun.State], now time.Time) steps.Plan[workflowrun.State] {
			p := l.State.Plan(now)
			out := steps.Plan[workflowrun.State]{Advance: p.Advance, Wake: p.Wake}
			for _, intent := range p.Steps {
				step := steps.Step[workflowrun.State]{ID: intent.Step}
				if intent.Begins {
					step.Begin = workflowrun.Begin{Intent: intent}
				}
				out.Steps = append(out.Steps, step)
			}
			return out
		},
		Job:     jobOf,
		Perform: s.perform,
		Open:    open,
		Wakes: []string{workflowrun.Started{}.EventType(), workflowrun.HumanAnswered{}.EventType(), workflowrun.ChildEnded{}.EventType(),
			workflowrun.Cancelled{}.EventType()},
	}
}

// Ask is what somebody wants to have run.
type Ask struct {
	Workflow  string // id or name
	Version   int    // 0: the current one
	Inputs    json.RawMessage
	SessionID string
}

// Outcome is a run as a command has left it.
type Outcome = commands.Outcome[view.WorkflowRun]

// Start starts a run. Errors: NOT_FOUND for a workflow that there is not;
// CONFLICT for one that is archived or empty; VALIDATION_ERROR naming what is wrong
// with the inputs.
func (s *Service) Start(ctx context.Context, req commands.Request, ask Ask) (Outcome, error) {
	if out, repeated, err := commands.Repeat(ctx, s.Handler, workflowrun.Aggregate, req, s.show); repeated || err != nil {
		return out, err
	}
	started, err := s.load(ctx, req.Principal, ask.Workflow, ask.Version)
	if err != nil {
		return Outcome{}, err
	}
	started.Inputs, started.SessionID, started.Trigger = ask.Inputs, ask.SessionID, "api"
	return s.start(ctx, req, started)
}

func (s *Service) start(ctx context.Context, req commands.Request, started workflowrun.Started) (Outcome, error) {
	p := req.Principal
	if started.UserID == "" {
		started.UserID, started.APIKey, started.AppID = p.UserID, p.KeyID, p.AppID
	}
	req.Create = true
	return commands.Run(ctx, s.Handler, workflowrun.Aggregate, req, workflowrun.Start{Started: started}, s.show)
}

// load finds a version of a workflow.
func (s *Service) load(ctx context.Context, p domain.Principal, named string, version int) (workflowrun.Started, error) {
	var out workflowrun.Started
	id, err := s.Resources.Resolve(ctx, catalogue.Workflows, p, named)
	if err != nil {
		return out, err
	}
	doc, err := s.Resources.Load(ctx, catalogue.Workflows, p, id)
	if err != nil {
		return out, err
	}
	current, err := domain.Decode[catalogue.Workflow](doc.Resource.Doc)
	if err != nil {
		return out, err
	}
	if current.Status == "archived" {
		return out, domain.Errorf(domain.CodeConflict, "workflow %q is archived and cannot be run", named)
	}
	v, err := doc.Resource.VersionAt(version)
	if err != nil {
		return out, err
	}
	def, err := domain.Decode[workflow.Definition](v.Doc)
	if err != nil {
		return out, err
	}
	return workflowrun.Started{WorkflowID: id, WorkflowName: current.Name, Version: v.Number, Definition: def}, nil
}

// show renders a run.
func (s *Service) show(l *commands.Loaded[workflowrun.State]) view.WorkflowRun {
	return view.WorkflowRunOf(l.State, l.CreatedBy, s.Handler.Now())
}

// Again starts another run with results of one that has ended: from node from, or,
// if that is "", from what failed. inputs replace those it had, unless nil; what a
// change of them makes of the results that are kept is the caller's to judge.
// Errors: NOT_FOUND, CONFLICT for a run that has not ended.
func (s *Service) Again(ctx context.Context, req commands.Request, run, from, trigger string, inputs json.RawMessage) (Outcome, error) {
	if out, repeated, err := commands.Repeat(ctx, s.Handler, workflowrun.Aggregate, req, s.show); repeated || err != nil {
		return out, err
	}
	type origin struct {
		started workflowrun.Started
		err     error
	}
	o, err := commands.Load(ctx, s.Handler, workflowrun.Aggregate, req.Principal, run, func(l *commands.Loaded[workflowrun.State]) origin {
		st := l.State
		var faults domain.Faults
		faults.Add(from != "" && st.Graph().Node(from) == nil, "from_node_id", "names no node of the workflow: %q", from)
		switch {
		case st.Erased:
			return origin{err: domain.Gone(workflowrun.Aggregate.Noun, run)}
		case trigger == "retry" && (st.End == "" || st.End == workflowrun.StatusCompleted && from == ""):
			return origin{err: domain.Errorf(domain.CodeConflict, "workflow run %q is %s; one that failed or was cancelled can be retried, or any that is over from a node", run, st.Status())}
		}
		old := st.Started
		return origin{err: faults.Err(), started: workflowrun.Started{WorkflowID: old.WorkflowID, WorkflowName: old.WorkflowName, Version: old.Version,
			Definition: old.Definition, Inputs: old.Inputs, SessionID: old.SessionID, Trigger: trigger, Origin: run, Carried: st.Carry(from)}}
	})
	if err != nil {
		return Outcome{}, err
	}
	if o.err != nil {
		return Outcome{}, o.err
	}
	if inputs != nil {
		o.started.Inputs = inputs
	}
	return s.start(ctx, req, o.started)
}

// steer runs a command on a run.
func (s *Service) steer(ctx context.Context, req commands.Request, cmd domain.Decider[workflowrun.State]) (Outcome, error) {
	return commands.Run(ctx, s.Handler, workflowrun.Aggregate, req, cmd, s.show)
}
