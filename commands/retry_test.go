package commands_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
	"strata/domain/catalogue"
	"strata/domain/session"
)

// Many requests, each sent twice at once: both copies get the same answer, that
// of the moment after the one event that was written, also when they meet in
// one batch with others between them.
func TestConcurrentRetriesAnswerAlike(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	created, err := w.createSession(commands.Request{Principal: p}, session.Create{})
	ok(t, err)
	const requests, copies = 60, 4
	var wg sync.WaitGroup
	answers := make([][copies]int64, requests)
	for i := range requests {
		for c := range copies {
			wg.Go(func() {
				req := commands.Request{Principal: p, ID: created.ID, IdempotencyKey: fmt.Sprint(i), Route: "addSessionEvent"}
				out, err := w.addEvent(req, fmt.Sprint(i))
				if err != nil {
					t.Error(err)
					return
				}
				answers[i][c] = out.View.EventCount
				if int64(out.Revision) != out.View.EventCount {
					t.Errorf("revision %d shows %d events", out.Revision, out.View.EventCount)
				}
			})
		}
	}
	wg.Wait()
	for i, a := range answers {
		for _, n := range a {
			if n != a[0] || n == 0 {
				t.Errorf("request %d was answered with the states %v", i, a)
				break
			}
		}
	}
	if got := w.events(); got != requests+1 {
		t.Errorf("%d events, want %d", got, requests+1)
	}
}

// What belongs to an organization as a whole has no workspace; the same
// idempotency key in another organization is another request all the same.
func TestKeysOfOrganizationsAreTheirOwn(t *testing.T) {
	w := newWorld(t)
	create := func(org string) string {
		p := principal("")
		p.Organization = org
		req := commands.Request{Principal: p, Create: true, IdempotencyKey: "one", Route: "createBudget"}
		out, err := commands.Run[budget.State, struct{}](ctx, w.h, budget.Aggregate, req,
			budget.Create{Name: "all", ScopeType: "organization", Limit: 1, Period: budget.Total}, nil)
		ok(t, err)
		return out.ID
	}
	if create("org_1") == create("org_2") {
		t.Error("two organizations share a budget")
	}
}

// A retry is answered with what the first try did even when nothing of what
// the first try needed is left.
func TestRetriesOutliveWhatTheyNeeded(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	req := func(key string) commands.Request {
		return commands.Request{Principal: p, Permission: "apps:create", IdempotencyKey: key, Route: "r"}
	}
	first, err := w.res.Create(ctx, catalogue.Apps, req("create"), doc(t, `{"name":"Support","type":"chat"}`))
	ok(t, err)
	clone, err := w.res.Clone(ctx, catalogue.Apps, req("clone"), first.ID, nil)
	ok(t, err)
	rename := req("rename")
	rename.ID = clone.ID
	renamed, err := w.res.Update(ctx, catalogue.Apps, rename, doc(t, `{"name":"Sales"}`), "")
	ok(t, err)
	for _, id := range []string{first.ID, clone.ID} {
		_, err = w.res.Delete(ctx, catalogue.Apps, commands.Request{Principal: p, ID: id})
		ok(t, err)
	}
	for _, name := range []string{"Support", "Support (copy)", "Sales"} { // somebody else has the names now
		_, err = w.res.Create(ctx, catalogue.Apps, req("other "+name), doc(t, `{"name":"`+name+`","type":"chat"}`))
		ok(t, err)
	}

	again, err := w.res.Create(ctx, catalogue.Apps, req("create"), doc(t, `{"name":"Support","type":"chat"}`))
	ok(t, err)
	cloneAgain, err := w.res.Clone(ctx, catalogue.Apps, req("clone"), first.ID, nil)
	ok(t, err)
	renamedAgain, err := w.res.Update(ctx, catalogue.Apps, rename, doc(t, `{"name":"Sales"}`), "")
	ok(t, err)
	for _, pair := range [][2]commands.Outcome[commands.Document]{{first, again}, {clone, cloneAgain}, {renamed, renamedAgain}} {
		if !pair[1].Repeated || pair[1].ID != pair[0].ID || pair[1].Revision != pair[0].Revision ||
			pair[1].View.Resource.Doc.String("name") != pair[0].View.Resource.Doc.String("name") {
			t.Errorf("again %+v, want %+v", pair[1].View, pair[0].View)
		}
	}
}

// A rename that is refused takes no name away: neither one that a request
// beside it has given to the resource, nor one that others may want.
func TestRefusedRenames(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "apps:create"}
	app, err := w.res.Create(ctx, catalogue.Apps, req, doc(t, `{"name":"Support","type":"chat"}`))
	ok(t, err)
	rename := req
	rename.ID = app.ID
	for _, bad := range []string{`{"name":"Sales","type":"agent"}`, `{"name":"Sales","config":{"temperature":9}}`} {
		_, err = w.res.Update(ctx, catalogue.Apps, rename, doc(t, bad), "")
		wantCode(t, err, domain.CodeValidation)
	}
	stale := rename
	stale.IfMatch = new(domain.Revision)
	*stale.IfMatch = 7
	_, err = w.res.Update(ctx, catalogue.Apps, stale, doc(t, `{"name":"Sales"}`), "")
	wantCode(t, err, domain.CodeConflict)
	_, err = w.res.Create(ctx, catalogue.Apps, req, doc(t, `{"name":"Sales","type":"chat"}`))
	ok(t, err)

	// Many rename at once under the same condition: one wins, and its name is
	// its own whatever becomes of the others.
	at := app.Revision
	rename.IfMatch = &at
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := w.res.Update(ctx, catalogue.Apps, rename, domain.Doc{"name": []byte(`"Care"`)}, "")
			if err != nil && domain.CodeOf(err) != domain.CodeConflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, later := range []time.Duration{0, time.Hour} {
		w.pass(later)
		_, err = w.res.Create(ctx, catalogue.Apps, req, doc(t, `{"name":"care","type":"chat"}`))
		wantCode(t, err, domain.CodeConflict)
	}
}

// A clone's own secrets are sealed as well.
func TestCloneSealsWhatItChanges(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "providers:create"}
	provider, err := w.res.Create(ctx, catalogue.Providers, req, doc(t, `{"name":"local","type":"ollama","api_key":"top secret"}`))
	ok(t, err)
	clone, err := w.res.Clone(ctx, catalogue.Providers, req, provider.ID, doc(t, `{"name":"other","api_key":"new"}`))
	ok(t, err)
	if got := clone.View.Resource.Doc.String("api_key"); got != "sealed:3" {
		t.Errorf("the log holds %q of a secret", got)
	}
}
