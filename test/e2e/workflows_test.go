//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"strata/test/kit"
)

func node(id, kind string, config object) object {
	n := object{"id": id, "type": kind}
	if config != nil {
		n["config"] = config
	}
	return n
}

func edge(from, to string, more ...string) object {
	e := object{"source": from, "target": to}
	if len(more) > 0 {
		e["source_handle"] = more[0]
	}
	return e
}

// triage asks a model, doubles numbers side by side, and has somebody decide when
// they come to much.
func triage(name string) object {
	return object{"name": name, "nodes": []object{
		node("start", "start", nil),
		node("ask", "llm", object{"prompt": "Context: Tea is a hot drink. Question: {{inputs.q}}"}),
		node("each", "parallel", object{"items": "inputs.items", "do": object{"type": "transform", "config": object{"expression": "item * 2"}}}),
		node("much", "condition", object{"expression": "sum(nodes.each) > 5"}),
		node("approve", "human", object{"prompt": "Is {{sum(nodes.each)}} well?", "schema": object{"type": "object", "required": []string{"why"}}}),
		node("end", "end", object{"outputs": object{"text": "{{nodes.ask.text}}", "sum": "{{sum(nodes.each)}}", "by": "{{nodes.approve?.decision}}"}}),
	}, "edges": []object{
		edge("start", "ask"), edge("start", "each"), edge("each", "much"), edge("much", "approve", "true"), edge("much", "end", "false"),
		edge("approve", "end", "approved"), edge("ask", "end"),
	}, "input_schema": object{"type": "object", "required": []string{"q", "items"}, "properties": object{"q": object{"type": "string"}}}}
}

// invocation waits until a run stands as wanted.
func invocation(t *testing.T, c tenant, workflow, run, status string) (last *kit.Answer) {
	t.Helper()
	kit.Eventually(t, time.Minute, "the run is "+status, func() error {
		if last = c.Get(t, "/v1/workflows/"+workflow+"/invocations/"+run); last.Str("status") != status {
			return fmt.Errorf("it is %s", last.Short())
		}
		return nil
	})
	return last
}

func TestWorkflowRuns(t *testing.T) {
	c, stranger := onShared(t), onShared(t)
	made := c.Create(t, "/api/v1/workflows", triage("triage"))
	c.Get(t, "/v1/workflows/triage", made.After()...).Want("id", made.Str("data.id"), "version", 1, "status", "draft", "nodes.1.type", "llm", "latest_run_id", "")
	ran := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/triage/run", object{"inputs": object{"q": "What is tea?", "items": []int{1, 1}}})
	ran.Want("data.status", "completed", "data.outputs.sum", 4, "data.outputs.text", "Context: Tea is a hot drink.", "data.workflowVersion", 1)
	id := made.Str("data.id")
	kit.Eventually(t, time.Minute, "the workflow names its run", func() error {
		return kit.Differ("latest run", c.Get(t, "/v1/workflows/"+id).Str("latest_run_id"), ran.Str("data.runId"))
	})
	c.Get(t, "/api/v1/workflows/"+id+"/status", ran.After()...).Want("data.runId", ran.Str("data.runId"), "data.status", "completed")
	sent := c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/triage/run", object{"inputs": object{"q": "What is tea?", "items": []int{1, 2, 3}}})
	run := sent.Str("invocation_id")
	sent.Want("workflow_name", "triage", "status", "queued")
	path := "/v1/workflows/triage/invocations/" + run
	invocation(t, c, "triage", run, "paused").Want("workflow_id", id, "inputs.q", "What is tea?", "trigger", "api")
	c.Do(t, http.StatusBadRequest, "POST", path+"/resume", object{"node_id": "approve", "decision": "maybe", "payload": object{}}).Want("code", "VALIDATION_ERROR")
	stranger.Do(t, http.StatusNotFound, "POST", path+"/resume", object{"node_id": "approve"})
	stranger.Do(t, http.StatusNotFound, "GET", path, nil)
	c.Do(t, http.StatusOK, "POST", path+"/resume", object{"node_id": "approve", "decision": "approved", "payload": object{"why": "it is"}})
	invocation(t, c, "triage", run, "completed").Want("outputs.by", "approved", "outputs.sum", 12)
	c.Do(t, http.StatusConflict, "POST", path+"/resume", object{"node_id": "approve"})
	c.Do(t, http.StatusConflict, "POST", path+"/cancel", object{})
	steps := c.Get(t, path+"/steps?limit=100")
	if got := steps.Int("count"); got != 9 {
		t.Errorf("%d steps, want 9: %s", got, steps.Short())
	}
	c.Get(t, "/api/v1/workflows/triage/executions?status=completed&limit=1").Want("pagination.hasMore", true)
	forked := c.Do(t, http.StatusAccepted, "POST", path+"/fork", object{"from_node_id": "much"})
	invocation(t, c, "triage", forked.Str("run_id"), "paused").Want("origin_run_id", run)
	c.Do(t, http.StatusOK, "POST", "/v1/workflows/triage/invocations/"+forked.Str("run_id")+"/cancel", object{"reason": "enough"}).Want("status", "cancelled")
	// An answer that was lost is found again.
	body, key := object{"inputs": object{"q": "x", "items": []int{}}}, []string{"Idempotency-Key", "once"}
	first := c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/triage/run", body, key...)
	c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/triage/run", body, key...).Want("invocation_id", first.Str("invocation_id"))
	c.Do(t, http.StatusBadRequest, "POST", "/v1/workflows/triage/run", object{"inputs": object{"q": 7}}).Want("details.0.field", "inputs")
	c.Do(t, http.StatusNotFound, "POST", "/v1/workflows/none/run", object{})
}

