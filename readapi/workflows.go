package readapi

import (
	"context"
	"encoding/json"
	"net/http"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/workflowrun"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/resources"
	"strata/projections/workflows"
)

// runPlace is where runs are shown: on each mount under the names that its
// products gave them.
type runPlace struct {
	mount          *httpx.Mount
	workflow       string // parameter of a workflow
	list, get, one string // paths below the workflow, and the parameter of a run
	suffix         string // of operation ids
	paging         httpx.Paging
}

func runPlaces() []runPlace {
	return []runPlace{
		{httpx.API, "workflow_id", "/executions", "/executions/{execution_id}", "execution_id", "", httpx.Cursor},
		{httpx.V1, "name", "/invocations", "/invocations/{invocation_id}", "invocation_id", "V1", httpx.After},
	}
}

// runWithSteps is a run with what it did.
type runWithSteps struct {
	view.WorkflowRun
	Steps []view.WorkflowStep `json:"steps" doc:"What it did, the first 100 steps; all of them are at …/steps."`
}

// stepsShown is how many steps a run shows when it is asked for.
const stepsShown = 100

func (a *API) workflows() {
	for _, p := range runPlaces() {
		a.listRuns(p)
		a.getRun(p)
		a.listSteps(p)
	}
	a.runStatus()
}

func (p runPlace) op(id, path, summary string) httpx.Op {
	return httpx.Op{ID: id + p.suffix, Method: http.MethodGet, Path: "/workflows/{" + p.workflow + "}" + path, Mount: p.mount, Tag: "Workflows",
		Summary: summary, Permission: "workflows:get", Reads: workflows.Name}
}

// workflowNamed is the id of the workflow of the path.
func (a *API) workflowNamed(ctx context.Context, param string) (string, error) {
	_, ws := tenant(ctx)
	name := httpx.PathValue(ctx, param)
	spec := catalogue.Workflows.Spec()
	var d *resources.Document
	var err error
	if domain.HasPrefix(name, spec.Prefix) {
		d, err = a.Resources.Get(ctx, spec.Name, ws, name)
	} else {
		d, err = a.Resources.GetByKey(ctx, spec.Name, ws, name)
	}
	if err != nil {
		return "", err
	}
	return d.ID, nil
}

func (a *API) listRuns(p runPlace) {
	op := p.op("listWorkflowRuns", p.list, "List runs of a workflow")
	op.Paging, op.Sort = p.paging, workflows.SortFields
	op.Filters = []string{"status=queued|running|paused|completed|failed|cancelled"}
	httpx.Register(a.r, op, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.WorkflowRun]], error) {
		var none httpx.Reply[httpx.List[view.WorkflowRun]]
		id, err := a.workflowNamed(ctx, p.workflow)
		if err != nil {
			return none, err
		}
		_, ws := tenant(ctx)
		found, err := a.Runs.List(ctx, workflows.Filter{Workspace: ws, WorkflowID: id, Status: in.Filters["status"]}, page(in.ListParams))
		if err != nil {
			return none, err
		}
		return list(found, always(a.showRun))
	})
}

func (a *API) showRun(r workflows.Run) view.WorkflowRun {
	return view.WorkflowRunOf(&r.State, r.CreatedBy, a.Now())
}

// runNamed finds the run of the path.
func (a *API) runNamed(ctx context.Context, p runPlace) (workflows.Run, error) {
	id, err := a.workflowNamed(ctx, p.workflow)
	if err != nil {
		return workflows.Run{}, err
	}
	_, ws := tenant(ctx)
	return a.Runs.Get(ctx, ws, id, httpx.PathValue(ctx, p.one))
}

func (a *API) getRun(p runPlace) {
	op := p.op("getWorkflowRun", p.get, "Get a run of a workflow")
	httpx.Register(a.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[runWithSteps], error) {
		var none httpx.Reply[runWithSteps]
		r, err := a.runNamed(ctx, p)
		if err != nil {
			return none, err
		}
		in := httpx.ListParams{Limit: stepsShown}
		steps, err := a.Runs.Steps(ctx, r.ID, "", page(in))
		if err != nil {
			return none, err
		}
		out := runWithSteps{WorkflowRun: a.showRun(r), Steps: make([]view.WorkflowStep, len(steps.Items))}
		for i, s := range steps.Items {
			out.Steps[i] = a.showStep(s)
		}
		return httpx.Reply[runWithSteps]{Body: out, Revision: &r.Revision}, nil
	})
}

func (a *API) listSteps(p runPlace) {
	op := p.op("listWorkflowSteps", p.get+"/steps", "List the steps of a run")
	op.Paging = p.paging
	op.Filters = []string{"status=queued|running|completed|failed|skipped"}
	httpx.Register(a.r, op, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.WorkflowStep]], error) {
		var none httpx.Reply[httpx.List[view.WorkflowStep]]
		r, err := a.runNamed(ctx, p)
		if err != nil {
			return none, err
		}
		found, err := a.Runs.Steps(ctx, r.ID, in.Filters["status"], page(in.ListParams))
		if err != nil {
			return none, err
		}
		return list(found, always(a.showStep))
	})
}

func (a *API) showStep(s workflows.Step) view.WorkflowStep {
	v := view.EndedStep(s.Run, workflowrun.StepEnded{Step: s.ID, Attempt: s.Attempt, Input: s.Input,
		Result: workflowrun.Result{Output: s.Output}, Usage: s.Usage, Cost: s.Cost}, s.FinishedAt)
	v.NodeType, v.Status, v.Error = s.Type, s.Status, view.RunErrorOf(s.Error)
	v.WaitsFor, v.ChildRunID = s.Awaits, s.Child
	if !s.Until.IsZero() {
		v.WaitsUntil = &s.Until
	}
	if !s.StartedAt.IsZero() {
		v.StartedAt = &s.StartedAt
	}
	v.DurationMS = view.Took(s.StartedAt, s.FinishedAt, a.Now())
	return v
}

// runStatus is how the latest run of a workflow stands, or the one that is named.
func (a *API) runStatus() {
	p := runPlaces()[0]
	op := p.op("getWorkflowStatus", "/status", "Get execution status")
	op.Description = "Of the run that was started last, unless runId names another."
	httpx.Register(a.r, op, func(ctx context.Context, in *struct {
		RunID string `query:"run_id" doc:"The run; the latest when absent." example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	}) (httpx.Reply[view.WorkflowRun], error) {
		var none httpx.Reply[view.WorkflowRun]
		id, err := a.workflowNamed(ctx, p.workflow)
		if err != nil {
			return none, err
		}
		_, ws := tenant(ctx)
		run := in.RunID
		if run == "" {
			if run, err = a.Runs.Latest(ctx, ws, id); err != nil {
				return none, err
			}
			if run == "" {
				return none, domain.Errorf(domain.CodeNotFound, "the workflow has not been run yet")
			}
		}
		r, err := a.Runs.Get(ctx, ws, id, run)
		return httpx.Reply[view.WorkflowRun]{Body: a.showRun(r), Revision: &r.Revision}, err
	})
}

// beside is what a kind's answers show that other read models know: it is called
// with a document's fields, to add to them. Nil for most kinds.
func (o *kindOps) beside() func(ctx context.Context, d *resources.Document, fields domain.Doc) error {
	if o.spec.Name != catalogue.Workflows.Spec().Name {
		return nil
	}
	return func(ctx context.Context, d *resources.Document, fields domain.Doc) error {
		run, err := o.Runs.Latest(ctx, d.Workspace, d.ID)
		if err != nil {
			return err
		}
		fields["latest_run_id"], err = json.Marshal(run)
		return err
	}
}
