//go:build e2e

package e2e

import (
	"net/http"
	"testing"
	"time"

	"strata/test/kit"
)

// Every documented filter narrows what the others leave: a call that differs in
// one of them only is left out when all are given.
func TestLogFiltersTogether(t *testing.T) {
	c := onShared(t)
	c.provide(t, "p")
	c.provide(t, "q")
	began := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	type made struct{ model, user, tag, flow string }
	right := made{"p/m", "ada", "team-1", "flow-1"}
	for _, m := range []made{right, right, right, {"q/m", "ada", "team-1", "flow-1"}, {"p/m", "bob", "team-1", "flow-1"},
		{"p/m", "ada", "team-2", "flow-1"}, {"p/m", "ada", "team-1", "flow-2"}} {
		c.Post(t, chatPath, say(m.model, "hello", "user", m.user), "Strata-Tags", m.tag, "X-Correlation-Id", m.flow)
	}
	c.logged(t, 7)
	until := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	all := []string{"start_date", began, "end_date", until, "user", "ada", "model", "p/m", "status", "success", "type", "chat",
		"tag", "team-1", "correlation_id", "flow-1"}
	query := func(pairs []string, more ...string) string {
		return kit.Query(append(append([]string{}, pairs...), more...)...)
	}
	first := c.Get(t, "/v1/inference-logs"+query(all, "page", "1", "page_size", "2")).Want("count", 2, "has_more", true)
	first.Want("data.0.user", "ada", "data.0.model", "p/m", "data.0.status", "success", "data.0.type", "chat", "data.0.tags.0", "team-1",
		"data.0.correlation_id", "flow-1", "data.0.error", "")
	c.Get(t, "/v1/inference-logs"+query(all, "page", "2", "page_size", "2")).Want("count", 1, "has_more", false)

	// What each of them leaves out is what comes back without it.
	for i := 0; i < len(all); i += 2 {
		without := append(append([]string{}, all[:i]...), all[i+2:]...)
		want := 3
		switch all[i] {
		case "user", "model", "tag", "correlation_id":
			want = 4
		}
		c.Get(t, "/v1/inference-logs"+query(without)).Want("count", want)
	}
	for name, wrong := range map[string]string{"status": "error", "type": "embedding", "start_date": until, "end_date": began} {
		other := append([]string{}, all...)
		for i := 0; i < len(other); i += 2 {
			if other[i] == name {
				other[i+1] = wrong
			}
		}
		c.Get(t, "/v1/inference-logs"+query(other)).Want("count", 0)
	}
	sum := []string{"start_date", began, "end_date", until, "user", "ada", "model", "p/m", "type", "chat", "correlation_id", "flow-1"}
	one := c.Get(t, "/v1/inference-logs/summary"+query(sum)).Want("total_calls", 4, "success_rate", 1) // a summary knows no tags
	for _, field := range []string{"input_tokens", "output_tokens", "total_tokens"} {
		if one.Int(field) <= 0 {
			t.Errorf("no %s: %s", field, one.Short())
		}
	}
	for field, want := range map[string]string{"period_start_date": began, "period_end_date": until} {
		at, err := time.Parse(time.RFC3339Nano, one.Str(field))
		if err != nil || at.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is %s, want %s", field, one.Str(field), want)
		}
	}
	if v, ok := one.Lookup("model_usage"); !ok || len(v.(object)) != 1 {
		t.Errorf("model_usage: %s", one.Short())
	}
	if one.Num("avg_latency_ms") < 0 {
		t.Errorf("avg_latency_ms: %s", one.Short())
	}
	c.Get(t, "/v1/inference-logs"+kit.Query("start_date", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))).Want("count", 0)
	for _, bad := range []string{"status=odd", "start_date=yesterday", "page=0"} {
		c.Do(t, http.StatusBadRequest, "GET", "/v1/inference-logs?"+bad, nil)
	}
	c.Do(t, http.StatusBadRequest, "GET", "/v1/inference-logs/summary?end_date=never", nil)
}
