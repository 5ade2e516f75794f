//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// wants is a model's answer that asks for a tool.
func wants(tool string, arguments object) gatewaytest.Behaviour {
	text, _ := json.Marshal(arguments) // JSON already
	body, _ := json.Marshal(object{"id": "x", "object": "chat.completion", "model": "m", "usage": object{"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
		"choices": []object{{"index": 0, "finish_reason": "tool_calls", "message": object{"role": "assistant", "content": nil, "tool_calls": []object{
			{"id": "c1", "type": "function", "function": object{"name": tool, "arguments": string(text)}}}}}}})
	return gatewaytest.JSON(string(body))
}

// ran starts a run of an agent and waits for its end.
func (c tenant) ran(t *testing.T, agent string, body object) *kit.Answer {
	t.Helper()
	id := c.Do(t, http.StatusAccepted, "POST", "/v1/agents/"+agent+"/runs", body).Str("id")
	return c.runEnds(t, id)
}

func (c tenant) runEnds(t *testing.T, id string) (run *kit.Answer) {
	t.Helper()
	kit.Eventually(t, time.Minute, "the run ends", func() error {
		if run = c.Get(t, "/v1/runs/"+id); run.Str("status") == "queued" || run.Str("status") == "running" {
			return fmt.Errorf("it is %s", run.Short())
		}
		return nil
	})
	return run
}

func input(message string) object { return object{"input": object{"message": message}} }

// An agent with knowledge bases lets its model search them, and shows what it found.
func TestAgentsSearchKnowledge(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "scripted")
	base, document := c.stocked(t)
	c.Do(t, http.StatusBadRequest, "POST", "/v1/agents", object{"name": "clerk", "model": "scripted/m", "dataset_ids": []string{base, "kb_none"}}).
		Want("details.0.field", "dataset_ids[1]")
	c.Create(t, "/v1/agents", object{"name": "clerk", "model": "scripted/m", "dataset_ids": []string{base}})
	c.Do(t, http.StatusBadRequest, "PATCH", "/v1/agents/clerk", object{"dataset_ids": []string{"No such base"}}).Want("details.0.field", "dataset_ids[0]")
	up.Next(wants("search_knowledge", object{"query": "How long does a refund take?", "top_k": 1}), gatewaytest.Answer("Five working days [1]."))
	run := c.ran(t, "clerk", input("How long does my refund take?")).Want("status", "completed", "output.message", "Five working days [1].")
	steps := c.Get(t, "/v1/runs/"+run.Str("id")+"/steps")
	steps.Want("data.1.type", "retrieval", "data.1.name", "search_knowledge", "data.1.input.query", "How long does a refund take?", "data.1.status", "completed")
	var said struct {
		Passages []struct {
			Number     int
			Text       string
			DocumentID string `json:"document_id"`
			DatasetID  string `json:"dataset_id"`
			Headings   []string
		}
	}
	if err := json.Unmarshal([]byte(steps.Str("data.1.output.content")), &said); err != nil {
		t.Fatal(err)
	}
	if len(said.Passages) != 1 || said.Passages[0].DocumentID != document || said.Passages[0].DatasetID != base || !strings.Contains(said.Passages[0].Text, "five working days") {
		t.Errorf("found %+v", said)
	}
	asked := up.Requests()
	if len(asked) != 2 || !strings.Contains(string(asked[0].Body), `"search_knowledge"`) || !strings.Contains(string(asked[1].Body), "five working days") {
		t.Errorf("the model was asked %d times and not told what was found", len(asked))
	}

	gone := c.Delete(t, "/v1/knowledge-bases/"+base)
	c.Do(t, http.StatusNotFound, "GET", "/v1/knowledge-bases/"+base, nil, gone.After()...) // the agent reads the same model, and waits for nobody
	up.Next(wants("search_knowledge", object{"query": "refund"}), wants("search_knowledge", object{}), gatewaytest.Answer("I cannot look it up."))
	run = c.ran(t, "clerk", input("And now?")).Want("status", "completed", "output.message", "I cannot look it up.")
	c.Get(t, "/v1/runs/"+run.Str("id")+"/steps").Want("data.1.status", "failed", "data.3.status", "failed")
	for i, want := range []string{"not found", "query must be a text"} {
		if told := string(up.Requests()[3+i].Body); !strings.Contains(told, want) {
			t.Errorf("the model is not told %q: %s", want, told)
		}
	}
}

