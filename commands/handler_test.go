package commands_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/session"
)

var ctx = context.Background()

func shown(l *commands.Loaded[session.State]) session.State { return *l.State }

func (w *world) createSession(req commands.Request, cmd session.Create) (commands.Outcome[session.State], error) {
	req.Create = true
	return commands.Run(ctx, w.h, session.Aggregate, req, cmd, shown)
}

func (w *world) addEvent(req commands.Request, text string) (commands.Outcome[session.State], error) {
	cmd := session.AddEvent{Author: "user", Content: json.RawMessage(fmt.Sprintf(`{"text":%q}`, text))}
	return commands.Run(ctx, w.h, session.Aggregate, req, cmd, shown)
}

func TestRunAnswersTheStateItLeft(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	created, err := w.createSession(commands.Request{Principal: p}, session.Create{AppName: "helpdesk"})
	ok(t, err)
	if created.Revision != 0 || created.View.AppName != "helpdesk" || created.Position == 0 || !domain.HasPrefix(created.ID, "ses") {
		t.Errorf("created: %+v", created)
	}
	added, err := w.addEvent(commands.Request{Principal: p, ID: created.ID}, "hello")
	ok(t, err)
	if added.Revision != 1 || added.View.EventCount != 1 || added.Position <= created.Position {
		t.Errorf("added: %+v", added)
	}
	w.restart()
	loaded, err := commands.Load(ctx, w.h, session.Aggregate, p, created.ID, shown)
	ok(t, err)
	if loaded.EventCount != 1 {
		t.Errorf("after a restart: %+v", loaded)
	}
}

func TestTenantsDoNotSeeEachOther(t *testing.T) {
	w := newWorld(t)
	created, err := w.createSession(commands.Request{Principal: principal("ws_1")}, session.Create{})
	ok(t, err)
	other := principal("ws_2")
	_, err = w.addEvent(commands.Request{Principal: other, ID: created.ID}, "hello")
	wantCode(t, err, domain.CodeNotFound)
	other.Workspace, other.Organization = "ws_1", "org_2"
	_, err = w.addEvent(commands.Request{Principal: other, ID: created.ID}, "hello")
	wantCode(t, err, domain.CodeNotFound)
	_, err = w.addEvent(commands.Request{Principal: principal("ws_1"), ID: "ses_none"}, "hello")
	wantCode(t, err, domain.CodeNotFound)
}

func TestPermission(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	p.Permissions = map[string]bool{"sessions:get": true}
	_, err := w.createSession(commands.Request{Principal: p, Permission: "sessions:create"}, session.Create{})
	wantCode(t, err, domain.CodeForbidden)
}

func TestIfMatch(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	created, err := w.createSession(commands.Request{Principal: p}, session.Create{})
	ok(t, err)
	at := created.Revision
	_, err = w.addEvent(commands.Request{Principal: p, ID: created.ID, IfMatch: &at}, "first")
	ok(t, err)
	_, err = w.addEvent(commands.Request{Principal: p, ID: created.ID, IfMatch: &at}, "second")
	wantCode(t, err, domain.CodeConflict)
	if got := err.(*domain.Error).Params["revision"]; got != domain.Revision(1) {
		t.Errorf("the conflict names revision %v, want 1", got)
	}
}

// A retry answers what the first try did, on both sides of a restart and of
// later events, and writes nothing.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	create := commands.Request{Principal: principal("ws_1"), IdempotencyKey: "k1", Route: "createSession"}
	first, err := w.createSession(create, session.Create{AppName: "helpdesk"})
	ok(t, err)
	add := commands.Request{Principal: create.Principal, ID: first.ID, IdempotencyKey: "k2", Route: "addSessionEvent"}
	added, err := w.addEvent(add, "hello")
	ok(t, err)
	_, err = w.addEvent(commands.Request{Principal: create.Principal, ID: first.ID}, "more")
	ok(t, err)
	before := w.events()
	for _, restart := range []bool{false, true} {
		if restart {
			w.restart()
		}
		again, err := w.createSession(create, session.Create{AppName: "helpdesk"})
		ok(t, err)
		if !again.Repeated || again.ID != first.ID || again.Revision != first.Revision || again.View.EventCount != 0 {
			t.Errorf("create again (restart %v): %+v, want %+v", restart, again, first)
		}
		addedAgain, err := w.addEvent(add, "hello")
		ok(t, err)
		if !addedAgain.Repeated || addedAgain.Revision != added.Revision || addedAgain.View.Last.ID != added.View.Last.ID {
			t.Errorf("add again (restart %v): %+v, want %+v", restart, addedAgain, added)
		}
	}
	if after := w.events(); after != before {
		t.Errorf("retries wrote %d events", after-before)
	}
	// The same key on another route or in another workspace is another request.
	other, err := w.createSession(commands.Request{Principal: principal("ws_2"), IdempotencyKey: "k1", Route: "createSession"}, session.Create{})
	ok(t, err)
	if other.Repeated || other.ID == first.ID {
		t.Error("a key was shared between workspaces")
	}
}

// Commands that meet on one stream are each decided on what the ones before
// left, and each answer shows its own moment.
func TestCombiningKeepsOrder(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	created, err := w.createSession(commands.Request{Principal: p}, session.Create{})
	ok(t, err)
	const n = 500
	seen := make([]int64, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			out, err := w.addEvent(commands.Request{Principal: p, ID: created.ID}, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
				return
			}
			seen[i] = out.View.EventCount
			if out.Revision != domain.Revision(out.View.EventCount) {
				t.Errorf("revision %d with %d events", out.Revision, out.View.EventCount)
			}
		})
	}
	wg.Wait()
	counts := map[int64]bool{}
	for _, c := range seen {
		counts[c] = true
	}
	if len(counts) != n || w.events() != n+1 {
		t.Errorf("%d different moments and %d events, want %d and %d", len(counts), w.events(), n, n+1)
	}
}

// Two handlers over one log stand for two processes: whoever loses the race
// decides again on what the winner wrote.
func TestTwoWritersOnOneStream(t *testing.T) {
	w := newWorld(t)
	second := commands.New(commands.Config{Store: w.store, Codec: w.codec, Now: w.clock})
	p := principal("ws_1")
	created, err := w.createSession(commands.Request{Principal: p}, session.Create{})
	ok(t, err)
	var wg sync.WaitGroup
	for _, h := range []*commands.Handler{w.h, second} {
		for range 4 {
			wg.Go(func() {
				for i := range 20 {
					cmd := session.AddEvent{Author: "user", Content: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
					if _, err := commands.Run(ctx, h, session.Aggregate, commands.Request{Principal: p, ID: created.ID}, cmd, shown); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	final, err := commands.Load(ctx, w.h, session.Aggregate, p, created.ID, shown)
	ok(t, err)
	if final.EventCount != 160 {
		t.Errorf("%d events, want 160", final.EventCount)
	}
}

func TestClosedLogIsUnavailable(t *testing.T) {
	w := newWorld(t)
	ok(t, w.store.Close())
	_, err := w.createSession(commands.Request{Principal: principal("ws_1")}, session.Create{})
	wantCode(t, err, domain.CodeUnavailable)
}
