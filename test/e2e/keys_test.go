//go:build e2e

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

func TestWhoAmI(t *testing.T) {
	c := onShared(t)
	c.Get(t, "/api/v1/auth/whoami").Want("data.workspaceId", c.Workspace, "data.organization.id", c.Organization, "data.authType", "api_key")
	for _, key := range []string{"", "nonsense", "sk-strata-aaaaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", c.Key + "x", c.Key[:len(c.Key)-1]} {
		a := shared.ClientFor(key).Do(t, http.StatusUnauthorized, "GET", "/api/v1/auth/whoami", nil)
		a.Want("success", false, "error.code", "UNAUTHORIZED")
		if a.Header.Get("WWW-Authenticate") == "" {
			t.Error("401 without WWW-Authenticate")
		}
	}
}

func TestAPIKeys(t *testing.T) {
	c := onShared(t)
	k := c.Create(t, "/api/v1/user/api-keys", object{"name": "CI", "scopes": []string{"sessions:list", "models:invoke"}, "rateLimitTier": "pro"})
	secret, id := k.Str("data.key"), k.Str("data.id")
	k.Want("data.status", "active", "data.type", "user", "data.rateLimitTier", "pro", "data.workspaceId", c.Workspace)
	if !strings.Contains(secret, k.Str("data.prefix")) {
		t.Errorf("the prefix %s is not in the key", k.Str("data.prefix"))
	}
	list := c.Get(t, "/api/v1/user/api-keys", k.After()...)
	if !slices.Contains(list.Strings("data", "id"), id) || strings.Contains(string(list.Body), secret) {
		t.Errorf("the list of keys: %s", list.Short())
	}

	scoped := shared.ClientFor(secret)
	scoped.Get(t, "/v1/sessions")
	scoped.Post(t, chatPath, say("strata/extract-1", "Hello."))
	scoped.Do(t, http.StatusForbidden, "POST", "/v1/sessions", object{}).Want("code", "FORBIDDEN")
	scoped.Do(t, http.StatusForbidden, "GET", "/api/v1/apps", nil).Want("error.code", "FORBIDDEN")
	scoped.Do(t, http.StatusForbidden, "POST", "/api/v1/user/api-keys", object{"name": "more", "scopes": []string{"apps:create"}})

	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/user/api-keys", object{"scopes": []string{"nonsense"}, "expiresAt": "2001-01-01T00:00:00Z"}).
		Want("error.code", "VALIDATION_ERROR")

	gone := c.Delete(t, "/api/v1/user/api-keys/"+id).Want("data.deleted", true)
	scoped.Do(t, http.StatusUnauthorized, "GET", "/v1/sessions", nil, gone.After()...).Want("code", "UNAUTHORIZED")
	c.Do(t, http.StatusNotFound, "DELETE", "/api/v1/user/api-keys/key_nobody", nil)

	soon := c.Create(t, "/api/v1/user/api-keys", object{"name": "soon", "expiresAt": time.Now().Add(10 * time.Second).UTC().Format(time.RFC3339Nano)})
	client := shared.ClientFor(soon.Str("data.key"))
	client.Get(t, "/api/v1/auth/whoami")
	kit.Eventually(t, visible, "the key expires", func() error {
		a, err := client.Call(t.Context(), "GET", "/api/v1/auth/whoami", nil)
		if err != nil {
			return err
		}
		return kit.Differ("status", a.Status, http.StatusUnauthorized)
	})

	// Whoever may not make workspaces makes keys for no other than their own.
	elsewhere := onShared(t).Workspace
	for scope, want := range map[string]int{"api-keys:own": http.StatusForbidden, "workspaces:create": http.StatusCreated} {
		maker := c.Create(t, "/api/v1/user/api-keys", object{"name": "maker", "scopes": []string{"api-keys:own", scope}}).Str("data.key")
		for workspace, status := range map[string]int{c.Workspace: http.StatusCreated, elsewhere: want} {
			shared.ClientFor(maker).Do(t, status, "POST", "/api/v1/user/api-keys", object{"name": "made", "scopes": []string{"api-keys:own"}, "workspaceId": workspace})
		}
	}

	path := "/api/v1/organizations/" + c.Organization + "/api-keys"
	org := c.Create(t, path, object{"name": "service", "type": "service"})
	if list := c.Get(t, path, org.After()...); !slices.Contains(list.Strings("data", "id"), org.Str("data.id")) {
		t.Errorf("the organization's keys: %s", list.Short())
	}
	c.Delete(t, path+"/"+org.Str("data.id"))
	c.Do(t, http.StatusNotFound, "GET", "/api/v1/organizations/org_nobody/api-keys", nil)
	c.Do(t, http.StatusNotFound, "POST", "/api/v1/organizations/org_nobody/api-keys", object{"name": "x"})
}

