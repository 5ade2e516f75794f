package readapi

import (
	"context"
	"net/http"
	"strconv"

	"strata/domain"
	"strata/domain/agentrun"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/agentruns"
	"strata/projections/history"
)

type agentRunSteps struct {
	RunID string `path:"run_id"`
	httpx.ListParams
}

type agentRunStep struct {
	RunID  string `path:"run_id"`
	StepID string `path:"step_id"`
}

// agentRuns registers the queries of the runs of agents, on both mounts.
func (a *API) agentRuns() {
	for _, place := range []struct {
		mount  *httpx.Mount
		suffix string
		paging httpx.Paging
	}{{httpx.API, "", httpx.Cursor}, {httpx.V1, "V1", httpx.After}} {
		op := func(id, path, summary, verb string) httpx.Op {
			return httpx.Op{ID: id + place.suffix, Method: http.MethodGet, Path: path, Mount: place.mount, Tag: "Agents", Summary: summary,
				Permission: "agents:" + verb, Reads: agentruns.Name}
		}
		listing := op("listAgentRuns", "/runs", "List agent runs", "list")
		listing.Paging, listing.Sort = place.paging, agentruns.SortFields
		listing.Filters = []string{"agent_id", "session_id", "status=queued|running|completed|failed|cancelled"}
		httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.AgentRun]], error) {
			_, ws := tenant(ctx)
			found, err := a.AgentRuns.List(ctx, agentruns.Filter{Workspace: ws, AgentID: in.Filters["agent_id"],
				SessionID: in.Filters["session_id"], Status: in.Filters["status"]}, page(in.ListParams))
			if err != nil {
				return httpx.Reply[httpx.List[view.AgentRun]]{}, err
			}
			return list(found, always(func(r agentruns.Run) view.AgentRun { return view.AgentRunOf(&r.State) }))
		})
		serve(a, a.agentRun(op("getAgentRun", "/runs/{run_id}", "Get a run and its status", "get")))
		steps := op("listAgentRunSteps", "/runs/{run_id}/steps", "List the run's steps", "get")
		steps.Paging = place.paging
		httpx.Register(a.r, steps, func(ctx context.Context, in *agentRunSteps) (httpx.Reply[httpx.List[view.AgentRunStep]], error) {
			all, err := a.stepsOf(ctx, in.RunID)
			if err != nil {
				return httpx.Reply[httpx.List[view.AgentRunStep]]{}, err
			}
			for i := range all { // after names a step by its id
				if all[i].ID == in.After {
					all = all[i+1:]
					break
				}
			}
			part, err := sliced(all, in.ListParams)
			if err != nil {
				return httpx.Reply[httpx.List[view.AgentRunStep]]{}, err
			}
			return list(part, always(func(s view.AgentRunStep) view.AgentRunStep { return s }))
		})
		httpx.Register(a.r, op("getAgentRunStep", "/runs/{run_id}/steps/{step_id}", "Get one step", "get"),
			func(ctx context.Context, in *agentRunStep) (httpx.Reply[view.AgentRunStep], error) {
				all, err := a.stepsOf(ctx, in.RunID)
				if err != nil {
					return httpx.Reply[view.AgentRunStep]{}, err
				}
				for _, s := range all {
					if s.ID == in.StepID || strconv.Itoa(s.Index) == in.StepID {
						return httpx.Reply[view.AgentRunStep]{Body: s}, nil
					}
				}
				return httpx.Reply[view.AgentRunStep]{}, domain.NotFound("step", in.StepID)
			})
	}
}

func (a *API) stepsOf(ctx context.Context, run string) ([]view.AgentRunStep, error) {
	_, ws := tenant(ctx)
	r, err := a.AgentRuns.Get(ctx, ws, run)
	if err != nil {
		return nil, err
	}
	return view.AgentRunStepsOf(&r.State), nil
}

// agentRun is one run, now and in the past.
func (a *API) agentRun(op httpx.Op) resource[agentrun.State, view.AgentRun] {
	return resource[agentrun.State, view.AgentRun]{
		op: op, agg: agentrun.Aggregate, param: "run_id",
		now: func(ctx context.Context) (httpx.Reply[view.AgentRun], error) {
			_, ws := tenant(ctx)
			r, err := a.AgentRuns.Get(ctx, ws, httpx.PathValue(ctx, "run_id"))
			return httpx.Reply[view.AgentRun]{Body: view.AgentRunOf(&r.State), Revision: &r.Revision}, err
		},
		alive: func(m *history.Moment[agentrun.State]) bool { return m.State.Exists },
		show:  func(m *history.Moment[agentrun.State]) (view.AgentRun, error) { return view.AgentRunOf(m.State), nil },
	}
}
