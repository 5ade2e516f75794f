package adminapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"strata/domain"
	"strata/internal/httpx"
	"strata/projections"
)

type projectionName struct {
	Name string `path:"name" example:"sessions"`
}

type startRebuild struct {
	projectionName
	Body struct {
		EventsPerSecond int   `json:"events_per_second" minimum:"0" maximum:"10000000" doc:"At most so many events are folded per second; 0 = as fast as it goes." example:"5000"`
		FromPosition    int64 `json:"from_position" minimum:"0" maximum:"0" doc:"Always 0: rows are what the whole log says." example:"0"`
	}
}

func (a *API) op(id, method, path, summary, verb string) httpx.Op {
	return httpx.Op{ID: id, Method: method, Path: "/admin/projections" + path, Mount: httpx.API, Tag: "Admin", Summary: summary,
		Permission: "projections:" + verb, Installation: true}
}

func (a *API) projections() {
	listing := a.op("listProjections", http.MethodGet, "", "List projections and their lag", "list")
	listing.Description = "Everything that follows the log: read models, reactors and writers."
	listing.Paging, listing.Filters, listing.PageDefault = httpx.Cursor, []string{"kind=model|reactor"}, 100
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[projection]], error) {
		all, err := a.all(ctx)
		if err != nil {
			return httpx.Reply[httpx.List[projection]]{}, err
		}
		if kind := in.Filters["kind"]; kind != "" {
			all = slices.DeleteFunc(all, func(p projection) bool { return p.Kind != kind })
		}
		return httpx.Respond(pageOf(all, in.ListParams, func(p projection) string { return p.Name }))
	})
	httpx.Register(a.r, a.op("getProjection", http.MethodGet, "/{name}", "Get a projection", "get"),
		func(ctx context.Context, in *projectionName) (httpx.Reply[projection], error) {
			return a.show(ctx, in.Name)
		})

	begin := a.op("rebuildProjection", http.MethodPost, "/{name}/rebuild", "Rebuild a projection from the event store", "rebuild")
	begin.Status = http.StatusAccepted
	begin.Description = "The log is folded into new rows beside the living ones, which go on serving. Both are compared, and the new rows take their " +
		"place at one moment; what the comparison shows is kept in `rebuild`. A rebuild goes on after a restart."
	httpx.Register(a.r, begin, func(ctx context.Context, in *startRebuild) (httpx.Reply[projection], error) {
		if err := a.wantModel(ctx, in.Name); err != nil {
			return httpx.Reply[projection]{}, err
		}
		if err := a.Models.Rebuild(ctx, in.Name, projections.RebuildOptions{EventsPerSecond: in.Body.EventsPerSecond}); err != nil {
			return httpx.Reply[projection]{}, err
		}
		return a.show(ctx, in.Name)
	})
	cancel := a.op("cancelProjectionRebuild", http.MethodDelete, "/{name}/rebuild", "Cancel a rebuild", "rebuild")
	cancel.Description = "What was built is thrown away; the living rows are not concerned."
	httpx.Register(a.r, cancel, func(ctx context.Context, in *projectionName) (httpx.Reply[projection], error) {
		if err := a.wantModel(ctx, in.Name); err != nil {
			return httpx.Reply[projection]{}, err
		}
		if err := a.Models.CancelRebuild(ctx, in.Name); err != nil {
			return httpx.Reply[projection]{}, err
		}
		return a.show(ctx, in.Name)
	})
}

// all shows everything that follows the log, by name.
func (a *API) all(ctx context.Context) ([]projection, error) {
	head, err := a.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	models, err := a.Models.Status(ctx)
	if err != nil {
		return nil, err
	}
	reactors, err := a.Reactors.Status(ctx)
	if err != nil {
		return nil, err
	}
	var out []projection
	for _, s := range models {
		out = append(out, showModel(s, head))
	}
	for _, s := range reactors {
		out = append(out, showReactor(s, head))
	}
	slices.SortFunc(out, func(x, y projection) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func (a *API) find(ctx context.Context, name string) (projection, error) {
	all, err := a.all(ctx)
	if err != nil {
		return projection{}, err
	}
	if i := slices.IndexFunc(all, func(p projection) bool { return p.Name == name }); i >= 0 {
		return all[i], nil
	}
	return projection{}, domain.NotFound("projection", name)
}

func (a *API) show(ctx context.Context, name string) (httpx.Reply[projection], error) {
	p, err := a.find(ctx, name)
	return httpx.Reply[projection]{Body: p}, err
}

// wantModel refuses what only a read model can do.
func (a *API) wantModel(ctx context.Context, name string) error {
	p, err := a.find(ctx, name)
	if err == nil && p.Kind != "model" {
		err = domain.Errorf(domain.CodeConflict, "%s acts on events; it has no rows that could be built again", name)
	}
	return err
}

// pageOf cuts a page from a list that is in memory, in the order of its keys.
// The cursor is the key of the last item shown.
func pageOf[T any](all []T, p httpx.ListParams, key func(T) string) httpx.List[T] {
	from := p.Offset
	if p.Cursor != "" {
		from = 0
		for from < len(all) && key(all[from]) <= p.Cursor {
			from++
		}
	}
	rest := all[min(from, len(all)):]
	out := httpx.List[T]{Items: append([]T{}, rest[:min(len(rest), p.Limit)]...)}
	if len(out.Items) < len(rest) && len(out.Items) > 0 {
		out.HasMore, out.Next = true, key(out.Items[len(out.Items)-1])
	}
	return out
}
