package readapi

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"strata/domain"
	"strata/domain/identity"
	"strata/internal/httpx"
	"strata/internal/view"
	model "strata/projections/identity"
	"strata/projections/query"
)

type orgID struct {
	Org string `path:"org_id"`
}

type orgList struct {
	orgID
	httpx.ListParams
}

func (a *API) identity() {
	op := func(id, path, summary, permission string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.API, Tag: "Identity", Summary: summary,
			Permission: permission, Reads: model.Name}
	}
	httpx.Register(a.r, op("whoAmI", "/auth/whoami", "Get authenticated user info", ""), a.whoAmI)
	serve(a, a.user(op("getProfile", "/user/profile", "Get user profile", ""), "", ownUser))
	serve(a, a.user(op("getUser", "/users/{user_id}", "Get user details", "users:get"), "user_id", pathValue("user_id")))
	serve(a, a.apiKey(op("getAPIKey", "/user/api-keys/{id}", "Get an API key", "api-keys:own"), "id", pathValue("id"), ofCaller))
	serve(a, a.apiKey(op("getOrganizationAPIKey", "/organizations/{org_id}/api-keys/{key_id}", "Get an API key", "api-keys:get"),
		"key_id", inOwnPath("key_id"), ofOrganization))
	keys := op("listAPIKeys", "/user/api-keys", "List API keys", "api-keys:own")
	keys.Paging, keys.Filters, keys.Search = httpx.Cursor, []string{"status=active|revoked|expired"}, true
	httpx.Register(a.r, keys, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.APIKey]], error) {
		p := httpx.From(ctx).Principal
		if p.UserID == "" {
			return httpx.Reply[httpx.List[view.APIKey]]{}, noUser()
		}
		return a.listKeys(ctx, model.KeyFilter{Organization: p.Organization, Owner: p.UserID, Status: in.Filters["status"], Search: in.Search}, page(in.ListParams))
	})
	orgKeys := op("listOrganizationAPIKeys", "/organizations/{org_id}/api-keys", "List API keys", "api-keys:list")
	orgKeys.Paging, orgKeys.Filters, orgKeys.Search = httpx.Cursor, keys.Filters, true
	httpx.Register(a.r, orgKeys, func(ctx context.Context, in *orgList) (httpx.Reply[httpx.List[view.APIKey]], error) {
		if err := in.own(ctx); err != nil {
			return httpx.Reply[httpx.List[view.APIKey]]{}, err
		}
		return a.listKeys(ctx, model.KeyFilter{Organization: in.Org, Status: in.Filters["status"], Search: in.Search}, page(in.ListParams))
	})
	a.organizations()
}

// noUser says that what belongs to a user is not there for a service.
func noUser() error {
	return domain.Errorf(domain.CodeNotFound, "this credential acts for no user")
}

// own refuses another tenant's organization: it does not exist for the caller.
func (o *orgID) own(ctx context.Context) error {
	if org, _ := tenant(ctx); o.Org != org {
		return domain.NotFound("organization", o.Org)
	}
	return nil
}

func (a *API) listKeys(ctx context.Context, f model.KeyFilter, p query.Page) (httpx.Reply[httpx.List[view.APIKey]], error) {
	found, err := a.Identity.APIKeys(ctx, f, p)
	if err != nil {
		return httpx.Reply[httpx.List[view.APIKey]]{}, err
	}
	return list(found, always(func(k model.APIKey) view.APIKey { return view.APIKeyOf(&k.State, a.Now()) }))
}

func (a *API) organizations() {
	op := func(id, path, summary, permission string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.API, Tag: "Identity", Summary: summary,
			Permission: permission, Reads: model.Name}
	}
	serve(a, a.organization(op("getOrganization", "/organizations/{org_id}", "Get organization details", "organizations:get")))
	serve(a, a.workspace(op("getWorkspace", "/organizations/{org_id}/workspaces/{workspace_id}", "Get a workspace", "workspaces:get")))
	workspaces := op("listWorkspaces", "/organizations/{org_id}/workspaces", "List workspaces", "workspaces:list")
	workspaces.Paging, workspaces.Filters, workspaces.Search = httpx.Cursor, []string{"status=active|archived|deleted"}, true
	httpx.Register(a.r, workspaces, func(ctx context.Context, in *orgList) (httpx.Reply[httpx.List[view.Workspace]], error) {
		var none httpx.Reply[httpx.List[view.Workspace]]
		if err := in.own(ctx); err != nil {
			return none, err
		}
		found, err := a.Identity.Workspaces(ctx, in.Org, model.Narrow{Status: in.Filters["status"], Search: in.Search}, page(in.ListParams))
		if err != nil {
			return none, err
		}
		return list(found, always(func(w model.Workspace) view.Workspace { return view.WorkspaceOf(&w.State) }))
	})
}

// whoAmI tells a caller who they are and what they may do.
func (a *API) whoAmI(ctx context.Context, _ *struct{}) (httpx.Reply[view.WhoAmI], error) {
	var none httpx.Reply[view.WhoAmI]
	p := httpx.From(ctx).Principal
	org, err := a.Identity.Organization(ctx, p.Organization)
	if err != nil {
		return none, err
	}
	shown := view.OrganizationOf(&org.State)
	out := view.WhoAmI{Organization: &shown, WorkspaceID: p.Workspace, AuthType: p.Kind, Permissions: slices.Sorted(maps.Keys(p.Permissions))}
	if p.Permissions["*"] { // spelled out, for clients that look for one
		out.Permissions = append([]string{"*"}, identity.Permissions()...)
	}
	if p.UserID != "" {
		u, err := a.Identity.User(ctx, p.Organization, p.UserID)
		if err != nil {
			return none, err
		}
		user := view.UserOf(&u.State)
		out.User = &user
	}
	return httpx.Reply[view.WhoAmI]{Body: out}, nil
}
