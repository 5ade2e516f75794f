package commands_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/identity"
	"strata/domain/privacy"
	"strata/domain/secret"
	"strata/domain/session"
	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/streams"
	"strata/streams/embedded"
)

// stubborn are keys whose destruction can fail, as when the process dies.
type stubborn struct {
	*subjectkeys.Store
	fails bool
}

func (k *stubborn) Destroy(ctx context.Context, ids []streams.SubjectKey, at time.Time) error {
	if k.fails {
		return errors.New("killed")
	}
	return k.Store.Destroy(ctx, ids, at)
}

// privateWorld is a handler whose personal facts are sealed.
func privateWorld(t *testing.T) (*world, *stubborn) {
	t.Helper()
	master, err := secrets.New(make([]byte, secrets.KeySize))
	ok(t, err)
	store, err := subjectkeys.Open(t.Context(), filepath.Join(t.TempDir(), "subjects.db"), master)
	ok(t, err)
	t.Cleanup(func() { ok(t, store.Close()) })
	facts := slices.Concat(session.FactTypes(), privacy.FactTypes(), secret.FactTypes())
	codec, err := streams.NewCodec(append(facts, identity.Users.Facts...), nil, store)
	ok(t, err)
	w := &world{t: t, dir: t.TempDir(), codec: codec, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	log, err := embedded.Open(w.dir, embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	ok(t, err)
	t.Cleanup(func() { ok(t, log.Close()) })
	w.store, w.h = log, commands.New(commands.Config{Store: log, Codec: codec, Now: w.clock})
	return w, &stubborn{Store: store}
}

func (w *world) session(id, user string) error {
	w.t.Helper()
	req := commands.Request{Principal: principal("ws_1"), ID: session.StreamKey("ws_1", id), Create: true}
	_, err := commands.Run[session.State, struct{}](w.t.Context(), w.h, session.Aggregate, req, session.Create{UserID: user, AppName: "secret"}, nil)
	return err
}

func (w *world) addTo(id string) error {
	w.t.Helper()
	req := commands.Request{Principal: principal("ws_1"), ID: session.StreamKey("ws_1", id)}
	_, err := commands.Run[session.State, struct{}](w.t.Context(), w.h, session.Aggregate, req,
		session.AddEvent{Author: "user", Content: []byte(`{"text":"x"}`)}, nil)
	return err
}

func (w *world) erasures(keys commands.SubjectKeys, fail *int) *commands.Erasures {
	return commands.NewErasures(commands.ErasuresConfig{Handler: w.h, Keys: keys, Retry: time.Millisecond, Places: []commands.Place{
		{Name: "states", Forget: func(ctx context.Context, f commands.Forgotten) error { return w.h.Forget(ctx, f.Subject) }},
		{Name: "shaky", Forget: func(context.Context, commands.Forgotten) error {
			if *fail--; *fail >= 0 {
				return errors.New("away")
			}
			return nil
		}},
	}})
}

func running(t *testing.T, e *commands.Erasures) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.Run(ctx) // ends with the test
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// An erasure whose process died after its intent, and one of whose places
// fails, is carried out by the next process; others' data stays.
func TestErasureIsCarriedOut(t *testing.T) {
	w, keys := privateWorld(t)
	ok(t, w.session("a", "alice"))
	ok(t, w.addTo("a"))
	ok(t, w.session("b", "bob"))
	never, twice := 0, 2
	keys.fails = true
	req := commands.Request{Principal: principal("ws_1"), Permission: "privacy:erase", IdempotencyKey: "k", Route: "erase"}
	out, err := w.erasures(keys, &never).Erase(t.Context(), req, commands.Erasure{Subject: "alice"})
	if err == nil || out.View.Status() != privacy.Pending {
		t.Fatalf("%+v, %v", out.View, err)
	}
	keys.fails = false
	e := w.erasures(keys, &twice)
	ok(t, e.Recover(t.Context()))
	running(t, e)
	within, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ok(t, e.Wait(within, out.ID))
	s, err := e.Show(t.Context(), principal("ws_1"), out.ID)
	ok(t, err)
	if s.Status() != privacy.Completed || s.Events != 2 || s.Unsealed != 0 || twice >= 0 {
		t.Errorf("erasure %+v", s)
	}
	wantCode(t, w.addTo("a"), domain.CodeGone)
	ok(t, w.addTo("b"))
	again, err := e.Erase(t.Context(), req, commands.Erasure{Subject: "alice"})
	if err != nil || !again.Repeated || again.ID != out.ID {
		t.Errorf("a retry: %+v, %v", again, err)
	}
	ok(t, w.session("c", "alice"))
	ok(t, w.addTo("c"))
	ok(t, w.erasures(keys, &never).Recover(t.Context())) // an old erasure does not concern the new key
	ok(t, w.h.Forget(t.Context(), streams.Subject{Organization: "org_1", Workspace: "ws_1", ID: "alice"}))
	ok(t, w.addTo("c"))
}

func TestErasingUsers(t *testing.T) {
	w, keys := privateWorld(t)
	none := 0
	e := w.erasures(keys, &none)
	p := principal("")
	_, err := commands.Run[identity.User, struct{}](t.Context(), w.h, identity.Users, commands.Request{Principal: p, ID: "user_eve", Create: true},
		identity.CreateUser{Email: "eve@example.com", Role: identity.Member}, nil)
	ok(t, err)
	p = principal("ws_1")
	p.UserID = "user_eve"
	_, err = e.Erase(t.Context(), commands.Request{Principal: p}, commands.Erasure{Subject: "user_eve"})
	wantCode(t, err, domain.CodeConflict)
	p.UserID, p.Permissions = "user_ann", map[string]bool{"privacy:erase": true}
	_, err = e.Erase(t.Context(), commands.Request{Principal: p, Permission: "privacy:erase"}, commands.Erasure{Subject: "user_eve"})
	wantCode(t, err, domain.CodeForbidden)
	_, err = e.Erase(t.Context(), commands.Request{Principal: p, Permission: "users:delete"}, commands.Erasure{Subject: "bob"})
	wantCode(t, err, domain.CodeForbidden)
	out, err := e.Erase(t.Context(), commands.Request{Principal: principal("ws_1")}, commands.Erasure{Subject: "user_eve"})
	if err != nil || out.View.Workspace != "" || len(out.View.Keys) != 1 {
		t.Errorf("%+v, %v", out.View, err)
	}
	_, err = e.Erase(t.Context(), commands.Request{Principal: principal("ws_1")}, commands.Erasure{})
	wantCode(t, err, domain.CodeValidation)
}

// A node that joins after an erasure has listed the nodes, and before the erasure is
// in the log, is waited for like the others.
func TestErasureWaitsForWhoJoinsMeanwhile(t *testing.T) {
	w, keys := privateWorld(t)
	ok(t, w.session("a", "alice"))
	var listed atomic.Int64
	var cleaned atomic.Bool
	node := func(place string, forget func()) *commands.Erasures {
		return commands.NewErasures(commands.ErasuresConfig{Handler: w.h, Keys: keys, Retry: time.Millisecond,
			Places: []commands.Place{{Name: place, Forget: func(context.Context, commands.Forgotten) error { forget(); return nil }}},
			AllPlaces: func(context.Context) ([]string, error) {
				if listed.Add(1) == 1 {
					return []string{"states@a"}, nil // b joins right after
				}
				return []string{"states@a", "states@b"}, nil
			}})
	}
	a := node("states@a", func() {})
	b := node("states@b", func() { cleaned.Store(true) })
	for _, e := range []*commands.Erasures{a, b} {
		ok(t, e.Recover(t.Context()))
		running(t, e)
		following(t, e)
	}
	out, err := a.Erase(t.Context(), commands.Request{Principal: principal("ws_1")}, commands.Erasure{Subject: "alice"})
	ok(t, err)
	ok(t, a.Wait(t.Context(), out.ID))
	s, err := a.Show(t.Context(), principal("ws_1"), out.ID)
	ok(t, err)
	if s.Status() != privacy.Completed || len(s.Places) != 2 || !cleaned.Load() {
		t.Errorf("erasure %+v; b has cleaned: %v", s, cleaned.Load())
	}
}

func following(t *testing.T, e *commands.Erasures) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.Follow(ctx) // ends with the test
	}()
	t.Cleanup(func() { cancel(); <-ended })
}
