//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

func itoa(n int) string { return strconv.Itoa(n) }

// logged waits until the inference log holds n calls.
func (c tenant) logged(t *testing.T, n int) { t.Helper(); logged(t, c.Client, n) }

func logged(t *testing.T, c *kit.Client, n int) {
	t.Helper()
	kit.Eventually(t, clickHouseDeadline, fmt.Sprint(n, " calls in the log"), func() error {
		a, err := c.Call(t.Context(), "GET", "/v1/inference-logs/summary", nil)
		if err != nil {
			return err
		}
		got, _ := a.Lookup("total_calls") // nothing while the engine starts
		return kit.Differ("total_calls", got, n)
	})
}

func TestInferenceLogs(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	began := time.Now().Add(-time.Second).UTC().Format(time.RFC3339)
	for i := range 12 {
		c.Post(t, chatPath, say("p/m", fmt.Sprint("question ", i), "user", fmt.Sprint("user-", i%3), "metadata", object{"ticketId": "T1"}),
			"Strata-Tags", fmt.Sprintf("team-%d,all", i%2), "X-Correlation-Id", fmt.Sprint("flow-", i/6))
	}
	c.Post(t, "/openai/v1/embeddings", object{"model": "strata/embed-1", "input": "hello"})
	up.Always(gatewaytest.Error(http.StatusBadRequest, "too long", "messages", "context_length_exceeded"))
	c.Do(t, http.StatusBadRequest, "POST", chatPath, say("p/m", "fails"))
	c.logged(t, 14)

	count := func(query ...string) int {
		t.Helper()
		return len(c.Get(t, "/v1/inference-logs"+kit.Query(append(query, "page_size", "100")...)).List("data"))
	}
	for _, x := range []struct {
		want  int
		query []string
	}{
		{14, nil},
		{14, []string{"start_date", began}},
		{0, []string{"end_date", began}},
		{14, []string{"start_date", began, "end_date", time.Now().Add(time.Minute).UTC().Format(time.RFC3339)}},
		{4, []string{"user", "user-1"}},
		{13, []string{"model", "p/m"}},
		{1, []string{"model", "strata/embed-1"}},
		{13, []string{"status", "success"}},
		{1, []string{"status", "error"}},
		{1, []string{"type", "embedding"}},
		{13, []string{"type", "chat"}},
		{6, []string{"tag", "team-0"}},
		{12, []string{"tag", "all"}},
		{6, []string{"correlation_id", "flow-1"}},
		{2, []string{"correlation_id", "flow-1", "user", "user-2"}},
		{0, []string{"model", "nobody/nothing"}},
	} {
		if got := count(x.query...); got != x.want {
			t.Errorf("%v: %d calls, want %d", x.query, got, x.want)
		}
	}

	first := c.Get(t, "/v1/inference-logs?page=1&page_size=10").Want("count", 10, "has_more", true)
	c.Get(t, "/v1/inference-logs?page=2&pageSize=10").Want("count", 4, "has_more", false)
	c.Get(t, "/v1/inference-logs").Want("count", 14)
	first.Want("data.0.status", "error") // newest first
	for _, bad := range []string{"?status=nobody", "?start_date=yesterday", "?page=0", "?page_size=x"} {
		c.Do(t, http.StatusBadRequest, "GET", "/v1/inference-logs"+bad, nil).Want("code", "VALIDATION_ERROR")
	}

	rows := c.Get(t, "/v1/inference-logs?user=user-1&page_size=1")
	one := c.Get(t, "/v1/inference-logs/"+rows.Str("data.0.id"))
	one.Want("model", "p/m", "provider", "p", "status", "success", "input_tokens", 10, "output_tokens", 2, "cost_usd", 0.00003,
		"user", "user-1", "metadata.ticketId", "T1", "request.messages.0.role", "user", "response.choices.0.message.content", "Hello there.")
	c.Do(t, http.StatusNotFound, "GET", "/v1/inference-logs/inf_nobody", nil).Want("code", "NOT_FOUND")

	sum := c.Get(t, "/v1/inference-logs/summary?model=p/m")
	sum.Want("total_calls", 13, "input_tokens", 120, "output_tokens", 24, "total_tokens", 144)
	if v, ok := sum.Lookup("model_usage"); !ok {
		t.Errorf("no model_usage: %s", sum.Short())
	} else if usage := v.(object)["p/m"].(object); fmt.Sprint(usage["calls"]) != "13" || fmt.Sprint(usage["cost_usd"]) != "0.00036" {
		t.Errorf("model_usage: %v", usage)
	}
	if rate := sum.Num("success_rate"); rate < 0.92 || rate > 0.93 {
		t.Errorf("success_rate %v, want 12/13", rate)
	}
}

