//go:build e2e

package e2e

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

func TestBudgets(t *testing.T) {
	c := onShared(t)
	b := c.Create(t, "/api/v1/budgets", object{"name": "Team", "scopeType": "workspace", "limitUsd": 100.000001, "period": "monthly"})
	b.Want("data.limitUsd", 100.000001, "data.scopeId", c.Workspace, "data.status", "active", "data.hardLimit", true, "data.spentUsd", 0)
	b.Str("data.periodStart")
	path := "/api/v1/budgets/" + b.Str("data.id")
	c.Get(t, path, b.After()...).Want("data.name", "Team")
	up := c.Put(t, path, object{"limitUsd": 0.5, "name": "Smaller"}).Want("data.limitUsd", 0.5, "data.name", "Smaller")
	c.Get(t, "/api/v1/budgets?scopeType=workspace", up.After()...).Want("data.0.name", "Smaller")

	c.provide(t, "p")
	for range 3 { // 10 in, 2 out: 30 micro-dollars each
		c.Post(t, chatPath, say("p/m", "hello", "max_tokens", 10))
	}
	var got *kit.Answer
	kit.Eventually(t, visible, "the calls are settled", func() error {
		got = c.Get(t, path)
		return kit.Differ("spent", got.Micro("data.spentUsd"), 90)
	})
	if left := got.Micro("data.remainingUsd"); left != 500_000-90 {
		t.Errorf("remaining %d micro-dollars", left)
	}
	c.Get(t, path+"/usage").Want("data.spentUsd", 0.00009, "data.tokens", 36, "data.limitUsd", 0.5)
	kit.Eventually(t, clickHouseDeadline, "the breakdown", func() error {
		a := c.Get(t, path+"/usage?groupBy=model")
		if len(a.List("data.breakdown")) != 1 {
			return kit.Differ("models", len(a.List("data.breakdown")), 1)
		}
		a.Want("data.breakdown.0.key", "p/m", "data.breakdown.0.calls", 3)
		return nil
	})
	c.Post(t, path+"/reset", object{"reason": "test"}).Want("data.spentUsd", 0)

	c.Put(t, path, object{"status": "disabled", "limitUsd": 0})
	c.Post(t, chatPath, say("p/m", "a disabled budget refuses nothing"))
	c.Put(t, path, object{"status": "active"})
	refused := c.Do(t, http.StatusTooManyRequests, "POST", chatPath, say("p/m", "hello"))
	refused.Want("error.code", "insufficient_quota", "error.type", "insufficient_quota")
	c.Put(t, path, object{"hardLimit": false})
	c.Post(t, chatPath, say("p/m", "a soft budget only counts"))

	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/budgets", object{"name": "", "scopeType": "moon", "limitUsd": -1, "period": "hourly"}).
		Want("error.code", "VALIDATION_ERROR")
	gone := c.Delete(t, path).Want("data.deleted", true)
	c.Do(t, http.StatusNotFound, "GET", path, nil, gone.After()...)
}

// What is spent by a budget's scope counts, and nothing else.
func TestBudgetScopes(t *testing.T) {
	c := onShared(t)
	c.provide(t, "p")
	c.provide(t, "q")
	key := c.Create(t, "/api/v1/user/api-keys", object{"name": "other", "rateLimitTier": "enterprise"})
	other := shared.ClientFor(key.Str("data.key"))
	for _, b := range []object{
		{"name": "model", "scopeType": "model", "scopeId": "q/m"},
		{"name": "key", "scopeType": "api_key", "scopeId": key.Str("data.id")},
	} {
		b["limitUsd"], b["period"] = 0, "daily"
		c.Create(t, "/api/v1/budgets", b)
	}
	c.Post(t, chatPath, say("p/m", "hello"))
	c.Do(t, http.StatusTooManyRequests, "POST", chatPath, say("q/m", "hello"))
	other.Do(t, http.StatusTooManyRequests, "POST", chatPath, say("p/m", "hello"))
	me := c.Get(t, "/api/v1/auth/whoami").Str("data.user.id")
	c.Create(t, "/api/v1/budgets", object{"name": "me", "scopeType": "user", "scopeId": me, "limitUsd": 0, "period": "weekly"})
	c.Do(t, http.StatusTooManyRequests, "POST", chatPath, say("p/m", "hello"))
}

// TestBudgetIsNeverOverspent: 64 callers at once, a provider that bills exact
// tokens, streams and whole answers, calls that fail and streams that break.
func TestBudgetIsNeverOverspent(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	// Every tenth answer is an error, every tenth a broken stream.
	var n atomic.Int64
	normal, broken, failed := gatewaytest.Answer("one two three four five"), gatewaytest.DieAfter("one ", "two "), gatewaytest.Error(400, "no", "", "no")
	up.Always(func(w http.ResponseWriter, r *gatewaytest.Request) {
		switch n.Add(1) % 10 {
		case 3:
			failed(w, r)
		case 7:
			broken(w, r)
		default:
			normal(w, r)
		}
	})
	const limit = 20_011 // micro-dollars; a call is 10 + 5*10 = 60, so it does not come out even
	b := c.Create(t, "/api/v1/budgets", object{"name": "tight", "scopeType": "workspace", "limitUsd": float64(limit) / 1e6, "period": "total"})
	path := "/api/v1/budgets/" + b.Str("data.id")

	var answered, refused, other atomic.Int64
	var callers sync.WaitGroup
	for caller := range 64 {
		callers.Go(func() {
			for i := range 12 {
				a, err := c.Call(t.Context(), "POST", chatPath, say("p/m", "hello", "max_tokens", 8, "stream", (caller+i)%2 == 0))
				switch {
				case err != nil:
					t.Error(err)
				case a.Status == http.StatusOK:
					answered.Add(1)
				case a.Status == http.StatusTooManyRequests:
					refused.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	callers.Wait()
	t.Logf("%d answered, %d refused, %d failed", answered.Load(), refused.Load(), other.Load())
	if refused.Load() == 0 || answered.Load() == 0 {
		t.Error("the limit was not reached: the test proves nothing")
	}

	// A budget shows every call that its caller has seen end.
	ledger := c.Get(t, path)
	spent := ledger.Micro("data.spentUsd")
	if reserved := ledger.Micro("data.reservedUsd"); reserved != 0 {
		t.Errorf("%d micro-dollars are reserved, although nothing runs", reserved)
	}
	if spent > limit {
		t.Errorf("overspent: %d of %d micro-dollars", spent, limit)
	}
	kit.Eventually(t, clickHouseDeadline, "the inference log equals the ledger", func() error {
		var sum int64
		for page := 1; ; page++ {
			a := c.Get(t, "/v1/inference-logs"+kit.Query("page", itoa(page), "page_size", "100"))
			for i := range a.List("data") {
				sum += a.Micro("data." + itoa(i) + ".cost_usd")
			}
			if !a.Bool("has_more") {
				break
			}
		}
		return kit.Differ("the sum of recorded costs", sum, spent)
	})
	if costs := c.Get(t, "/api/v1/analytics/costs").Micro("data.totalUsd"); costs != spent {
		t.Errorf("the analytics say %d micro-dollars, the ledger %d", costs, spent)
	}
}
