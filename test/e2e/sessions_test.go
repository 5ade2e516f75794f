//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"strata/test/kit"
)

func TestSessions(t *testing.T) {
	c := onShared(t)
	s := c.Create(t, "/v1/sessions", object{
		"app_name": "helpdesk", "agent_name": "triage", "user_id": "user_bob",
		"state": object{"step": 1, "keepCase": true}, "metadata": object{"camelKey": "x", "snake_key": "y"},
	})
	uid := s.Str("uid")
	s.Want("app_name", "helpdesk", "status", "active", "event_count", 0, "state.step", 1, "state.keepCase", true,
		"metadata.camelKey", "x", "metadata.snake_key", "y")
	if !strings.HasPrefix(uid, "ses_") {
		t.Errorf("uid %q", uid)
	}
	if s.Has("success") || s.Has("meta") {
		t.Errorf("the plain mount answers with an envelope: %s", s.Short())
	}

	var last *kit.Answer
	for i := 1; i <= 25; i++ {
		last = c.Create(t, "/v1/sessions/"+uid+"/events", object{
			"author": "user", "content": object{"text": fmt.Sprint("message ", i)},
			"state_delta": object{"step": i, "seen": fmt.Sprint(i)}, "invocation_id": "inv_1",
		})
		last.Want("sequence", i, "session_uid", uid, "type", "message", "author", "user")
	}
	c.Create(t, "/v1/sessions/"+uid+"/events", object{
		"author": "triage", "type": "tool_call", "content": object{"tool": "search"}, "state_delta": object{"seen": nil},
	})
	got := c.Get(t, "/v1/sessions/"+uid, last.After()...)
	got = c.Get(t, "/v1/sessions/"+uid+kit.Query("min_position", got.Header.Get("Strata-Position")))
	kit.Eventually(t, visible, "the session has its events", func() error {
		got = c.Get(t, "/v1/sessions/"+uid)
		return kit.Differ("event_count", got.Int("event_count"), 26)
	})
	got.Want("state.step", 25, "state.keepCase", true)
	if got.Has("state.seen") {
		t.Error("null in state_delta does not remove the key")
	}
	if len(got.List("events")) == 0 || !got.Has("last_event_at") {
		t.Errorf("the session shows no events: %s", got.Short())
	}

	t.Run("events by page", func(t *testing.T) {
		seen := map[string]bool{}
		after := ""
		for range 10 {
			page := c.Get(t, "/v1/sessions/"+uid+"/events"+kit.Query("after", after))
			ids := page.Strings("data", "id")
			page.Want("count", len(ids))
			for _, id := range ids {
				if seen[id] {
					t.Errorf("event %s comes twice", id)
				}
				seen[id] = true
				after = id
			}
			if !page.Bool("has_more") {
				break
			}
			if len(ids) != 10 {
				t.Errorf("a page has %d events, not the default of 10", len(ids))
			}
		}
		if len(seen) != 26 {
			t.Errorf("%d events on all pages, want 26", len(seen))
		}
		only := c.Get(t, "/v1/sessions/"+uid+"/events?type=tool_call")
		only.Want("count", 1, "data.0.type", "tool_call", "data.0.content.tool", "search")
	})

	t.Run("list", func(t *testing.T) {
		c.Create(t, "/v1/sessions", object{"app_name": "other", "user_id": "user_ann"})
		third := c.Create(t, "/v1/sessions", object{"uid": "my-own-id", "app_name": "helpdesk"})
		third.Want("uid", "my-own-id")
		all := c.Get(t, "/v1/sessions", third.After()...)
		all.Want("count", 3, "has_more", false, "data.0.uid", "my-own-id")
		c.Get(t, "/v1/sessions?app_name=helpdesk").Want("count", 2)
		c.Get(t, "/v1/sessions?user_id=user_ann").Want("count", 1, "data.0.app_name", "other")
		page := c.Get(t, "/v1/sessions?limit=2").Want("count", 2, "has_more", true)
		c.Get(t, "/v1/sessions?limit=2&after="+page.Str("data.1.uid")).Want("count", 1, "has_more", false, "data.0.uid", uid)
		c.Do(t, http.StatusConflict, "POST", "/v1/sessions", object{"uid": "my-own-id"}).Want("code", "CONFLICT")
	})

	t.Run("delete", func(t *testing.T) {
		gone := c.Delete(t, "/v1/sessions/"+uid).Want("uid", uid)
		c.Do(t, http.StatusNotFound, "GET", "/v1/sessions/"+uid, nil, gone.After()...).Want("code", "NOT_FOUND")
		c.Do(t, http.StatusNotFound, "POST", "/v1/sessions/"+uid+"/events", object{"author": "user", "content": object{}})
		c.Do(t, http.StatusNotFound, "DELETE", "/v1/sessions/"+uid, nil)
	})

	t.Run("faults", func(t *testing.T) {
		bad := c.Do(t, http.StatusBadRequest, "POST", "/v1/sessions/my-own-id/events",
			object{"type": "nonsense", "content": "text", "bogus": 1, "stateDelta": object{"a": 1}, "state_delta": object{"a": 2}})
		bad.Want("code", "VALIDATION_ERROR")
		named := strings.Join(bad.Strings("details", "field"), " ")
		for _, field := range []string{"author", "type", "bogus"} {
			if !strings.Contains(named, field) {
				t.Errorf("the answer does not name %s: %s", field, bad.Short())
			}
		}
	})
}
