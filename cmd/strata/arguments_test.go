package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/domain/argument"
	"strata/domain/inference"
	"strata/gateway/gatewaytest"
)

func (c *chatting) argue(t *testing.T, more object, header ...string) object {
	t.Helper()
	body := object{"model": "mock/m", "client": object{"id": "cli_1", "name": "Ann"}, "product": object{"name": "Tea"}, "insight_spec": object{"tone": "warm"}}
	for k, v := range more {
		body[k] = v
	}
	return c.ok(t, "POST", "/v1/arguments/completions", body, header...)
}

func TestArguments(t *testing.T) {
	c := startChat(t)
	action := text(c.ok(t, "POST", "/v1/actions", object{"name": "Discount", "description": "Ten percent off", "type": "discount", "priority": "high"})["id"])
	c.up.Next(gatewaytest.Answer("<think>It is cold.</think>Here you are:\n```json\n{\"argument\": \"Tea warms.\", \"thinking\": \"She is cold.\"}\n```"))
	first := c.argue(t, object{"action_id": action, "echo": true, "max_tokens": 50}, "Idempotency-Key", "one")
	id := text(first["id"])
	if first["argument"] != "Tea warms." || first["argument_thinking"] != "It is cold.\n\nShe is cold." || first["error"] != "" || first["action_id"] != action ||
		at(first, "client", "name") != "Ann" || at(first, "review", "status") != "pending" || at(first, "usage", "prompt_tokens") != 10.0 {
		t.Errorf("argument %v", first)
	}
	sent := strings.Join(c.sent(t), "\n")
	for _, want := range []string{"Ten percent off", `"name": "Ann"`, `"tone": "warm"`, `"name": "Tea"`, "JSON"} {
		if !strings.Contains(sent, want) {
			t.Errorf("the model was not told %q:\n%s", want, sent)
		}
	}
	if again := c.argue(t, object{"action_id": action}, "Idempotency-Key", "one"); again["id"] != id || len(c.up.Requests()) != 1 {
		t.Errorf("again: %v", again)
	}
	if row := logged[inference.Recorded](t, c.installation)[0]; row.Type != "argument" {
		t.Errorf("the record is %+v", row)
	}
	// What a model says that does not do as it is told is the argument.
	c.up.Next(gatewaytest.Answer("Just buy tea."))
	if plain := c.argue(t, nil); plain["argument"] != "Just buy tea." || plain["argument_thinking"] != "" {
		t.Errorf("plain text gave %v", plain)
	}
	c.up.Next(gatewaytest.Error(http.StatusBadRequest, "no", "", "bad"))
	failed := c.argue(t, nil)
	if failed["argument"] != "" || text(failed["error"]) == "" {
		t.Errorf("a failure gave %v", failed)
	}
	if got := c.ok(t, "GET", "/v1/arguments/"+text(failed["id"]), nil); got["error"] != failed["error"] || got["_id"] != got["id"] || text(got["space"]) == "" {
		t.Errorf("the failure reads %v", got)
	}

	reviewed := c.ok(t, "PUT", "/v1/arguments/"+id, object{"argument": "Tea heals.", "review": object{"status": "reviewing", "comment": "hm"}})
	if reviewed["argument"] != "Tea heals." || at(reviewed, "review", "status") != "reviewing" || text(at(reviewed, "review", "reviewed_at")) == "" || text(at(reviewed, "review", "reviewer")) == "" {
		t.Errorf("reviewed %v", reviewed)
	}
	if status, out := c.send(t, "PUT", "/v1/arguments/"+id, object{"review": object{"status": "pending"}}); status != http.StatusConflict {
		t.Errorf("back to pending: %d %v", status, out)
	}
	for path, want := range map[string]int{"?status=reviewing": 1, "?status=pending": 2, "?action_id=" + action: 1, "?page=2&page_size=2": 1, "": 3} {
		if got := c.list(t, "/v1/arguments"+path); len(got) != want {
			t.Errorf("%s: %d arguments, want %d", path, len(got), want)
		}
	}
	if status, _ := c.send(t, "GET", "/v1/arguments?status=odd", nil); status != http.StatusBadRequest {
		t.Errorf("a status that is none: %d", status)
	}
	if was := c.ok(t, "GET", "/api/v1/arguments/"+id+"?at=1", nil); at(was, "data", "argument") != "Tea warms." || at(was, "data", "argumentThinking") == "" {
		t.Errorf("before: %v", was)
	}
	if gone := c.ok(t, "DELETE", "/v1/arguments/"+id, nil); gone["id"] != id {
		t.Errorf("deleted %v", gone)
	}
	if status, _ := c.send(t, "GET", "/v1/arguments/"+id, nil); status != http.StatusNotFound {
		t.Errorf("after the delete: %d", status)
	}
	status, out := c.send(t, "POST", "/v1/arguments/completions", object{})
	if details, _ := out["details"].([]any); status != http.StatusBadRequest || len(details) != 4 {
		t.Errorf("nothing given: %d %v", status, out)
	}
	if status, out = c.send(t, "POST", "/v1/arguments/completions", object{"model": "m", "client": object{}, "product": object{}, "insight_spec": object{}, "action_id": "act_none"}); status != http.StatusBadRequest ||
		at(out, "details", 0, "field") != "action_id" {
		t.Errorf("no such action: %d %v", status, out)
	}
}

