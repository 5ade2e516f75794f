package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"strata/domain/agentrun"
	"strata/domain/inference"
	"strata/gateway/gatewaytest"
)

// says is a model's answer that asks for tools.
func says(calls ...string) gatewaytest.Behaviour {
	var out []string
	for i, c := range calls {
		name, arguments, _ := strings.Cut(c, " ")
		out = append(out, fmt.Sprintf(`{"id":"c%d","type":"function","function":{"name":%q,"arguments":%q}}`, i+1, name, arguments))
	}
	return gatewaytest.JSON(`{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[` +
		strings.Join(out, ",") + `]}}],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}`)
}

// agentWorld is an installation with a model that is scripted and an agent.
func agentWorld(t *testing.T, agent map[string]any) (*installation, *gatewaytest.Upstream) {
	t.Helper()
	up := gatewaytest.NewUpstream(t)
	i := startOutbound(t)
	call(t, i, "POST", "/api/v1/providers", map[string]any{"name": "mock", "type": "openai_compatible", "baseUrl": up.URL, "apiKey": "sk", "models": []string{"m"}}).must(t, http.StatusCreated)
	agent["name"], agent["model"] = "helper", "mock/m"
	call(t, i, "POST", "/api/v1/agents", agent).must(t, http.StatusCreated)
	return i, up
}

func execute(t *testing.T, i *installation, message string) reply {
	t.Helper()
	return call(t, i, "POST", "/api/v1/agents/helper/execute", map[string]any{"input": map[string]any{"message": message}}).must(t, http.StatusOK)
}

