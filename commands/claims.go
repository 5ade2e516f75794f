package commands

import (
	"cmp"
	"context"
	"time"

	"strata/domain"
	"strata/domain/claim"
)

// grace is how long a claim whose owner does not bear the name is respected:
// the owner may be between the two appends, which Config.AppendTimeout bounds.
const grace = time.Minute

// Name is a name to be unique in a workspace, or in an organization.
type Name struct {
	Kind  string // what is named: "app"
	Value string
	In    string // where it is unique: an organization, or the principal's workspace when empty
	Owner string // id of the resource that wants it
	// Holds tells whether a resource exists and bears the name. It decides
	// whether a claim held by somebody else was left behind by a crash.
	Holds func(ctx context.Context, owner string) (bool, error)
}

// Claim takes a name for its owner. Errors: CONFLICT when another resource
// bears it, or is being given it right now.
func (h *Handler) Claim(ctx context.Context, p domain.Principal, n Name) error {
	req := Request{Principal: p, ID: claim.ID(n.Kind, cmp.Or(n.In, p.Workspace), n.Value), Create: true}
	take := claim.Take{Kind: n.Kind, Name: n.Value, Owner: n.Owner}
	_, err := Run[claim.State, struct{}](ctx, h, claim.Aggregate, req, take, nil)
	if domain.CodeOf(err) != domain.CodeConflict {
		return err
	}
	var at domain.Revision
	state, loadErr := Load(ctx, h, claim.Aggregate, p, req.ID, func(l *Loaded[claim.State]) claim.State {
		at = l.Revision
		return *l.State
	})
	if loadErr != nil {
		return loadErr
	}
	if state.Owner != "" {
		if h.Now().Sub(state.Since) < grace {
			return err
		}
		holds, holdsErr := n.Holds(ctx, state.Owner)
		if holdsErr != nil {
			return holdsErr
		}
		if holds {
			return err
		}
	}
	// Pinned, so that an owner who takes its name up again in this moment keeps it.
	take.From, req.IfMatch = state.Owner, &at
	_, err = Run[claim.State, struct{}](ctx, h, claim.Aggregate, req, take, nil)
	return err
}

// Unclaim gives a name back.
func (h *Handler) Unclaim(ctx context.Context, p domain.Principal, kind, name, owner string) error {
	return h.unclaim(ctx, p, Name{Kind: kind, Value: name, Owner: owner})
}

func (h *Handler) unclaim(ctx context.Context, p domain.Principal, n Name) error {
	req := Request{Principal: p, ID: claim.ID(n.Kind, cmp.Or(n.In, p.Workspace), n.Value), Create: true}
	_, err := Run[claim.State, struct{}](ctx, h, claim.Aggregate, req, claim.Release{Owner: n.Owner}, nil)
	return err
}
