package readapi

import (
	"context"
	"net/http"

	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/erasures"
)

// privacy registers what there is to see of erasures.
func (a *API) privacy() {
	listed := httpx.Op{ID: "listErasures", Method: http.MethodGet, Path: "/privacy/erasures", Mount: httpx.API, Tag: "Privacy",
		Summary: "List erasures", Permission: "privacy:list", Reads: erasures.Name, Paging: httpx.Cursor,
		Filters: []string{"subject", "status=pending|completed"}}
	httpx.Register(a.r, listed, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Erasure]], error) {
		organization, workspace := tenant(ctx)
		found, err := a.Erasures.List(ctx, erasures.Filter{Organization: organization, Workspace: workspace,
			Subject: in.Filters["subject"], Status: in.Filters["status"]}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Erasure]]{}, err
		}
		return list(found, always(func(e erasures.Erasure) view.Erasure { return view.ErasureOf(&e.Erasure) }))
	})
	one := httpx.Op{ID: "getErasure", Method: http.MethodGet, Path: "/privacy/erasures/{id}", Mount: httpx.API, Tag: "Privacy",
		Summary: "Get an erasure", Permission: "privacy:get", Reads: erasures.Name}
	httpx.Register(a.r, one, func(ctx context.Context, in *struct {
		ID string `path:"id"`
	}) (httpx.Reply[view.Erasure], error) {
		organization, workspace := tenant(ctx)
		e, err := a.Erasures.Get(ctx, organization, workspace, in.ID)
		return httpx.Reply[view.Erasure]{Body: view.ErasureOf(&e.Erasure), Revision: &e.Revision}, err
	})
}
