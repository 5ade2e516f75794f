package main

import (
	"net/http"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/inference"
	"strata/gateway/gatewaytest"
)

// object is a JSON object to send.
type object = map[string]any

// chatting is an installation with a provider under the test's control and an
// app that uses it.
type chatting struct {
	*installation
	up  *gatewaytest.Upstream
	app string
}

func startChat(t *testing.T, prepare ...func(*app)) *chatting {
	t.Helper()
	c := &chatting{installation: install(t, t.TempDir(), prepare...), up: gatewaytest.NewUpstream(t)}
	call(t, c.installation, "POST", "/api/v1/providers", object{"name": "mock", "type": "openai_compatible", "baseUrl": c.up.URL}).must(t, http.StatusCreated)
	c.app = c.makeApp(t, "Support", object{"model": "mock/m", "systemPrompt": "You help with {{topic}}."})
	return c
}

func (c *chatting) makeApp(t *testing.T, name string, config object) string {
	t.Helper()
	return call(t, c.installation, "POST", "/api/v1/apps", object{"name": name, "type": "chat", "config": config}).must(t, http.StatusCreated).field(t, "id")
}

func (c *chatting) message(text string, more ...any) object {
	m := object{"appId": c.app, "message": text, "variables": object{"topic": "tea"}}
	for i := 0; i < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

func (c *chatting) ask(t *testing.T, message object, header ...string) reply {
	t.Helper()
	return call(t, c.installation, "POST", "/api/v1/chat/completions", message, header...)
}

func (c *chatting) stream(t *testing.T, message object, header ...string) *stream {
	t.Helper()
	message["stream"] = true
	return c.follow(t, "POST", "/api/v1/chat/completions", message, header...)
}

func TestChatRefusesWhatCannotBeAnswered(t *testing.T) {
	c := startChat(t)
	missing := c.ask(t, object{"appId": c.app, "message": "Hi"}).must(t, http.StatusBadRequest)
	if len(missing.Error.Details) != 1 || missing.Error.Details[0].Field != "variables.topic" {
		t.Errorf("faults %v", missing.Error.Details)
	}
	c.ask(t, c.message("Hi", "appId", "app_none")).must(t, http.StatusNotFound)
	c.ask(t, c.message("Hi", "chatId", "chat_none")).must(t, http.StatusNotFound)
	call(t, c.installation, "PUT", "/api/v1/apps/"+c.app, object{"status": "archived"}).must(t, http.StatusOK)
	c.ask(t, c.message("Hi")).must(t, http.StatusConflict)
	if asked := logged[conversation.TurnAsked](t, c.installation); len(asked) != 0 || len(c.up.Requests()) != 0 {
		t.Errorf("%d turns are on record, the model was asked %d times", len(asked), len(c.up.Requests()))
	}
}

func TestChatRetry(t *testing.T) {
	c := startChat(t)
	key := []string{"Idempotency-Key", "one"}
	first := c.ask(t, c.message("Hi"), key...).must(t, http.StatusOK)
	chat := first.field(t, "chatId")
	// The same key in that chat is another request than the same key without one.
	c.ask(t, c.message("And then?", "chatId", chat), key...).must(t, http.StatusOK)
	for range 25 { // far enough for the first turn to leave the window
		c.ask(t, c.message("More", "chatId", chat)).must(t, http.StatusOK)
	}
	call(t, c.installation, "DELETE", "/api/v1/apps/"+c.app, nil).must(t, http.StatusOK)
	sent := len(c.up.Requests())
	if again := c.ask(t, c.message("Hi"), key...).must(t, http.StatusOK); string(again.Data) != string(first.Data) {
		t.Errorf("again %s, first %s", again.Data, first.Data)
	}
	frames := c.stream(t, c.message("Hi"), key...).rest()
	if kinds(frames) != "start token end" || frames[1]["content"] != "Hello there." || frames[2]["messageId"] != first.field(t, "messageId") {
		t.Errorf("streamed again: %v", frames)
	}
	if len(c.up.Requests()) != sent {
		t.Error("a retry asked the model again")
	}
}

func TestChatRetryWhileItRunsAndAfterItFailed(t *testing.T) {
	c := startChat(t)
	goOn := make(chan struct{})
	c.up.Next(gatewaytest.Between("one ", goOn, "two"), gatewaytest.Error(http.StatusBadRequest, "no", "", "bad"))
	running := c.stream(t, c.message("Hi"), "Idempotency-Key", "running")
	for _, want := range []string{"start", "token"} {
		if f := running.next(); f["type"] != want {
			t.Fatalf("%v, want %s", f, want)
		}
	}
	c.ask(t, c.message("Hi"), "Idempotency-Key", "running").must(t, http.StatusConflict)
	close(goOn)
	if got := kinds(running.rest()); got != "token end" {
		t.Errorf("then came %s", got)
	}
	if again := c.ask(t, c.message("Hi"), "Idempotency-Key", "running").must(t, http.StatusOK); again.field(t, "response") != "one two" {
		t.Errorf("again: %s", again.Data)
	}
	if failed := c.ask(t, c.message("Hi"), "Idempotency-Key", "failing"); failed.Status < 400 {
		t.Fatalf("status %d", failed.Status)
	}
	c.ask(t, c.message("Hi"), "Idempotency-Key", "failing").must(t, http.StatusConflict)
}

func TestChatStream(t *testing.T) {
	c := startChat(t)
	c.up.Always(gatewaytest.Words("Tea is hot"))
	frames := c.stream(t, c.message("Is tea hot?")).rest()
	if got := kinds(frames); got != "start token token token end" {
		t.Fatalf("frames %s", got)
	}
	first, last := frames[0], frames[len(frames)-1]
	usage, _ := last["tokenUsage"].(object)
	if first["runId"] != last["runId"] || first["chatId"] == "" || usage["total"] != 13.0 {
		t.Errorf("from %v to %v", first, last)
	}
	chat := first["chatId"].(string)
	feedback := call(t, c.installation, "POST", "/api/v1/chat/feedback", object{"chatId": chat, "rating": "positive", "comment": "warm"}).must(t, http.StatusCreated)
	if feedback.field(t, "messageId") != last["messageId"] || !strings.HasPrefix(feedback.field(t, "id"), "fb_") {
		t.Errorf("feedback %s on %v", feedback.Data, last)
	}
	call(t, c.installation, "POST", "/api/v1/chat/feedback", object{"chatId": chat, "rating": "positive", "messageId": "msg_none"}).must(t, http.StatusNotFound)
	history := call(t, c.installation, "GET", "/api/v1/chat/history/"+chat, nil, "Strata-Min-Position", feedback.Header.Get("Strata-Position")).must(t, http.StatusOK)
	if !strings.Contains(string(history.Data), `"feedback":"positive"`) {
		t.Errorf("history %s", history.Data)
	}
	gone := call(t, c.installation, "DELETE", "/api/v1/chat/history/"+chat, nil).must(t, http.StatusOK)
	call(t, c.installation, "GET", "/api/v1/chat/history/"+chat, nil, "Strata-Min-Position", gone.Header.Get("Strata-Position")).must(t, http.StatusNotFound)
	c.ask(t, c.message("Hi", "chatId", chat)).must(t, http.StatusNotFound)
}

// A provider that dies in mid-stream is an error frame, and on record.
func TestChatStreamOfADyingProvider(t *testing.T) {
	c := startChat(t)
	c.up.Next(gatewaytest.DieAfter("Tea ", "is "))
	frames := c.stream(t, c.message("Is tea hot?")).rest()
	if got := kinds(frames); got != "start token token error" {
		t.Fatalf("frames %s", got)
	}
	if e := frames[3]["error"].(object); e["code"] != string(domain.CodeAIService) || e["message"] == "" {
		t.Errorf("error %v", e)
	}
	failed := logged[conversation.TurnFailed](t, c.installation)
	if len(failed) != 1 || failed[0].PartialContent != "Tea is " || failed[0].Code != string(domain.CodeAIService) {
		t.Errorf("on record: %+v", failed)
	}
}

// A client that goes away stops the model; the turn and the call are on record.
func TestChatClientGoesAway(t *testing.T) {
	for name, way := range map[string]func(*testing.T, *chatting){
		"stream": func(t *testing.T, c *chatting) {
			s := c.stream(t, c.message("Is tea hot?"))
			for _, want := range []string{"start", "token"} {
				if f := s.next(); f["type"] != want {
					t.Fatalf("%v, want %s", f, want)
				}
			}
			s.end()
		},
		"socket": func(t *testing.T, c *chatting) {
			s := c.dial(t, "/api/v1/chat/stream", testKey)
			s.say(c.message("Is tea hot?", "type", "message"))
			s.until("token")
			s.Close()
		},
		"cancel": func(t *testing.T, c *chatting) {
			s := c.dial(t, "/api/v1/chat/stream", testKey)
			s.say(c.message("Is tea hot?", "type", "message"))
			s.until("token")
			s.say(object{"type": "cancel"})
			s.expect("error")
			s.say(object{"type": "ping"})
			s.expect("pong")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := startChat(t)
			c.up.Next(gatewaytest.StallAfter("Tea "))
			way(t, c)
			<-c.up.ClientGone()
			eventually(t, "the turn fails", func() bool { return len(logged[conversation.TurnFailed](t, c.installation)) == 1 })
			f := logged[conversation.TurnFailed](t, c.installation)[0]
			if f.PartialContent != "Tea " || f.Code == string(domain.CodeInternal) {
				t.Errorf("on record: %+v", f)
			}
			if calls := logged[inference.Recorded](t, c.installation); len(calls) != 1 || !calls[0].Cancelled || calls[0].OutputTokens == 0 {
				t.Errorf("calls: %+v", calls)
			}
		})
	}
}

