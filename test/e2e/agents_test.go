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

	c.Delete(t, "/v1/knowledge-bases/"+base)
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
