package workflows

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
	"strata/internal/httpx"
	"strata/internal/view"
)

// place is where runs are served: on each mount under the names that its products
// gave them.
type place struct {
	mount    *httpx.Mount
	workflow string // path of a workflow
	param    string // of it
	runs     string // path of a run, below the workflow
	run      string // parameter of it
	suffix   string // of operation ids
}

func places() []place {
	return []place{
		{httpx.API, "/workflows/{workflow_id}", "workflow_id", "/executions/{execution_id}", "execution_id", ""},
		{httpx.V1, "/workflows/{name}", "name", "/invocations/{invocation_id}", "invocation_id", "V1"},
	}
}

// Register adds the operations that start and steer runs.
func (s *Service) Register(r *httpx.Router) {
	for _, p := range places() {
		s.registerValidate(r, p)
		s.registerSteering(r, p)
		s.registerWatch(r, p)
	}
	s.registerRun(r)
	s.registerExecute(r)
	s.registerSubmit(r)
}

func (p place) op(id, method, path, summary, permission string) httpx.Op {
	return httpx.Op{ID: id + p.suffix, Method: method, Path: path, Mount: p.mount, Tag: "Workflows", Summary: summary, Permission: permission}
}

// The inputs of the operations.
type (
	validateInput struct {
		Body struct {
			Nodes        []workflow.Node `json:"nodes" required:"true" maxItems:"500"`
			Edges        []workflow.Edge `json:"edges" required:"true" maxItems:"2000"`
			InputSchema  map[string]any  `json:"input_schema"`
			OutputSchema map[string]any  `json:"output_schema"`
			Config       map[string]any  `json:"config"`
		}
	}
	validity struct {
		Valid  bool               `json:"valid" doc:"Whether it could be run." example:"true"`
		Errors []workflow.Problem `json:"errors" doc:"Everything that is wrong with it."`
	}
	runInput struct {
		Body struct {
			Inputs  domain.Doc `json:"inputs" required:"true" doc:"What the run works on; the workflow's input schema says what it takes."`
			Options struct {
				Stream  bool `json:"stream" default:"false" doc:"Answer with server-sent events: start, step…, token…, end."`
				Timeout int  `json:"timeout" minimum:"0" maximum:"600000" doc:"Milliseconds to wait for the end; then the answer says how far the run is. 30000 when absent."`
			} `json:"options"`
			WorkflowVersion int `json:"workflow_version" minimum:"0" doc:"Version to run; the current one when absent."`
		}
	}
	executeInput struct {
		Body struct {
			Inputs  domain.Doc `json:"inputs" required:"true" doc:"What the run works on."`
			Options struct {
				Async   *bool `json:"async" doc:"true when absent: answer at once. false: wait for the end."`
				Timeout int   `json:"timeout" minimum:"0" maximum:"600000" doc:"Milliseconds to wait, 30000 when absent."`
			} `json:"options"`
			WorkflowVersion int `json:"workflow_version" minimum:"0" doc:"Version to run; the current one when absent."`
		}
	}
	submitInput struct {
		Body struct {
			Inputs    domain.Doc `json:"inputs" doc:"What the run works on."`
			SessionID string     `json:"session_id" maxLength:"200" doc:"Session that the run belongs to."`
		}
	}
	cancelInput struct {
		Body struct {
			Reason string `json:"reason" maxLength:"2000" doc:"Why." example:"not needed any more"`
		}
	}
	retryInput struct {
		Body struct {
			FromNodeID string `json:"from_node_id" maxLength:"100" doc:"Begin again at this node; at what failed when absent."`
		}
	}
	forkInput struct {
		Body struct {
			FromNodeID string     `json:"from_node_id" required:"true" minLength:"1" maxLength:"100" doc:"The first node that runs again; results before it are kept." example:"answer"`
			Inputs     domain.Doc `json:"inputs" doc:"Take the place of the run's inputs."`
		}
	}
	resumeInput struct {
		Body struct {
			NodeID   string          `json:"node_id" required:"true" minLength:"1" maxLength:"100" doc:"The node that waits." example:"approve"`
			Decision string          `json:"decision" maxLength:"100" doc:"One of the node's decisions; the first when absent." example:"approved"`
			Payload  json.RawMessage `json:"payload" doc:"What the node's outcome holds beside the decision." example:"{\"note\":\"fine\"}"`
		}
	}
)