// An agent that remembers recalls what it knows of who it speaks with before its
// model is asked, and keeps what the model wants kept, for that person alone.
func TestAgentsRemember(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "scripted")
	c.Do(t, http.StatusBadRequest, "POST", "/v1/agents", object{"name": "friend", "memory_provider": "elsewhere"}).Want("details.0.field", "memory_provider")
	agent := c.Create(t, "/v1/agents", object{"name": "friend", "model": "scripted/m", "instructions": "Be kind.", "memory_provider": "internal"}).Str("id")
	up.Next(wants("remember", object{"content": "Prefers answers in German", "importance": 0.9}), wants("recall", object{"query": "German answers"}), gatewaytest.Answer("Gern."))
	run := c.ran(t, "friend", input("Please give your answers in German.")).Want("status", "completed", "output.message", "Gern.")
	steps := c.Get(t, "/v1/runs/"+run.Str("id")+"/steps")
	if got := fmt.Sprint(steps.Strings("data", "type"), steps.Strings("data", "name")); got != "[memory llm memory llm memory llm] [recall scripted/m remember scripted/m recall scripted/m]" {
		t.Errorf("steps %s", got)
	}
	steps.Want("data.0.output.content", "", "data.0.input.query", "Please give your answers in German.")
	if said := steps.Str("data.4.output.content"); !strings.Contains(said, "Prefers answers in German") {
		t.Errorf("recalled %s", said)
	}
	kept := c.Post(t, "/v1/memory/internal/memories/list", object{"agent_id": agent}).Want("data.0.content", "Prefers answers in German", "data.0.importance", 0.9, "data.0.metadata.run_id", run.Str("id"))
	if len(kept.List("data")) != 1 {
		t.Errorf("kept %s", kept.Short())
	}
	// What is about somebody else is not recalled, nor what another agent remembers.
	c.Create(t, "/v1/memory/internal/memories", object{"content": "Wants answers in French", "user_id": "user_somebody", "agent_id": agent})
	c.Create(t, "/v1/memory/internal/memories", object{"content": "Wants answers in Dutch", "user_id": kept.Str("data.0.user_id"), "agent_id": "agt_other"})

	up.Next(gatewaytest.Answer("Guten Tag."))
	next := c.ran(t, "friend", input("In which language do I want answers?")).Want("status", "completed", "step_count", 2)
	asked := up.Requests()
	told := string(asked[len(asked)-1].Body)
	if !strings.Contains(told, "Be kind.") || !strings.Contains(told, "Prefers answers in German") || strings.Contains(told, "French") || strings.Contains(told, "Dutch") {
		t.Errorf("the model is told %s", told)
	}
	// Forked from the model's call it knows the same, though it was forgotten since.
	c.Delete(t, "/v1/memory/internal/memories/"+kept.Str("data.0.id"))
	up.Next(gatewaytest.Answer("Guten Abend."), gatewaytest.Answer("Good evening."))
	c.runEnds(t, c.Do(t, http.StatusAccepted, "POST", "/v1/runs/"+next.Str("id")+"/fork", object{"step": 2}).Str("id")).Want("step_count", 1)
	c.runEnds(t, c.Do(t, http.StatusAccepted, "POST", "/v1/runs/"+next.Str("id")+"/fork", object{"step": 1}).Str("id")).Want("step_count", 2)
	asked = up.Requests()
	if !strings.Contains(string(asked[len(asked)-2].Body), "German") || strings.Contains(string(asked[len(asked)-1].Body), "Prefers answers in German") {
		t.Error("forks do not know what they should")
	}
}

