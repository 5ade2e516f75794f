//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"
)

// A memory that repeats an earlier one is forgotten if that was asked for, and merged
// into it if that was; even if both were added in one breath.
func TestMemoriesOnDuplicate(t *testing.T) {
	c := onShared(t)
	add := func(on, content string, more object) string {
		t.Helper()
		body := object{"content": content, "user_id": "user_bob", "on_duplicate": on}
		for k, v := range more {
			body[k] = v
		}
		return c.Create(t, memories, body).Str("id")
	}
	add("skip", "Gardeners plant tulips", nil)
	add("skip", "Gardeners plant tulips.", nil)
	add("merge", "Gardeners plant tulips!", object{"importance": 0.9, "metadata": object{"season": "autumn"}})
	add("skip", "The office cat sleeps", nil)
	eventually(t, "one of each is left", func() bool {
		got := c.Post(t, memories+"/list", object{"user_id": "user_bob"})
		v, _ := got.Lookup("data.1.importance")
		return got.Int("count") == 2 && fmt.Sprint(v) == "0.9"
	})
	c.Post(t, memories+"/list", object{"user_id": "user_bob"}).Want("data.0.content", "The office cat sleeps", "data.1.metadata.season", "autumn")
	c.Do(t, http.StatusBadRequest, "POST", memories, object{"content": "x", "on_duplicate": "often"}).Want("details.0.field", "on_duplicate")
}