// list reads a bare array.
func (c *chatting) list(t *testing.T, path string) []any {
	t.Helper()
	var out []any
	if raw := c.raw(t, "GET", path, nil); json.Unmarshal(raw, &out) != nil {
		t.Fatalf("%s: %s", path, raw)
	}
	return out
}

// What a crash has left open is failed, and says so.
func TestArgumentsOfADeadProcess(t *testing.T) {
	c := startChat(t)
	asked, answered := make(chan struct{}), make(chan struct{})
	c.up.Next(func(_ http.ResponseWriter, r *gatewaytest.Request) {
		close(asked)
		<-r.Context().Done()
	})
	ctx, die := context.WithCancel(t.Context())
	go func() {
		defer close(answered)
		body := `{"model":"mock/m","client":{},"product":{},"insight_spec":{}}`
		req, err := http.NewRequestWithContext(ctx, "POST", c.URL+"/v1/arguments/completions", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+testKey)
		if res, err := c.Client().Do(req); err == nil {
			res.Body.Close()
		}
	}()
	<-asked
	head, err := c.installation.app.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.installation.app.models.runner.Wait(t.Context(), "arguments", head); err != nil {
		t.Fatal(err)
	}
	if err := c.installation.app.closeWriting(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if failed := logged[argument.Failed](t, c.installation); len(failed) != 1 || failed[0].Message != stoppedWriting {
		t.Errorf("failed %+v", failed)
	}
	die()
	<-answered
}

func TestInsights(t *testing.T) {
	c := startChat(t)
	action := text(c.ok(t, "POST", "/v1/actions", object{"name": "Discount", "description": "Ten percent off", "type": "discount", "priority": "high", "model_id": "mock/m"})["id"])
	c.up.Next(gatewaytest.Answer(`{"argument": {"content": "Tea warms.", "thinking": "She is cold."}, "best_channel": "email", "best_time": 9, "timeliness": "now", "insight": "likes tea"}`))
	got := c.ok(t, "POST", "/v1/insights", object{"actions": []string{action}, "client": "Ann, who is cold"})
	for field, want := range map[string]any{"argument_content": "Tea warms.", "argument_thinking": "She is cold.", "argument": "She is cold.\n\nTea warms.", "best_channel": "email",
		"best_time": "9", "timeliness": "now", "insight": "likes tea", "type": "discount", "actions": action, "error": "", "finish_reason": "stop", "thinking": ""} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	if _, ok := got["elapsed_time_in_seconds"].(float64); !ok || at(got, "usage", "total_tokens") == nil || c.up.Requests()[0].JSON["model"] != "m" {
		t.Errorf("insight %v", got)
	}
	c.up.Next(gatewaytest.JSON(`{"choices":[{"message":{"content":"Call her.","reasoning_content":"She reads nothing."},"finish_reason":"stop"}]}`))
	if plain := c.ok(t, "POST", "/v1/insights", object{"model": "mock/m", "client": "Ann"}); plain["insight"] != "Call her." || plain["thinking"] != "She reads nothing." || plain["best_channel"] != "" {
		t.Errorf("plain text gave %v", plain)
	}
	c.up.Next(gatewaytest.Error(http.StatusBadRequest, "no", "", "bad"))
	failed := c.ok(t, "POST", "/v1/insights", object{"model": "mock/m", "client": "Ann"})
	if text(failed["error"]) == "" || failed["insight"] != "" {
		t.Errorf("a failure gave %v", failed)
	}
	list := c.ok(t, "GET", "/api/v1/insights", nil)
	if items, _ := list["data"].([]any); len(items) != 3 || at(list, "data", 2, "argumentContent") != "Tea warms." {
		t.Errorf("list %v", list)
	}
	id := text(got["id"])
	if one := c.ok(t, "GET", "/api/v1/insights/"+id, nil); at(one, "data", "bestChannel") != "email" {
		t.Errorf("insight %v", one)
	}
	c.ok(t, "DELETE", "/api/v1/insights/"+id, nil)
	if status, _ := c.send(t, "GET", "/api/v1/insights/"+id, nil); status != http.StatusNotFound {
		t.Errorf("after the delete: %d", status)
	}
	for field, body := range map[string]object{"client": {}, "actions[0]": {"actions": []string{"act_none"}}} {
		if status, out := c.send(t, "POST", "/v1/insights", body); status != http.StatusBadRequest || at(out, "details", 0, "field") != field {
			t.Errorf("%v: %d %v", body, status, out)
		}
	}
	persona := text(c.ok(t, "POST", "/v1/personas", object{"name": "Eve", "birthdate": "1990-01-01", "notes": "collects teapots"})["id"])
	c.ok(t, "POST", "/v1/insights", object{"model": "mock/m", "client": persona})
	if sent := strings.Join(c.sent(t), ""); !strings.Contains(sent, "collects teapots") {
		t.Errorf("of a persona the model was told %s", sent)
	}
	// Offline, the built-in model quotes what it is told.
	if offline := c.ok(t, "POST", "/v1/insights", object{"client": "Ann is approached best by e-mail."}); offline["error"] != "" || text(offline["insight"]) == "" || offline["model"] != "strata/extract-1" {
		t.Errorf("offline: %v", offline)
	}
}
