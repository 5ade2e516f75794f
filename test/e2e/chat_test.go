//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// app makes an app that talks to a model.
func (c tenant) app(t *testing.T, model string) string {
	t.Helper()
	return c.Create(t, "/api/v1/apps", object{
		"name": "app of " + model, "type": "chat", "status": "published", "config": object{"model": model, "systemPrompt": "Be brief."},
	}).Str("data.id")
}

func TestChatCompletions(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	app := c.app(t, "p/m")
	c.Put(t, "/api/v1/apps/"+app, object{"config": object{"model": "p/m", "systemPrompt": "Be brief, {{name}}."}})
	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/chat/completions", object{"appId": app, "message": "Hello?"}).
		Want("error.details.0.field", "variables.name")
	first := c.Post(t, "/api/v1/chat/completions", object{"appId": app, "message": "What are your business hours?", "variables": object{"name": "Ann"}})
	first.Want("data.response", "Hello there.", "data.tokenUsage.prompt", 10, "data.tokenUsage.completion", 2, "data.tokenUsage.total", 12)
	if !strings.HasPrefix(first.Str("data.runId"), "run_") {
		t.Errorf("runId %q", first.Str("data.runId"))
	}
	chat := first.Str("data.chatId")

	up.Always(gatewaytest.Answer("Until six."))
	c.Post(t, "/api/v1/chat/completions", object{"appId": app, "message": "Until when?", "chatId": chat, "variables": object{"name": "Ann"}}).
		Want("data.response", "Until six.", "data.chatId", chat)
	sent := up.Requests()[len(up.Requests())-1].JSON["messages"].([]any)
	var roles []string
	for _, m := range sent {
		roles = append(roles, m.(object)["role"].(string))
	}
	if text := sent[0].(object)["content"]; text != "Be brief, Ann." {
		t.Errorf("the system prompt is %q", text)
	}
	if got := strings.Join(roles, " "); got != "system user assistant user" {
		t.Errorf("the model was sent the roles %q", got)
	}

	kit.Eventually(t, visible, "the history has both turns", func() error {
		h := c.Get(t, "/api/v1/chat/history?appId="+app)
		if len(h.List("data")) != 1 {
			return kit.Differ("chats", len(h.List("data")), 1)
		}
		h.Want("data.0.id", chat, "data.0.title", "What are your business hours?", "data.0.appId", app)
		return kit.Differ("messages", h.Int("data.0.messageCount"), 4)
	})
	c.Get(t, "/api/v1/chat/history?appId=app_nobody").Want("pagination.hasMore", false)
	if n := len(c.Get(t, "/api/v1/chat/history?search=business").List("data")); n != 1 {
		t.Errorf("the search finds %d chats", n)
	}

	fb := c.Do(t, http.StatusCreated, "POST", "/api/v1/chat/feedback", object{"chatId": chat, "rating": "positive", "comment": "good"})
	fb.Want("data.chatId", chat, "data.rating", "positive")
	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/chat/feedback", object{"chatId": chat, "rating": "great"})
	c.Do(t, http.StatusNotFound, "POST", "/api/v1/chat/feedback", object{"chatId": "chat_nobody", "rating": "positive"})

	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/chat/completions", object{"appId": app}).Want("error.code", "VALIDATION_ERROR")
	c.Do(t, http.StatusNotFound, "POST", "/api/v1/chat/completions", object{"appId": "app_nobody", "message": "x"})
	c.Do(t, http.StatusNotFound, "POST", "/api/v1/chat/completions", object{"appId": app, "message": "x", "chatId": "chat_nobody", "variables": object{"name": "x"}})
	gateway := c.Do(t, http.StatusBadRequest, "POST", "/api/v1/chat/completions", say("p/m", "hello"))
	if !strings.Contains(gateway.Short(), "/gateway/v1") && !strings.Contains(gateway.Short(), "/openai/v1") {
		t.Errorf("an OpenAI body is not told where to go: %s", gateway.Short())
	}

	gone := c.Delete(t, "/api/v1/chat/history/"+chat).Want("data.deleted", true)
	if n := len(c.Get(t, "/api/v1/chat/history", gone.After()...).List("data")); n != 0 {
		t.Errorf("%d chats after the delete", n)
	}
	c.Do(t, http.StatusNotFound, "POST", "/api/v1/chat/completions", object{"appId": app, "message": "x", "chatId": chat, "variables": object{"name": "x"}})
}

func TestChatStreamed(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	app := c.app(t, "p/m")
	s, err := c.OpenStream(t.Context(), "POST", "/api/v1/chat/completions", object{"appId": app, "message": "Hello?", "stream": true})
	if err != nil {
		t.Fatal(err)
	}
	if s.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("Cache-Control %q", s.Header.Get("Cache-Control"))
	}
	frames, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	var text string
	for _, f := range frames {
		kinds = append(kinds, f.JSON["type"].(string))
		if f.JSON["type"] == "token" {
			text += f.JSON["content"].(string)
		}
	}
	if kinds[0] != "start" || kinds[len(kinds)-1] != "end" || text != "Hello there." {
		t.Errorf("frames %v, text %q", kinds, text)
	}
	if frames[0].JSON["runId"] == "" || frames[len(frames)-1].JSON["tokenUsage"].(object)["total"] != 12.0 {
		t.Errorf("first %s, last %s", frames[0].Data, frames[len(frames)-1].Data)
	}

	up.Always(gatewaytest.DieAfter("Half an "))
	s, err = c.OpenStream(t.Context(), "POST", "/api/v1/chat/completions", object{"appId": app, "message": "Hello?", "stream": true})
	if err != nil {
		t.Fatal(err)
	}
	if frames, err = s.All(); err != nil {
		t.Fatal(err)
	}
	if last := frames[len(frames)-1]; last.JSON["type"] != "error" {
		t.Errorf("a broken answer ends with %s", last.Data)
	}
}

func TestChatOverWebsocket(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	ws := c.Dial(t, "/api/v1/chat/stream")
	ws.Send(object{"type": "ping"})
	ws.Until("pong")
	ws.Send(object{"type": "message", "message": "Hello?", "model": "p/m"})
	frames := ws.Until("end")
	var text string
	for _, f := range frames {
		if f["type"] == "token" {
			text += f["content"].(string)
		}
	}
	if frames[0]["type"] != "start" || text != "Hello there." {
		t.Errorf("frames %v", frames)
	}
	chat, _ := frames[0]["chatId"].(string)
	ws.Send(object{"type": "message", "message": "And again?", "appId": c.app(t, "p/m"), "chatId": chat})
	ws.Until("end")

	up.Always(gatewaytest.StallAfter("One "))
	ws.Send(object{"type": "message", "message": "Hang", "model": "p/m"})
	ws.Until("token")
	ws.Send(object{"type": "cancel"})
	<-up.ClientGone()
	up.Always(gatewaytest.Answer("Back."))
	for {
		m := ws.Receive()
		if m["type"] == "error" || m["type"] == "end" {
			break
		}
	}
	ws.Send(object{"type": "message", "message": "Still there?", "model": "p/m"})
	ws.Until("end")

	for _, bad := range []object{{"type": "nonsense"}, {"type": "message"}, {"type": "message", "message": "x", "model": "nobody/nothing"}} {
		ws.Send(bad)
		ws.Until("error")
	}
}
