package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
)

// addSession makes a session and returns its uid.
func (i *installation) addSession(t *testing.T, key string) string {
	t.Helper()
	res := i.plain(t, "POST", "/v1/sessions", object{"app_name": "helpdesk"}, key)
	return res["uid"].(string)
}

func (i *installation) addEvent(t *testing.T, uid, text, key string) {
	t.Helper()
	i.plain(t, "POST", "/v1/sessions/"+uid+"/events", object{"author": "user", "content": object{"text": text}}, key)
}

// plain sends a request to the mount without envelopes, which has to succeed.
func (i *installation) plain(t *testing.T, method, path string, body any, key string) object {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, i.URL+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := i.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out object
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %v %v", method, path, res.StatusCode, out, err)
	}
	return out
}

// workspaceKey makes a workspace and a key that works in it.
func (i *installation) workspaceKey(t *testing.T, name string) string {
	t.Helper()
	ws := call(t, i, "POST", "/api/v1/organizations/"+firstOrganization+"/workspaces", object{"name": name}).must(t, http.StatusCreated).field(t, "id")
	return call(t, i, "POST", "/api/v1/user/api-keys", object{"name": name, "workspaceId": ws, "rateLimitTier": "enterprise"}).must(t, http.StatusCreated).field(t, "key")
}

func TestEventsOverSSE(t *testing.T) {
	i := start(t)
	live := i.follow(t, "GET", "/api/v1/events/stream?types=session.*", nil)
	uid := i.addSession(t, testKey)
	i.addEvent(t, uid, "one", testKey)
	created, added := live.next(), live.next()
	if created["type"] != "session.created.v1" || added["type"] != "session.event_added.v1" || created["subject"] != uid {
		t.Fatalf("live: %v, %v", created, added)
	}
	live.end()
	i.addEvent(t, uid, "two", testKey)
	// A browser sends the last id it saw; others name it in the query.
	sequence := fmt.Sprintf("%.0f", created["sequence"])
	for _, resumed := range []*stream{
		i.follow(t, "GET", "/api/v1/events/stream?types=session.*", nil, "Last-Event-ID", sequence),
		i.follow(t, "GET", "/api/v1/events/stream?types=session.*&after="+sequence, nil),
		i.follow(t, "GET", "/api/v1/events/stream?types=session.event_added&lastEventId="+sequence, nil),
	} {
		first, second := resumed.next(), resumed.next()
		if first["id"] != added["id"] || second["sequence"].(float64) <= first["sequence"].(float64) {
			t.Errorf("resumed with %v, %v", first, second)
		}
	}
	call(t, i, "GET", "/api/v1/events/stream?after=later", nil).must(t, http.StatusBadRequest)
	call(t, i, "GET", "/api/v1/events/stream?after=999999", nil).must(t, http.StatusBadRequest)
}

