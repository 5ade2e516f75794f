package commands_test

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/claim"
)

func doc(t *testing.T, text string) domain.Doc {
	t.Helper()
	var d domain.Doc
	ok(t, json.Unmarshal([]byte(text), &d))
	return d
}

func TestResourceLifecycle(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "apps:create"}
	app, err := w.res.Create(ctx, catalogue.Apps, req, doc(t, `{"name":"Support","type":"chat","config":{"temperature":0.5}}`))
	ok(t, err)
	req.ID = app.ID
	changed, err := w.res.Update(ctx, catalogue.Apps, req, doc(t, `{"description":"Helps","config":null}`), "")
	ok(t, err)
	d := changed.View.Resource.Doc
	if d.String("description") != "Helps" || d["config"] != nil || d.String("name") != "Support" {
		t.Errorf("merged: %s", d)
	}
	same, err := w.res.Update(ctx, catalogue.Apps, req, doc(t, `{"description":"Helps"}`), "")
	ok(t, err)
	if same.Position != 0 || same.Revision != changed.Revision {
		t.Errorf("an update that changes nothing wrote an event: %+v", same)
	}
	_, err = w.res.Update(ctx, catalogue.Apps, req, doc(t, `{"config":{"temperature":3}}`), "")
	wantCode(t, err, domain.CodeValidation)
	_, err = w.res.Delete(ctx, catalogue.Apps, req)
	ok(t, err)
	_, err = w.res.Delete(ctx, catalogue.Apps, req)
	wantCode(t, err, domain.CodeNotFound)
	_, err = w.res.Load(ctx, catalogue.Apps, req.Principal, app.ID)
	wantCode(t, err, domain.CodeNotFound)
}

func TestNamesAreUnique(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "apps:create"}
	create := func(r commands.Request, name string) (commands.Outcome[commands.Document], error) {
		return w.res.Create(ctx, catalogue.Apps, r, doc(t, `{"type":"chat","name":`+string(mustJSON(t, name))+`}`))
	}
	first, err := create(req, "Support")
	ok(t, err)
	_, err = create(req, "SUPPORT")
	wantCode(t, err, domain.CodeConflict)
	elsewhere := req
	elsewhere.Principal = principal("ws_2")
	_, err = create(elsewhere, "Support")
	ok(t, err)

	// A rename frees the old name at once, and a delete the new one.
	rename := req
	rename.ID = first.ID
	_, err = w.res.Update(ctx, catalogue.Apps, rename, doc(t, `{"name":"Sales"}`), "")
	ok(t, err)
	second, err := create(req, "Support")
	ok(t, err)
	rename.ID = second.ID
	_, err = w.res.Update(ctx, catalogue.Apps, rename, doc(t, `{"name":"sales"}`), "")
	wantCode(t, err, domain.CodeConflict)
	rename.ID = first.ID
	_, err = w.res.Delete(ctx, catalogue.Apps, rename)
	ok(t, err)
	rename.ID = second.ID
	_, err = w.res.Update(ctx, catalogue.Apps, rename, doc(t, `{"name":"sales"}`), "")
	ok(t, err)
	_, err = create(req, "app_support")
	wantCode(t, err, domain.CodeValidation)
}

// Of many who want one name at once, one gets it.
func TestOneWinnerPerName(t *testing.T) {
	w := newWorld(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			req := commands.Request{Principal: principal("ws_1"), Permission: "apps:create"}
			_, err := w.res.Create(ctx, catalogue.Apps, req, domain.Doc{"name": []byte(`"Support"`), "type": []byte(`"chat"`)})
			if err == nil {
				won.Add(1)
			} else if domain.CodeOf(err) != domain.CodeConflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d got the name", won.Load())
	}
}

// A claim whose owner was never created (its process died in between) is
// respected for a while and then taken over.
func TestOrphanedClaimIsTakenOver(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	orphan := commands.Request{Principal: p, ID: claim.ID("app", p.Workspace, "Support"), Create: true}
	_, err := commands.Run[claim.State, struct{}](ctx, w.h, claim.Aggregate, orphan, claim.Take{Kind: "app", Name: "Support", Owner: "app_dead"}, nil)
	ok(t, err)
	req := commands.Request{Principal: p, Permission: "apps:create"}
	body := doc(t, `{"name":"Support","type":"chat"}`)
	_, err = w.res.Create(ctx, catalogue.Apps, req, body)
	wantCode(t, err, domain.CodeConflict)
	w.pass(time.Minute)
	_, err = w.res.Create(ctx, catalogue.Apps, req, body)
	ok(t, err)
	w.pass(time.Minute)
	_, err = w.res.Create(ctx, catalogue.Apps, req, body)
	wantCode(t, err, domain.CodeConflict)
}

func TestCreateWithIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "apps:create", IdempotencyKey: "k", Route: "createApp"}
	body := doc(t, `{"name":"Support","type":"chat"}`)
	first, err := w.res.Create(ctx, catalogue.Apps, req, body)
	ok(t, err)
	w.restart()
	again, err := w.res.Create(ctx, catalogue.Apps, req, body)
	ok(t, err)
	if !again.Repeated || again.ID != first.ID {
		t.Errorf("again: %+v", again)
	}
}

func TestVersionsAndRestore(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "prompts:create"}
	p, err := w.res.Create(ctx, catalogue.Prompts, req, doc(t, `{"name":"Greeting","template":"Hello {{name}}","variables":[{"name":"name"}]}`))
	ok(t, err)
	req.ID = p.ID
	_, err = w.res.Update(ctx, catalogue.Prompts, req, doc(t, `{"template":"Hi","variables":null}`), "shorter")
	ok(t, err)
	renamed, err := w.res.Update(ctx, catalogue.Prompts, req, doc(t, `{"description":"no new version"}`), "")
	ok(t, err)
	if renamed.View.Resource.Version != 2 {
		t.Errorf("version %d, want 2", renamed.View.Resource.Version)
	}
	back, err := w.res.Restore(ctx, catalogue.Prompts, req, 1)
	ok(t, err)
	r := back.View.Resource
	if r.Version != 3 || r.Doc.String("template") != "Hello {{name}}" || r.Doc["variables"] == nil || r.Doc.String("description") == "" {
		t.Errorf("restored: version %d, %s", r.Version, r.Doc)
	}
	if r.History[1].Changelog != "shorter" {
		t.Errorf("history: %+v", r.History)
	}
	_, err = w.res.Restore(ctx, catalogue.Prompts, req, 9)
	wantCode(t, err, domain.CodeNotFound)
}

func TestCloneAndSecrets(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "apps:create"}
	app, err := w.res.Create(ctx, catalogue.Apps, req, doc(t, `{"name":"Support","type":"chat"}`))
	ok(t, err)
	for _, want := range []string{"Support (copy)", "Support (copy 2)"} {
		clone, err := w.res.Clone(ctx, catalogue.Apps, req, app.ID, nil)
		ok(t, err)
		if got := clone.View.Resource.Doc.String("name"); got != want || clone.ID == app.ID {
			t.Errorf("clone is called %q, want %q", got, want)
		}
	}
	long, err := w.res.Create(ctx, catalogue.Apps, req, doc(t, `{"name":"`+strings.Repeat("ü", 200)+`","type":"chat"}`))
	ok(t, err)
	for _, suffix := range []string{" (copy)", " (copy 2)"} {
		clone, err := w.res.Clone(ctx, catalogue.Apps, req, long.ID, nil)
		ok(t, err)
		if got := clone.View.Resource.Doc.String("name"); utf8.RuneCountInString(got) != 200 || !strings.HasSuffix(got, suffix) {
			t.Errorf("the clone of a long name is called %q", got)
		}
	}
	provider, err := w.res.Create(ctx, catalogue.Providers, req, doc(t, `{"name":"local","type":"ollama","api_key":"top secret"}`))
	ok(t, err)
	if got := provider.View.Resource.Doc.String("api_key"); got != "sealed:10" {
		t.Errorf("the log holds %q of a secret", got)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	ok(t, err)
	return b
}

// Every text of a secret is sealed, wherever it is in the value; its structure and
// what the server sets at first are not.
func TestSecretsWithinValuesAreSealed(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Permission: "mcp-servers:create"}
	made, err := w.res.Create(ctx, catalogue.MCPServers, req, doc(t, `{"name":"s","transport":"sse","url":"https://h","timeout_ms":1,
		"headers":{"X-A":"four","X-B":""},"auth":{"type":"basic","username":"five5","password":"sixsix"}}`))
	ok(t, err)
	d := made.View.Resource.Doc
	for field, want := range map[string]string{
		"headers": `{"X-A":"sealed:4","X-B":""}`, "auth": `{"password":"sealed:6","type":"basic","username":"sealed:5"}`,
		"url": `"https://h"`, "status": `"disconnected"`, "timeout_ms": `1`,
	} {
		if string(d[field]) != want {
			t.Errorf("%s: %s, want %s", field, d[field], want)
		}
	}
	req.ID = made.ID
	changed, err := w.res.Update(ctx, catalogue.MCPServers, req, doc(t, `{"headers":null,"env":{"A":"seven77"},"auth":{"type":"none"}}`), "")
	ok(t, err)
	d = changed.View.Resource.Doc
	if d["headers"] != nil || string(d["env"]) != `{"A":"sealed:7"}` || string(d["auth"]) != `{"type":"none"}` {
		t.Errorf("changed: %s", d)
	}
}
