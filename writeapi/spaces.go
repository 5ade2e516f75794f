package writeapi

import (
	"context"
	"net/http"

	"strata/commands"
	"strata/domain"
	"strata/domain/identity"
	"strata/internal/httpx"
	"strata/internal/view"
)

// createSpace and updateSpace are the inputs of commands on spaces, which the
// Inference API calls workspaces.
type createSpace struct {
	Body struct {
		Name        string `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name, unique in the organization." example:"Marketing"`
		Description string `json:"description" required:"true" maxLength:"2000" example:"Campaigns and their data"`
	}
}

type updateSpace struct {
	ID   string `path:"id"`
	Body struct {
		Name        *string `json:"name" minLength:"1" maxLength:"200" example:"Marketing"`
		Description *string `json:"description" maxLength:"2000" example:"Campaigns and their data"`
	}
}

type spaceID struct {
	ID string `path:"id"`
}

// spaces registers the commands of spaces.
func (a *API) spaces() {
	for _, at := range []struct {
		mount  *httpx.Mount
		suffix string
	}{{httpx.API, ""}, {httpx.V1, "V1"}} {
		a.spacesAt(at.mount, at.suffix)
	}
}

func (a *API) spacesAt(mount *httpx.Mount, suffix string) {
	op := func(id, method, path, summary, permission string) httpx.Op {
		return httpx.Op{ID: id + suffix, Method: method, Path: path, Mount: mount, Tag: "Spaces", Summary: summary, Permission: permission}
	}
	create := op("createSpace", http.MethodPost, "/spaces", "Create space", "workspaces:create")
	create.Status, create.Description = http.StatusCreated, "A space is a workspace of your organization."
	httpx.Register(a.r, create, func(ctx context.Context, in *createSpace) (httpx.Reply[view.Space], error) {
		return a.space(ctx)(a.Workspaces.Create(ctx, ofOrganization(ctx, create.Permission, ""),
			identity.CreateWorkspace{Name: in.Body.Name, Description: in.Body.Description}))
	})
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		update := op(verbOf(method)+"Space", method, "/spaces/{id}", "Update space", "workspaces:update")
		update.Description = "Fields that are absent stay as they are."
		httpx.Register(a.r, update, func(ctx context.Context, in *updateSpace) (httpx.Reply[view.Space], error) {
			return a.space(ctx)(a.Workspaces.Update(ctx, ofOrganization(ctx, update.Permission, in.ID),
				identity.UpdateWorkspace{Name: in.Body.Name, Description: in.Body.Description}))
		})
	}
	remove := op("deleteSpace", http.MethodDelete, "/spaces/{id}", "Delete space", "workspaces:delete")
	remove.Description = "Its keys stop working and nobody sees it, until it is restored; what it holds stays. " +
		"Not the space that the credential itself works in: nobody would be left to restore it."
	httpx.Register(a.r, remove, func(ctx context.Context, in *spaceID) (httpx.Reply[view.DeletedID], error) {
		if in.ID == httpx.From(ctx).Principal.Workspace {
			return httpx.Reply[view.DeletedID]{}, domain.Errorf(domain.CodeConflict,
				"space %q is the one this credential works in; delete it with a credential of another space", in.ID)
		}
		return a.spaceID(ctx)(a.Workspaces.Delete(ctx, ofOrganization(ctx, remove.Permission, in.ID)))
	})
	restore := op("restoreSpace", http.MethodPost, "/spaces/{id}/restore", "Restore space", "workspaces:update")
	restore.Description = "Brings a deleted space back, with all it held; its keys work again."
	httpx.Register(a.r, restore, func(ctx context.Context, in *spaceID) (httpx.Reply[view.DeletedID], error) {
		return a.spaceID(ctx)(a.Workspaces.Restore(ctx, ofOrganization(ctx, restore.Permission, in.ID)))
	})
}

// ofOrganization is a request about what belongs to the caller's organization
// and to none of its workspaces.
func ofOrganization(ctx context.Context, permission, id string) commands.Request {
	req := request(ctx, permission, id)
	req.Principal.Workspace = ""
	return req
}

// space answers with a workspace, after credentials are checked against it.
func (a *API) space(ctx context.Context) func(commands.Outcome[identity.Workspace], error) (httpx.Reply[view.Space], error) {
	return func(out commands.Outcome[identity.Workspace], err error) (httpx.Reply[view.Space], error) {
		if err != nil {
			return httpx.Reply[view.Space]{}, err
		}
		a.settled(ctx, identityModel, out.Position)
		return httpx.Reply[view.Space]{Body: view.SpaceOf(&out.View), Revision: &out.Revision, Position: out.Position}, nil
	}
}

func (a *API) spaceID(ctx context.Context) func(commands.Outcome[identity.Workspace], error) (httpx.Reply[view.DeletedID], error) {
	return func(out commands.Outcome[identity.Workspace], err error) (httpx.Reply[view.DeletedID], error) {
		if err != nil {
			return httpx.Reply[view.DeletedID]{}, err
		}
		a.settled(ctx, identityModel, out.Position)
		return httpx.Reply[view.DeletedID]{Body: view.DeletedID{ID: out.ID}, Revision: &out.Revision, Position: out.Position}, nil
	}
}
