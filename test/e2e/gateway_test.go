//go:build e2e

package e2e

import (
	"net/http"
	"testing"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// Both places of OpenAI's wire format serve the same models.
func TestOpenAIWireFormat(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	for _, base := range []string{"/openai/v1", "/api/v1/gateway/v1"} {
		t.Run(base, func(t *testing.T) {
			a := c.Post(t, base+"/chat/completions", say("strata/extract-1", "The sky is blue. What colour is the sky?"))
			a.Want("object", "chat.completion", "choices.0.message.role", "assistant")
			models := c.Get(t, base+"/models").Want("object", "list", "data.0.object", "model")
			for _, id := range models.Strings("data", "id") {
				c.Get(t, base+"/models/"+id).Want("id", id, "object", "model")
			}
			c.Do(t, http.StatusNotFound, "GET", base+"/models/nobody/nothing", nil).Want("error.code", "model_not_found")
			e := c.Post(t, base+"/embeddings", object{"model": "strata/embed-1", "input": []string{"a", "b"}})
			e.Want("object", "list", "data.1.index", 1)
			if n := len(e.List("data.0.embedding")); n < 64 {
				t.Errorf("an embedding of %d numbers", n)
			}
			c.Do(t, http.StatusUnauthorized, "POST", base+"/chat/completions", say("p/m", "x"), "Authorization", "Bearer nonsense").
				Want("error.type", "authentication_error", "error.code", "invalid_api_key")
			c.Do(t, http.StatusNotFound, "GET", base+"/nothing", nil).Want("error.type", "invalid_request_error")
		})
	}

	t.Run("unknown fields reach the provider and come back", func(t *testing.T) {
		up.Next(gatewaytest.JSON(`{"id":"x","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":null,` +
			`"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],` +
			`"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"someday":{"new":true}}`))
		a := c.Post(t, chatPath, say("p/m", "hello", "tools", []object{{"type": "function", "function": object{"name": "f"}}}, "futureField", object{"deep": 1}))
		a.Want("choices.0.message.tool_calls.0.function.name", "f", "someday.new", true, "choices.0.finish_reason", "tool_calls")
		sent := up.Requests()[len(up.Requests())-1].JSON
		if sent["futureField"] == nil || sent["tools"] == nil || sent["model"] != "m" {
			t.Errorf("the provider got %v", sent)
		}
	})

	t.Run("every frame passes at once", func(t *testing.T) {
		release := make(chan struct{})
		up.Next(gatewaytest.Between("first", release, "second"))
		s, err := c.OpenStream(t.Context(), "POST", chatPath, say("p/m", "hello", "stream", true))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		f, err := s.Next() // arrives although the answer goes on
		if err != nil || f.JSON["choices"] == nil {
			t.Fatalf("first frame %v: %v", f, err)
		}
		close(release)
		rest, err := s.All()
		if err != nil || rest[len(rest)-1].Data != "[DONE]" {
			t.Errorf("the stream ends with %v: %v", rest, err)
		}
	})

	t.Run("faults", func(t *testing.T) {
		for name, body := range map[string]any{
			"no messages": object{"model": "p/m"}, "no model": object{"messages": []object{}}, "not JSON": kit.Raw("{"), "not an object": kit.Raw("[]"),
		} {
			a := c.Do(t, http.StatusBadRequest, "POST", chatPath, body)
			a.Want("error.type", "invalid_request_error")
			if t.Failed() {
				t.Fatal(name)
			}
		}
	})
}