func stepsOf(t *testing.T, i *installation, run string) []struct {
	ID, Type, Name, Status string
	Index                  int
	Input, Output          json.RawMessage
	Error                  *struct{ Code, Message string }
} {
	t.Helper()
	var out []struct {
		ID, Type, Name, Status string
		Index                  int
		Input, Output          json.RawMessage
		Error                  *struct{ Code, Message string }
	}
	if err := json.Unmarshal(call(t, i, "GET", "/api/v1/runs/"+run+"/steps", nil).must(t, http.StatusOK).Data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A run calls the model, its tools at once, tells the model what they said, their
// failures too, and ends with its answer.
func TestAgentRunsWithTools(t *testing.T) {
	over := mcpServer(t, "x")
	i, up := agentWorld(t, map[string]any{"instructions": "You are {{who}}.", "tools": []string{"calculator", "mcp:shouts"}})
	call(t, i, "POST", "/api/v1/mcp/servers", map[string]any{"name": "shouts", "transport": "streamable_http", "url": over.URL,
		"auth": map[string]any{"type": "bearer", "token": "x"}}).must(t, http.StatusCreated)
	up.Next(says(`calculator {"expression":"6 * 7"}`, `shouts__shout {"text":"hey"}`, `nothing {}`), gatewaytest.Answer("It is 42."))
	run := call(t, i, "POST", "/api/v1/agents/helper/execute", map[string]any{"input": map[string]any{"message": "What is it?"},
		"variables": map[string]any{"who": "Marvin"}}).must(t, http.StatusOK)
	if run.field(t, "status") != "completed" || !strings.Contains(string(run.Data), `"output":{"message":"It is 42."}`) || run.field(t, "stepCount") != "5" {
		t.Fatalf("run: %s", run.Data)
	}
	asked := up.Requests()
	if len(asked) != 2 {
		t.Fatalf("%d calls of the model", len(asked))
	}
	first, second := string(asked[0].Body), string(asked[1].Body)
	for _, want := range []string{"You are Marvin.", `"shouts__shout"`, `"calculator"`} {
		if !strings.Contains(first, want) {
			t.Errorf("the model is not told %s: %s", want, first)
		}
	}
	for _, want := range []string{`"tool_call_id":"c1"`, `"42"`, "HEY", "There is no tool"} {
		if !strings.Contains(second, want) {
			t.Errorf("the model is not told %s: %s", want, second)
		}
	}
	steps := stepsOf(t, i, run.field(t, "id"))
	if len(steps) != 5 || steps[1].Name != "calculator" || !strings.Contains(string(steps[1].Output), "42") || steps[3].Status != "failed" || steps[3].Error == nil || steps[4].Type != "llm" {
		t.Errorf("steps: %+v", steps)
	}
	one := call(t, i, "GET", "/api/v1/runs/"+run.field(t, "id")+"/steps/"+steps[1].ID, nil).must(t, http.StatusOK)
	if one.field(t, "name") != "calculator" {
		t.Errorf("one step: %s", one.Data)
	}
	for _, c := range logged[inference.Recorded](t, i) {
		if c.Agent == "" || c.Metadata["run_id"] != run.field(t, "id") {
			t.Errorf("a call's record does not name the run: %+v", c)
		}
	}
	// Forked from its last step, it asks with what the tools said.
	up.Next(gatewaytest.Answer("Forty-two."))
	fork := call(t, i, "POST", "/api/v1/runs/"+run.field(t, "id")+"/fork", map[string]any{"step": 5}).must(t, http.StatusAccepted)
	ended := awaitRun(t, i, fork.field(t, "id"))
	if !strings.Contains(string(ended.Data), "Forty-two.") || !strings.Contains(string(up.Requests()[2].Body), "HEY") || !strings.Contains(string(ended.Data), `"step":5`) {
		t.Errorf("fork: %s", ended.Data)
	}
}

func awaitRun(t *testing.T, i *installation, id string) (out reply) {
	t.Helper()
	eventually(t, "the end of run "+id, func() bool {
		out = call(t, i, "GET", "/api/v1/runs/"+id, nil).must(t, http.StatusOK)
		return agentrun.Status(out.field(t, "status")).Over()
	})
	return out
}

func TestAgentOutputSchema(t *testing.T) {
	i, up := agentWorld(t, map[string]any{"outputSchema": map[string]any{"type": "object", "required": []string{"n"}}})
	up.Next(gatewaytest.Answer("seven"), gatewaytest.Answer("```json\n{\"n\":7}\n```"))
	if run := execute(t, i, "how many?"); !strings.Contains(string(run.Data), `"output":{"n":7}`) || run.field(t, "status") != "completed" {
		t.Errorf("a corrected answer: %s", run.Data)
	}
	up.Always(gatewaytest.Answer("seven"))
	run := execute(t, i, "how many?")
	if run.field(t, "status") != "failed" || !strings.Contains(string(run.Data), "output schema") || len(up.Requests()) != 4 {
		t.Errorf("two wrong answers: %s after %d calls", run.Data, len(up.Requests()))
	}
}

func TestAgentLimitsAndCancelling(t *testing.T) {
	i, up := agentWorld(t, map[string]any{"tools": []string{"current_time"}, "config": map[string]any{"max_steps": 2}})
	up.Always(says(`current_time {}`))
	if run := execute(t, i, "when?"); run.field(t, "status") != "failed" || !strings.Contains(string(run.Data), "max_steps") {
		t.Errorf("too many steps: %s", run.Data)
	}
	hold := make(chan struct{})
	up.Always(func(_ http.ResponseWriter, r *gatewaytest.Request) {
		select {
		case <-r.Context().Done():
		case <-hold:
		}
	})
	defer close(hold)
	run := call(t, i, "POST", "/api/v1/runs", map[string]any{"agentId": "helper", "input": map[string]any{"message": "hi"}}).must(t, http.StatusAccepted)
	id := run.field(t, "id")
	eventually(t, "the model is called", func() bool { return len(up.Requests()) == 3 })
	cancelled := call(t, i, "POST", "/api/v1/runs/"+id+"/cancel", map[string]any{"reason": "enough"}).must(t, http.StatusOK)
	if cancelled.field(t, "status") != "cancelled" || !strings.Contains(string(cancelled.Data), "enough") {
		t.Errorf("cancelled: %s", cancelled.Data)
	}
	select {
	case <-up.ClientGone():
	case <-t.Context().Done():
		t.Error("the model's call goes on")
	}
	refused := call(t, i, "POST", "/api/v1/agents/helper/execute", map[string]any{"input": map[string]any{}}).must(t, http.StatusBadRequest)
	if len(refused.Error.Details) != 1 || refused.Error.Details[0].Field != "input" {
		t.Errorf("an empty input: %+v", refused.Error)
	}
}

// Without a network, an agent answers by the built-in model.
func TestAgentOffline(t *testing.T) {
	i := start(t)
	call(t, i, "POST", "/api/v1/agents", map[string]any{"name": "helper"}).must(t, http.StatusCreated)
	if run := execute(t, i, "The shop opens at nine. When does the shop open?"); run.field(t, "status") != "completed" || !strings.Contains(string(run.Data), "nine") {
		t.Errorf("run: %s", run.Data)
	}
	listed := call(t, i, "GET", "/api/v1/runs?status=completed", nil).must(t, http.StatusOK)
	if !strings.Contains(string(listed.Data), "arun_") {
		t.Errorf("runs: %s", listed.Data)
	}
}

// A run goes on in the next process, and a tool that may have run is not run again.
func TestAgentRunsSurvive(t *testing.T) {
	dir := t.TempDir()
	up := gatewaytest.NewUpstream(t)
	over := mcpServer(t, "x")
	open := func() *installation {
		i := &installation{}
		cfg := testConfig(dir)
		cfg.Outbound.Private = []string{"127.0.0.0/8"}
		i.begin(t, newApp(everything, cfg, slog.New(slog.DiscardHandler), i.now))
		return i
	}
	i := open()
	call(t, i, "POST", "/api/v1/providers", map[string]any{"name": "mock", "type": "openai_compatible", "baseUrl": up.URL, "apiKey": "sk", "models": []string{"m"}}).must(t, http.StatusCreated)
	call(t, i, "POST", "/api/v1/mcp/servers", map[string]any{"name": "shouts", "transport": "streamable_http", "url": over.URL,
		"auth": map[string]any{"type": "bearer", "token": "x"}}).must(t, http.StatusCreated)
	call(t, i, "POST", "/api/v1/agents", map[string]any{"name": "helper", "model": "mock/m", "tools": []string{"mcp:shouts"}}).must(t, http.StatusCreated)
	arrived := make(chan struct{})
	up.Next(func(_ http.ResponseWriter, r *gatewaytest.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	run := call(t, i, "POST", "/api/v1/runs", map[string]any{"agentId": "helper", "input": map[string]any{"message": "hi"}}).must(t, http.StatusAccepted)
	<-arrived
	i.close(t)() // in the middle of the model's call
	up.Next(gatewaytest.Answer("hello again"))
	i = open()
	ended := awaitRun(t, i, run.field(t, "id"))
	if ended.field(t, "status") != "completed" || !strings.Contains(string(ended.Data), "hello again") {
		t.Errorf("after a restart: %s", ended.Data)
	}
	var executions []int
	for _, b := range logged[agentrun.StepBegan](t, i) {
		executions = append(executions, b.Execution)
	}
	if fmt.Sprint(executions) != "[1 2]" {
		t.Errorf("executions %v", executions)
	}
}
