//go:build e2e

package crash

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"strata/test/kit"
)

// The time of a node goes on while the server is away. What was late when it came back
// fails with TIMEOUT, asks nobody any more, and leaves nothing running.
func TestNodesAreLateAfterAKill(t *testing.T) {
	var asked atomic.Int64
	address := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer address.Close()
	server := kit.Start(t, kit.Options{Binary: failpoints(t), Env: []string{reachable}})
	s := &scene{T: t, server: server, c: server.Client()}
	s.c.Create(t, "/v1/workflows", object{"name": "inner", "nodes": []object{{"id": "decide", "type": "human"}}})
	s.c.Create(t, "/v1/workflows", object{"name": "ask", "nodes": []object{
		{"id": "n", "type": "http", "timeout_ms": 1, "config": object{"url": address.URL}}}})
	s.c.Create(t, "/v1/workflows", object{"name": "call", "nodes": []object{
		{"id": "n", "type": "workflow", "timeout_ms": 1, "config": object{"workflow": "inner"}}}})
	for i, c := range []struct{ workflow, point string }{
		{"ask", "step.begun:1"}, {"call", "step.begun:1"}, {"call", "step.performed:1"}, {"call", "step.ended:1"},
	} {
		s.point = c.point
		s.restart("STRATA_FAILPOINT="+c.point, reachable)
		path, key := "/v1/workflows/"+c.workflow, []string{"Idempotency-Key", fmt.Sprint("late ", i)}
		_, _ = s.c.Call(t.Context(), "POST", path+"/run", object{}, key...) // the answer may be lost with the process
		s.ended()
		s.start(reachable)
		run := s.c.Do(t, http.StatusAccepted, "POST", path+"/run", object{}, key...).Str("invocation_id")
		kit.Eventually(t, within, "the run to end after "+c.point, func() error {
			a := s.c.Get(t, path+"/invocations/"+run)
			if a.Str("status") != "failed" || a.Str("error.code") != "TIMEOUT" {
				return fmt.Errorf("it is %s", a.Short())
			}
			return nil
		})
		kit.Eventually(t, within, "nothing to be left running after "+c.point, func() error {
			all := s.c.Get(t, "/v1/workflows/inner/invocations?limit=10")
			return kit.Differ("runs that were cancelled", s.c.Get(t, "/v1/workflows/inner/invocations?limit=10&status=cancelled").Int("count"), all.Int("count"))
		})
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the address was asked %d times", n)
	}
}
