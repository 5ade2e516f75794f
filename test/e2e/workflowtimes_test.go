//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"strata/test/kit"
)

// A model that does not answer, a workflow that waits for somebody, items that hang:
// nodes end when their time is over, and what they have started ends with them.
func TestWorkflowNodesEndInTime(t *testing.T) {
	oneProcess(t, "needs a setting of its own")
	address := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the client has gone
		<-r.Context().Done()
	}))
	defer address.Close()
	c := kit.Start(t, kit.Options{Env: []string{"STRATA_OUTBOUND_PRIVATE=127.0.0.1"}}).Client()
	c.Create(t, "/api/v1/providers", object{"name": "mute", "type": "openai_compatible", "baseUrl": address.URL, "apiKey": "sk-x", "models": []string{"m"}})
	c.Create(t, "/v1/workflows", object{"name": "inner", "nodes": []object{node("decide", "human", nil)}})
	for name, n := range map[string]object{
		"model":    node("n", "llm", object{"model": "mute/m", "prompt": "Hello?"}),
		"workflow": node("n", "workflow", object{"workflow": "inner"}),
		"items":    node("n", "parallel", object{"items": "1..3", "do": object{"type": "http", "config": object{"url": address.URL}}}),
		"wait":     node("n", "wait", object{"duration_ms": 3_600_000}),
	} {
		n["timeout_ms"], n["retry"] = 100, object{"max_attempts": 2}
		c.Create(t, "/v1/workflows", object{"name": name, "nodes": []object{n}})
		c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/"+name+"/run", object{"inputs": object{}}).
			Want("data.status", "failed", "data.error.code", "TIMEOUT", "data.error.nodeId", "n")
	}
	kit.Eventually(t, time.Minute, "the runs of inner to be cancelled", func() error {
		all := c.Get(t, "/v1/workflows/inner/invocations?limit=10")
		cancelled := c.Get(t, "/v1/workflows/inner/invocations?limit=10&status=cancelled")
		if all.Int("count") != cancelled.Int("count") || all.Int("count") > 2 {
			return fmt.Errorf("there are %s", all.Short())
		}
		return nil
	})
	c.Create(t, "/v1/workflows", object{"name": "whole", "config": object{"timeout_ms": 100}, "nodes": []object{node("nap", "wait", object{"duration_ms": 3_600_000})}})
	c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/whole/run", object{"inputs": object{}}).Want("data.status", "failed", "data.error.code", "TIMEOUT")
	c.Do(t, http.StatusBadRequest, "POST", "/v1/workflows", object{"name": "wrong", "nodes": []object{
		node("n", "loop", object{"items": "[]", "do": object{"type": "transform", "timeout_ms": -1, "config": object{"expression": "1"}}})}}).
		Want("details.0.field", "nodes[0].config.do.timeout_ms")
}