// submitted answers the submission of a run.
type submitted struct {
	InvocationID string          `json:"invocation_id" example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	WorkflowName string          `json:"workflow_name" example:"support-triage"`
	Status       string          `json:"status" enum:"queued,running,paused,completed,failed,cancelled" example:"queued"`
	Outputs      json.RawMessage `json:"outputs" doc:"Empty until the run has completed." example:"{}"`
}

func (s *Service) registerValidate(r *httpx.Router, p place) {
	op := p.op("validateWorkflow", http.MethodPost, "/workflows/validate", "Validate a workflow without saving it", "workflows:get")
	httpx.Register(r, op, func(_ context.Context, in *validateInput) (httpx.Reply[validity], error) {
		b := &in.Body
		problems := workflow.Problems(&workflow.Definition{Nodes: b.Nodes, Edges: b.Edges, InputSchema: b.InputSchema, OutputSchema: b.OutputSchema, Config: b.Config})
		if problems == nil {
			problems = []workflow.Problem{}
		}
		return httpx.Respond(validity{Valid: len(problems) == 0, Errors: problems})
	})
}

func (s *Service) registerRun(r *httpx.Router) {
	p := places()[0]
	op := p.op("runWorkflow", http.MethodPost, p.workflow+"/run", "Run a workflow and wait for it", "workflows:run")
	op.Description = "Waits for the end, but not longer than options.timeout. With options.stream it answers with server-sent events: " +
		"`{\"type\":\"start\",\"runId\"}`, `{\"type\":\"step\",\"step\"}` whenever a step ends, `{\"type\":\"token\",\"content\"}` for what models say, " +
		"`{\"type\":\"end\",\"runId\",\"status\",\"outputs\",\"tokenUsage\"}`."
	op.Streaming, op.ResultMedia = true, "text/event-stream"
	spell := r.Speller(reflect.TypeFor[view.WorkflowStep](), p.mount)
	httpx.Stream(r, op, func(w http.ResponseWriter, req *http.Request, in *runInput) (*httpx.Reply[view.WorkflowRun], error) {
		ctx, b := req.Context(), &in.Body
		ask, err := asked(httpx.PathValue(ctx, p.param), b.Inputs, b.WorkflowVersion)
		if err != nil {
			return nil, err
		}
		out, err := s.Start(ctx, requestOf(ctx, op.Permission), ask)
		if err != nil {
			return nil, err
		}
		httpx.Wrote(ctx, out.Position)
		if b.Options.Stream {
			return nil, s.stream(ctx, w, out, spell)
		}
		run, err := s.await(ctx, out, patience(b.Options.Timeout), nil)
		return &httpx.Reply[view.WorkflowRun]{Body: run}, err
	})
}

// patience is how long to wait for a run.
func patience(ms int) time.Duration {
	return time.Duration(cmp.Or(ms, 30_000)) * time.Millisecond
}

func asked(named string, inputs domain.Doc, version int) (Ask, error) {
	text, err := json.Marshal(inputs)
	if inputs == nil {
		text = nil
	}
	return Ask{Workflow: named, Version: version, Inputs: text}, err
}

func (s *Service) registerExecute(r *httpx.Router) {
	p := places()[0]
	op := p.op("executeWorkflow", http.MethodPost, p.workflow+"/execute", "Execute a workflow", "workflows:run")
	op.Description = "Answers 202 at once, or with options.async=false when the run has ended."
	op.Status, op.Streaming = http.StatusAccepted, true
	httpx.Stream(r, op, func(_ http.ResponseWriter, req *http.Request, in *executeInput) (*httpx.Reply[view.WorkflowRun], error) {
		ctx, b := req.Context(), &in.Body
		ask, err := asked(httpx.PathValue(ctx, p.param), b.Inputs, b.WorkflowVersion)
		if err != nil {
			return nil, err
		}
		out, err := s.Start(ctx, requestOf(ctx, op.Permission), ask)
		if err != nil {
			return nil, err
		}
		httpx.Wrote(ctx, out.Position)
		if b.Options.Async == nil || *b.Options.Async {
			return &httpx.Reply[view.WorkflowRun]{Body: out.View, Position: out.Position}, nil
		}
		run, err := s.await(ctx, out, patience(b.Options.Timeout), nil)
		return &httpx.Reply[view.WorkflowRun]{Body: run, Status: http.StatusOK}, err
	})
}

func (s *Service) registerSubmit(r *httpx.Router) {
	p := places()[1]
	op := p.op("submitWorkflow", http.MethodPost, p.workflow+"/run", "Submit workflow", "workflows:run")
	op.Description = "Answers 202 with the invocation's id; GET …/invocations/{invocation_id} tells how far it is."
	op.Status = http.StatusAccepted
	httpx.Register(r, op, func(ctx context.Context, in *submitInput) (httpx.Reply[submitted], error) {
		ask, err := asked(httpx.PathValue(ctx, p.param), in.Body.Inputs, 0)
		if err != nil {
			return httpx.Reply[submitted]{}, err
		}
		ask.SessionID = in.Body.SessionID
		out, err := s.Start(ctx, requestOf(ctx, op.Permission), ask)
		if err != nil {
			return httpx.Reply[submitted]{}, err
		}
		v := out.View
		body := submitted{InvocationID: v.RunID, WorkflowName: v.WorkflowName, Status: v.Status, Outputs: v.Outputs}
		return httpx.Reply[submitted]{Body: body, Position: out.Position}, nil
	})
}

// registerSteering adds what can be done to a run that was started.
func (s *Service) registerSteering(r *httpx.Router, p place) {
	cancel := p.op("cancelWorkflowRun", http.MethodPost, p.workflow+p.runs+"/cancel", "Cancel a run", "workflows:cancel")
	cancel.Description = "Steps that are being performed are told to stop, and the runs of workflows that it has called are cancelled."
	httpx.Register(r, cancel, func(ctx context.Context, in *cancelInput) (httpx.Reply[view.WorkflowRun], error) {
		return s.on(ctx, p, cancel.Permission, func(req commands.Request, _ string) (Outcome, error) {
			return s.steer(ctx, req, workflowrun.Cancel{Reason: in.Body.Reason})
		})
	})
	resume := p.op("resumeWorkflowRun", http.MethodPost, p.workflow+p.runs+"/resume", "Decide at a node that waits for a person", "workflows:resume")
	httpx.Register(r, resume, func(ctx context.Context, in *resumeInput) (httpx.Reply[view.WorkflowRun], error) {
		return s.on(ctx, p, resume.Permission, func(req commands.Request, _ string) (Outcome, error) {
			return s.steer(ctx, req, workflowrun.AnswerHuman{NodeID: in.Body.NodeID, Decision: in.Body.Decision, Payload: in.Body.Payload})
		})
	})
	retry := p.op("retryWorkflowRun", http.MethodPost, p.workflow+p.runs+"/retry", "Retry a run from the node that failed", "workflows:run")
	retry.Description = "Starts another run that keeps the results before the node. Its side effects have keys of their own."
	retry.Status = http.StatusAccepted
	httpx.Register(r, retry, func(ctx context.Context, in *retryInput) (httpx.Reply[view.WorkflowRun], error) {
		return s.on(ctx, p, retry.Permission, func(req commands.Request, run string) (Outcome, error) {
			req.ID = ""
			return s.Again(ctx, req, run, in.Body.FromNodeID, "retry", nil)
		})
	})
	fork := p.op("forkWorkflowRun", http.MethodPost, p.workflow+p.runs+"/fork", "Fork a run from a node", "workflows:run")
	fork.Description = "Starts another run with the results that this one had before the node, whether it has ended or not."
	fork.Status = http.StatusAccepted
	httpx.Register(r, fork, func(ctx context.Context, in *forkInput) (httpx.Reply[view.WorkflowRun], error) {
		return s.on(ctx, p, fork.Permission, func(req commands.Request, run string) (Outcome, error) {
			ask, err := asked("", in.Body.Inputs, 0)
			if err != nil {
				return Outcome{}, err
			}
			req.ID = ""
			return s.Again(ctx, req, run, in.Body.FromNodeID, "api", ask.Inputs)
		})
	})
}

// on does something to the run of the path, which must be one of the workflow of
// the path.
func (s *Service) on(ctx context.Context, p place, permission string, do func(req commands.Request, run string) (Outcome, error)) (httpx.Reply[view.WorkflowRun], error) {
	var none httpx.Reply[view.WorkflowRun]
	req := requestOf(ctx, permission)
	req.ID = httpx.PathValue(ctx, p.run)
	req.Route += " " + req.ID
	id, err := s.Resources.Resolve(ctx, catalogue.Workflows, req.Principal, httpx.PathValue(ctx, p.param))
	if err != nil {
		return none, err
	}
	of, err := commands.Load(ctx, s.Handler, workflowrun.Aggregate, req.Principal, req.ID,
		func(l *commands.Loaded[workflowrun.State]) string { return l.State.WorkflowID })
	if err != nil {
		return none, err
	}
	if of != id && of != "" { // of an erased run it is not known any more
		return none, domain.NotFound(workflowrun.Aggregate.Noun, req.ID)
	}
	out, err := do(req, req.ID)
	if err != nil {
		return none, err
	}
	return httpx.Reply[view.WorkflowRun]{Body: out.View, Position: out.Position}, nil
}

func requestOf(ctx context.Context, permission string) commands.Request {
	r := httpx.From(ctx)
	return commands.Request{Principal: r.Principal, Permission: permission, IdempotencyKey: r.IdempotencyKey,
		Route: r.Operation + " " + httpx.PathValue(ctx, "workflow_id") + httpx.PathValue(ctx, "name"), RequestID: r.ID, CorrelationID: r.CorrelationID}
}