func TestChatSocket(t *testing.T) {
	c := startChat(t)
	c.up.Always(gatewaytest.Words("Tea is hot"))
	s := c.dial(t, "/api/v1/chat/stream?appId="+c.app, testKey)
	for _, bad := range []any{"{", "[]", object{"type": "shout"}, object{}} {
		s.say(bad)
		if e := s.expect("error")["error"].(object); e["code"] != string(domain.CodeInvalidRequest) {
			t.Errorf("%v: %v", bad, e)
		}
	}
	s.say(object{"type": "message", "message": "", "variables": object{"topic": "tea"}})
	if e := s.expect("error")["error"].(object); e["code"] != string(domain.CodeValidation) {
		t.Errorf("an empty message: %v", e)
	}
	s.say(object{"type": "message", "message": "Is tea hot?", "variables": object{"topic": "tea"}})
	chat := s.expect("start")["chatId"]
	end := s.until("end")
	if end["chatId"] != chat {
		t.Errorf("the end of %v is %v", chat, end)
	}
	// A second turn while the first one runs is refused; after it, it is answered.
	goOn := make(chan struct{})
	c.up.Next(gatewaytest.Between("one ", goOn, "two"))
	next := object{"type": "message", "message": "And coffee?", "chatId": chat, "variables": object{"topic": "tea"}}
	s.say(next)
	s.until("token")
	s.say(next)
	if e := s.expect("error")["error"].(object); e["code"] != string(domain.CodeConflict) {
		t.Errorf("a second message: %v", e)
	}
	close(goOn)
	s.until("end")
	s.say(next)
	s.until("end")
	if n := len(logged[conversation.TurnAnswered](t, c.installation)); n != 3 {
		t.Errorf("%d answers are on record, want 3", n)
	}
}

// A key of an app talks with its own app only, and needs not name it.
func TestChatWithAKeyOfAnApp(t *testing.T) {
	c := startChat(t)
	other := c.makeApp(t, "Other", object{"model": "mock/m"})
	key := call(t, c.installation, "POST", "/api/v1/user/api-keys", object{"name": "k", "type": "app", "appId": other}).must(t, http.StatusCreated).field(t, "key")
	c.ask(t, c.message("Hi"), "Authorization", "Bearer "+key).must(t, http.StatusForbidden)
	c.ask(t, c.message("Hi", "appId", other), "Authorization", "Bearer "+key).must(t, http.StatusOK)
	s := c.dial(t, "/api/v1/chat/stream", key)
	s.say(object{"type": "message", "message": "Hi"})
	s.until("end")
	for _, asked := range logged[conversation.Started](t, c.installation) {
		if asked.AppID != other {
			t.Errorf("a conversation of app %q", asked.AppID)
		}
	}
}
