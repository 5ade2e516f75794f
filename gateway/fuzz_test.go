package gateway

import (
	"encoding/json"
	"testing"

	"strata/gateway/pricing"
)

// FuzzParseChat: whatever is accepted can be sent on, and says what was decided.
func FuzzParseChat(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","messages":[{"role":"user","content":"a"}]}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}],"stream":true,"stream_options":{"include_usage":true,"include_usage":false},"max_completion_tokens":3,"n":2,"metadata":{"a":[1]}}`,
	} {
		f.Add([]byte(seed))
	}
	c := &candidate{connected: &connected{limitWith: "max_tokens"}, model: "up"}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := ParseChat(body)
		if err != nil {
			return
		}
		var sent struct {
			Model     string
			Stream    bool
			MaxTokens int64                      `json:"max_tokens"`
			Options   map[string]json.RawMessage `json:"stream_options"`
		}
		if err := json.Unmarshal(req.bodyFor(c, true, true), &sent); err != nil {
			t.Fatalf("%q becomes %q: %v", body, req.bodyFor(c, true, true), err)
		}
		if sent.Model != "up" || !sent.Stream || string(sent.Options["include_usage"]) != "true" || sent.MaxTokens <= 0 {
			t.Fatalf("%q becomes %q", body, req.bodyFor(c, true, true))
		}
		in, out := req.bound(c)
		if in <= 0 || out <= 0 || (pricing.Price{Input: 1e6, Output: 1e6}).Bound(in, out) <= 0 {
			t.Fatalf("bounds %d, %d", in, out)
		}
	})
}

// FuzzTranscript: no frame of a provider, however odd, does harm.
func FuzzTranscript(f *testing.F) {
	for _, seed := range []string{
		`{"id":"a","created":1,"choices":[{"index":0,"delta":{"content":"x","tool_calls":[{"index":1,"function":{"arguments":"{"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`,
		`{"choices":[{"index":-1},{"index":1e9},7,null,{"delta":[]}],"usage":[],"created":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if !json.Valid(frame) {
			return
		}
		tr := newTranscript()
		tr.add(frame)
		tr.add(frame)
		whole, err := tr.whole(tr.usage)
		if err != nil || !json.Valid(whole) {
			t.Fatalf("%q becomes %q: %v", frame, whole, err)
		}
		if tr.usage.InputTokens < 0 || tr.usage.OutputTokens < 0 || tr.usage.CachedTokens > tr.usage.InputTokens {
			t.Fatalf("usage %+v", tr.usage)
		}
	})
}
