//go:build e2e

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"strata/gateway/gatewaytest"
)

func TestProviders(t *testing.T) {
	c := onShared(t)
	up := gatewaytest.NewUpstream(t)
	p := c.Create(t, "/api/v1/providers", object{
		"name": "my-provider", "type": "openai_compatible", "baseUrl": up.URL, "apiKey": "sk-very-secret", "models": []string{"m"},
		"config": object{"headers": object{"X-Team": "blue"}, "prices": prices},
	})
	p.Want("data.name", "my-provider", "data.enabled", true, "data.isDefault", false, "data.priority", 0)
	path := "/api/v1/providers/" + p.Str("data.id")

	c.Post(t, chatPath, say("my-provider/m", "hello")).Want("choices.0.message.content", "Hello there.", "usage.prompt_tokens", 10)
	got := up.Requests()[len(up.Requests())-1]
	if got.Header.Get("Authorization") != "Bearer sk-very-secret" || got.Header.Get("X-Team") != "blue" || got.JSON["model"] != "m" {
		t.Errorf("the provider was asked with %v, model %v", got.Header, got.JSON["model"])
	}

	for _, a := range []string{string(p.Body), string(c.Get(t, path, p.After()...).Body), string(c.Get(t, "/api/v1/providers").Body),
		string(c.Get(t, "/api/v1/events?limit=100").Body)} {
		if strings.Contains(a, "sk-very-secret") || strings.Contains(a, "sealed:") {
			t.Errorf("the credential is shown: %s", a)
		}
	}
	c.Get(t, "/api/v1/providers?type=openai_compatible").Want("data.0.name", "my-provider")

	// What is not changed stays: the credential still works.
	off := c.Put(t, path, object{"priority": 5}).Want("data.priority", 5)
	c.Post(t, chatPath, say("my-provider/m", "hello"), off.After()...)
	if key := up.Requests()[len(up.Requests())-1].Header.Get("Authorization"); key != "Bearer sk-very-secret" {
		t.Errorf("after an update the provider was asked with %q", key)
	}
	c.Put(t, path, object{"enabled": false})
	c.Do(t, http.StatusNotFound, "POST", chatPath, say("my-provider/m", "hello")).Want("error.code", "model_not_found")
	c.Put(t, path, object{"enabled": true, "isDefault": true})
	c.Post(t, chatPath, say("m", "a bare name")).Want("choices.0.message.content", "Hello there.")

	for _, bad := range []object{
		{"name": "strata", "type": "openai_compatible", "baseUrl": "http://x"},
		{"name": "a b", "type": "openai_compatible", "baseUrl": "http://x"},
		{"name": "x", "type": "nonsense", "baseUrl": "http://x"},
		{"name": "x", "type": "openai_compatible"},
		{"name": "x", "type": "openai_compatible", "baseUrl": "nonsense"},
	} {
		c.Do(t, http.StatusBadRequest, "POST", "/api/v1/providers", bad).Want("error.code", "VALIDATION_ERROR")
	}
	c.Do(t, http.StatusConflict, "POST", "/api/v1/providers", object{"name": "my-provider", "type": "openai_compatible", "baseUrl": up.URL})

	gone := c.Delete(t, path)
	c.Do(t, http.StatusNotFound, "GET", path, nil, gone.After()...)
	c.Do(t, http.StatusNotFound, "POST", chatPath, say("my-provider/m", "hello"))
}

