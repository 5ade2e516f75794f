package readapi

import (
	"context"

	"strata/domain"
	"strata/domain/identity"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
	model "strata/projections/identity"
)

// Shorthands for the moments of what belongs to an organization.
type (
	organizationThen = history.Moment[identity.Organization]
	workspaceThen    = history.Moment[identity.Workspace]
	userThen         = history.Moment[identity.User]
	keyThen          = history.Moment[identity.APIKey]
)

// found answers with what the identity model found.
func found[S, V any](o model.Of[S], err error, show func(*S) V) (httpx.Reply[V], error) {
	return httpx.Reply[V]{Body: show(&o.State), Revision: &o.Revision}, err
}

// inOwn returns the value of a path parameter when the path is about the
// caller's organization. Another tenant's does not exist for the caller.
func inOwn(ctx context.Context, param string) (string, error) {
	o := orgID{httpx.PathValue(ctx, "org_id")}
	return httpx.PathValue(ctx, param), o.own(ctx)
}

func inOwnPath(param string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return inOwn(ctx, param) }
}

func (a *API) organization(op httpx.Op) resource[identity.Organization, view.Organization] {
	return resource[identity.Organization, view.Organization]{
		op: op, agg: identity.Organizations, param: "org_id", key: inOwnPath("org_id"),
		now: func(ctx context.Context) (httpx.Reply[view.Organization], error) {
			id, err := inOwn(ctx, "org_id")
			if err != nil {
				return httpx.Reply[view.Organization]{}, err
			}
			o, err := a.Identity.Organization(ctx, id)
			return found(o, err, view.OrganizationOf)
		},
		mine: func(ctx context.Context, m *organizationThen) bool {
			org, _ := tenant(ctx)
			return m.State.ID == org
		},
		alive: func(m *organizationThen) bool { return m.State.Status != "" },
		show:  func(m *organizationThen) (view.Organization, error) { return view.OrganizationOf(m.State), nil },
	}
}

func (a *API) workspace(op httpx.Op) resource[identity.Workspace, view.Workspace] {
	return resource[identity.Workspace, view.Workspace]{
		op: op, agg: identity.Workspaces, param: "workspace_id", key: inOwnPath("workspace_id"),
		now: func(ctx context.Context) (httpx.Reply[view.Workspace], error) {
			id, err := inOwn(ctx, "workspace_id")
			if err != nil {
				return httpx.Reply[view.Workspace]{}, err
			}
			org, _ := tenant(ctx)
			w, err := a.Identity.Workspace(ctx, org, id)
			return found(w, err, view.WorkspaceOf)
		},
		mine: func(ctx context.Context, m *workspaceThen) bool {
			org, _ := tenant(ctx)
			return m.State.OrganizationID == org
		},
		alive: func(m *workspaceThen) bool { return m.State.Status != "" && m.State.Status != identity.StatusDeleted },
		show:  func(m *workspaceThen) (view.Workspace, error) { return view.WorkspaceOf(m.State), nil },
	}
}

// user is a person; id says which one a request means.
func (a *API) user(op httpx.Op, param string, id func(context.Context) (string, error)) resource[identity.User, view.User] {
	return resource[identity.User, view.User]{
		op: op, agg: identity.Users, param: param, key: id,
		now: func(ctx context.Context) (httpx.Reply[view.User], error) {
			one, err := id(ctx)
			if err != nil {
				return httpx.Reply[view.User]{}, err
			}
			org, _ := tenant(ctx)
			u, err := a.Identity.User(ctx, org, one)
			return found(u, err, view.UserOf)
		},
		mine: func(ctx context.Context, m *userThen) bool {
			org, _ := tenant(ctx)
			return m.First.Organization == org
		},
		alive: func(m *userThen) bool { return m.State.Status != "" && m.State.Status != identity.StatusRemoved },
		show:  func(m *userThen) (view.User, error) { return view.UserOf(m.State), nil },
	}
}

// ownUser is the user that the caller's credential acts for.
func ownUser(ctx context.Context) (string, error) {
	p := httpx.From(ctx).Principal
	if p.UserID == "" {
		return "", noUser()
	}
	return p.UserID, nil
}

// apiKey is an API key; mine says whose keys a request may see.
func (a *API) apiKey(op httpx.Op, param string, id func(context.Context) (string, error), mine func(context.Context, *identity.APIKey) bool) resource[identity.APIKey, view.APIKey] {
	return resource[identity.APIKey, view.APIKey]{
		op: op, agg: identity.APIKeys, param: param, key: id,
		now: func(ctx context.Context) (httpx.Reply[view.APIKey], error) {
			var none httpx.Reply[view.APIKey]
			one, err := id(ctx)
			if err != nil {
				return none, err
			}
			org, _ := tenant(ctx)
			k, err := a.Identity.APIKey(ctx, org, one)
			if err == nil && !mine(ctx, &k.State) {
				err = domain.NotFound(identity.APIKeys.Noun, one)
			}
			return found(k, err, func(k *identity.APIKey) view.APIKey { return view.APIKeyOf(k, a.Now()) })
		},
		mine:  func(ctx context.Context, m *keyThen) bool { return mine(ctx, m.State) },
		alive: func(m *keyThen) bool { return m.State.Status != "" },
		show:  func(m *keyThen) (view.APIKey, error) { return view.APIKeyOf(m.State, m.AsOf), nil },
		added: func(m *keyThen) []addition {
			if _, rotated := m.Event.Fact.(identity.APIKeyRotated); !rotated {
				return nil
			}
			return []addition{{secret: "key", op: history.Replace}}
		},
	}
}

// ofOrganization tells whether a key belongs to the caller's organization.
func ofOrganization(ctx context.Context, k *identity.APIKey) bool {
	org, _ := tenant(ctx)
	return k.OrganizationID == org
}

// ofCaller tells whether a key acts for the caller.
func ofCaller(ctx context.Context, k *identity.APIKey) bool {
	owner := httpx.From(ctx).Principal.UserID
	return ofOrganization(ctx, k) && owner != "" && k.OwnerID == owner
}

// pathValue is the id that the path says.
func pathValue(param string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return httpx.PathValue(ctx, param), nil }
}
