//go:build e2e

package crash

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"strata/test/kit"
)

// A run goes on after a kill between any two steps, and whoever is called can tell
// by the key that a request is the same.
func TestWorkflowRunsGoOnAfterAKill(t *testing.T) {
	var mu sync.Mutex
	effects := map[string]map[string]int{} // by path: how often each key came
	address := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if effects[r.URL.Path] == nil {
			effects[r.URL.Path] = map[string]int{}
		}
		effects[r.URL.Path][r.Header.Get("Idempotency-Key")]++
		w.WriteHeader(http.StatusOK)
	}))
	defer address.Close()
	setting := "STRATA_OUTBOUND_PRIVATE=127.0.0.1"
	server := kit.Start(t, kit.Options{Binary: failpoints(t), Env: []string{setting}})
	s := &scene{T: t, server: server, c: server.Client()}
	call := func(id string) object {
		return object{"id": id, "type": "http", "config": object{"method": "POST", "url": address.URL + "/{{inputs.run}}/" + id}}
	}
	s.c.Create(t, "/v1/workflows", object{"name": "inner", "nodes": []object{call("deep")}})
	s.c.Create(t, "/v1/workflows", object{"name": "outer", "nodes": []object{call("a"), call("b"),
		{"id": "sub", "type": "workflow", "config": object{"workflow": "inner", "inputs": object{"run": "{{inputs.run}}"}}},
		{"id": "nap", "type": "wait", "config": object{"duration_ms": 50}}, call("c")},
		"edges": []object{{"source": "a", "target": "b"}, {"source": "a", "target": "sub"}, {"source": "b", "target": "nap"}, {"source": "sub", "target": "nap"}, {"source": "nap", "target": "c"}}})
	points := []string{"step.begun:1", "step.performed:1", "step.ended:1", "step.begun:2", "step.performed:3", "step.ended:3", "step.performed:4", "step.ended:5", "step.performed:6"}
	for i, point := range points {
		s.point = point
		s.restart("STRATA_FAILPOINT="+point, setting)
		body, key := object{"inputs": object{"run": fmt.Sprint("r", i)}}, []string{"Idempotency-Key", fmt.Sprint("run ", i)}
		_, _ = s.c.Call(t.Context(), "POST", "/v1/workflows/outer/run", body, key...) // the answer may be lost with the process
		s.ended()
		s.start(setting)
		run := s.c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/outer/run", body, key...).Str("invocation_id")
		kit.Eventually(t, time.Minute, "the run to end after "+point, func() error {
			if a := s.c.Get(t, "/v1/workflows/outer/invocations/"+run); a.Str("status") != "completed" {
				return fmt.Errorf("it is %s", a.Short())
			}
			return nil
		})
		mu.Lock()
		for _, id := range []string{"a", "b", "c", "deep"} {
			if keys := effects[fmt.Sprintf("/r%d/%s", i, id)]; len(keys) != 1 {
				t.Errorf("%s: %s was asked for with %d keys: %v", point, id, len(keys), keys)
			}
		}
		mu.Unlock()
	}
}
