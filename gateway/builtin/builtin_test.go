package builtin

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/gateway/upstream"
)

func backend() *Backend {
	return New(func() time.Time { return time.Unix(1_700_000_000, 0) }, func(p string) string { return p + "-1" })
}

func chat(t testing.TB, model, body string) completion {
	t.Helper()
	raw, err := backend().Do(context.Background(), upstream.Chat, model, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var c completion
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func conversation(messages ...string) string {
	list := []map[string]string{}
	for _, m := range messages {
		role, text, _ := strings.Cut(m, ":")
		list = append(list, map[string]string{"role": role, "content": text})
	}
	raw, _ := json.Marshal(list)
	return string(raw)
}

const hours = "system:We sell shoes. Our shop is open from 9 to 5 on weekdays. Returns are free within 30 days. The shop is in Main Street."

func TestExtract(t *testing.T) {
	tests := map[string]struct{ messages, want string }{
		"from the system prompt": {conversation(hours, "user:When is the shop open?"), "Our shop is open from 9 to 5 on weekdays."},
		"inflected":              {conversation(hours, "user:Can I return something for free?"), "Returns are free within 30 days."},
		"from the same message":  {conversation("user:Context: The tower is 330 metres tall. It was built in 1889. Question: How tall is the tower?"), "Context: The tower is 330 metres tall."},
		"from an earlier turn":   {conversation("user:My dog is called Rex.", "assistant:Nice!", "user:What is my dog called?"), "My dog is called Rex."},
		"nothing there":          {conversation("user:What is the capital of France?"), Sorry},
		"only stop words":        {conversation(hours, "user:What is it?"), Sorry},
		"no user":                {conversation(hours), Sorry},
		"not its own apology":    {conversation("user:Which provider?", "assistant:"+Sorry, "user:Which provider?"), Sorry},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := *chat(t, Extract, `{"messages":`+tt.messages+`}`).Choices[0].Message.Content
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestChatParameters(t *testing.T) {
	say := func(rest string) string {
		return `{"messages":[{"role":"user","content":[{"type":"text","text":"one two three four"}]}]` + rest + `}`
	}
	tests := []struct{ rest, text, finish string }{
		{``, "one two three four", "stop"},
		{`,"max_tokens":2`, "one two", "length"},
		{`,"max_completion_tokens":4`, "one two three four", "stop"},
		{`,"stop":" three"`, "one two", "stop"},
		{`,"stop":["four"," two"]`, "one", "stop"},
		{`,"response_format":{"type":"json_object"}`, `{"answer":"one two three four"}`, "stop"},
	}
	for _, tt := range tests {
		c := chat(t, Echo, say(tt.rest))
		if got := *c.Choices[0].Message.Content; got != tt.text || *c.Choices[0].FinishReason != tt.finish {
			t.Errorf("%s: %q, %s", tt.rest, got, *c.Choices[0].FinishReason)
		}
		if c.Usage.Prompt != 4 || c.Usage.Completion != len(Tokenize(tt.text)) || c.Usage.Total != c.Usage.Prompt+c.Usage.Completion {
			t.Errorf("%s: usage %+v", tt.rest, c.Usage)
		}
	}
	if c := chat(t, Echo, say(`,"n":3`)); len(c.Choices) != 3 || c.Usage.Completion != 12 {
		t.Errorf("n=3: %+v", c)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		op          upstream.Operation
		model, body string
		kind        upstream.Kind
	}{
		{upstream.Chat, "gpt", `{}`, upstream.NotFound},
		{upstream.Chat, Embed, `{}`, upstream.NotFound},
		{upstream.Embeddings, Echo, `{}`, upstream.NotFound},
		{upstream.Chat, Echo, `{"n":17}`, upstream.Refused},
		{upstream.Chat, Echo, `{"messages":7}`, upstream.Refused},
		{upstream.Chat, Echo, `{"response_format":{"type":"json_schema"}}`, upstream.Refused},
		{upstream.Embeddings, Embed, `{"input":""}`, upstream.Refused},
		{upstream.Embeddings, Embed, `{"input":["a"," "]}`, upstream.Refused},
		{upstream.Embeddings, Embed, `{"input":{}}`, upstream.Refused},
		{upstream.Embeddings, Embed, `{"input":"a","dimensions":0}`, upstream.Refused},
		{upstream.Embeddings, Embed, `{"input":"a","dimensions":4097}`, upstream.Refused},
	}
	for _, tt := range tests {
		_, err := backend().Do(context.Background(), tt.op, tt.model, []byte(tt.body))
		if f, ok := errors.AsType[*upstream.Failure](err); !ok || f.Kind != tt.kind {
			t.Errorf("%s %s: %v", tt.model, tt.body, err)
		}
	}
}

func TestStreamIsTheSameAnswer(t *testing.T) {
	s, err := backend().Stream(context.Background(), Extract, []byte(`{"stream_options":{"include_usage":true},"n":2,"messages":`+conversation(hours, "user:When is it open?")+`}`))
	if err != nil {
		t.Fatal(err)
	}
	texts, finishes, used := make([]string, 2), make([]string, 2), usage{}
	for {
		raw, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var c completion
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		if c.Usage != nil {
			used = *c.Usage
		}
		for _, choice := range c.Choices {
			if choice.Delta.Content != nil {
				texts[choice.Index] += *choice.Delta.Content
			}
			if choice.FinishReason != nil {
				finishes[choice.Index] = *choice.FinishReason
			}
		}
	}
	want := "Our shop is open from 9 to 5 on weekdays."
	if texts[0] != want || texts[1] != want || finishes[1] != "stop" || used.Completion != 2*len(Tokenize(want)) {
		t.Errorf("got %q, %q, %+v", texts, finishes, used)
	}
}

func TestTokenizeKeepsTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if rapid.Bool().Draw(t, "broken") {
			text = string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		}
		tokens := Tokenize(text)
		if strings.Join(tokens, "") != text || len(tokens) > len(text) {
			t.Fatalf("%q became %q", text, tokens)
		}
		sentences(text)
		terms(text)
	})
}

func similarity(a, b []float32) (cosine float64) {
	for i := range a {
		cosine += float64(a[i]) * float64(b[i])
	}
	return cosine
}

func TestVector(t *testing.T) {
	ask := Vector("When does the shop open?", 256)
	near := similarity(ask, Vector("Opening hours of our shops", 256))
	far := similarity(ask, Vector("Quarterly revenue grew by ten percent", 256))
	if near < far+0.1 {
		t.Errorf("near %.3f, far %.3f", near, far)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zàé世 ]{1,80}`).Draw(t, "text")
		dimensions := rapid.IntRange(1, 300).Draw(t, "dimensions")
		v, again := Vector(text, dimensions), Vector(text, dimensions)
		var square float64
		for i := range v {
			if v[i] != again[i] {
				t.Fatalf("%q differs at %d", text, i)
			}
			square += float64(v[i]) * float64(v[i])
		}
		if square != 0 && math.Abs(square-1) > 1e-5 {
			t.Fatalf("length %f", square)
		}
	})
}

func TestEmbeddings(t *testing.T) {
	type answer struct {
		Data []struct {
			Index     int
			Embedding json.RawMessage
		}
		Usage embeddingUsage
	}
	ask := func(body string) (a answer) {
		t.Helper()
		raw, err := backend().Do(context.Background(), upstream.Embeddings, Embed, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for body, n := range map[string]int{
		`{"input":"hello world"}`: 1, `{"input":["a b","c"]}`: 2, `{"input":[1,2,3]}`: 1, `{"input":[[1,2],[3]]}`: 2,
	} {
		if a := ask(body); len(a.Data) != n || a.Usage.Prompt == 0 || a.Data[n-1].Index != n-1 {
			t.Errorf("%s: %+v", body, a)
		}
	}
	var floats []float32
	if err := json.Unmarshal(ask(`{"input":"hello","dimensions":8}`).Data[0].Embedding, &floats); err != nil || len(floats) != 8 {
		t.Fatal(floats, err)
	}
	var text string
	if err := json.Unmarshal(ask(`{"input":"hello","dimensions":8,"encoding_format":"base64"}`).Data[0].Embedding, &text); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 32 {
		t.Fatal(len(raw), err)
	}
	for i, want := range floats {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); got != want {
			t.Errorf("base64 %d: %v, want %v", i, got, want)
		}
	}
}

// The hash is part of every stored vector: it must never change.
func TestVectorIsFixedForEver(t *testing.T) {
	got := fmt.Sprintf("%.4f", Vector("The log is the truth", 6))
	if want := "[-0.3958 -0.5442 0.2968 0.2131 0.0000 -0.6432]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkExtract(b *testing.B) {
	body := []byte(`{"messages":` + conversation(hours, "user:When is the shop open?") + `}`)
	back := backend()
	for b.Loop() {
		if _, err := back.Do(context.Background(), upstream.Chat, Extract, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVector(b *testing.B) {
	text := strings.Repeat("Everything else is derived from the log and can be rebuilt. ", 10)
	for b.Loop() {
		Vector(text, DefaultDimensions)
	}
}
