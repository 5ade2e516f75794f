package replies_test

import (
	"encoding/json"
	"strings"
	"testing"

	"strata/domain"
	"strata/gateway/replies"
)

func TestOf(t *testing.T) {
	for body, want := range map[string][2]string{
		`{"choices":[{"message":{"content":"Hi"}}]}`:                                      {"Hi", ""},
		`{"choices":[{"delta":{"content":"Hi","reasoning_content":"why"}}]}`:              {"Hi", "why"},
		`{"choices":[{"message":{"content":null,"reasoning":"why"}}]}`:                    {"", "why"},
		`{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"text":"b"}]}}]}`: {"ab", ""},
		`{"choices":[{"message":{"content":[{"type":"image"}]}}]}`:                        {`[{"type":"image"}]`, ""},
		`{"choices":[{"message":{"content":"Hi","tool_calls":"odd"}}]}`:                   {"Hi", ""},
		`{"choices":[]}`: {"", ""}, `[]`: {"", ""}, ``: {"", ""}, `{"choices":[{}]}`: {"", ""},
	} {
		if m := replies.Of([]byte(body)); m.Content != want[0] || m.Thinking != want[1] {
			t.Errorf("%s: %+v", body, m)
		}
	}
	m := replies.Of([]byte(`{"choices":[{"message":{"tool_calls":[{"id":"call_1"}]}}]}`))
	if len(m.ToolCalls) != 1 || m.ToolCalls[0].String("id") != "call_1" {
		t.Errorf("tool calls %v", m.ToolCalls)
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][2]string{
		"plain":                     {"", "plain"},
		"<think>why</think>because": {"why", "because"},
		"why</think>\nbecause":      {"why", "because"},
		"a<think>b</think>c<thinking>d</thinking>e": {"b\nd", "ace"},
		"<think>never ends":                         {"never ends", ""},
		"":                                          {"", ""},
		"if a < b and <thinking hard> then":         {"", "if a < b and <thinking hard> then"},
	} {
		if thinking, content := replies.Split(text); thinking != want[0] || content != want[1] {
			t.Errorf("%q: %q and %q", text, thinking, content)
		}
	}
}

func TestObject(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"1"}`:                              "1",
		"```json\n{\"a\": \"1\"}\n```":           "1",
		"Here it is: {\"a\":\"1\"} as you asked": "1",
		`{not JSON} but {"a":"1"}`:               "1",
		`{} then {"a":"1"}`:                      "1",
		`{"a":1.5}`:                              "1.5",
		`{"a":{"b": 2}}`:                         `{"b":2}`,
		`{"a":null,"b":" x "}`:                   "x",
	} {
		d, ok := replies.Object(text)
		if got := replies.Field(d, "a", "b"); !ok || got != want {
			t.Errorf("%s: %q (%v), want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "no", "[1]", "{", strings.Repeat("{", 10_000), "null"} {
		if d, ok := replies.Object(text); ok {
			t.Errorf("%.20s: %v", text, d)
		}
	}
}

func TestCalls(t *testing.T) {
	var c replies.Calls
	for _, frame := range []string{
		`[{"index":0,"id":"call_1","type":"function","function":{"name":"tax","arguments":"{\"in"}}]`,
		`[{"index":0,"function":{"arguments":"come\":1}"}},{"index":1,"id":"call_2","function":{"name":"now"}}]`,
		`[{"index":-1},{"index":100000},{"index":"odd"}]`,
	} {
		var deltas []domain.Doc
		if err := json.Unmarshal([]byte(frame), &deltas); err != nil {
			t.Fatal(err)
		}
		c.Add(deltas)
	}
	got, err := json.Marshal(c.Whole())
	want := `[{"function":{"arguments":"{\"income\":1}","name":"tax"},"id":"call_1","type":"function"},` +
		`{"function":{"arguments":"","name":"now"},"id":"call_2","type":"function"}]`
	if err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
}

// Whatever a model says, reading it ends, and no word of it is lost.
func FuzzReplies(f *testing.F) {
	for _, s := range []string{"plain", "<think>a</think>b", "</think>", "```json\n{\"a\":1}\n```", "{{{", `{"a":{"b":[1,null]}}`, "<think><think></think>", "\xff{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		thinking, content := replies.Split(text)
		said := text
		for _, tag := range []string{"<think>", "</think>", "<thinking>", "</thinking>", "<reasoning>", "</reasoning>"} {
			said = strings.ReplaceAll(said, tag, " ")
		}
		whole := strings.Join(strings.Fields(thinking+content), "")
		for _, word := range strings.Fields(said) {
			if len(word) > 0 && !strings.ContainsAny(word, "<>") && !strings.Contains(whole, word) {
				t.Fatalf("%q lost %q: %q, %q", text, word, thinking, content)
			}
		}
		if d, ok := replies.Object(text); ok {
			if _, err := json.Marshal(d); err != nil {
				t.Fatalf("%q gave a document that is none: %v", text, err)
			}
		}
		replies.Of([]byte(text))
		replies.Text(json.RawMessage(text))
	})
}
