package readapi

import (
	"context"
	"net/http"
	"strings"

	"strata/domain"
	"strata/domain/argument"
	"strata/domain/insight"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
	"strata/projections/states"
)

// Pages of arguments on the plain mount.
const (
	argumentsPage = 100
	maxArguments  = 1000
)

// arguments registers how arguments are read. On the plain mount their list is a
// bare array, as the Inference API has it.
func (a *API) arguments() {
	name := states.Arguments().Name
	statuses := make([]string, 0, len(argument.Statuses()))
	for _, s := range argument.Statuses() {
		statuses = append(statuses, string(s))
	}
	op := func(id, path, summary, verb string, mount *httpx.Mount) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: mount, Tag: "Arguments", Summary: summary,
			Permission: "arguments:" + verb, Reads: name}
	}
	filters := []string{"status=" + strings.Join(statuses, "|"), "action_id"}
	bare := op("listArgumentsV1", "/arguments", "Find all arguments", "list", httpx.V1)
	bare.Description = "A bare array, the latest first. `status` is that of the review."
	bare.Paging, bare.PageDefault, bare.PageMax, bare.Filters = httpx.Pages, argumentsPage, maxArguments, filters
	httpx.Register(a.r, bare, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[[]view.ArgumentV1], error) {
		_, ws := tenant(ctx)
		found, err := a.Arguments.List(ctx, ws, in.Filters, page(in.ListParams))
		out := make([]view.ArgumentV1, len(found.Items))
		for i, r := range found.Items {
			out[i] = view.ArgumentV1Of(r.State, r.Workspace)
		}
		return httpx.Reply[[]view.ArgumentV1]{Body: out}, err
	})
	listing := op("listArguments", "/arguments", "Find arguments", "list", httpx.API)
	listing.Paging, listing.Sort, listing.Filters = httpx.Cursor, []string{"created_at", "updated_at"}, filters
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Argument]], error) {
		_, ws := tenant(ctx)
		found, err := a.Arguments.List(ctx, ws, in.Filters, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Argument]]{}, err
		}
		return list(found, always(func(r states.Row[argument.State]) view.Argument { return view.ArgumentOf(r.State, r.Workspace) }))
	})
	serve(a, written(op("getArgumentV1", "/arguments/{id}", "Find an argument", "get", httpx.V1), a.Arguments, argument.Aggregate,
		func(s *argument.State) bool { return s.Exists && !s.Deleted }, view.ArgumentV1Of))
	serve(a, written(op("getArgument", "/arguments/{id}", "Find an argument", "get", httpx.API), a.Arguments, argument.Aggregate,
		func(s *argument.State) bool { return s.Exists && !s.Deleted }, view.ArgumentOf))
}

// insights registers how insights are read.
func (a *API) insights() {
	op := func(id, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.API, Tag: "Insights", Summary: summary,
			Permission: "insights:" + verb, Reads: states.Insights().Name}
	}
	show := func(s *insight.State, _ string) view.Insight { return view.InsightOf(s) }
	listing := op("listInsights", "/insights", "List insights", "list")
	listing.Paging, listing.Sort = httpx.Cursor, []string{"created_at", "updated_at"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Insight]], error) {
		_, ws := tenant(ctx)
		found, err := a.Insights.List(ctx, ws, nil, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Insight]]{}, err
		}
		return list(found, always(func(r states.Row[insight.State]) view.Insight { return view.InsightOf(r.State) }))
	})
	serve(a, written(op("getInsight", "/insights/{id}", "Get an insight", "get"), a.Insights, insight.Aggregate,
		func(s *insight.State) bool { return s.Exists && !s.Deleted }, show))
}

// written is one of what models have written, now and in the past.
func written[S, V any](op httpx.Op, q *states.Queries[S], agg *domain.Aggregate[S], alive func(*S) bool, show func(*S, string) V) resource[S, V] {
	return resource[S, V]{
		op: op, agg: agg, param: "id",
		now: func(ctx context.Context) (httpx.Reply[V], error) {
			_, ws := tenant(ctx)
			r, err := q.Get(ctx, ws, httpx.PathValue(ctx, "id"))
			if err != nil {
				return httpx.Reply[V]{}, err
			}
			return httpx.Reply[V]{Body: show(r.State, r.Workspace), Revision: &r.Revision}, nil
		},
		alive: func(m *history.Moment[S]) bool { return alive(m.State) },
		show:  func(m *history.Moment[S]) (V, error) { return show(m.State, m.First.Workspace), nil },
	}
}
