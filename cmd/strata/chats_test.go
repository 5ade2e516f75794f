package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"strata/domain/conversation"
	"strata/domain/inference"
	"strata/gateway/gatewaytest"
)

// at finds a value in JSON: at(v, "choices", 0, "message").
func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(object)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

func text(v any) string { s, _ := v.(string); return s }

func user(content string) []object { return []object{{"role": "user", "content": content}} }

// complete sends a completion and returns its status and answer.
func (c *chatting) complete(t *testing.T, body object, header ...string) (int, object) {
	t.Helper()
	return c.send(t, "POST", "/v1/chats/completions", body, header...)
}

func (c *chatting) send(t *testing.T, method, path string, body any, header ...string) (int, object) {
	t.Helper()
	status, raw := c.exchange(t, method, path, body, header...)
	var out object
	if json.Unmarshal(raw, &out) != nil {
		t.Fatalf("%d %s", status, raw)
	}
	return status, out
}

// raw is the body of an answer.
func (c *chatting) raw(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	_, raw := c.exchange(t, method, path, body)
	return raw
}

func (c *chatting) exchange(t *testing.T, method, path string, body any, header ...string) (int, []byte) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, raw
}

// ok insists on success.
func (c *chatting) ok(t *testing.T, method, path string, body any, header ...string) object {
	t.Helper()
	status, out := c.send(t, method, path, body, header...)
	if status >= 300 {
		t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// sent is what the model was sent last: "role: content" of each message.
func (c *chatting) sent(t *testing.T) []string {
	t.Helper()
	all := c.up.Requests()
	var out []string
	messages, _ := all[len(all)-1].JSON["messages"].([]any)
	for _, m := range messages {
		out = append(out, text(at(m, "role"))+": "+text(at(m, "content")))
	}
	return out
}

func (c *chatting) expert(t *testing.T, name, description, context string, more object) string {
	t.Helper()
	body := object{"name": name, "description": description, "context": context}
	for k, v := range more {
		body[k] = v
	}
	return text(c.ok(t, "POST", "/v1/experts", body)["id"])
}

func TestCompletions(t *testing.T) {
	c := startChat(t)
	first := c.ok(t, "POST", "/v1/chats/completions", object{"model": "mock/m", "name": "Tea", "user": "user_bob", "echo": true, "type": "help",
		"tags": []string{"a", "b"}, "metadata": object{"n": 1}, "max_tokens": 9,
		"messages": []object{{"role": "system", "content": "Be brief."}, {"role": "user", "content": []object{{"type": "text", "text": "Is tea hot?"}}}}}, "X-Correlation-Id", "cor_1")
	chat := text(first["id"])
	if !strings.HasPrefix(chat, "chat_") || first["object"] != "chat.completion" || text(first["created_at"]) == "" ||
		text(at(first, "choices", 0, "message", "content")) != "Hello there." || at(first, "usage", "total_tokens") != 12.0 ||
		text(at(first, "choices", 0, "prompt", 1, "content")) != "Is tea hot?" || at(first, "guard", "enabled") != false || at(first, "router", "enabled") != false {
		t.Errorf("answer %v", first)
	}
	if got := strings.Join(c.sent(t), "|"); got != "system: Be brief.|user: Is tea hot?" || c.up.Requests()[0].JSON["max_tokens"] != 9.0 {
		t.Errorf("the model was sent %s", got)
	}
	row := logged[inference.Recorded](t, c.installation)[0]
	if row.Type != "help" || row.User != "user_bob" || row.CorrelationID != "cor_1" || len(row.Tags) != 2 || row.Metadata["n"] != "1" || row.Conversation != chat {
		t.Errorf("the record is %+v", row)
	}
	// The settings of a chat hold for what does not say otherwise.
	c.ok(t, "PUT", "/v1/chats/"+chat, object{"max_tokens": 5, "temperature": 0.5})
	c.ok(t, "POST", "/v1/chats", object{"id": chat, "messages": user("And ice?")})
	last := c.up.Requests()[1].JSON
	if last["max_tokens"] != 5.0 || last["temperature"] != 0.5 || last["model"] != "m" || len(c.sent(t)) != 4 {
		t.Errorf("the second request was %v", last)
	}
	for _, path := range []string{"/v1/chats/" + chat, "/v1/chats/" + chat + "/window?limit=5"} {
		got := c.ok(t, "GET", path, nil)
		if got["name"] != "Tea" || got["message_count"] != 5.0 || len(got["messages"].([]any)) != 5 || text(at(got, "messages", 0, "role")) != "system" {
			t.Errorf("%s: %v", path, got)
		}
	}
	window := c.ok(t, "GET", "/v1/chats/"+chat+"/window?limit=2", nil)
	if window["has_more"] != true || text(at(window, "messages", 1, "content")) != "Hello there." {
		t.Errorf("window %v", window)
	}
	before := c.ok(t, "GET", "/v1/chats/"+chat+"/window?limit=2&before="+text(at(window, "messages", 0, "id")), nil)
	if text(at(before, "messages", 0, "content")) != "Is tea hot?" || before["has_more"] != true {
		t.Errorf("window before %v", before)
	}
	list := c.ok(t, "GET", "/v1/chats?name=Tea&limit=1", nil)
	if list["count"] != 1.0 || list["has_more"] != false || text(at(list, "data", 0, "id")) != chat {
		t.Errorf("list %v", list)
	}
	if none := c.ok(t, "GET", "/v1/chats?name=Coffee", nil); none["count"] != 0.0 {
		t.Errorf("list of another name %v", none)
	}
	// The same conversation is the spine's.
	if spine := c.ok(t, "GET", "/api/v1/chat/history/"+chat, nil); at(spine, "data", "title") != "Tea" || at(spine, "data", "messageCount") != 5.0 {
		t.Errorf("chat history %v", spine)
	}
	if gone := c.ok(t, "DELETE", "/v1/chats/"+chat, nil); len(gone) != 1 || gone["id"] != chat {
		t.Errorf("deleted: %v", gone)
	}
	if status, _ := c.send(t, "GET", "/v1/chats/"+chat, nil); status != http.StatusNotFound {
		t.Errorf("after the delete: %d", status)
	}
}

func TestChatUpdate(t *testing.T) {
	c := startChat(t)
	chat := text(c.ok(t, "POST", "/v1/chats", object{"model": "mock/m", "messages": user("Hi")})["id"])
	got := c.ok(t, "PUT", "/v1/chats/"+chat, object{"name": "Tea", "guard_enabled": true, "messages": []object{{"role": "user", "content": "Is tea hot?"}},
		"last_response": object{"choices": []object{{"message": object{"content": "It is."}}}}})
	if got["name"] != "Tea" || got["guard_enabled"] != true || got["message_count"] != 2.0 || text(at(got, "messages", 1, "content")) != "It is." {
		t.Errorf("updated %v", got)
	}
	answer := c.ok(t, "POST", "/v1/chats", object{"id": chat, "messages": user("And ice?")})
	if sent := strings.Join(c.sent(t), "|"); sent != "user: Is tea hot?|assistant: It is.|user: And ice?" || at(answer, "guard", "enabled") != true {
		t.Errorf("the model was sent %s, the answer %v", sent, answer)
	}
	if past := c.ok(t, "GET", "/v1/chats/"+chat+"?at=1", nil); len(past["messages"].([]any)) != 1 {
		t.Errorf("before: %v", past)
	}
	if now := c.ok(t, "GET", "/api/v1/chats/"+chat, nil); len(at(now, "data", "messages").([]any)) != 4 || at(now, "data", "guardEnabled") != true {
		t.Errorf("now: %v", now)
	}
}

func TestCompletionFaults(t *testing.T) {
	c := startChat(t)
	fields := func(body object) string {
		t.Helper()
		status, out := c.complete(t, body)
		if status != http.StatusBadRequest {
			t.Fatalf("%v: %d %v", body, status, out)
		}
		var names []string
		for _, d := range out["details"].([]any) {
			names = append(names, text(at(d, "field")))
		}
		return strings.Join(names, " ")
	}
	for want, body := range map[string]object{
		"messages":                    {},
		"messages[0].content":         {"messages": user(" ")},
		"messages[0].role":            {"messages": []object{{"role": "assistant", "content": "x"}}},
		"messages[1].content":         {"messages": []object{{"role": "user", "content": "x"}, {"role": "user", "content": []object{{"type": "image_url"}}}}},
		"expert_ids[0] expert_ids[1]": {"messages": user("x"), "expert_ids": []string{"exp_none", "exp_nobody"}},
	} {
		if got := fields(body); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %s, want %s", body, got, want)
		}
	}
	for body, want := range map[*object]int{{"id": "chat_none", "messages": user("x")}: http.StatusNotFound, {"model": "nobody/m", "messages": user("x")}: http.StatusNotFound} {
		if status, out := c.complete(t, *body); status != want {
			t.Errorf("%v: %d %v", *body, status, out)
		}
	}
	if n := len(c.up.Requests()); n != 0 {
		t.Errorf("the model was asked %d times", n)
	}
	if open := len(logged[conversation.TurnAsked](t, c.installation)) - len(logged[conversation.TurnFailed](t, c.installation)); open != 0 {
		t.Errorf("%d turns are open", open)
	}
}

func TestCompletionsAskedTwice(t *testing.T) {
	c := startChat(t)
	body := object{"model": "mock/m", "guard_enabled": true, "router_enabled": true, "messages": user("Hi, I am bob@example.com")}
	first := c.ok(t, "POST", "/v1/chats/completions", body, "Idempotency-Key", "one")
	again := c.ok(t, "POST", "/v1/chats/completions", body, "Idempotency-Key", "one")
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(again)
	if string(a) != string(b) || len(c.up.Requests()) != 1 || at(first, "guard", "flagged") != true {
		t.Errorf("first %s\nagain %s", a, b)
	}
	body["stream"] = true
	frames, done := c.chunks(t, body, "Idempotency-Key", "one")
	if !done || said(frames) != "Hello there." || at(frames[len(frames)-1], "message_id") != first["message_id"] {
		t.Errorf("streamed again: %v", frames)
	}
}

// chunks reads a streamed completion, and whether it came to its end.
func (c *chatting) chunks(t *testing.T, body object, header ...string) (frames []object, done bool) {
	t.Helper()
	body["stream"] = true
	s := c.follow(t, "POST", "/v1/chats/completions", body, header...)
	for s.text.Scan() {
		data, ok := strings.CutPrefix(s.text.Text(), "data: ")
		switch {
		case !ok:
		case data == "[DONE]":
			done = true
		default:
			var v object
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				t.Fatalf("%v in %s", err, data)
			}
			frames = append(frames, v)
		}
	}
	return frames, done
}

