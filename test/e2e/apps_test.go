//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"strata/test/kit"
)

func TestApps(t *testing.T) {
	c := onShared(t)
	a := c.Create(t, "/api/v1/apps", object{
		"name": "Customer Support Bot", "description": "AI-powered customer service assistant", "type": "chat",
		"config": object{"model": "strata/extract-1", "temperature": 0.7, "maxTokens": 2000, "my_own_key": object{"camelAndSnake_key": 1}},
	})
	a.Want("success", true, "data.status", "draft", "data.type", "chat", "data.config.maxTokens", 2000,
		"data.config.my_own_key.camelAndSnake_key", 1, "meta.version", "1.0")
	for _, path := range []string{"meta.timestamp", "meta.requestId", "data.createdAt", "data.updatedAt", "data.createdBy"} {
		if a.Str(path) == "" {
			t.Errorf("%s is empty", path)
		}
	}
	id := a.Str("data.id")
	if !strings.HasPrefix(id, "app_") {
		t.Errorf("id %q", id)
	}

	c.Get(t, "/api/v1/apps/"+id, a.After()...).Want("data.name", "Customer Support Bot")
	up := c.Put(t, "/api/v1/apps/"+id, object{"status": "published"})
	up.Want("data.status", "published", "data.description", "AI-powered customer service assistant")
	c.Do(t, http.StatusOK, "PATCH", "/api/v1/apps/"+id, object{"description": nil})
	c.Do(t, http.StatusBadRequest, "PUT", "/api/v1/apps/"+id, object{"type": "agent", "status": "gone", "nobody": 1}).
		Want("error.code", "VALIDATION_ERROR")
	c.Do(t, http.StatusConflict, "POST", "/api/v1/apps", object{"name": "Customer Support Bot", "type": "chat"}).
		Want("error.code", "CONFLICT", "success", false)

	clone := c.Create(t, "/api/v1/apps/"+id+"/clone", object{"name": "Clone"})
	clone.Want("data.name", "Clone", "data.config.maxTokens", 2000)
	if clone.Str("data.id") == id {
		t.Error("the clone has the original's id")
	}
	export := c.Get(t, "/api/v1/apps/"+id+"/export?format=json", clone.After()...)
	export.Want("data.format", "json", "data.app.name", "Customer Support Bot")
	export.Str("data.exportedAt")

	gone := c.Delete(t, "/api/v1/apps/"+id).Want("data.id", id, "data.deleted", true)
	c.Do(t, http.StatusNotFound, "GET", "/api/v1/apps/"+id, nil, gone.After()...).Want("error.code", "NOT_FOUND", "success", false)
	c.Do(t, http.StatusNotFound, "PUT", "/api/v1/apps/"+id, object{"name": "x"})
	c.Create(t, "/api/v1/apps", object{"name": "Customer Support Bot", "type": "chat"}) // the name is free again
}

func TestListsOfPlainResources(t *testing.T) {
	c := onShared(t)
	var last *kit.Answer
	for i := range 30 {
		last = c.Create(t, "/api/v1/apps", object{
			"name": fmt.Sprintf("App %02d", i), "type": []string{"chat", "agent"}[i%2], "description": fmt.Sprintf("about the topic %c", 'a'+i%3),
		})
	}
	list := func(query string) *kit.Answer { return c.Get(t, "/api/v1/apps"+query, last.After()...) }

	first := list("")
	first.Want("pagination.limit", 25, "pagination.hasMore", true, "data.0.name", "App 29")
	if n := len(first.List("data")); n != 25 {
		t.Errorf("the first page has %d items", n)
	}
	rest := list("?cursor=" + first.Str("pagination.nextCursor"))
	rest.Want("pagination.hasMore", false)
	if n := len(rest.List("data")); n != 5 {
		t.Errorf("the second page has %d items", n)
	}
	// A cursor is stable while something is created at the front.
	page := list("?limit=10")
	last = c.Create(t, "/api/v1/apps", object{"name": "Newest", "type": "plugin"})
	next := list("?limit=10&cursor=" + page.Str("pagination.nextCursor"))
	next.Want("data.0.name", "App 19")

	list("?limit=500").Want("pagination.limit", 100)
	list("?limit=5&offset=26").Want("pagination.hasMore", false, "data.0.name", "App 04")
	for _, sorting := range []string{"?sortBy=name&sortOrder=asc", "?sort=name&order=asc"} {
		names := list(sorting+"&limit=100").Strings("data", "name")
		if !slices.IsSorted(names) || len(names) != 31 {
			t.Errorf("%s: %v", sorting, names)
		}
	}
	list("?sortBy=createdAt&sortOrder=asc&limit=1").Want("data.0.name", "App 00")
	list("?sort=created_at&order=asc&limit=1").Want("data.0.name", "App 00")
	if n := len(list("?type=agent&limit=100").List("data")); n != 15 {
		t.Errorf("%d agents, want 15", n)
	}
	if n := len(list("?search=topic%20b&limit=100").List("data")); n != 10 {
		t.Errorf("the search finds %d, want 10", n)
	}
	list("?search=newest").Want("data.0.name", "Newest")
	for query, field := range map[string]string{
		"?cursor=nonsense": "cursor", "?sort=nobody": "sort", "?limit=zero": "limit", "?status=nobody": "status", "?offset=-1": "offset",
	} {
		bad := c.Do(t, http.StatusBadRequest, "GET", "/api/v1/apps"+query, nil)
		bad.Want("error.code", "VALIDATION_ERROR")
		if !slices.Contains(bad.Strings("error.details", "field"), field) {
			t.Errorf("%s: the answer does not name %s: %s", query, field, bad.Short())
		}
	}
}
