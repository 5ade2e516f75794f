package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"strata/domain"
	"strata/domain/secret"
	"strata/streams"
)

// Vault seals values, and opens them for those who may see them.
type Vault interface {
	Sealer
	Open(sealed string) (string, error)
}

// Secrets runs the commands of secrets. Their values are sealed before they are part
// of a command, and a deleted secret's are shredded: the key that seals them in the
// log is destroyed.
type Secrets struct {
	h     *Handler
	vault Vault
	keys  SubjectKeys
}

// NewSecrets makes the commands of secrets.
func NewSecrets(h *Handler, vault Vault, keys SubjectKeys) *Secrets { return &Secrets{h, vault, keys} }

func showSecret(l *Loaded[secret.State]) secret.State { return *l.State }

// sealed seals a value.
func (s *Secrets) sealed(value string) (string, error) {
	var f domain.Faults
	secret.CheckValue(&f, value)
	if err := f.Err(); err != nil {
		return "", err
	}
	return s.vault.Seal(value)
}

// named completes a request about the secret of a name.
func named(req Request, name string) Request {
	req.ID = secret.ID(req.Principal.Workspace, name)
	req.Route = cmp.Or(req.Route, "secret") + " " + req.ID
	return req
}

// run runs a command on a secret. That there is none is said of its name.
func (s *Secrets) run(ctx context.Context, req Request, name string, cmd domain.Decider[secret.State]) (Outcome[secret.State], error) {
	out, err := Run(ctx, s.h, secret.Aggregate, named(req, name), cmd, showSecret)
	if errors.Is(err, domain.ErrNotFound) {
		err = domain.NotFound(secret.Aggregate.Noun, name)
	}
	return out, err
}

// Create makes a secret with its first value. Errors: VALIDATION_ERROR, CONFLICT
// when there is one of that name.
func (s *Secrets) Create(ctx context.Context, req Request, cmd secret.Create, value string) (Outcome[secret.State], error) {
	var f domain.Faults
	secret.CheckValue(&f, value)
	tried := cmd
	tried.Sealed = "checked above"
	_, err := tried.Decide(req.env(s.h.Now()), secret.Aggregate.New(""))
	f.Take(err)
	if err := f.Err(); err != nil {
		return Outcome[secret.State]{}, err
	}
	if cmd.Sealed, err = s.sealed(value); err != nil {
		return Outcome[secret.State]{}, err
	}
	req.Create = true
	return s.run(ctx, req, cmd.Name, cmd)
}

// Put changes a secret, its value too unless that is nil. Errors: NOT_FOUND,
// VALIDATION_ERROR, CONFLICT when IfMatch does not hold.
func (s *Secrets) Put(ctx context.Context, req Request, name string, cmd secret.Put, value *string) (Outcome[secret.State], error) {
	if value != nil {
		var err error
		if cmd.Sealed, err = s.sealed(*value); err != nil {
			return Outcome[secret.State]{}, err
		}
	}
	return s.run(ctx, req, name, cmd)
}

// Rotate gives a secret another value. Errors: as Put.
func (s *Secrets) Rotate(ctx context.Context, req Request, name, value string, generated bool) (Outcome[secret.State], error) {
	sealed, err := s.sealed(value)
	if err != nil {
		return Outcome[secret.State]{}, err
	}
	return s.run(ctx, req, name, secret.Rotate{Sealed: sealed, Generated: generated})
}

// Reveal returns the value of a version, the current one for 0, after it was
// recorded who is shown it and why. Errors: as Put.
func (s *Secrets) Reveal(ctx context.Context, req Request, name string, cmd secret.Reveal) (version int, value string, at domain.Position, err error) {
	out, err := s.run(ctx, req, name, cmd)
	if err != nil {
		return 0, "", 0, err
	}
	version = cmp.Or(cmd.Version, out.View.Version)
	for _, f := range out.Facts {
		if r, ok := f.(secret.Revealed); ok {
			version = r.Version
		}
	}
	sealed, kept := out.View.Value(version)
	if !kept {
		return 0, "", 0, domain.NotFound(secret.Aggregate.Noun, name)
	}
	value, err = s.vault.Open(sealed)
	if err != nil {
		return 0, "", 0, fmt.Errorf("open secret %s: %w", req.ID, err)
	}
	return version, value, out.Position, nil
}

// Delete ends a secret and shreds its values. Errors: as Put.
func (s *Secrets) Delete(ctx context.Context, req Request, name string) (Outcome[secret.State], error) {
	var who streams.Subject
	out, err := Run(ctx, s.h, secret.Aggregate, named(req, name), secret.Delete{}, func(l *Loaded[secret.State]) secret.State {
		who = streams.Subject{Organization: l.Organization, Workspace: l.Workspace, ID: l.State.Subject}
		return *l.State
	})
	if errors.Is(err, domain.ErrNotFound) {
		err = domain.NotFound(secret.Aggregate.Noun, name)
	}
	if err != nil {
		return out, err
	}
	s.h.reached("secret.deleted")
	return out, s.shred(ctx, who)
}

// shred destroys the key of a secret that was deleted, and states on disk that may
// hold its values.
func (s *Secrets) shred(ctx context.Context, who streams.Subject) error {
	keys, err := s.keys.Living(ctx, who)
	if err != nil || len(keys) == 0 {
		return err
	}
	if err := s.keys.Destroy(ctx, streams.KeysOf(who, keys), s.h.Now()); err != nil {
		return err
	}
	if s.h.cfg.Snapshots == nil {
		return nil
	}
	return s.h.cfg.Snapshots.Forget(ctx, who)
}

// Recover shreds once more what was ever deleted. It makes up for a process that
// died between the deletion and the destruction of the key, and for a key store that
// came back from an older backup.
func (s *Secrets) Recover(ctx context.Context) error {
	filter := &streams.Filter{Categories: []string{secret.Aggregate.Category}}
	for r, err := range s.h.cfg.Store.ReadAll(ctx, streams.ReadAll{Filter: filter}) {
		if err != nil {
			return fmt.Errorf("read the secrets: %w", err)
		}
		e, err := s.h.cfg.Codec.Decode(r)
		if err != nil {
			return err
		}
		if f, ok := e.Fact.(secret.Deleted); ok {
			if err := s.shred(ctx, streams.Subject{Organization: e.Meta.Organization, Workspace: e.Meta.Workspace, ID: f.Subject}); err != nil {
				return err
			}
		}
	}
	return nil
}