// told are the types of frames and the ids of steps that ended.
func told(frames []kit.Frame) string {
	var out []string
	for _, f := range frames {
		what := fmt.Sprint(f.JSON["type"])
		if step, is := f.JSON["step"].(object); is {
			what += fmt.Sprint(" ", step["index"], " ", step["type"])
		}
		out = append(out, what)
	}
	return strings.Join(out, ", ")
}

// Somebody who watches a run and is cut off goes on where they were: the run did not
// mind, and each step is told once.
func TestAgentRunsAreWatched(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "scripted")
	c.Create(t, "/v1/agents", object{"name": "teller", "model": "scripted/m", "tools": []string{"calculator"}})
	gate := make(chan struct{})
	up.Next(wants("calculator", object{"expression": "6 * 7"}), func(w http.ResponseWriter, r *gatewaytest.Request) {
		select {
		case <-gate:
			gatewaytest.Answer("It is 42.")(w, r)
		case <-r.Context().Done():
		}
	})
	const path = "/api/v1/agents/teller/execute/stream"
	key := []string{"Idempotency-Key", "watched"}
	first, err := c.OpenStream(t.Context(), "POST", path, input("What is six times seven?"), key...)
	if err != nil {
		t.Fatal(err)
	}
	var seen []kit.Frame
	for len(seen) < 3 {
		f, err := first.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, f)
	}
	if got := told(seen); got != "start, step 1 llm, step 2 tool" {
		t.Fatalf("told %s", got)
	}
	step := &kit.Answer{JSON: seen[1].JSON}
	step.For(t).Want("step.status", "completed", "step.input.omitted", 0, "step.input.messages.0.content", "What is six times seven?", "step.output.tool_calls.0.name", "calculator")
	run := fmt.Sprint(seen[0].JSON["runId"])
	first.Close() // cut off
	second, err := c.OpenStream(t.Context(), "POST", path, input("What is six times seven?"), append(key, "Last-Event-ID", seen[1].ID)...)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	third, err := c.OpenStream(t.Context(), "GET", "/api/v1/runs/"+run+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	close(gate)
	rest, err := second.All()
	if err != nil {
		t.Fatal(err)
	}
	if got := told(rest); got != "start, step 2 tool, step 3 llm, token, end" || rest[0].JSON["runId"] != run {
		t.Errorf("afterwards told %s", got)
	}
	all, err := third.All()
	if err != nil {
		t.Fatal(err)
	}
	if got := told(all); got != "start, step 1 llm, step 2 tool, step 3 llm, token, end" {
		t.Errorf("another who watches is told %s", got)
	}
	end := all[len(all)-1]
	if end.JSON["status"] != "completed" || fmt.Sprint(end.JSON["output"]) != "map[message:It is 42.]" || end.ID == "" {
		t.Errorf("the end is %+v", end)
	}
	late, err := c.OpenStream(t.Context(), "GET", "/api/v1/runs/"+run+"/stream", nil, "Last-Event-ID", end.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if frames, err := late.All(); err != nil || told(frames) != "start, end" {
		t.Errorf("who has seen all is told %s %v", told(frames), err)
	}
	if n := len(up.Requests()); n != 2 {
		t.Errorf("the model was asked %d times", n)
	}
	onShared(t).Do(t, http.StatusNotFound, "GET", "/api/v1/runs/"+run+"/stream", nil)
}

// A model that will not answer, whoever asks again, ends the run with its reason.
func TestAgentRunsFailHonestly(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "scripted")
	c.Create(t, "/v1/agents", object{"name": "barred", "model": "scripted/m"})
	up.Always(gatewaytest.Error(http.StatusUnauthorized, "the key is wrong", "", "invalid_api_key"))
	run := c.ran(t, "barred", input("Hello?")).Want("status", "failed", "output", nil)
	if run.Str("error.code") == "" || run.Str("error.message") == "" || run.Str("error.message") == "the model could not be asked" {
		t.Errorf("why is not said: %s", run.Short())
	}
	c.Get(t, "/v1/runs/"+run.Str("id")+"/steps").Want("data.0.status", "failed", "data.0.error.message", run.Str("error.message"), "data.0.input.messages.0.content", "Hello?")
	if n := len(up.Requests()); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
	c.Create(t, "/v1/agents", object{"name": "nobody", "model": "nowhere/at-all"})
	c.ran(t, "nobody", input("Hello?")).Want("status", "failed", "step_count", 1)
}

