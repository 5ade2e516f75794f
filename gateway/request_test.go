package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/inference"
	"strata/gateway"
	"strata/gateway/gatewaytest"
)

type (
	httpWriter        = http.ResponseWriter
	inferenceRecorded = inference.Recorded
)

func fields(err error) (names []string) {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		for _, f := range e.Fields {
			names = append(names, f.Field)
		}
	}
	return names
}

func TestParseChatNamesEveryFault(t *testing.T) {
	_, err := gateway.ParseChat([]byte(`{"model":7,"messages":[{"role":"user"},{},"x"],"stream":"yes","n":0,"max_tokens":1.5,"temperature":3,"user":[],"metadata":[],"stream_options":1,"response_format":"json"}`))
	want := []string{"model", "messages[1]", "messages[2]", "stream", "user", "max_tokens", "n", "temperature", "response_format", "stream_options", "metadata"}
	if got := fields(err); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	_, err = gateway.ParseChat([]byte(`{"model":"","messages":[]}`))
	if got := fields(err); !slices.Equal(got, []string{"model", "messages"}) {
		t.Errorf("got %q", got)
	}
	_, err = gateway.ParseChat([]byte(`{"model":"m","messages":[{"role":"user","content":""}],"MAX_TOKENS":1,"ſtream":true}`))
	if got := fields(err); !slices.Equal(got, []string{"MAX_TOKENS", "ſtream"}) {
		t.Errorf("got %q", got)
	}
	for _, body := range []string{``, `{`, `[]`, `null`, `{"model":"a","model":"b"}`} {
		if _, err := gateway.ParseChat([]byte(body)); domain.CodeOf(err) != domain.CodeInvalidRequest {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestParseEmbedInput(t *testing.T) {
	for input, sound := range map[string]bool{
		`"a"`: true, `["a","b"]`: true, `[1,2]`: true, `[[1],[2,3]]`: true, `["a",[1]]`: true,
		`""`: false, `[]`: false, `[""]`: false, `[[]]`: false, `7`: false, `{}`: false, `[-1]`: false, `[1.5]`: false,
		`["a",null]`: false, `null`: false, `[["a"]]`: false, `[[[1]]]`: false, `true`: false,
		`[` + strings.Repeat(`"a",`, 2048) + `"a"]`: false,
	} {
		_, err := gateway.ParseEmbed([]byte(`{"model":"m","input":` + input + `}`))
		if (err == nil) != sound || !sound && !slices.Equal(fields(err), []string{"input"}) {
			t.Errorf("%.40s: %v", input, err)
		}
	}
	_, err := gateway.ParseEmbed([]byte(`{"input":"a","encoding_format":"hex","dimensions":0}`))
	if got := fields(err); !slices.Equal(got, []string{"model", "dimensions", "encoding_format"}) {
		t.Errorf("got %q", got)
	}
}

func TestProviderConfig(t *testing.T) {
	c, err := gateway.ParseProviderConfig([]byte(`{"headers":{"X-Org":"o"},"firstByteTimeoutMs":1500,"idle_timeout_ms":200,"stream_usage":false,"maxTokensField":"max_completion_tokens","api_version":"v","prices":{"m*":{"input":1,"cachedInput":0.5,"output":2,"max_output_tokens":9}},"unknown":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Headers["X-Org"] != "o" || c.FirstByteTimeout != 1500*time.Millisecond || c.IdleTimeout != 200*time.Millisecond || !c.NoStreamUsage ||
		c.MaxTokensField != "max_completion_tokens" || c.APIVersion != "v" || *c.Prices["m*"].CachedInput != 0.5 || c.Prices["m*"].MaxOutputTokens != 9 {
		t.Errorf("%+v", c)
	}
	_, err = gateway.ParseProviderConfig([]byte(`{"headers":1,"idle_timeout_ms":-1,"max_tokens_field":"x","prices":{"m":{"input":-1}}}`))
	want := []string{"config.headers", "config.idle_timeout_ms", "config.max_tokens_field", "config.prices.m"}
	if got := fields(err); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for _, empty := range []string{"", "null", "{}"} {
		if _, err := gateway.ParseProviderConfig([]byte(empty)); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
	if _, err := gateway.ParseProviderConfig([]byte(`[]`)); !slices.Equal(fields(err), []string{"config"}) {
		t.Error(err)
	}
}

func TestProvidersAreReachedTheirWay(t *testing.T) {
	r := newRig(t)
	add := func(name string, p gateway.Provider) {
		p.Name, p.Enabled, p.APIKey = name, true, "k-123456"
		p.BaseURL = strings.TrimSuffix(r.up.URL, "/v1") + p.BaseURL
		r.dir.AddProvider(p)
	}
	add("azure", gateway.Provider{Type: gateway.AzureOpenAI})
	add("azure1", gateway.Provider{Type: gateway.AzureOpenAI, BaseURL: "/openai/v1/"})
	add("custom", gateway.Provider{Type: gateway.OpenAICompatible, BaseURL: "/v1", Config: json.RawMessage(`{"headers":{"Authorization":"Token t","X-A":"b"},"stream_usage":false}`)})
	for model, want := range map[string][3]string{
		"azure/d 1": {"/openai/deployments/d%201/chat/completions?api-version=2024-10-21", "", "k-123456"},
		"azure1/d":  {"/openai/v1/chat/completions", "", "k-123456"},
		"custom/m":  {"/v1/chat/completions", "Token t", ""},
	} {
		if _, _, _, err := r.stream(t, caller, strings.Replace(streamed(`,"stream_options":{"include_usage":true}`), "up/m", model, 1)); err != nil {
			t.Fatal(err)
		}
		sent := r.up.Requests()[len(r.up.Requests())-1]
		if got := [3]string{sent.URL.RequestURI(), sent.Header.Get("Authorization"), sent.Header.Get("Api-Key")}; got != want {
			t.Errorf("%s: %q", model, got)
		}
		if (sent.JSON["stream_options"] == nil) != (model == "custom/m") {
			t.Errorf("%s: sent %s", model, sent.Body)
		}
	}
}

func TestProviderModels(t *testing.T) {
	r := newRig(t)
	p, err := r.dir.Provider(context.Background(), "", "up")
	if err != nil {
		t.Fatal(err)
	}
	r.up.Next(gatewaytest.JSON(`{"object":"list","data":[{"id":"b"},{"id":"a"}]}`), gatewaytest.Error(401, "no", "", ""))
	names, err := r.ProviderModels(context.Background(), "wks_1", p)
	if err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("%q, %v", names, err)
	}
	_, err = r.ProviderModels(context.Background(), "wks_1", p)
	wantCode(t, err, domain.CodeAIService)
	_, err = r.ProviderModels(context.Background(), "wks_1", gateway.Provider{Name: "x", Type: gateway.Vertex})
	wantCode(t, err, domain.CodeAIService)
}

// TestBooksBalance: whatever providers, clients and the log do, every call is
// recorded once and every reservation ends once.
func TestBooksBalance(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) {
		c.Breaker.Failures = 1 << 30
		c.Timeouts.FirstByte, c.Timeouts.Idle = 20*time.Millisecond, 20*time.Millisecond
	})
	r.books.Limit(1_000_000_000)
	second := gatewaytest.NewUpstream(t)
	r.dir.AddProvider(gateway.Provider{Name: "second", BaseURL: second.URL, Config: json.RawMessage(priced)})
	r.dir.AddRoute(gateway.Route{Name: "both", Targets: []gateway.Target{{Model: "up/m"}, {Model: "second/m"}}})
	behaviours := map[string]gatewaytest.Behaviour{
		"answer": gatewaytest.Answer("one two"), "no usage": gatewaytest.NoUsage("one two"), "400": gatewaytest.Error(400, "x", "", ""),
		"401": gatewaytest.Error(401, "x", "", ""), "404": gatewaytest.Error(404, "x", "", ""), "429": gatewaytest.Error(429, "x", "", ""),
		"500": gatewaytest.Error(500, "x", "", ""), "die": gatewaytest.Die(), "die later": gatewaytest.DieAfter("one "),
		"hang": gatewaytest.Hang(), "stall": gatewaytest.StallAfter("one "), "nonsense": gatewaytest.JSON("<"), "empty": gatewaytest.Frames(),
	}
	names := make([]string, 0, len(behaviours))
	for name := range behaviours {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		before := len(r.books.Records())
		for _, up := range []*gatewaytest.Upstream{r.up, second} {
			up.Always(behaviours[rapid.SampledFrom(names).Draw(t, "then")])
			up.Next(behaviours[rapid.SampledFrom(names).Draw(t, "first")])
		}
		model := rapid.SampledFrom([]string{"up/m", "flotorch/both", "strata/echo", "nobody/m"}).Draw(t, "model")
		leave := rapid.IntRange(-1, 3).Draw(t, "the client leaves after frame")
		lost := rapid.IntRange(0, 9).Draw(t, "record") == 0
		if lost {
			r.books.FailRecords(errors.New("full"))
		}
		var err error
		if rapid.Bool().Draw(t, "stream") {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			frames := 0
			_, err = r.ChatStream(ctx, caller, mustParse(streamedAs(model)), func(gateway.Chunk) error {
				if frames++; frames == leave {
					cancel()
				}
				return nil
			})
		} else {
			_, err = r.Chat(context.Background(), caller, mustParse(ask(model)))
		}
		r.books.FailRecords(nil)
		if lost && err == nil {
			t.Fatal("a call that was not recorded ended well")
		}
		if made := len(r.books.Records()) - before; made != 1 && !lost || made != 0 && lost {
			t.Fatalf("%d records", made)
		}
		if err := r.books.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func streamedAs(model string) string {
	return fmt.Sprintf(`{"model":%q,"stream":true,"messages":[{"role":"user","content":"Hello?"}]}`, model)
}

func mustParse(body string) *gateway.ChatRequest {
	req, err := gateway.ParseChat([]byte(body))
	if err != nil {
		panic(err)
	}
	return req
}
