package main

import (
	"net/http"
	"strings"
	"testing"

	"strata/commands/memories/memoriestest"
	"strata/domain"
	"strata/domain/memory"
	"strata/domain/memorycall"
	"strata/gateway/mem0/mem0test"
	"strata/writeapi/agents"
)

// Strata itself does what every provider of memories must do.
func TestOwnMemoriesConform(t *testing.T) {
	memoriestest.Run(t, func(t *testing.T) *memoriestest.World {
		i := start(t)
		p, err := i.app.keepers.Named(t.Context(), firstWorkspace, memory.Internal)
		if err != nil {
			t.Fatal(err)
		}
		return &memoriestest.World{Provider: p, By: memory.By{Principal: domain.System(firstOrganization, firstWorkspace)}, Now: i.now, Pass: i.pass,
			Settle: func(testing.TB) { i.caughtUp(t) }}
	})
}

const longterm = "/v1/memory/longterm/memories"

// Memories of a provider that the workspace named are kept there, and who changed
// what is recorded, without the provider's secret.
func TestMemoriesElsewhere(t *testing.T) {
	f := mem0test.New(t, true)
	i := startOutbound(t)
	created := call(t, i, "POST", "/api/v1/memory-providers", object{"name": "longterm", "type": "mem0", "baseUrl": f.URL, "apiKey": f.Key}).must(t, http.StatusCreated)
	if text := string(created.Data); strings.Contains(text, f.Key) || strings.Contains(text, "apiKey") {
		t.Errorf("the secret is shown: %s", text)
	}
	m := i.plain(t, "POST", longterm, object{"content": "Bob prefers tea", "user_id": "bob", "metadata": object{"topic": "drinks"}, "importance": 0.5}, testKey)
	id, _ := m["id"].(string)
	if m["provider"] != "longterm" || m["content"] != "Bob prefers tea" || id == "" || len(f.Kept()) != 1 {
		t.Fatalf("added %v; kept %v", m, f.Kept())
	}
	if m = i.plain(t, "PUT", longterm+"/"+id, object{"content": "Bob prefers coffee", "importance": nil}, testKey); m["importance"] != nil {
		t.Errorf("updated %v", m)
	}
	if m = i.plain(t, "GET", longterm+"/"+id, nil, testKey); m["content"] != "Bob prefers coffee" || m["user_id"] != "bob" {
		t.Errorf("got %v", m)
	}
	if m = i.plain(t, "POST", longterm+"/list", object{"user_id": "bob", "filter": object{"topic": "drinks"}}, testKey); m["count"] != 1.0 {
		t.Errorf("listed %v", m)
	}
	m = i.plain(t, "POST", longterm+"/search", object{"query": "coffee", "user_id": "bob"}, testKey)
	if found, _ := m["data"].([]any); len(found) != 1 || found[0].(object)["score"] == nil {
		t.Errorf("found %v", m)
	}
	if m = i.plain(t, "DELETE", longterm+"/"+id, nil, testKey); m["id"] != id || len(f.Kept()) != 0 {
		t.Errorf("deleted %v; kept %v", m, f.Kept())
	}
	for path, want := range map[string]int{longterm + "/" + id: 404, longterm + "/" + id + "/history": 404, "/v1/memory/nobody/memories/x": 404} {
		if got := i.status(t, "GET", path, "", testKey); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := i.status(t, "DELETE", longterm+"/"+id, "", testKey); got != http.StatusNotFound {
		t.Errorf("deleted twice: %d", got)
	}

	made, said := logged[memorycall.Made](t, i), logged[memorycall.PayloadRecorded](t, i)
	var operations []string
	for _, c := range made {
		operations = append(operations, c.Operation+" "+c.ErrorCode)
		if c.MemoryID != id || c.Provider != "longterm" || c.APIKey == "" {
			t.Errorf("recorded %+v", c)
		}
	}
	if got := strings.Join(operations, ","); got != "add ,update ,delete ,delete NOT_FOUND" {
		t.Errorf("recorded %s", got)
	}
	if len(said) != 3 || said[0].Subject != "bob" || !strings.Contains(string(said[0].Sent), "Bob prefers tea") || said[1].Subject != "bob" {
		t.Errorf("recorded %+v", said)
	}
}

// A provider that refuses, is away or may not be called is the answer's error.
func TestMemoryProviderErrors(t *testing.T) {
	f := mem0test.New(t, false)
	i := startOutbound(t)
	path := "/api/v1/memory-providers/longterm"
	call(t, i, "POST", "/api/v1/memory-providers", object{"name": "longterm", "type": "mem0", "api": "server", "baseUrl": f.URL, "apiKey": "wrong"}).must(t, http.StatusCreated)
	add := func(body string, want int) {
		t.Helper()
		if got := i.status(t, "POST", longterm, body, testKey); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
	add(`{"content":"tea","user_id":"bob"}`, 503)
	call(t, i, "PUT", path, object{"apiKey": f.Key}).must(t, http.StatusOK)
	add(`{"content":"tea","user_id":"bob"}`, 201)
	add(`{"content":"tea"}`, 400)
	call(t, i, "PUT", path, object{"enabled": false}).must(t, http.StatusOK)
	add(`{"content":"tea","user_id":"bob"}`, 409)
	call(t, i, "PUT", path, object{"enabled": true, "baseUrl": "http://127.0.0.1:1"}).must(t, http.StatusOK)
	add(`{"content":"tea","user_id":"bob"}`, 503)
	call(t, i, "PUT", path, object{"baseUrl": "http://10.0.0.1"}).must(t, http.StatusOK)
	add(`{"content":"tea","user_id":"bob"}`, 403)
	other := i.workspaceKey(t, "other")
	if got := i.status(t, "POST", longterm+"/list", `{"user_id":"bob"}`, other); got != http.StatusNotFound {
		t.Errorf("another workspace's provider: %d", got)
	}
}

// Agents remember at the provider that they name, each for itself.
func TestAgentsRememberElsewhere(t *testing.T) {
	f := mem0test.New(t, false)
	i := startOutbound(t)
	call(t, i, "POST", "/api/v1/memory-providers", object{"name": "longterm", "type": "mem0", "api": "server", "baseUrl": f.URL, "apiKey": f.Key}).must(t, http.StatusCreated)
	call(t, i, "POST", "/api/v1/agents", object{"name": "friend", "memoryProvider": "longterm"}).must(t, http.StatusCreated)
	call(t, i, "POST", "/api/v1/agents", object{"name": "other", "memoryProvider": "nobody"}).must(t, http.StatusBadRequest)
	m, p := agentMemories{i.app}, domain.System(firstOrganization, firstWorkspace)
	for agent, text := range map[string]string{"agt_1": "Bob prefers tea", "agt_2": "Bob prefers tea with milk"} {
		if _, err := m.Remember(t.Context(), p, "longterm", memory.Fields{Content: text, UserID: "bob", AgentID: agent}, "key of "+agent); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Recall(t.Context(), p, "longterm", agents.Whose{Agent: "agt_1", Person: "bob"}, "tea", 5)
	if err != nil || len(got) != 1 || got[0].Content != "Bob prefers tea" {
		t.Errorf("recalled %+v, %v", got, err)
	}
	if _, err := m.Recall(t.Context(), p, "nobody", agents.Whose{}, "tea", 5); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("of nobody: %v", err)
	}
}