// A run in a session knows what was said before and leaves what was said in it.
func TestAgentsSpeakInSessions(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "scripted")
	c.Create(t, "/v1/agents", object{"name": "porter", "model": "scripted/m", "memory_provider": "internal"})
	session := c.Create(t, "/v1/sessions", object{"user_id": "user_guest"}).Str("uid")
	c.Create(t, "/v1/sessions/"+session+"/events", object{"author": "user", "content": object{"text": "I am in room 12."}})
	c.Create(t, "/v1/sessions/"+session+"/events", object{"author": "desk", "content": object{"parts": []object{{"text": "Welcome."}}}})
	c.Create(t, "/v1/memory/internal/memories", object{"content": "The guest likes a room with a view", "user_id": "user_guest"})
	up.Next(gatewaytest.Answer("It is room 12."))
	body := object{"input": object{"message": "Which room?"}, "session_id": session}
	run := c.ran(t, "porter", body).Want("status", "completed", "session_id", session)
	asked := string(up.Requests()[0].Body)
	for _, want := range []string{"I am in room 12.", `"assistant"`, "Welcome.", "Which room?", "likes a room with a view"} {
		if !strings.Contains(asked, want) {
			t.Errorf("the model is not told %q: %s", want, asked)
		}
	}
	events := c.Get(t, "/v1/sessions/"+session+"/events").Want("count", 4)
	if got := fmt.Sprint(events.Strings("data", "author")); got != "[user desk user porter]" {
		t.Errorf("authors %s", got)
	}
	events.Want("data.2.content.text", "Which room?", "data.2.invocation_id", run.Str("id"), "data.3.content.text", "It is room 12.", "data.3.content.role", "assistant")

	up.Next(gatewaytest.Answer("As I said."))
	c.ran(t, "porter", body)
	if asked := string(up.Requests()[1].Body); !strings.Contains(asked, "It is room 12.") {
		t.Errorf("the model is not told its own answer: %s", asked)
	}
	// A fork tries something: it is no part of the talk.
	up.Next(gatewaytest.Answer("Room 13."))
	c.runEnds(t, c.Do(t, http.StatusAccepted, "POST", "/v1/runs/"+run.Str("id")+"/fork", object{"step": 2}).Str("id")).Want("output.message", "Room 13.")
	c.Get(t, "/v1/sessions/"+session).Want("event_count", 6)

	// A session that is closed while the run goes on takes no more, and the run ends.
	up.Next(func(w http.ResponseWriter, r *gatewaytest.Request) {
		c.Post(t, "/v1/sessions/"+session+"/close", nil)
		gatewaytest.Answer("Too late.")(w, r)
	})
	c.ran(t, "porter", body).Want("status", "completed", "output.message", "Too late.")
	c.Get(t, "/v1/sessions/"+session).Want("event_count", 7)
	c.Do(t, http.StatusConflict, "POST", "/v1/agents/porter/runs", body)
	c.Do(t, http.StatusNotFound, "POST", "/v1/agents/porter/runs", object{"input": object{"message": "x"}, "session_id": "nowhere"})
}

