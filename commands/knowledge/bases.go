package knowledge

import (
	"context"
	"strings"

	"strata/commands"
	"strata/domain"
	"strata/domain/claim"
	"strata/domain/knowledge"
)

// kind is what names of bases are claimed as.
const kind = "knowledge_base"

// Bases runs the commands of knowledge bases, whose names are unique in a workspace.
type Bases struct{ Handler *commands.Handler }

// Seen is a base after a command.
type Seen struct {
	knowledge.Base
}

func see(l *commands.Loaded[knowledge.Base]) Seen {
	b := *l.State
	b.Tags = append([]string(nil), b.Tags...)
	return Seen{b}
}

// Create makes a base. Errors: VALIDATION_ERROR, CONFLICT when its name is taken.
func (b Bases) Create(ctx context.Context, req commands.Request, cmd knowledge.CreateBase) (commands.Outcome[Seen], error) {
	var none commands.Outcome[Seen]
	if !req.Principal.Can(req.Permission) {
		return none, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	if out, repeated, err := commands.Repeat(ctx, b.Handler, knowledge.Bases, req, see); repeated || err != nil {
		return out, err
	}
	if err := cmd.Check(); err != nil { // a faulty request leaves no claim behind
		return none, err
	}
	req.Create = true
	if req.ID == "" {
		req.ID = b.Handler.NewID(knowledge.Bases.Prefix, req)
	}
	if err := b.claim(ctx, req.Principal, cmd.Name, req.ID); err != nil {
		return none, err
	}
	return commands.Run(ctx, b.Handler, knowledge.Bases, req, cmd, see)
}

// Revise changes a base. Errors: as Create, NOT_FOUND.
func (b Bases) Revise(ctx context.Context, req commands.Request, cmd knowledge.ReviseBase) (commands.Outcome[Seen], error) {
	var none commands.Outcome[Seen]
	if !req.Principal.Can(req.Permission) {
		return none, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	before, err := commands.Load(ctx, b.Handler, knowledge.Bases, req.Principal, req.ID, see)
	if err != nil {
		return none, err
	}
	after, err := cmd.Revised(&before.Base)
	if err != nil {
		return none, err
	}
	if after.Name != before.Name {
		if err := b.claim(ctx, req.Principal, after.Name, req.ID); err != nil {
			return none, err
		}
	}
	out, err := commands.Run(ctx, b.Handler, knowledge.Bases, req, cmd, see)
	if err != nil || claim.Same(before.Name, after.Name) {
		return out, err
	}
	return out, b.Handler.Unclaim(ctx, req.Principal, kind, before.Name, req.ID)
}

// Delete ends a base and gives its name back. Errors: NOT_FOUND.
func (b Bases) Delete(ctx context.Context, req commands.Request) (commands.Outcome[Seen], error) {
	out, err := commands.Run(ctx, b.Handler, knowledge.Bases, req, knowledge.DeleteBase{}, see)
	if err != nil {
		return out, err
	}
	return out, b.Handler.Unclaim(ctx, req.Principal, kind, out.View.Name, req.ID)
}

func (b Bases) claim(ctx context.Context, p domain.Principal, name, id string) error {
	err := b.Handler.Claim(ctx, p, commands.Name{Kind: kind, Value: strings.TrimSpace(name), Owner: id, Holds: func(ctx context.Context, owner string) (bool, error) {
		held, err := commands.Load(ctx, b.Handler, knowledge.Bases, p, owner, see)
		if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
			return false, nil
		}
		return err == nil && !held.Deleted && claim.Same(held.Name, name), err
	}})
	if domain.CodeOf(err) == domain.CodeConflict && err != nil {
		return domain.Errorf(domain.CodeConflict, "there is a knowledge base called %q already", name).Because(err)
	}
	return err
}
