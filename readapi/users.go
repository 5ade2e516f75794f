package readapi

import (
	"context"
	"net/http"
	"slices"

	"strata/domain"
	"strata/domain/identity"
	"strata/internal/httpx"
	"strata/internal/view"
	model "strata/projections/identity"
	"strata/projections/query"
)

// users registers what the Inference API asks about the caller.
func (a *API) users() {
	for _, at := range []struct{ id, path string }{{"getInferenceUser", "/users/me"}, {"getMe", "/me"}} {
		httpx.Register(a.r, httpx.Op{ID: at.id, Method: http.MethodGet, Path: at.path, Mount: httpx.V1, Tag: "Users",
			Summary: "Get logged user informations", Reads: model.Name}, a.inferenceMe)
	}
}

func (a *API) inferenceMe(ctx context.Context, _ *struct{}) (httpx.Reply[view.InferenceMe], error) {
	var none httpx.Reply[view.InferenceMe]
	id, err := ownUser(ctx)
	if err != nil {
		return none, err
	}
	p := httpx.From(ctx).Principal
	u, err := a.Identity.User(ctx, p.Organization, id)
	if err != nil {
		return none, err
	}
	out := view.InferenceMe{InferenceUser: view.InferenceUserOf(&u.State), Permissions: []string{}, Spaces: []view.Space{}}
	for _, permission := range identity.Permissions() {
		if p.Can(permission) {
			out.Permissions = append(out.Permissions, permission)
		}
	}
	slices.Sort(out.Permissions)
	spaces, err := a.spacesOf(ctx, &u.State)
	if err != nil {
		return none, err
	}
	for _, s := range spaces {
		out.Spaces = append(out.Spaces, view.SpaceOf(&s.State))
	}
	return httpx.Reply[view.InferenceMe]{Body: out, Revision: &u.Revision}, nil
}

// maxOwnSpaces is how many spaces are shown of a user.
const maxOwnSpaces = 1000

// spacesOf are the spaces a user may be in: those of the organization, for a
// guest those with permissions.
func (a *API) spacesOf(ctx context.Context, u *identity.User) ([]model.Workspace, error) {
	if u.Role != identity.Guest {
		found, err := a.Identity.Workspaces(ctx, u.OrganizationID, model.Narrow{}, query.Page{Limit: maxOwnSpaces})
		return found.Items, err
	}
	var out []model.Workspace
	for id := range u.Grants {
		w, err := a.Identity.Workspace(ctx, u.OrganizationID, id)
		if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
			continue // it was deleted
		}
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b model.Workspace) int { return b.State.CreatedAt.Compare(a.State.CreatedAt) })
	return out[:min(len(out), maxOwnSpaces)], nil
}