func TestWorkflowFaultsAreNamed(t *testing.T) {
	c := onShared(t)
	bad := object{"nodes": []object{node("a", "transform", object{"expression": "1 +"}), node("b", "code", nil)}, "edges": []object{edge("a", "b"), edge("b", "a"), edge("a", "z")}}
	said := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/validate", bad).Want("data.valid", false)
	var codes []string
	for _, e := range said.List("data.errors") {
		codes = append(codes, fmt.Sprint(e.(map[string]any)["code"]))
	}
	if got := strings.Join(codes, " "); got != "expression unsupported unknown_node cycle cycle" {
		t.Errorf("problems %s", got)
	}
	bad["name"] = "bad"
	c.Do(t, http.StatusBadRequest, "POST", "/v1/workflows", bad).Want("details.0.field", "nodes[0].config.expression")
}

// counting is a server that says how often each key came, and fails when told.
type counting struct {
	mu   sync.Mutex
	keys map[string]int
	fail int // this many requests
}

func (s *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[r.Header.Get("Idempotency-Key")]++
	if s.fail > 0 {
		s.fail--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"path":%q}`, r.URL.Path)
}

func TestWorkflowHTTPRetriesAndGuards(t *testing.T) {
	oneProcess(t, "needs a setting of its own")
	world := &counting{keys: map[string]int{}, fail: 2}
	address := httptest.NewServer(world)
	defer address.Close()
	server := kit.Start(t, kit.Options{Env: []string{"STRATA_OUTBOUND_PRIVATE=127.0.0.1"}})
	c := server.Client()
	call := node("call", "http", object{"method": "POST", "url": address.URL + "/{{inputs.path}}", "body": object{"n": "{{inputs.n}}"}})
	call["retry"] = object{"max_attempts": 3, "backoff_ms": 1}
	c.Create(t, "/v1/workflows", object{"name": "call", "nodes": []object{call, node("down", "workflow", object{"workflow": "inner", "inputs": object{"v": "{{nodes.call.body.path}}"}})},
		"edges": []object{edge("call", "down")}})
	c.Create(t, "/v1/workflows", object{"name": "inner", "nodes": []object{node("t", "transform", object{"expression": "upper(inputs.v)"})}})
	ran := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/call/run", object{"inputs": object{"path": "x", "n": 1}})
	ran.Want("data.status", "completed", "data.outputs.down.t", "/X")
	world.mu.Lock()
	defer world.mu.Unlock()
	if len(world.keys) != 1 {
		t.Errorf("keys %v, want one for all tries", world.keys)
	}
	closed := kit.Start(t, kit.Options{}).Client()
	closed.Create(t, "/v1/workflows", object{"name": "call", "nodes": []object{node("call", "http", object{"url": address.URL})}})
	closed.Do(t, http.StatusOK, "POST", "/api/v1/workflows/call/run", object{"inputs": object{}}).
		Want("data.status", "failed", "data.error.code", "FORBIDDEN", "data.error.nodeId", "call")
}

func TestWorkflowRetryKeepsResults(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/v1/workflows", object{"name": "flaky", "nodes": []object{node("a", "transform", object{"expression": "inputs.n + 1"}),
		node("check", "validation", object{"rules": []object{{"expression": "nodes.a > 5", "message": "is too little"}}}), node("end", "end", nil)},
		"edges": []object{edge("a", "check"), edge("check", "end")}})
	failed := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/flaky/run", object{"inputs": object{"n": 1}})
	failed.Want("data.status", "failed", "data.error.nodeId", "check", "data.error.code", "VALIDATION_ERROR")
	run := failed.Str("data.runId")
	again := c.Do(t, http.StatusAccepted, "POST", "/api/v1/workflows/flaky/executions/"+run+"/retry", object{})
	again.Want("data.trigger", "retry", "data.originRunId", run)
	last := invocation(t, c, "flaky", again.Str("data.runId"), "failed")
	last.Want("steps.0.id", "a", "steps.0.attempt", 0, "steps.0.output", 2)
	forked := c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/flaky/invocations/"+run+"/fork", object{"from_node_id": "a", "inputs": object{"n": 9}})
	invocation(t, c, "flaky", forked.Str("run_id"), "completed").Want("outputs.valid", true, "outputs.value", 10)
}

func TestWorkflowStreams(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/v1/workflows", triage("streamed"))
	res, err := c.Send(context.Background(), "POST", "/api/v1/workflows/streamed/run", object{"inputs": object{"q": "What is tea?", "items": []int{1}}, "options": object{"stream": true}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var types []string
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if !is {
			continue
		}
		var frame struct{ Type string }
		if err := json.Unmarshal([]byte(data), &frame); err != nil {
			t.Fatal(err)
		}
		types = append(types, frame.Type)
	}
	got := strings.Join(types, " ")
	if !strings.HasPrefix(got, "start step") || !strings.HasSuffix(got, "end") || strings.Count(got, "token") != 1 {
		t.Errorf("frames %s", got)
	}
}

// A thousand runs at once come to their end, and the server stays as it was.
func TestThousandWorkflowRuns(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/v1/workflows", object{"name": "many", "nodes": []object{node("a", "transform", object{"expression": "inputs.n * 2"}),
		node("nap", "wait", object{"duration_ms": 200}), node("b", "transform", object{"expression": "nodes.a + 1"}), node("end", "end", object{"outputs": object{"v": "{{nodes.b}}"}})},
		"edges": []object{edge("a", "nap"), edge("nap", "b"), edge("b", "end")}})
	const runs, callers = 1000, 16
	ids := make([]string, runs)
	var all sync.WaitGroup
	for w := range callers {
		all.Go(func() {
			for i := w; i < runs; i += callers {
				a, err := c.Call(context.Background(), "POST", "/v1/workflows/many/run", object{"inputs": object{"n": i}})
				if err != nil || a.Status != http.StatusAccepted {
					t.Errorf("run %d: %v", i, err)
					return
				}
				ids[i] = a.For(t).Str("invocation_id")
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for i := 0; i < runs; i += 97 {
		invocation(t, c, "many", ids[i], "completed").Want("outputs.v", 2*i+1)
	}
	kit.Eventually(t, time.Minute, "all runs to end", func() error {
		if left := c.Get(t, "/v1/workflows/many/invocations?status=running"); left.Int("count") > 0 {
			return fmt.Errorf("some run")
		}
		return nil
	})
}
