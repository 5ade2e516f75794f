package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata/commands"
	"strata/domain/identity"
	"strata/streams"
)

// erasure is what was erased in a history, once its keys were gone.
type erasure struct {
	commands.Forgotten
	keys []uuid.UUID // all that were gone by then
}

// erase erases a person's data, of some that have any and some that have none,
// and waits until that is complete.
func (a *author) erase(ctx context.Context) error {
	if a.random.IntN(2) == 0 { // else little would be left to tell
		return nil
	}
	subject := a.pick("ann", "bob", "nobody", a.some(identity.Users.Category))
	out, err := a.erasures.Erase(ctx, commands.Request{Principal: a.who()}, commands.Erasure{Subject: subject, Reason: "asked for it"})
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return a.erasures.Wait(wait, out.ID)
}

func (a *author) forgetStates(ctx context.Context, f commands.Forgotten) error {
	for _, workspace := range f.Workspaces {
		who := streams.Subject{Organization: f.Subject.Organization, Workspace: workspace, ID: f.Subject.ID}
		if err := a.handler.Forget(ctx, who); err != nil {
			return err
		}
	}
	return nil
}

// ring holds keys as a key store does, but a key is no more than its id, which
// stands before what it seals: another ring can open it, until the key is
// destroyed there too. So a history is told again with its keys.
type ring struct {
	mu     sync.Mutex
	living map[streams.Subject]uuid.UUID
	gone   []uuid.UUID
}

func newRing() *ring { return &ring{living: map[streams.Subject]uuid.UUID{}} }

// Seal implements streams.Keys.
func (r *ring) Seal(dst []byte, s streams.Subject, _, data []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.living[s]
	if !ok {
		id = uuid.New()
		r.living[s] = id
	}
	return append(append(dst, id[:]...), data...), nil
}

// Open implements streams.Keys.
func (r *ring) Open(_ streams.Subject, _, sealed []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.gone, uuid.UUID(sealed[:len(uuid.UUID{})])) {
		return nil, streams.ErrErased
	}
	return sealed[len(uuid.UUID{}):], nil
}

// Living implements commands.SubjectKeys.
func (r *ring) Living(_ context.Context, who streams.Subject) (ids []uuid.UUID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s, id := range r.living {
		if s.ID == who.ID && s.Organization == who.Organization && (who.Workspace == "" || s.Workspace == who.Workspace) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Destroy implements commands.SubjectKeys.
func (r *ring) Destroy(_ context.Context, keys []streams.SubjectKey, _ time.Time) error {
	for _, k := range keys {
		r.destroy([]uuid.UUID{k.ID})
	}
	return nil
}

func (r *ring) destroy(ids []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s, id := range r.living {
		if slices.Contains(ids, id) {
			delete(r.living, s)
		}
	}
	for _, id := range ids {
		if !slices.Contains(r.gone, id) {
			r.gone = append(r.gone, id)
		}
	}
}

func (r *ring) destroyed() []uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gone)
}
