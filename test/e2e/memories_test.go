//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

const memories = "/v1/memory/internal/memories"

func TestMemories(t *testing.T) {
	c := onShared(t)
	m := c.Create(t, memories, object{
		"content": "The customer prefers answers in German", "user_id": "user_bob", "agent_id": "agt_1",
		"metadata": object{"topicName": "language"}, "importance": 0.8,
	})
	m.Want("provider", "internal", "type", "semantic", "user_id", "user_bob", "importance", 0.8, "metadata.topicName", "language")
	id := m.Str("id")
	for i := range 14 {
		m = c.Create(t, memories, object{"content": fmt.Sprintf("Order number %d was late by %d days", 1000+i, i), "user_id": "user_ann", "type": "episodic"})
	}
	after := m.After()

	c.Get(t, memories+"/"+id, after...).Want("id", id, "content", "The customer prefers answers in German")

	t.Run("list", func(t *testing.T) {
		page := c.Post(t, memories+"/list", object{}, after...).Want("count", 10, "has_more", true)
		c.Post(t, memories+"/list", object{"after": page.Str("data.9.id")}).Want("count", 5, "has_more", false)
		c.Post(t, memories+"/list", object{"user_id": "user_bob"}).Want("count", 1, "data.0.id", id)
		c.Post(t, memories+"/list", object{"type": "episodic", "limit": 50}).Want("count", 14)
		c.Post(t, memories+"/list", object{"agent_id": "agt_1"}).Want("count", 1)
		c.Post(t, memories+"/list", object{"filter": object{"topicName": "language"}}).Want("count", 1)
		c.Post(t, memories+"/list", object{"filter": object{"topicName": "colour"}}).Want("count", 0)
	})

	t.Run("search", func(t *testing.T) {
		found := c.Post(t, memories+"/search", object{"query": "which language are answers preferred in? German"})
		found.Want("data.0.id", id)
		score := found.Num("data.0.score")
		if score <= 0 || score > 1 {
			t.Errorf("score %v is not within 0 and 1", score)
		}
		c.Post(t, memories+"/search", object{"query": "German", "user_id": "user_ann"}).Want("count", 0)
		c.Post(t, memories+"/search", object{"query": "order late", "limit": 3}).Want("count", 3)
		c.Post(t, memories+"/search", object{"query": `"unbalanced AND ( OR *`})
		c.Do(t, http.StatusBadRequest, "POST", memories+"/search", object{}).Want("code", "VALIDATION_ERROR", "details.0.field", "query")
	})

	t.Run("update", func(t *testing.T) {
		up := c.Put(t, memories+"/"+id, object{"content": "The customer prefers French", "importance": nil})
		up.Want("content", "The customer prefers French", "user_id", "user_bob")
		if v, _ := up.Lookup("importance"); v != nil {
			t.Errorf("null does not clear: %v", v)
		}
		c.Post(t, memories+"/search", object{"query": "French"}, up.After()...).Want("data.0.id", id)
		c.Post(t, memories+"/search", object{"query": "German"}).Want("count", 0)
	})

	t.Run("expiry", func(t *testing.T) {
		c.Do(t, http.StatusBadRequest, "POST", memories, object{"content": "x", "expires_at": "2001-01-01T00:00:00Z"}).
			Want("details.0.field", "expires_at")
		soon := time.Now().Add(10 * time.Second).UTC().Format(time.RFC3339Nano)
		m := c.Create(t, memories, object{"content": "short-lived zebra", "expires_at": soon})
		c.Post(t, memories+"/search", object{"query": "zebra"}, m.After()...).Want("count", 1)
		kit.Eventually(t, visible, "the memory expires", func() error {
			return kit.Differ("count", c.Post(t, memories+"/search", object{"query": "zebra"}).Int("count"), 0)
		})
	})

	t.Run("delete", func(t *testing.T) {
		gone := c.Delete(t, memories+"/"+id).Want("id", id)
		c.Do(t, http.StatusNotFound, "GET", memories+"/"+id, nil, gone.After()...)
		c.Do(t, http.StatusNotFound, "DELETE", memories+"/"+id, nil)
	})

	t.Run("unknown provider", func(t *testing.T) {
		c.Do(t, http.StatusNotFound, "POST", "/v1/memory/nobody/memories", object{"content": "x"})
	})

	t.Run("faults", func(t *testing.T) {
		c.Do(t, http.StatusBadRequest, "POST", memories, object{"type": "nonsense", "importance": 2}).Want("code", "VALIDATION_ERROR")
	})
}

// A memory is found by its meaning a moment after it was added, is embedded anew
// when it is said otherwise, and a repetition is marked.
func TestMemoriesByMeaning(t *testing.T) {
	c := onShared(t)
	user := "user_meaning"
	add := func(content string) string {
		t.Helper()
		return c.Create(t, memories, object{"content": content, "user_id": user}).Str("id")
	}
	first := func(query string) string {
		t.Helper()
		found := c.Post(t, memories+"/search", object{"query": query, "user_id": user})
		if found.Num("count") == 0 {
			return ""
		}
		return found.Str("data.0.id")
	}
	id := add("Refunding of invoices takes five days")
	add("The office cat sleeps")
	// No word of the query is in the memory, but parts of words are.
	eventually(t, "the memory is found by its meaning", func() bool { return first("refunded invoice") == id })
	c.Put(t, memories+"/"+id, object{"content": "Gardeners plant tulips"})
	eventually(t, "the memory is embedded anew", func() bool { return first("gardening tulip") == id && first("refunded invoice") == "" })
	again := add("Gardeners plant tulips.")
	eventually(t, "the repetition is marked", func() bool {
		v, _ := c.Get(t, memories+"/"+again).Lookup("duplicate_of")
		return v == id
	})
	c.Delete(t, memories+"/"+id)
	eventually(t, "nothing is repeated any more", func() bool {
		v, _ := c.Get(t, memories+"/"+again).Lookup("duplicate_of")
		return v == nil
	})
}

// A memory whose time is over is removed, not only hidden.
func TestMemoriesExpire(t *testing.T) {
	c := onShared(t)
	m := c.Create(t, memories, object{"content": "gone soon", "expires_at": time.Now().Add(4 * time.Second).UTC().Format(time.RFC3339Nano)})
	path := memories + "/" + m.Str("id")
	eventually(t, "the memory has expired", func() bool {
		events := c.Get(t, "/api/v1/events?type=memory.expired&limit=100")
		return strings.Contains(string(events.Body), m.Str("id"))
	})
	c.Do(t, http.StatusNotFound, "GET", path, nil)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	kit.Eventually(t, 30*time.Second, what, func() error {
		if !ok() {
			return errors.New("not yet")
		}
		return nil
	})
}
