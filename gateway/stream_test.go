package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/inference"
	"strata/gateway"
	"strata/gateway/gatewaytest"
)

// stream runs a streamed call and returns what the client got.
func (r *rig) stream(t testing.TB, call gateway.Call, body string) (frames []string, text string, s *gateway.Summary, err error) {
	t.Helper()
	s, err = r.ChatStream(context.Background(), call, chatRequest(t, body), func(c gateway.Chunk) error {
		frames = append(frames, string(c.Data))
		text += c.Text
		return nil
	})
	return frames, text, s, err
}

func streamed(options string) string {
	return `{"model":"up/m","stream":true,"messages":[{"role":"user","content":"Hello?"}]` + options + `}`
}

func TestStream(t *testing.T) {
	r := newRig(t)
	r.books.Limit(1_000_000)
	r.up.Always(gatewaytest.Answer("one two three"))
	frames, text, s, err := r.stream(t, caller, streamed(`,"stream_options":{"other":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if text != "one two three" || s.Text != text || s.FinishReason != "stop" || s.UsageEstimated || s.Usage.OutputTokens != 3 || s.Cost != 40 {
		t.Errorf("%q, %+v", text, s)
	}
	if len(frames) != 4 || strings.Contains(strings.Join(frames, ""), "prompt_tokens") {
		t.Errorf("the usage frame nobody asked for was not held back: %q", frames)
	}
	if sent := string(r.up.Requests()[0].Body); !strings.Contains(sent, `"stream_options":{"other":true,"include_usage":true}`) {
		t.Errorf("sent %s", sent)
	}
	rec := r.record(t)
	if !rec.Stream || rec.FirstTokenUS <= 0 || rec.FirstTokenUS > rec.LatencyUS || rec.Status != inference.Success {
		t.Errorf("record %+v", rec)
	}
	r.wantLog(t, "reserve", "record", "settle")
}

func TestStreamWithUsage(t *testing.T) {
	for name, behaviour := range map[string]gatewaytest.Behaviour{"the provider's": gatewaytest.Answer("one two"), "ours": gatewaytest.NoUsage("one two")} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.up.Always(behaviour)
			frames, _, s, err := r.stream(t, caller, streamed(`,"stream_options":{"include_usage":true}`))
			if err != nil {
				t.Fatal(err)
			}
			var last struct {
				ID, Model string
				Choices   []any
				Usage     struct {
					Completion int64 `json:"completion_tokens"`
				}
			}
			if err := json.Unmarshal([]byte(frames[len(frames)-1]), &last); err != nil {
				t.Fatal(err)
			}
			if last.Choices == nil || len(last.Choices) != 0 || last.Usage.Completion != 2 || last.ID != "chatcmpl-up" || last.Model != "upstream-model-0001" {
				t.Errorf("last frame %s", frames[len(frames)-1])
			}
			if s.UsageEstimated != (name == "ours") {
				t.Errorf("estimated: %v", s.UsageEstimated)
			}
		})
	}
}

func TestStreamEndings(t *testing.T) {
	frame := `{"choices":[{"index":0,"delta":{"content":"half "},"finish_reason":null}]}`
	tests := map[string]struct {
		behaviour gatewaytest.Behaviour
		code      domain.Code // "" = a good end
	}{
		"no end mark but finished":    {gatewaytest.NoEndMark("half "), ""},
		"connection breaks":           {gatewaytest.DieAfter("half "), domain.CodeAIService},
		"ends in good order too soon": {gatewaytest.Frames(frame), domain.CodeAIService},
		"error frame":                 {gatewaytest.Frames(frame, `{"error":{"message":"overloaded","code":500}}`, "[DONE]"), domain.CodeAIService},
		"not JSON":                    {gatewaytest.Frames(frame, `{"choices`), domain.CodeAIService},
		"falls silent":                {gatewaytest.StallAfter("half "), domain.CodeAIService},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *gateway.Config) {
				if name == "falls silent" {
					c.Timeouts.Idle = 50 * time.Millisecond
				}
			})
			r.books.Limit(1_000_000)
			r.up.Always(tt.behaviour)
			_, text, _, err := r.stream(t, caller, streamed(""))
			if text != "half " {
				t.Errorf("got %q", text)
			}
			rec := r.record(t)
			if rec.OutputTokens != 1 || rec.InputTokens == 0 || rec.Cost == 0 || !rec.UsageEstimated || rec.Attempts != 1 {
				t.Errorf("not billed for what was produced: %+v", rec)
			}
			r.wantLog(t, "reserve", "record", "settle")
			if tt.code == "" {
				if err != nil || rec.Status != inference.Success {
					t.Errorf("%v, %+v", err, rec)
				}
				return
			}
			wantCode(t, err, tt.code)
			if rec.Status != inference.Failed || rec.HTTPStatus != 200 || rec.ErrorCode != string(tt.code) {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

func TestStreamRetriesBeforeTheFirstFrame(t *testing.T) {
	for name, behaviour := range map[string]gatewaytest.Behaviour{
		"refused": gatewaytest.Error(503, "busy", "", ""), "dies": gatewaytest.DieAfter(), "empty": gatewaytest.Frames("[DONE]"),
		"error first": gatewaytest.Frames(`{"error":{"message":"overloaded"}}`), "not a stream": gatewaytest.JSON(`{"choices":[]}`),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.up.Next(behaviour)
			_, text, s, err := r.stream(t, caller, streamed(""))
			if err != nil || text != "Hello there." || s.Attempts != 2 {
				t.Errorf("%q, %+v, %v", text, s, err)
			}
		})
	}
}

func TestClientLeavesInMidStream(t *testing.T) {
	for _, how := range []string{"context", "sink"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			r.books.Limit(1_000_000)
			r.up.Always(gatewaytest.Endless("word ", time.Millisecond))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			count := 0
			_, err := r.ChatStream(ctx, caller, chatRequest(t, streamed("")), func(gateway.Chunk) error {
				if count++; count < 3 {
					return nil
				}
				if how == "sink" {
					return errors.New("broken pipe")
				}
				cancel()
				return nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			<-r.up.ClientGone() // the provider was told to stop
			rec := r.record(t)
			if !rec.Cancelled || rec.Status != inference.Success || rec.OutputTokens < 3 || rec.Cost == 0 || rec.Error != "" {
				t.Errorf("record %+v", rec)
			}
			r.wantLog(t, "reserve", "record", "settle")
		})
	}
}

func TestStreamIsNotEndedUnrecorded(t *testing.T) {
	r := newRig(t)
	r.books.FailRecords(errors.New("disk full"))
	_, text, _, err := r.stream(t, caller, streamed(""))
	if wantCode(t, err, domain.CodeUnavailable); text != "Hello there." {
		t.Errorf("got %q", text)
	}
}

func TestFramesAreNotHeldBack(t *testing.T) {
	r := newRig(t)
	release := make(chan struct{})
	r.up.Always(gatewaytest.Between("first ", release, "second"))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var got []string
	if _, err := r.ChatStream(ctx, caller, chatRequest(t, streamed("")), func(c gateway.Chunk) error {
		if c.Text == "first " {
			close(release) // the provider says no more until the client has this frame
		}
		if c.Text != "" {
			got = append(got, c.Text)
		}
		return nil
	}); err != nil || !slices.Equal(got, []string{"first ", "second"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStreamPayloadIsTheAssembledAnswer(t *testing.T) {
	r := newRig(t)
	r.up.Always(gatewaytest.Frames(
		`{"id":"c1","created":5,"model":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}},{"index":1,"delta":{"content":"Ho"}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"a\""}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"!","tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":"tool_calls"}]}`,
		`{"choices":[{"index":1,"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`,
		"[DONE]"))
	call := caller
	call.RecordPayload = true
	if _, _, _, err := r.stream(t, call, streamed("")); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"c1","object":"chat.completion","created":5,"model":"x","choices":[` +
		`{"index":0,"message":{"role":"assistant","content":"Hi!","tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"},` +
		`{"index":1,"message":{"role":"assistant","content":"Ho"},"finish_reason":"length"}],` +
		`"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`
	if got := string(r.books.Payloads()[0].Response); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBuiltinStreams(t *testing.T) {
	r := newRig(t)
	_, text, s, err := r.stream(t, caller, `{"model":"strata/extract-1","stream":true,"messages":[{"role":"system","content":"The shop opens at nine. It sells shoes."},{"role":"user","content":"When does the shop open?"}]}`)
	if err != nil || text != "The shop opens at nine." || s.UsageEstimated || s.Cost != 0 || s.Model != "strata/extract-1" {
		t.Errorf("%q, %+v, %v", text, s, err)
	}
}