// Another workspace's things do not exist, whatever is done to them.
func TestTenantsDoNotSeeEachOther(t *testing.T) {
	mine, theirs := onShared(t), onShared(t)
	session := theirs.Create(t, "/v1/sessions", object{}).Str("uid")
	memory := theirs.Create(t, memories, object{"content": "theirs alone"}).Str("id")
	app := theirs.Create(t, "/api/v1/apps", object{"name": "theirs", "type": "chat"}).Str("data.id")
	prompt := theirs.Create(t, "/api/v1/prompts", object{"name": "theirs", "template": "x"}).Str("data.id")
	budget := theirs.Create(t, "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).Str("data.id")
	theirs.provide(t, "theirs")
	provider := theirs.Get(t, "/api/v1/providers").Str("data.0.id")
	chat := theirs.Post(t, "/api/v1/chat/completions", object{"appId": app, "message": "Hello."}).Str("data.chatId")
	theirs.Post(t, chatPath, say("theirs/m", "secret words"))
	var log string
	kit.Eventually(t, clickHouseDeadline, "the calls are in the log", func() error {
		a := theirs.Get(t, "/v1/inference-logs?type=chat")
		if a.Int("count") > 0 {
			log = a.Str("data.0.id")
		}
		return kit.Differ("count", a.Int("count"), 2)
	})
	events := theirs.Get(t, "/api/v1/events")

	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/v1/sessions/" + session, nil},
		{"GET", "/v1/sessions/" + session + "/events", nil},
		{"POST", "/v1/sessions/" + session + "/events", object{"author": "me", "content": object{}}},
		{"DELETE", "/v1/sessions/" + session, nil},
		{"GET", memories + "/" + memory, nil},
		{"PUT", memories + "/" + memory, object{"content": "mine"}},
		{"DELETE", memories + "/" + memory, nil},
		{"GET", "/api/v1/apps/" + app, nil},
		{"PUT", "/api/v1/apps/" + app, object{"name": "mine"}},
		{"POST", "/api/v1/apps/" + app + "/clone", object{}},
		{"GET", "/api/v1/apps/" + app + "/export", nil},
		{"DELETE", "/api/v1/apps/" + app, nil},
		{"GET", "/api/v1/prompts/" + prompt, nil},
		{"POST", "/api/v1/prompts/" + prompt + "/render", object{"variables": object{}}},
		{"GET", "/api/v1/prompts/" + prompt + "/versions", nil},
		{"DELETE", "/api/v1/prompts/" + prompt, nil},
		{"GET", "/api/v1/budgets/" + budget, nil},
		{"PUT", "/api/v1/budgets/" + budget, object{"limitUsd": 100}},
		{"GET", "/api/v1/budgets/" + budget + "/usage", nil},
		{"POST", "/api/v1/budgets/" + budget + "/reset", object{}},
		{"DELETE", "/api/v1/budgets/" + budget, nil},
		{"GET", "/api/v1/providers/" + provider, nil},
		{"DELETE", "/api/v1/providers/" + provider, nil},
		{"POST", "/api/v1/chat/completions", object{"appId": app, "message": "Hello."}},
		{"DELETE", "/api/v1/chat/history/" + chat, nil},
		{"POST", "/api/v1/chat/feedback", object{"chatId": chat, "rating": "positive"}},
		{"GET", "/v1/inference-logs/" + log, nil},
		{"GET", "/api/v1/events/" + events.Str("data.0.id"), nil},
	} {
		mine.Do(t, http.StatusNotFound, r.method, r.path, r.body)
	}
	for _, path := range []string{"/v1/sessions", "/v1/inference-logs"} {
		mine.Get(t, path).Want("count", 0)
	}
	mine.Post(t, memories+"/search", object{"query": "theirs alone"}).Want("count", 0)
	for _, path := range []string{"/api/v1/apps", "/api/v1/prompts", "/api/v1/budgets", "/api/v1/providers", "/api/v1/chat/history"} {
		if n := len(mine.Get(t, path).List("data")); n != 0 {
			t.Errorf("%s shows %d things of another tenant", path, n)
		}
	}
	if got := mine.Get(t, "/api/v1/events?limit=100"); strings.Contains(string(got.Body), app) || strings.Contains(string(got.Body), session) {
		t.Errorf("the events are another tenant's: %s", got.Short())
	}
	mine.Get(t, "/v1/inference-logs/summary").Want("total_calls", 0)
	mine.Get(t, "/api/v1/analytics/usage").Want("data.totalCalls", 0)
	theirs.Get(t, "/v1/sessions/"+session) // nothing happened to it
	theirs.Get(t, "/api/v1/apps/"+app).Want("data.name", "theirs")
	// Last, because this refusal is a call of one's own: it is in the log.
	mine.Do(t, http.StatusNotFound, http.MethodPost, chatPath, say("theirs/m", "hello"))
}