// A workflow is a tool: its run is the step's, which waits for it, shows what came of
// it, and takes it along when the agent's run is cancelled.
func TestAgentsRunWorkflows(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "scripted")
	c.Create(t, "/v1/workflows", object{"name": "double", "description": "Doubles a number.",
		"nodes":        []object{node("twice", "transform", object{"expression": "inputs.n * 2"}), node("end", "end", object{"outputs": object{"twice": "{{nodes.twice}}"}})},
		"edges":        []object{edge("twice", "end")},
		"input_schema": object{"type": "object", "required": []string{"n"}, "properties": object{"n": object{"type": "number"}}}})
	c.Create(t, "/v1/agents", object{"name": "counter", "model": "scripted/m", "tools": []string{"workflow:double"}})
	up.Next(wants("workflow__double", object{"n": 21}), wants("workflow__double", object{"m": 1}), gatewaytest.Answer("42."))
	run := c.ran(t, "counter", input("Twice 21?")).Want("status", "completed", "output.message", "42.")
	steps := c.Get(t, "/v1/runs/"+run.Str("id")+"/steps").Want("data.1.name", "workflow__double", "data.1.status", "completed", "data.1.output.content", `{"twice":42}`, "data.3.status", "failed")
	if told := string(up.Requests()[0].Body); !strings.Contains(told, "Doubles a number.") || !strings.Contains(told, `"required":["n"]`) {
		t.Errorf("the model is told %s", told)
	}
	if told := string(up.Requests()[2].Body); !strings.Contains(told, "missing property 'n'") {
		t.Errorf("the model is not told what is wrong: %s", told)
	}
	invocation(t, c, "double", steps.Str("data.1.child_run_id"), "completed")

	// What waits for a person is cancelled with the run that waits for it.
	c.Create(t, "/v1/workflows", object{"name": "ask-boss", "nodes": []object{node("boss", "human", object{"prompt": "May they?"})}})
	c.Create(t, "/v1/agents", object{"name": "asker", "model": "scripted/m", "tools": []string{"workflow:ask-boss"}})
	up.Next(wants("workflow__ask-boss", object{}), gatewaytest.Answer("You may."))
	waiting := func() (id, child string) {
		t.Helper()
		id = c.Do(t, http.StatusAccepted, "POST", "/v1/agents/asker/runs", input("May I?")).Str("id")
		kit.Eventually(t, time.Minute, "the step waits for a run", func() error {
			a := c.Get(t, "/v1/runs/"+id+"/steps")
			if !a.Has("data.1.child_run_id") {
				return fmt.Errorf("it does not: %s", a.Short())
			}
			child = a.Str("data.1.child_run_id")
			return nil
		})
		invocation(t, c, "ask-boss", child, "paused")
		return id, child
	}
	id, child := waiting()
	c.Post(t, "/v1/workflows/ask-boss/invocations/"+child+"/resume", object{"node_id": "boss", "decision": "approved"})
	c.runEnds(t, id).Want("status", "completed", "output.message", "You may.")
	up.Next(wants("workflow__ask-boss", object{}))
	id, child = waiting()
	c.Post(t, "/v1/runs/"+id+"/cancel", object{"reason": "enough"}).Want("status", "cancelled")
	invocation(t, c, "ask-boss", child, "cancelled")

	// An agent and a workflow that call each other come to an end.
	c.Create(t, "/v1/agents", object{"name": "echo", "model": "scripted/m", "tools": []string{"workflow:mirror"}, "config": object{"max_steps": 2}})
	c.Create(t, "/v1/workflows", object{"name": "mirror", "nodes": []object{node("again", "agent", object{"agent": "echo", "message": "again"})}})
	before := len(up.Requests())
	up.Always(func(w http.ResponseWriter, r *gatewaytest.Request) {
		messages, _ := r.JSON["messages"].([]any)
		if last, _ := messages[len(messages)-1].(object); last["role"] == "tool" {
			gatewaytest.Answer("that is all")(w, r)
			return
		}
		wants("workflow__mirror", object{})(w, r)
	})
	c.ran(t, "echo", input("hello")).Want("status", "completed")
	if n := len(up.Requests()) - before; n > 20 {
		t.Errorf("the model was asked %d times", n)
	}
}
