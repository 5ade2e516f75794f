package tokens

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func body(t testing.TB, messages any) (whole, part []byte) {
	t.Helper()
	part, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"model":"m","messages":%s}`, part), part
}

// The counts of the cl100k vocabulary for the same texts.
func TestEstimateIsNearTheRealCount(t *testing.T) {
	for text, real := range map[string]int64{
		"": 0,
		"The quick brown fox jumps over the lazy dog.":                                                          10,
		"We are open from 9 to 5 on weekdays.":                                                                  12,
		"Internationalization and localization are important considerations.":                                   8,
		"func main() {\n\tfmt.Println(\"hello\")\n}":                                                            10,
		"Budgets are a ledger, not a counter. Before a call we reserve; after it we settle.":                    21,
		"The log is the truth. Everything else is derived from it and can be thrown away and rebuilt any time.": 22,
		"Die Datenschutzgrundverordnung ist eine Verordnung der Europäischen Union.":                            18,
		"今天天气很好,我们去公园散步吧。":                                                                                      20,
	} {
		got := Estimate(text)
		if slack := real/3 + 2; got < real-slack || got > real+slack {
			t.Errorf("Estimate(%q) = %d, really about %d", text, got, real)
		}
	}
}

func TestBoundCountsMedia(t *testing.T) {
	type object = map[string]any
	inline := "data:image/png;base64," + strings.Repeat("A", 400_000)
	part := func(url string) []object {
		return []object{{"role": "user", "content": []object{{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": object{"url": url}}}}}
	}
	for name, url := range map[string]string{"by address": "https://example.com/a.png", "inline": inline} {
		whole, messages := body(t, part(url))
		if got := Bound(whole, messages); got < MediaBound || got > MediaBound+1000 {
			t.Errorf("%s: bound %d", name, got)
		}
	}
}

func TestEstimateChat(t *testing.T) {
	_, text := body(t, []map[string]any{{"role": "user", "content": "Hello there, how are you?"}})
	_, parts := body(t, []map[string]any{{"role": "user", "content": []map[string]any{{"type": "text", "text": "Hello there, how are you?"}}}})
	if a, b := EstimateChat(text, nil), EstimateChat(parts, nil); a != b || a < 10 || a > 20 {
		t.Errorf("as text %d, as parts %d", a, b)
	}
}

// A bound that an estimate (or any tokenizer that uses at least a byte per
// token) can exceed would let a budget be overspent.
func TestBoundIsAtLeastEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "texts")
		var messages []map[string]any
		var bytes int64
		for _, text := range texts {
			bytes += int64(len(text))
			if rapid.Bool().Draw(t, "parts") {
				messages = append(messages, map[string]any{"role": "user", "content": []map[string]any{{"type": "text", "text": text}}})
			} else {
				messages = append(messages, map[string]any{"role": "user", "content": text})
			}
		}
		part, err := json.Marshal(messages)
		if err != nil {
			t.Fatal(err)
		}
		whole := fmt.Appendf(nil, `{"messages":%s}`, part)
		bound := Bound(whole, part)
		if overhead := int64(len(messages) * 8); bound < bytes+overhead {
			t.Fatalf("bound %d for %d bytes in %d messages", bound, bytes, len(messages))
		}
		if estimate := EstimateChat(part, nil); estimate > bound {
			t.Fatalf("estimate %d is over the bound %d", estimate, bound)
		}
	})
}

func BenchmarkEstimate(b *testing.B) {
	text := strings.Repeat("The log is the truth. Everything else is derived from it. ", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Estimate(text)
	}
}
