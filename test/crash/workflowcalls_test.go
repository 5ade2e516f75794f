//go:build e2e

package crash

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"strata/test/kit"
)

// A run that calls a tool, runs an agent and searches goes on after a kill between any
// two of its steps: it starts one run of the agent, and calls the tool again only
// because its node allows that.
func TestWorkflowCallsGoOnAfterAKill(t *testing.T) {
	tool := newBooth(t)
	server := kit.Start(t, kit.Options{Binary: failpoints(t), Env: []string{reachable}})
	s := &scene{T: t, server: server, c: server.Client()}
	s.c.Create(t, "/v1/mcps", object{"name": "booth", "transport": "streamable_http", "url": tool.URL})
	s.c.Create(t, "/v1/agents", object{"name": "opener", "instructions": "We open at nine.", "model": "strata/extract-1", "status": "active"})
	base := s.c.Create(t, "/v1/knowledge-bases", object{"name": "Handbook"}).Str("id")
	s.c.Create(t, "/v1/workflows", object{"name": "errands", "nodes": []object{
		{"id": "buy", "type": "tool", "config": object{"tool": "mcp:booth/buy", "repeatable": true, "arguments": object{"what": "{{inputs.what}}"}}},
		{"id": "ask", "type": "agent", "config": object{"agent": "opener", "message": "When do you open?"}},
		{"id": "look", "type": "knowledge", "config": object{"dataset_ids": []string{base}, "query": "tea", "mode": "keyword"}},
		{"id": "end", "type": "end", "config": object{"outputs": object{"bought": "{{nodes.buy.text}}", "said": "{{nodes.ask.message}}", "found": "{{nodes.look.count}}"}}}},
		"edges": []object{{"source": "buy", "target": "ask"}, {"source": "ask", "target": "look"}, {"source": "look", "target": "end"}}})
	// Steps are counted over both runs: buy, ask, the agent's own, ask's end, look.
	points := []string{"step.begun:1", "step.performed:1", "step.ended:1", "step.begun:2", "step.performed:2", "step.ended:2", "step.performed:3", "step.ended:3",
		"step.performed:4", "step.ended:4"}
	for i, point := range points {
		s.point = point
		s.restart("STRATA_FAILPOINT="+point, reachable)
		what := fmt.Sprint("ticket ", i)
		body, key := object{"inputs": object{"what": what}}, []string{"Idempotency-Key", fmt.Sprint("errand ", i)}
		_, _ = s.c.Call(t.Context(), "POST", "/v1/workflows/errands/run", body, key...) // the answer may be lost with the process
		s.ended()
		s.start(reachable)
		run := s.c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/errands/run", body, key...).Str("invocation_id")
		var last *kit.Answer
		kit.Eventually(t, within, "the run to end after "+point, func() error {
			if last = s.c.Get(t, "/v1/workflows/errands/invocations/"+run); last.Str("status") != "completed" {
				return fmt.Errorf("it is %s", last.Short())
			}
			return nil
		})
		last.Want("outputs.bought", "sold "+what, "outputs.found", 0)
		if said := last.Str("outputs.said"); !strings.Contains(said, "nine") {
			t.Errorf("%s: the agent said %q", point, said)
		}
		if n := s.c.Get(t, "/v1/runs?limit=100").Int("count"); int(n) != i+1 {
			t.Errorf("%s: there are %d runs of the agent after %d of the workflow", point, n, i+1)
		}
		want := 1
		if point == "step.performed:1" { // it was called, and nobody knew
			want = 2
		}
		if n := tool.count(what); n != want {
			t.Errorf("%s: the tool was called %d times, not %d", point, n, want)
		}
	}
}