func TestEventsOverAWebsocket(t *testing.T) {
	i := start(t)
	s := i.dial(t, "/api/v1/events/ws", testKey)
	s.expect("caught_up")
	for _, bad := range []any{"{", "7", object{"action": "shout"}, object{"action": "subscribe", "types": make([]string, 101)}} {
		s.say(bad)
		s.expect("error")
	}
	s.say(object{"action": "ping"})
	s.expect("pong")
	s.say(object{"action": "subscribe", "types": []string{"session.*", "budget.created"}})
	s.expect("subscribed")
	s.say(object{"action": "unsubscribe", "types": []string{"session.event_added"}})
	if f := s.expect("subscribed"); fmt.Sprint(f["types"]) != "[session.* budget.created]" || fmt.Sprint(f["except"]) != "[session.event_added]" {
		t.Errorf("subscribed: %v", f)
	}
	uid := i.addSession(t, testKey)
	i.addEvent(t, uid, "unseen", testKey)
	call(t, i, "POST", "/api/v1/apps", object{"name": "unseen", "type": "chat"}).must(t, http.StatusCreated)
	call(t, i, "POST", "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).must(t, http.StatusCreated)
	seen := []string{}
	var resume float64
	for len(seen) < 2 {
		if f := s.hear(); f["type"] == "event" {
			e := f["event"].(object)
			seen = append(seen, e["type"].(string))
			if resume == 0 {
				resume = e["sequence"].(float64)
			}
		} else if f == nil {
			t.Fatal("the connection ended")
		}
	}
	if fmt.Sprint(seen) != "[session.created.v1 budget.created.v1]" {
		t.Errorf("seen %v", seen)
	}
	s.say(object{"action": "unsubscribe"})
	if f := s.until("subscribed"); fmt.Sprint(f["types"]) != "[]" {
		t.Errorf("subscribed to nothing: %v", f)
	}

	// Resumed, everything after the position comes first, then the end is told.
	again := i.dial(t, fmt.Sprintf("/api/v1/events/ws?types=session.*&after=%.0f", resume), testKey)
	if e := again.expect("event")["event"].(object); e["type"] != "session.event_added.v1" {
		t.Errorf("resumed with %v", e)
	}
	if f := again.expect("caught_up"); f["sequence"].(float64) <= resume {
		t.Errorf("caught up: %v", f)
	}
}

// Nobody sees another workspace's events, nor what is secret in their own.
func TestEventsAreTheTenantsOwn(t *testing.T) {
	i := start(t)
	other := i.workspaceKey(t, "Other")
	s := i.dial(t, "/api/v1/events/ws?after=0", other)
	sse := i.follow(t, "GET", "/api/v1/events/stream?after=0", nil, "Authorization", "Bearer "+other)
	i.addSession(t, testKey)
	const secret = "sk-upstream-secret"
	call(t, i, "POST", "/api/v1/providers", object{"name": "p", "type": "ollama", "apiKey": secret}, "Authorization", "Bearer "+other).must(t, http.StatusCreated)
	call(t, i, "POST", "/api/v1/providers", object{"name": "p", "type": "ollama", "apiKey": secret}).must(t, http.StatusCreated)
	own := i.addSession(t, other)
	var shown []string
	for {
		e := s.until("event")["event"].(object)
		shown = append(shown, fmt.Sprint(e))
		if e["subject"] == own {
			break
		}
	}
	for {
		e := sse.next()
		shown = append(shown, fmt.Sprint(e))
		if e["subject"] == own {
			break
		}
	}
	if len(shown) != 4 { // over each: a provider and a session
		t.Errorf("%d events came: %s", len(shown), shown)
	}
	for _, e := range shown {
		if strings.Contains(e, secret) || strings.Contains(e, "sealed:") || strings.Contains(e, "secret_hash") {
			t.Errorf("a secret is shown: %s", e)
		}
	}
	listed := call(t, i, "GET", "/api/v1/events?limit=100", nil).must(t, http.StatusOK)
	if text := string(listed.Data); strings.Contains(text, "sealed:") || strings.Contains(text, own) {
		t.Errorf("listed: %s", text)
	}
}

// A client that takes nothing is cut off, and resumes where it was: it misses
// nothing and gets nothing twice.
func TestSlowClientResumes(t *testing.T) {
	i := install(t, t.TempDir(), func(a *app) { a.patience = 50 * time.Millisecond })
	uid := i.addSession(t, testKey)
	url := "ws" + strings.TrimPrefix(i.URL, "http") + "/api/v1/events/ws?types=session.event_added&after="
	header := http.Header{"Authorization": {"Bearer " + testKey}}
	conn, _, err := websocket.DefaultDialer.Dial(url+"0", header)
	if err != nil {
		t.Fatal(err)
	}
	slow := &socket{conn, t}
	defer slow.Close()
	const events = 40
	large := strings.Repeat("x", 200<<10)
	for n := range events {
		i.addEvent(t, uid, fmt.Sprint(n, " ", large), testKey)
	}
	// The server gives up on it while it sleeps.
	eventually(t, "the slow client is cut", func() bool {
		i.app.requests.mu.Lock()
		defer i.app.requests.mu.Unlock()
		return i.app.requests.n == 0
	})
	var got []float64
	after := 0.0
	read := func(s *socket) {
		for len(got) < events {
			f := s.hear()
			if f == nil {
				return
			}
			switch f["type"] {
			case "event":
				after = f["event"].(object)["sequence"].(float64)
				got = append(got, after)
			case "closed":
				after = f["resumeAfter"].(float64)
			}
		}
	}
	read(slow) // it wakes up
	if len(got) == events {
		t.Skip("this machine buffers everything")
	}
	for len(got) < events {
		before := len(got)
		conn, _, err := websocket.DefaultDialer.Dial(fmt.Sprintf("%s%.0f", url, after), header)
		if err != nil {
			t.Fatal(err)
		}
		read(&socket{conn, t})
		conn.Close()
		if len(got) == before {
			t.Fatal("nothing more came")
		}
	}
	for n := 1; n < len(got); n++ {
		if got[n] <= got[n-1] {
			t.Fatalf("sequence %v after %v", got[n], got[n-1])
		}
	}
}

// A server that drains tells every live client where to go on.
func TestDrainClosesLiveConnections(t *testing.T) {
	i := start(t)
	events, chat := i.dial(t, "/api/v1/events/ws", testKey), i.dial(t, "/api/v1/chat/stream", testKey)
	sse := i.follow(t, "GET", "/api/v1/events/stream", nil)
	at := events.expect("caught_up")["sequence"]
	i.app.drain()
	if f := events.until("closed"); f["resumeAfter"] != at {
		t.Errorf("closed: %v, caught up at %v", f, at)
	}
	if f := chat.hear(); f != nil {
		t.Errorf("the chat says %v", f)
	}
	if rest := sse.rest(); len(rest) != 1 || rest[0]["resumeAfter"] != at {
		t.Errorf("the stream says %v", rest)
	}
	if err := i.app.requests.ended(t.Context()); err != nil {
		t.Error(err)
	}
	if r := ready(t, i); r.Status != "draining" {
		t.Errorf("ready: %+v", r)
	}
}

func ready(t *testing.T, i *installation) (r readiness) {
	t.Helper()
	res, err := i.Client().Get(i.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	if (res.StatusCode == http.StatusOK) != (r.Status == "ready") {
		t.Errorf("status %d with %q", res.StatusCode, r.Status)
	}
	return r
}

// A key makes no key that reaches further than itself, and none but its own
// user's keys are within its reach.
func TestKeysReachNoFurtherThanTheirMaker(t *testing.T) {
	i := start(t)
	make := func(body object, header ...string) reply {
		return call(t, i, "POST", "/api/v1/user/api-keys", body, header...)
	}
	narrow := make(object{"name": "narrow", "scopes": []string{"api-keys:own", "sessions:*"}, "rateLimitTier": "pro"}).must(t, http.StatusCreated)
	as := []string{"Authorization", "Bearer " + narrow.field(t, "key")}
	for _, wider := range []object{
		{"name": "w", "scopes": []string{"*"}}, {"name": "w", "scopes": []string{"apps:list"}}, {"name": "w", "scopes": []string{"*:list"}},
		{"name": "w", "rateLimitTier": "enterprise"}, {"name": "w", "expiresAt": "0001-01-01T00:00:00Z"},
	} {
		if r := make(wider, as...).must(t, http.StatusBadRequest); len(r.Error.Details) != 1 {
			t.Errorf("%v: faults %v", wider, r.Error.Details)
		}
	}
	make(object{"name": "x", "type": "app", "appId": "app_none"}).must(t, http.StatusNotFound)
	make(object{"name": "x", "workspaceId": "ws_none"}).must(t, http.StatusNotFound)
	child := make(object{"name": "child"}, append(as, "Idempotency-Key", "k")...).must(t, http.StatusCreated)
	if got := child.field(t, "scopes"); got != "[api-keys:own sessions:*]" {
		t.Errorf("without scopes, a narrowed key makes one with %s", got)
	}
	again := make(object{"name": "child"}, append(as, "Idempotency-Key", "k")...).must(t, http.StatusCreated)
	if again.field(t, "id") != child.field(t, "id") || again.field(t, "key") != "" {
		t.Errorf("again: %s", again.Data)
	}
	call(t, i, "GET", "/api/v1/apps", nil, "Authorization", "Bearer "+child.field(t, "key")).must(t, http.StatusForbidden)
	call(t, i, "DELETE", "/api/v1/user/api-keys/"+child.field(t, "id"), nil, as...).must(t, http.StatusOK)
	call(t, i, "GET", "/api/v1/auth/whoami", nil, "Authorization", "Bearer "+child.field(t, "key")).must(t, http.StatusUnauthorized)
}

// Another workspace's ids are not there, whatever is asked of them.
func TestOtherWorkspacesAreNotThere(t *testing.T) {
	i := start(t)
	other := []string{"Authorization", "Bearer " + i.workspaceKey(t, "Other")}
	mine := object{"author": "user", "content": object{"text": "x"}}
	uid := i.addSession(t, testKey)
	mem := i.plain(t, "POST", "/v1/memory/internal/memories", object{"content": "tea"}, testKey)["id"].(string)
	app := call(t, i, "POST", "/api/v1/apps", object{"name": "a", "type": "chat", "config": object{"model": "strata/extract-1"}}).must(t, http.StatusCreated).field(t, "id")
	prompt := call(t, i, "POST", "/api/v1/prompts", object{"name": "p", "template": "Hi"}).must(t, http.StatusCreated).field(t, "id")
	provider := call(t, i, "POST", "/api/v1/providers", object{"name": "pr", "type": "ollama"}).must(t, http.StatusCreated).field(t, "id")
	call(t, i, "POST", "/api/v1/model-routes", object{"name": "r", "strategy": "fallback", "targets": []object{{"model": "strata/extract-1"}}}).must(t, http.StatusCreated)
	bud := call(t, i, "POST", "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).must(t, http.StatusCreated).field(t, "id")
	chat := call(t, i, "POST", "/api/v1/chat/completions", object{"appId": app, "message": "hi"}).must(t, http.StatusOK).field(t, "chatId")
	event := domain.NewEventID().String()
	for _, probe := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/v1/sessions/" + uid, nil}, {"GET", "/v1/sessions/" + uid + "/events", nil}, {"POST", "/v1/sessions/" + uid + "/events", mine},
		{"POST", "/v1/sessions/" + uid + "/close", nil}, {"DELETE", "/v1/sessions/" + uid, nil},
		{"GET", "/v1/memory/internal/memories/" + mem, nil}, {"PUT", "/v1/memory/internal/memories/" + mem, object{"content": "y"}}, {"DELETE", "/v1/memory/internal/memories/" + mem, nil},
		{"GET", "/api/v1/apps/" + app, nil}, {"PUT", "/api/v1/apps/" + app, object{"name": "z"}}, {"DELETE", "/api/v1/apps/" + app, nil},
		{"POST", "/api/v1/apps/" + app + "/clone", object{}}, {"GET", "/api/v1/apps/" + app + "/export", nil},
		{"POST", "/api/v1/chat/completions", object{"appId": app, "message": "hi"}},
		{"GET", "/api/v1/prompts/" + prompt, nil}, {"GET", "/api/v1/prompts/" + prompt + "/versions", nil}, {"GET", "/api/v1/prompts/" + prompt + "/versions/1", nil},
		{"POST", "/api/v1/prompts/" + prompt + "/render", object{"variables": object{}}}, {"POST", "/api/v1/prompts/" + prompt + "/versions/1/restore", nil},
		{"GET", "/api/v1/providers/" + provider, nil}, {"PATCH", "/api/v1/providers/" + provider, object{"priority": 1}},
		{"GET", "/api/v1/model-routes/r", nil}, {"DELETE", "/api/v1/model-routes/r", nil},
		{"GET", "/api/v1/budgets/" + bud, nil}, {"PUT", "/api/v1/budgets/" + bud, object{"limitUsd": 9}}, {"POST", "/api/v1/budgets/" + bud + "/reset", object{}},
		{"GET", "/api/v1/budgets/" + bud + "/usage", nil}, {"DELETE", "/api/v1/budgets/" + bud, nil},
		{"GET", "/api/v1/chat/history/" + chat, nil}, {"DELETE", "/api/v1/chat/history/" + chat, nil}, {"POST", "/api/v1/chat/feedback", object{"chatId": chat, "rating": "positive"}},
		{"GET", "/api/v1/events/" + event, nil}, {"GET", "/api/v1/organizations/org_other", nil}, {"GET", "/api/v1/organizations/org_other/api-keys", nil},
		{"POST", "/api/v1/organizations/org_other/workspaces", object{"name": "n"}}, {"POST", "/api/v1/organizations/org_other/api-keys", object{"name": "n"}},
	} {
		if r := call(t, i, probe.method, probe.path, probe.body, other...); r.Status != http.StatusNotFound {
			t.Errorf("%s %s: %d", probe.method, probe.path, r.Status)
		}
	}
	for _, thing := range []string{"/v1/sessions/" + uid, "/v1/memory/internal/memories/" + mem, "/api/v1/apps/" + app, "/api/v1/prompts/" + prompt,
		"/api/v1/providers/" + provider, "/api/v1/budgets/" + bud, "/api/v1/chat/history/" + chat, "/api/v1/organizations/org_other"} {
		for _, past := range []string{"?at=0", "?at=99", "/history", "/diff", "/diff?from=99"} {
			if r := call(t, i, "GET", thing+past, nil, other...); r.Status != http.StatusNotFound {
				t.Errorf("GET %s%s: %d", thing, past, r.Status)
			}
		}
	}
	if r := call(t, i, "GET", "/api/v1/apps", nil, other...).must(t, http.StatusOK); string(r.Data) != "[]" {
		t.Errorf("apps of another workspace: %s", r.Data)
	}
	// What is the organization's is every workspace's.
	org := call(t, i, "POST", "/api/v1/budgets", object{"name": "o", "scopeType": "organization", "limitUsd": 1, "period": "total"}).must(t, http.StatusCreated).field(t, "id")
	call(t, i, "GET", "/api/v1/budgets/"+org, nil, other...).must(t, http.StatusOK)
}
