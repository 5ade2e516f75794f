package commands

import (
	"context"

	"strata/domain"
	"strata/domain/claim"
	"strata/domain/identity"
)

// Workspaces runs the commands of workspaces, whose names are unique in their
// organization. A deleted one gives its name away and has to take it again to
// be restored. Requests are made for the organization: their principals have
// no workspace.
type Workspaces struct{ h *Handler }

// NewWorkspaces makes the commands of workspaces.
func NewWorkspaces(h *Handler) *Workspaces { return &Workspaces{h} }

func showWorkspace(l *Loaded[identity.Workspace]) identity.Workspace { return *l.State }

// Create begins a workspace. Errors: VALIDATION_ERROR, CONFLICT when its name is taken.
func (w *Workspaces) Create(ctx context.Context, req Request, cmd identity.CreateWorkspace) (Outcome[identity.Workspace], error) {
	var none Outcome[identity.Workspace]
	if !req.Principal.Can(req.Permission) {
		return none, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	if out, repeated, err := Repeat(ctx, w.h, identity.Workspaces, req, showWorkspace); repeated || err != nil {
		return out, err
	}
	req.Create = true
	if req.ID == "" {
		req.ID = w.h.NewID(identity.Workspaces.Prefix, req)
	}
	// What would be refused is refused before the name is claimed.
	if _, err := cmd.Decide(req.env(w.h.Now()), identity.Workspaces.New(req.ID)); err != nil {
		return none, err
	}
	if err := w.h.Claim(ctx, req.Principal, w.name(req.Principal, cmd.Name, req.ID)); err != nil {
		return none, err
	}
	w.h.reached("create.claimed")
	return Run(ctx, w.h, identity.Workspaces, req, cmd, showWorkspace)
}

// Update changes a workspace. Errors: NOT_FOUND, VALIDATION_ERROR, CONFLICT
// when the new name is taken or IfMatch does not hold.
func (w *Workspaces) Update(ctx context.Context, req Request, cmd identity.UpdateWorkspace) (Outcome[identity.Workspace], error) {
	var none Outcome[identity.Workspace]
	if cmd.Name == nil {
		return Run(ctx, w.h, identity.Workspaces, req, cmd, showWorkspace)
	}
	before, err := w.load(ctx, req, cmd)
	if err != nil || before.Name == *cmd.Name {
		if err != nil {
			return none, err
		}
		return Run(ctx, w.h, identity.Workspaces, req, cmd, showWorkspace)
	}
	if err := w.h.Claim(ctx, req.Principal, w.name(req.Principal, *cmd.Name, req.ID)); err != nil {
		return none, err
	}
	w.h.reached("rename.claimed")
	out, err := Run(ctx, w.h, identity.Workspaces, req, cmd, showWorkspace)
	if err != nil || claim.Same(before.Name, *cmd.Name) {
		return out, err
	}
	w.h.reached("rename.renamed")
	return out, w.h.unclaim(ctx, req.Principal, w.name(req.Principal, before.Name, req.ID))
}

// Delete ends a workspace and frees its name. Errors: NOT_FOUND.
func (w *Workspaces) Delete(ctx context.Context, req Request) (Outcome[identity.Workspace], error) {
	out, err := Run(ctx, w.h, identity.Workspaces, req, identity.DeleteWorkspace{}, showWorkspace)
	if err != nil {
		return out, err
	}
	w.h.reached("delete.deleted")
	return out, w.h.unclaim(ctx, req.Principal, w.name(req.Principal, out.View.Name, req.ID))
}

// Restore brings a deleted workspace back under its name. Errors: NOT_FOUND,
// CONFLICT when it was not deleted or another one has its name now.
func (w *Workspaces) Restore(ctx context.Context, req Request) (Outcome[identity.Workspace], error) {
	if out, repeated, err := Repeat(ctx, w.h, identity.Workspaces, req, showWorkspace); repeated || err != nil {
		return out, err
	}
	before, err := w.load(ctx, req, identity.RestoreWorkspace{})
	if err != nil {
		return Outcome[identity.Workspace]{}, err
	}
	if err := w.h.Claim(ctx, req.Principal, w.name(req.Principal, before.Name, req.ID)); err != nil {
		return Outcome[identity.Workspace]{}, err
	}
	w.h.reached("restore.claimed")
	return Run(ctx, w.h, identity.Workspaces, req, identity.RestoreWorkspace{}, showWorkspace)
}

// load reads a workspace and tries a command on it, so that what would be
// refused claims no name.
func (w *Workspaces) load(ctx context.Context, req Request, cmd domain.Decider[identity.Workspace]) (identity.Workspace, error) {
	if !req.Principal.Can(req.Permission) {
		return identity.Workspace{}, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	var revision domain.Revision
	before, err := Load(ctx, w.h, identity.Workspaces, req.Principal, req.ID, func(l *Loaded[identity.Workspace]) identity.Workspace {
		revision = l.Revision
		return *l.State
	})
	if err == nil {
		err = matches(req, identity.Workspaces.Noun, revision)
	}
	if err == nil {
		_, err = cmd.Decide(req.env(w.h.Now()), &before)
	}
	return before, err
}

func (w *Workspaces) name(p domain.Principal, value, owner string) Name {
	return Name{Kind: "workspace", Value: value, In: p.Organization, Owner: owner,
		Holds: func(ctx context.Context, id string) (bool, error) {
			other, err := Load(ctx, w.h, identity.Workspaces, p, id, showWorkspace)
			if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
				return false, nil
			}
			return err == nil && other.Status != identity.StatusDeleted && claim.Same(other.Name, value), err
		}}
}
