//go:build e2e

package e2e

import (
	"net/http"
	"testing"
	"time"

	"strata/test/kit"
)

// A text that no budget lets be embedded is found by its words, tells why it is not
// found by its meaning, keeps nothing else back, and is embedded when it can be.
func TestMemoriesThatCannotBeEmbedded(t *testing.T) {
	c := onShared(t)
	b := c.Create(t, "/api/v1/budgets", object{"name": "no tokens", "scopeType": "workspace", "limitUsd": 5, "limitTokens": 1, "period": "total"})
	id := c.Create(t, memories, object{"content": "Refunding of invoices takes five days", "user_id": "user_bob"}, b.After()...).Str("id")
	status := func(want string) func() error {
		return func() error {
			v, _ := c.Get(t, memories+"/"+id).Lookup("embedding.status")
			return kit.Differ("status", v, any(want))
		}
	}
	kit.Eventually(t, time.Minute, "the refusal is told", status("failed"))
	c.Get(t, memories+"/"+id).Want("embedding.code", "QUOTA_EXCEEDED")
	c.Post(t, memories+"/search", object{"query": "invoices", "user_id": "user_bob"}).Want("data.0.id", id)

	// What happens next to the same memory is not kept back.
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
	c.Put(t, memories+"/"+id, object{"content": "Refunding of invoices takes six days", "expires_at": soon})
	kit.Eventually(t, time.Minute, "the new text is told of as well", status("failed"))

	c.Do(t, http.StatusOK, "PUT", "/api/v1/budgets/"+b.Str("data.id"), object{"limitTokens": 100_000})
	kit.Eventually(t, 2*time.Minute, "the text is embedded by itself", status("embedded"))
	c.Post(t, memories+"/search", object{"query": "refunded invoice", "user_id": "user_bob"}).Want("data.0.id", id)
}
