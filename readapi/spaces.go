package readapi

import (
	"context"
	"net/http"

	"strata/domain/identity"
	"strata/internal/httpx"
	"strata/internal/view"
	model "strata/projections/identity"
)

// spaces registers the queries of spaces: workspaces, as the Inference API
// calls them. It comes before the workspaces' own, whose form the audit trail shows.
func (a *API) spaces() {
	for _, at := range []struct {
		mount  *httpx.Mount
		suffix string
		paging httpx.Paging
	}{{httpx.API, "", httpx.Cursor}, {httpx.V1, "V1", httpx.After}} {
		op := func(id, path, summary, permission string) httpx.Op {
			return httpx.Op{ID: id + at.suffix, Method: http.MethodGet, Path: path, Mount: at.mount, Tag: "Spaces", Summary: summary,
				Permission: permission, Reads: model.Name}
		}
		list := op("listSpaces", "/spaces", "Get all spaces", "workspaces:list")
		list.Paging, list.Sort, list.Search = at.paging, model.SortFields, true
		httpx.Register(a.r, list, a.listSpaces)
		serve(a, a.space(op("getSpace", "/spaces/{id}", "Get space", "workspaces:get")))
	}
}

func (a *API) listSpaces(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Space]], error) {
	org, _ := tenant(ctx)
	found, err := a.Identity.Workspaces(ctx, org, model.Narrow{Search: in.Search}, page(in.ListParams))
	if err != nil {
		return httpx.Reply[httpx.List[view.Space]]{}, err
	}
	return list(found, always(func(w model.Workspace) view.Space { return view.SpaceOf(&w.State) }))
}

func (a *API) space(op httpx.Op) resource[identity.Workspace, view.Space] {
	like := a.workspace(op)
	return resource[identity.Workspace, view.Space]{
		op: op, agg: identity.Workspaces, param: "id", mine: like.mine, alive: like.alive,
		now: func(ctx context.Context) (httpx.Reply[view.Space], error) {
			org, _ := tenant(ctx)
			w, err := a.Identity.Workspace(ctx, org, httpx.PathValue(ctx, "id"))
			return found(w, err, view.SpaceOf)
		},
		show: func(m *workspaceThen) (view.Space, error) { return view.SpaceOf(m.State), nil },
	}
}
