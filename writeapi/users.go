package writeapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"strata/commands"
	"strata/domain"
	"strata/domain/identity"
	"strata/internal/httpx"
	"strata/internal/view"
)

type updateMe struct {
	Body struct {
		FirstName *string              `json:"first_name" maxLength:"200" example:"Ada"`
		LastName  *string              `json:"last_name" maxLength:"200" example:"Example"`
		Role      *identity.Discipline `json:"role" enum:"designer,developer" doc:"What you do; it permits nothing." example:"developer"`
	}
}

type grantPermissions struct {
	Body struct {
		Permissions []string `json:"permissions" required:"true" minItems:"1" maxItems:"200" doc:"What the user may do from now on, resource:verb." example:"[\"benchmarks:list\"]"`
		UserID      string   `json:"user_id" maxLength:"200" doc:"Who; yourself when absent."`
	}
}

// users registers the Inference API's commands about users.
func (a *API) users() {
	op := func(id, method, path, summary, permission string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: path, Mount: httpx.V1, Tag: "Users", Summary: summary, Permission: permission}
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		command(a, operation[updateMe, identity.User, view.InferenceUser]{
			Op:  op(verbOf(method)+"InferenceUser", method, "/users/me", "Update user", ""),
			agg: identity.Users, settle: identityModel,
			decide: func(req *commands.Request, in *updateMe) (domain.Decider[identity.User], error) {
				if req.Principal.UserID == "" {
					return nil, domain.Errorf(domain.CodeNotFound, "this credential acts for no user")
				}
				req.ID, req.Principal.Workspace = req.Principal.UserID, ""
				return identity.UpdateUser{FirstName: in.Body.FirstName, LastName: in.Body.LastName, Discipline: in.Body.Role}, nil
			},
			view: func(l *commands.Loaded[identity.User]) view.InferenceUser { return view.InferenceUserOf(l.State) },
		})
	}
	grant := op("addUserPermissions", http.MethodPost, "/users/me/permissions", "Add permissions to a user", "users:update")
	grant.Description = "For owners and admins. The permissions hold in the space of the credential, beside those of the user's role."
	httpx.Register(a.r, grant, func(ctx context.Context, in *grantPermissions) (httpx.Reply[view.Permissions], error) {
		return a.grant(ctx, grant.Permission, in)
	})
	a.invitations(op)
}

func (a *API) grant(ctx context.Context, permission string, in *grantPermissions) (httpx.Reply[view.Permissions], error) {
	var none httpx.Reply[view.Permissions]
	req := ofOrganization(ctx, permission, "")
	workspace := httpx.From(ctx).Principal.Workspace
	if req.ID = cmp.Or(in.Body.UserID, req.Principal.UserID); req.ID == "" {
		return none, domain.Errorf(domain.CodeNotFound, "this credential acts for no user; name one in user_id")
	}
	if err := mayGive(req.Principal, "permissions", in.Body.Permissions); err != nil {
		return none, err
	}
	out, err := commands.Run(ctx, a.Handler, identity.Users, req,
		identity.GrantPermissions{Workspace: workspace, Permissions: in.Body.Permissions},
		func(l *commands.Loaded[identity.User]) view.Permissions {
			return view.Permissions{Permissions: slices.Clone(l.State.Grants[workspace])}
		})
	if err != nil {
		return none, err
	}
	a.settled(ctx, identityModel, out.Position)
	return httpx.Reply[view.Permissions]{Body: out.View, Revision: &out.Revision, Position: out.Position}, nil
}

// mayGive refuses to give what the giver does not have.
func mayGive(p domain.Principal, field string, permissions []string) error {
	var f domain.Faults
	for i, one := range permissions {
		f.Add(!p.Can(one), fmt.Sprintf("%s[%d]", field, i), "is more than you may do yourself")
	}
	return f.Err()
}