// said is the text of chunks.
func said(frames []object) string {
	out := ""
	for _, f := range frames {
		out += text(at(f, "choices", 0, "delta", "content"))
	}
	return out
}

func TestCompletionsStreamed(t *testing.T) {
	c := startChat(t)
	c.up.Always(gatewaytest.Words("Tea is hot"))
	frames, done := c.chunks(t, object{"model": "mock/m", "messages": user("Is tea hot?"), "echo": true})
	first, last := frames[0], frames[len(frames)-1]
	if !done || said(frames) != "Tea is hot" || first["object"] != "chat.completion.chunk" || at(first, "choices", 0, "delta", "role") != "assistant" ||
		at(first, "router", "enabled") != false || text(at(first, "choices", 0, "prompt", 0, "content")) != "Is tea hot?" ||
		at(last, "choices", 0, "finish_reason") != "stop" || at(last, "guard", "enabled") != false || at(last, "usage", "total_tokens") != 13.0 {
		t.Errorf("frames %v", frames)
	}
	chat := c.ok(t, "GET", "/v1/chats/"+text(first["id"]), nil)
	if text(at(chat, "messages", 1, "content")) != "Tea is hot" {
		t.Errorf("chat %v", chat)
	}
	c.up.Next(gatewaytest.DieAfter("Half "))
	frames, done = c.chunks(t, object{"model": "mock/m", "messages": user("Is tea hot?")})
	if done || at(frames[len(frames)-1], "error", "code") != "ai_service_error" {
		t.Errorf("a broken stream: %v", frames)
	}
	s := c.follow(t, "POST", "/api/v1/chats/completions", object{"model": "mock/m", "stream": true, "guard_enabled": true, "messages": user("Is tea hot?")}).rest()
	if got := kinds(s); got != "start token end" || at(s[2], "guard", "checkedBy", 0) != "rules" || at(s[2], "finishReason") != "stop" {
		t.Errorf("frames of the enveloped mount: %v", s)
	}
}

