package readapi

import (
	"context"
	"net/http"

	"strata/domain/secret"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
	"strata/projections/secrets"
)

// secrets registers what can be seen of secrets: all but their values.
func (a *API) secrets() {
	op := func(id, below, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: "/secrets" + below, Mount: httpx.API, Tag: "Secrets", Summary: summary,
			Permission: "secrets:" + verb, Reads: secrets.Name}
	}
	listing := op("listSecrets", "", "List secrets (metadata only)", "list")
	listing.Paging, listing.Sort, listing.Search = httpx.Cursor, secrets.SortFields, true
	listing.Filters = []string{"status=active|rotation_due|expired", "tag"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Secret]], error) {
		_, ws := tenant(ctx)
		found, err := a.Secrets.List(ctx, secrets.Filter{Workspace: ws, Status: secret.Status(in.Filters["status"]), Tag: in.Filters["tag"],
			Search: in.Search}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Secret]]{}, err
		}
		now := a.Now()
		return list(found, always(func(s secrets.Secret) view.Secret { return view.SecretOf(&s.State, now) }))
	})
	serve(a, resource[secret.State, view.Secret]{
		op: op("getSecret", "/{name}", "Get a secret's metadata", "get"), agg: secret.Aggregate, param: "name",
		now: func(ctx context.Context) (httpx.Reply[view.Secret], error) {
			_, ws := tenant(ctx)
			s, err := a.Secrets.Get(ctx, ws, httpx.PathValue(ctx, "name"))
			if err != nil {
				return httpx.Reply[view.Secret]{}, err
			}
			return httpx.Reply[view.Secret]{Body: view.SecretOf(&s.State, a.Now()), Revision: &s.Revision}, nil
		},
		key: func(ctx context.Context) (string, error) {
			_, ws := tenant(ctx)
			return secret.ID(ws, httpx.PathValue(ctx, "name")), nil
		},
		alive: func(m *history.Moment[secret.State]) bool { return m.State.Exists },
		show: func(m *history.Moment[secret.State]) (view.Secret, error) {
			return view.SecretOf(m.State, m.AsOf), nil
		},
	})
	a.secretLog(op)
}

func (a *API) secretLog(op func(id, below, summary, verb string) httpx.Op) {
	versions := op("listSecretVersions", "/{name}/versions", "List a secret's versions", "get")
	versions.Description, versions.Paging = "The latest first.", httpx.Cursor
	httpx.Register(a.r, versions, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.SecretVersion]], error) {
		_, ws := tenant(ctx)
		s, found, err := a.Secrets.Versions(ctx, ws, httpx.PathValue(ctx, "name"), page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.SecretVersion]]{}, err
		}
		return list(found, always(func(v secrets.Version) view.SecretVersion {
			return view.SecretVersion{Version: v.Version, Status: view.SecretVersionStatus(&s.State, v.Version), CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy}
		}))
	})
	log := op("listSecretAccesses", "/{name}/access-log", "List a secret's accesses", "get")
	log.Description = "Also of one that was deleted. Each reveal is listed; of uses, the first of a day by each consumer and version."
	log.Paging, log.Sort, log.Search = httpx.Cursor, []string{"timestamp"}, true
	log.Filters = []string{"action=reveal|rotate|update|delete|use"}
	httpx.Register(a.r, log, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.SecretAccess]], error) {
		_, ws := tenant(ctx)
		name := httpx.PathValue(ctx, "name")
		found, err := a.Secrets.Accesses(ctx, ws, name, in.Filters["action"], in.Search, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.SecretAccess]]{}, err
		}
		return list(found, always(func(x secrets.Access) view.SecretAccess {
			return view.SecretAccess{ID: x.ID, SecretName: name, Action: x.Action, Version: x.Version, ActorID: x.Actor, Consumer: x.Consumer,
				Reason: x.Reason, Timestamp: x.At}
		}))
	})
}
