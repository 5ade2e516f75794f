//go:build e2e

package crash

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// secretary is a model that searches, remembers what it was asked and recalls it, has a workflow double 21,
// and says that it is done: it goes by the messages that follow the latest of the user.
func secretary(w http.ResponseWriter, r *gatewaytest.Request) {
	messages, _ := r.JSON["messages"].([]any)
	var asked any
	told := 0
	for _, m := range messages {
		switch message, _ := m.(object); message["role"] {
		case "user":
			asked, told = message["content"], 0
		case "tool":
			told++
		}
	}
	switch told {
	case 0:
		callTool(w, r, "search_knowledge", object{"query": "refund", "top_k": 1})
	case 1:
		callTool(w, r, "remember", object{"content": asked})
	case 2:
		callTool(w, r, "recall", object{"query": asked, "limit": 50})
	case 3:
		callTool(w, r, "workflow__double", object{"n": 21})
	default:
		gatewaytest.Answer("Done.")(w, r)
	}
}

// callTool answers that a tool is to be called.
func callTool(w http.ResponseWriter, r *gatewaytest.Request, tool string, arguments object) {
	encoded, _ := json.Marshal(arguments) // what comes from JSON always encodes
	body, _ := json.Marshal(object{"id": "x", "object": "chat.completion", "model": "m", "usage": object{"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
		"choices": []object{{"index": 0, "finish_reason": "tool_calls", "message": object{"role": "assistant", "content": nil, "tool_calls": []object{
			{"id": "c1", "type": "function", "function": object{"name": tool, "arguments": string(encoded)}}}}}}})
	gatewaytest.JSON(string(body))(w, r)
}

// A run that searches, remembers, has a workflow run and speaks in a session goes on after a
// kill between any two of its steps: it leaves one memory, one run of the workflow, and
// one turn of each.
func TestAgentToolsSurviveKills(t *testing.T) {
	up := gatewaytest.NewUpstream(t)
	up.Always(secretary)
	server := kit.Start(t, kit.Options{Binary: failpoints(t), Env: []string{reachable, kit.WordsAlone}})
	s := &scene{T: t, server: server, c: server.Client()}
	s.c.Create(t, "/api/v1/providers", object{"name": "p", "type": "openai_compatible", "baseUrl": up.URL, "models": []string{"m"}})
	s.c.Create(t, "/v1/workflows", object{"name": "double", "edges": []object{{"source": "twice", "target": "end"}}, "nodes": []object{
		{"id": "twice", "type": "transform", "config": object{"expression": "inputs.n * 2"}},
		{"id": "end", "type": "end", "config": object{"outputs": object{"twice": "{{nodes.twice}}"}}}}})
	base := s.c.Create(t, "/v1/knowledge-bases", object{"name": "Handbook"}).Str("id")
	s.c.Do(t, http.StatusAccepted, "POST", "/v1/knowledge-bases/"+base+"/texts", object{"name": "refunds", "content": "A refund takes five working days."})
	kit.Eventually(t, within, "the text is processed", func() error {
		if all := s.c.Get(t, "/v1/knowledge-bases/"+base+"/documents"); fmt.Sprint(all.Strings("data", "status")) != "[completed]" {
			return fmt.Errorf("it is not: %s", all.Short())
		}
		return nil
	})
	agent := s.c.Create(t, "/v1/agents", object{"name": "secretary", "model": "p/m", "memory_provider": "internal", "tools": []string{"workflow:double"}, "dataset_ids": []string{base}}).Str("id")
	// Steps are counted over both runs: the turn of the user, recall, model, search,
	// model, remember, model, recall, model, double, the workflow's own, model, the turn
	// of the agent.
	points := []string{"step.performed:1", "step.performed:2", "step.begun:4", "step.performed:4", "step.ended:4", "step.begun:6", "step.performed:6", "step.ended:6",
		"step.performed:8", "step.performed:10", "step.ended:10", "step.performed:11", "step.ended:11", "step.performed:13"}
	for i, point := range points {
		s.point = point
		session := s.c.Create(t, "/v1/sessions", object{"user_id": "user_guest"}).Str("uid")
		s.restart("STRATA_FAILPOINT="+point, reachable, kit.WordsAlone)
		body := object{"input": object{"message": fmt.Sprint("note ", i)}, "session_id": session}
		key := []string{"Idempotency-Key", fmt.Sprint("note ", i)}
		_, _ = s.c.Call(t.Context(), "POST", "/v1/agents/secretary/runs", body, key...) // the answer may be lost with the process
		s.ended()
		s.start(reachable, kit.WordsAlone)
		run := s.endedRun(s.c.Do(t, http.StatusAccepted, "POST", "/v1/agents/secretary/runs", body, key...).Str("id"))
		run.Want("status", "completed", "output.message", "Done.", "step_count", 10)
		steps := s.c.Get(t, "/v1/runs/"+run.Str("id")+"/steps").Want("data.8.output.content", `{"twice":42}`)
		if got := fmt.Sprint(steps.Strings("data", "type"), steps.Strings("data", "status")); got != "[memory llm retrieval llm memory llm memory llm tool llm] [completed completed completed completed completed completed completed completed completed completed]" {
			t.Errorf("%s: the steps are %s", point, got)
		}
		for n, want := range map[int]string{2: "five working days", 6: fmt.Sprint("note ", i)} {
			if said := steps.Str(fmt.Sprintf("data.%d.output.content", n)); !strings.Contains(said, want) {
				t.Errorf("%s: step %d answered %s", point, n+1, said)
			}
		}
		if kept := s.c.Post(t, "/v1/memory/internal/memories/list", object{"agent_id": agent, "limit": 100}).List("data"); len(kept) != i+1 {
			t.Errorf("%s: there are %d memories after %d runs", point, len(kept), i+1)
		}
		if n := s.c.Get(t, "/v1/workflows/double/invocations?limit=100").Int("count"); int(n) != i+1 {
			t.Errorf("%s: there are %d runs of the workflow after %d of the agent", point, n, i+1)
		}
		s.c.Get(t, "/v1/sessions/"+session+"/events").Want("count", 2, "data.0.content.text", fmt.Sprint("note ", i), "data.1.content.text", "Done.")
	}
}