func TestModelRoutes(t *testing.T) {
	c := onShared(t)
	broken, good := c.provide(t, "broken"), c.provide(t, "good")
	broken.Always(gatewaytest.Error(http.StatusInternalServerError, "down", "", ""))
	r := c.Create(t, "/api/v1/model-routes", object{
		"name": "smart-model", "strategy": "fallback", "targets": []object{{"model": "broken/m", "priority": 1}, {"model": "good/m", "priority": 2}},
		"retry": object{"maxAttempts": 2, "backoffMs": 1},
	})
	r.Want("data.name", "smart-model", "data.enabled", true, "data.cacheTtlSeconds", 0)
	for _, model := range []string{"flotorch/smart-model", "smart-model"} {
		c.Post(t, chatPath, say(model, "hello"), r.After()...).Want("choices.0.message.content", "Hello there.")
	}
	if n := len(broken.Requests()); n < 2 {
		t.Errorf("the first target was tried %d times, want at least 2", n)
	}
	good.Always(gatewaytest.Answer("Fallback works."))
	c.Post(t, chatPath, say("flotorch/smart-model", "hello")).Want("choices.0.message.content", "Fallback works.")

	ids := c.Get(t, "/openai/v1/models").Strings("data", "id")
	for _, id := range []string{"flotorch/smart-model", "good/m", "strata/extract-1"} {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is not among the models %v", id, ids)
		}
	}

	path := "/api/v1/model-routes/smart-model"
	c.Get(t, path).Want("data.strategy", "fallback", "data.targets.1.model", "good/m")
	c.Put(t, path, object{"targets": []object{{"model": "good/m"}}, "description": "only the good one"})
	c.Do(t, http.StatusBadRequest, "PUT", path, object{"name": "other"})
	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/model-routes", object{"name": "x", "strategy": "nonsense", "targets": []object{}})
	c.Do(t, http.StatusConflict, "POST", "/api/v1/model-routes", object{"name": "smart-model", "strategy": "fallback", "targets": []object{{"model": "good/m"}}})
	c.Put(t, path, object{"enabled": false})
	c.Do(t, http.StatusNotFound, "POST", chatPath, say("flotorch/smart-model", "hello")).Want("error.code", "model_not_found")
	gone := c.Delete(t, path).Want("data.deleted", true)
	c.Do(t, http.StatusNotFound, "GET", path, nil, gone.After()...)
}

// Faults of a provider have the right status, in both ways of asking.
func TestFaultsOfProviders(t *testing.T) {
	c := onShared(t)
	up := c.provide(t, "p")
	for _, x := range []struct {
		name   string
		does   gatewaytest.Behaviour
		status int
	}{
		{"bad request", gatewaytest.Error(http.StatusBadRequest, "too long", "messages", "context_length_exceeded"), http.StatusBadRequest},
		{"rate limited", gatewaytest.Error(http.StatusTooManyRequests, "slow down", "", "rate_limit_exceeded"), http.StatusTooManyRequests},
		{"down", gatewaytest.Die(), http.StatusServiceUnavailable},
		{"broken", gatewaytest.Error(http.StatusInternalServerError, "oops", "", ""), http.StatusServiceUnavailable},
		{"not JSON", gatewaytest.Status(http.StatusOK, "<html>"), http.StatusServiceUnavailable},
		{"bad credential", gatewaytest.Error(http.StatusUnauthorized, "who are you", "", "invalid_api_key"), http.StatusServiceUnavailable},
	} {
		t.Run(x.name, func(t *testing.T) {
			up.Always(x.does)
			for _, stream := range []bool{false, true} {
				a, err := c.Call(t.Context(), "POST", chatPath, say("p/m", "hello", "stream", stream))
				if err != nil {
					t.Fatal(err)
				}
				if a.Status != x.status && !(a.Status == http.StatusBadGateway && x.status == http.StatusServiceUnavailable) {
					t.Errorf("stream %v: status %d, want %d: %s", stream, a.Status, x.status, a.Short())
				}
				if !a.Has("error.message") || !a.Has("error.type") || !a.Has("error.code") || !a.Has("error.param") {
					t.Errorf("stream %v: not OpenAI's error: %s", stream, a.Short())
				}
				if strings.Contains(a.Short(), up.URL) {
					t.Errorf("the provider's address is shown: %s", a.Short())
				}
			}
		})
	}
	t.Run("dies within a stream", func(t *testing.T) {
		c.provide(t, "fresh").Always(gatewaytest.DieAfter("One ", "two "))
		s, err := c.OpenStream(t.Context(), "POST", chatPath, say("fresh/m", "hello", "stream", true))
		if err != nil {
			t.Fatal(err)
		}
		frames, err := s.All()
		if err != nil {
			t.Fatal(err)
		}
		last := frames[len(frames)-1]
		if last.Data == "[DONE]" || last.JSON["error"] == nil {
			t.Errorf("a broken stream ends with %s, not with an error", last.Data)
		}
	})
}