func TestAnalytics(t *testing.T) {
	c := onShared(t)
	c.provide(t, "p")
	c.provide(t, "q")
	app := c.app(t, "p/m")
	for i := range 6 {
		c.Post(t, chatPath, say([]string{"p/m", "q/m"}[i%2], "hello", "user", fmt.Sprint("u", i)))
	}
	c.Post(t, "/api/v1/chat/completions", object{"appId": app, "message": "Hello?"})
	c.logged(t, 7)

	u := c.Get(t, "/api/v1/analytics/usage")
	u.Want("data.totalCalls", 7, "data.inputTokens", 70, "data.outputTokens", 14, "data.totalTokens", 84)
	var calls float64
	for i := range u.List("data.byModel") {
		calls += u.Num("data.byModel." + itoa(i) + ".calls")
	}
	if calls != 7 || len(u.List("data.byModel")) != 2 {
		t.Errorf("byModel: %s", u.Short())
	}
	calls = 0
	for i := range u.List("data.series") {
		calls += u.Num("data.series." + itoa(i) + ".calls")
	}
	if calls != 7 {
		t.Errorf("the series has %v calls: %s", calls, u.Short())
	}
	if n := u.Int("data.uniqueUsers"); n < 6 {
		t.Errorf("%d unique users", n)
	}
	c.Get(t, "/api/v1/analytics/usage?appId="+app).Want("data.totalCalls", 1)
	c.Get(t, "/api/v1/analytics/usage?model=q/m").Want("data.totalCalls", 3)
	c.Get(t, "/api/v1/analytics/costs").Want("data.totalUsd", 0.00021)
	p := c.Get(t, "/api/v1/analytics/performance").Want("data.successRate", 1, "data.errorRate", 0)
	if p50, p99 := p.Num("data.p50LatencyMs"), p.Num("data.p99LatencyMs"); p50 <= 0 || p99 < p50 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	now := time.Now().UTC()
	for name, query := range map[string]string{
		"an hour":  kit.Query("startDate", now.Add(-time.Hour).Format(time.RFC3339), "interval", "minute"),
		"a day":    kit.Query("startDate", now.Add(-24*time.Hour).Format(time.RFC3339), "interval", "hour"),
		"a month":  kit.Query("startDate", now.Add(-30*24*time.Hour).Format(time.RFC3339), "interval", "day"),
		"a year":   kit.Query("startDate", now.Add(-365*24*time.Hour).Format(time.RFC3339)),
		"by users": kit.Query("groupBy", "user"),
	} {
		if got := c.Get(t, "/api/v1/analytics/usage"+query).Int("data.totalCalls"); got != 7 {
			t.Errorf("%s: %d calls", name, got)
		}
	}
	c.Get(t, "/api/v1/analytics/usage"+kit.Query("endDate", now.Add(-time.Hour).Format(time.RFC3339))).Want("data.totalCalls", 0)
	for _, bad := range []string{"?startDate=x", "?interval=eon", "?groupBy=moon", kit.Query("startDate", "2024-02-01T00:00:00Z", "endDate", "2024-01-01T00:00:00Z")} {
		c.Do(t, http.StatusBadRequest, "GET", "/api/v1/analytics/usage"+bad, nil).Want("error.code", "VALIDATION_ERROR")
	}
}

// A stream that the client leaves is recorded and billed for what was produced.
func TestCancelledStreamIsBilled(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	b := c.Create(t, "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"})
	up.Always(gatewaytest.StallAfter("one ", "two ", "three "))
	s, err := c.OpenStream(t.Context(), "POST", chatPath, say("p/m", "hello", "stream", true, "max_tokens", 50))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	c.logged(t, 1)
	row := c.Get(t, "/v1/inference-logs")
	if out := row.Int("data.0.output_tokens"); out < 3 || out > 10 {
		t.Errorf("billed %d tokens for three words: %s", out, row.Short())
	}
	row.Want("data.0.cancelled", true)
	kit.Eventually(t, visible, "the ledger equals the log", func() error {
		ledger := c.Get(t, "/api/v1/budgets/"+b.Str("data.id"))
		return errors.Join(kit.Differ("spent", ledger.Micro("data.spentUsd"), row.Micro("data.0.cost_usd")),
			kit.Differ("reserved", ledger.Micro("data.reservedUsd"), 0))
	})
	if row.Micro("data.0.cost_usd") == 0 {
		t.Error("the call cost nothing")
	}
}
