//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"strata/test/kit"
)

// A node that calls a workflow waits for it no longer than it says: the run that it
// waits for is cancelled, and it fails as its retries and edges say.
func TestWorkflowNodesWaitNoLongerThanTheySay(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/api/v1/workflows", object{"name": "endless", "nodes": []object{node("start", "start", nil), node("wait", "wait", object{"duration_ms": 3_600_000})},
		"edges": []object{edge("start", "wait")}})
	call := func(config object, retry object) object {
		n := node("call", "workflow", config)
		n["timeout_ms"] = 100
		if retry != nil {
			n["retry"] = retry
		}
		return n
	}
	c.Create(t, "/api/v1/workflows", object{"name": "patient", "nodes": []object{
		call(object{"workflow": "endless"}, object{"max_attempts": 2, "backoff_ms": 1}),
		node("why", "transform", object{"expression": "nodes.call.error.code + ': ' + nodes.call.error.message"}),
	}, "edges": []object{edge("call", "why", "error")}})
	items := call(object{"items": "1..2", "do": object{"type": "workflow", "config": object{"workflow": "endless"}}}, nil)
	items["type"] = "parallel"
	c.Create(t, "/api/v1/workflows", object{"name": "several", "nodes": []object{items}})

	ran := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/patient/run", object{"inputs": object{}, "options": object{"timeout": 60_000}})
	ran.Want("data.status", "completed", "data.outputs.why", "TIMEOUT: the workflow it called was cancelled: it took longer than the node's timeout_ms allows")
	ran = c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/several/run", object{"inputs": object{}, "options": object{"timeout": 60_000}})
	ran.Want("data.status", "failed", "data.error.code", "TIMEOUT", "data.error.nodeId", "call")
	kit.Eventually(t, time.Minute, "every run that was waited for is cancelled", func() error {
		all := c.Get(t, "/v1/workflows/endless/invocations?limit=100")
		if n := all.Int("count"); n > 4 { // two tries, two items, if they came to it in their time
			return fmt.Errorf("%d runs", n)
		}
		for i := range int(all.Int("count")) {
			if s := all.Str(fmt.Sprintf("data.%d.status", i)); s != "cancelled" {
				return fmt.Errorf("run %d is %s", i, s)
			}
		}
		return nil
	})
}

// Where a text is wanted, a place that comes to something else is written as text.
func TestWorkflowPlacesComeToTexts(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/api/v1/workflows", object{"name": "texts", "nodes": []object{
		node("ask", "llm", object{"model": "strata/echo", "system": "{{inputs.list}}", "prompt": "{{inputs.n}}"}),
		node("turns", "llm", object{"model": "strata/echo", "messages": []object{{"role": "user", "content": "{{inputs.yes}}"}}}),
	}, "edges": []object{}})
	ran := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/texts/run", object{"inputs": object{"n": 2.5, "list": []int{1, 2}, "yes": true}, "options": object{"timeout": 60_000}})
	ran.Want("data.status", "completed", "data.outputs.ask.text", "2.5", "data.outputs.turns.text", "true")
}