func TestCompletionsWithTools(t *testing.T) {
	c := startChat(t)
	tax := c.expert(t, "Tax", "Income tax", "You know taxes.", object{
		"file_context": []object{{"name": "rates.md", "content": "20 %"}, {"odd": 1}},
		"tools":        []object{{"name": "tax", "parameters": object{"type": "object"}}, {"type": "function", "function": object{"name": "now"}}}})
	law := c.expert(t, "Law", "The law", "You know the law.", object{"tools": []object{{"name": "tax", "description": "another"}}})
	const call = `[{"id":"call_1","type":"function","function":{"name":"tax","arguments":"{}"}}]`
	c.up.Next(gatewaytest.JSON(`{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":` + call + `},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`))
	first := c.ok(t, "POST", "/v1/chats", object{"model": "mock/m", "expert_ids": []string{law, tax}, "messages": user("How much?")})
	if got := c.sent(t)[0]; got != "system: You know the law.\n\nYou know taxes.\n\nDocument rates.md:\n20 %\n\nDocument:\n{\"odd\":1}" {
		t.Errorf("the model was told %q", got)
	}
	tools := c.up.Requests()[0].JSON["tools"]
	if len(tools.([]any)) != 2 || at(tools, 0, "function", "description") != "another" || at(tools, 1, "function", "name") != "now" {
		t.Errorf("tools %v", tools)
	}
	if at(first, "choices", 0, "finish_reason") != "tool_calls" || at(first, "choices", 0, "message", "tool_calls", 0, "id") != "call_1" {
		t.Errorf("answer %v", first)
	}
	c.ok(t, "POST", "/v1/chats", object{"id": first["id"], "messages": []object{{"role": "tool", "tool_call_id": "call_1", "content": "42"}}})
	messages := c.up.Requests()[1].JSON["messages"]
	if at(messages, 1, "tool_calls", 0, "id") != "call_1" || at(messages, 2, "tool_call_id") != "call_1" || at(messages, 2, "role") != "tool" {
		t.Errorf("then the model was sent %v", messages)
	}
	// Streamed, a call comes in pieces, and leaves as it came.
	c.up.Next(gatewaytest.Frames(`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_2","function":{"name":"tax","arguments":"{\"a\""}}]}}]}`,
		`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":"tool_calls"}]}`, "[DONE]"))
	frames, done := c.chunks(t, object{"model": "mock/m", "messages": user("How much?")})
	if !done || len(frames) != 4 || at(frames[2], "choices", 0, "delta", "tool_calls", 0, "function", "arguments") != ":1}" {
		t.Errorf("frames %v", frames)
	}
	answered := logged[conversation.TurnAnswered](t, c.installation)
	whole, _ := json.Marshal(answered[len(answered)-1].ToolCalls)
	if !strings.Contains(string(whole), `{\"a\":1}`) {
		t.Errorf("on record: %s", whole)
	}
}
