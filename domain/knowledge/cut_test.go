package knowledge_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"strata/domain/knowledge"
)

func TestCutKeepsStructure(t *testing.T) {
	long := strings.Repeat("All work is done by hand here. ", 10) // 8 tokens a sentence
	sections := []knowledge.Section{
		{Headings: []string{"Handbook"}, Text: "Handbook"},
		{Headings: []string{"Handbook", "Refunds"}, Page: 2, Text: "Refunds\n\n" + long + "\n\nA refund takes five days. Nobody pays for it."},
		{Headings: []string{"Handbook", "Hours"}, Page: 3, Text: "Hours\n\nWe open at nine."},
	}
	chunks := knowledge.Cut(sections, 48, 16)
	if len(chunks) < 3 {
		t.Fatalf("%d chunks", len(chunks))
	}
	first, last := chunks[0], chunks[len(chunks)-1]
	if !strings.HasPrefix(first.Text, "Handbook\n\nRefunds") {
		t.Errorf("a title alone is no chunk: %q", first.Text)
	}
	if last.Text != "Hours\n\nWe open at nine." || last.Page != 3 || len(last.Headings) != 2 || last.Headings[1] != "Hours" {
		t.Errorf("a chunk ends with its section: %+v", last)
	}
	for _, c := range chunks[1 : len(chunks)-1] {
		if !strings.HasPrefix(c.Text, "All ") && !strings.HasPrefix(c.Text, "A refund") || !strings.HasSuffix(c.Text, ".") || c.Page != 2 {
			t.Errorf("a sentence was cut: %+v", c)
		}
	}
	if !strings.HasPrefix(chunks[1].Text, "All work") || chunks[1].Start >= chunks[0].End {
		t.Errorf("nothing is shared: %d, %d", chunks[0].End, chunks[1].Start)
	}
}

func TestCutOfNothing(t *testing.T) {
	if got := knowledge.Cut([]knowledge.Section{{Text: " \n "}}, 16, 0); len(got) != 0 {
		t.Errorf("white space was cut into %+v", got)
	}
	if got := knowledge.Cut(nil, 16, 0); len(got) != 0 {
		t.Errorf("nothing was cut into %+v", got)
	}
}

// White space behind what two chunks would share is no reason for a second one.
func TestCutAtWhiteSpace(t *testing.T) {
	for n := range 64 * 64 {
		text := strings.Repeat("A ", n/64) + "退款需要五天。\n" + strings.Repeat("A ", n%64)
		chunks := knowledge.Cut([]knowledge.Section{{Text: text}, {Text: "A "}}, 16, 7)
		for i := 1; i < len(chunks); i++ {
			if chunks[i].End <= chunks[i-1].End {
				t.Fatalf("with %d and %d words: chunk %q after %q", n/64, n%64, chunks[i].Text, chunks[i-1].Text)
			}
		}
	}
}

// Nothing is lost, sizes are kept, and places are exact, whatever the text is.
func TestCutProperties(t *testing.T) {
	word := rapid.OneOf(rapid.StringMatching(`[a-zA-Z]{1,12}`), rapid.StringMatching(`[0-9]{1,90}`), rapid.SampledFrom([]string{"退款需要五天。", "né!", "e.g.", "(sic)", "😀", "\xff"}))
	gap := rapid.SampledFrom([]string{" ", " ", " ", ". ", ".\n", "\n\n", "\n", "", "\t", "? "})
	rapid.Check(t, func(rt *rapid.T) {
		var sections []knowledge.Section
		for range rapid.IntRange(1, 4).Draw(rt, "sections") {
			var b strings.Builder
			for range rapid.IntRange(1, 60).Draw(rt, "words") {
				b.WriteString(word.Draw(rt, "word") + gap.Draw(rt, "gap"))
			}
			sections = append(sections, knowledge.Section{Page: rapid.IntRange(0, 2).Draw(rt, "page"), Text: b.String()})
		}
		size := rapid.IntRange(knowledge.MinChunkSize, 64).Draw(rt, "size")
		overlap := rapid.IntRange(0, size/2).Draw(rt, "overlap")
		text, chunks := knowledge.Join(sections), knowledge.Cut(sections, size, overlap)
		if again := knowledge.Cut(sections, size, overlap); !reflect.DeepEqual(chunks, again) {
			rt.Fatal("cut twice, cut differently")
		}
		end := 0
		for i, c := range chunks {
			switch {
			case c.Ordinal != i:
				rt.Fatalf("chunk %d is numbered %d", i, c.Ordinal)
			case c.Text != text[c.Start:c.End] || c.Text == "" || strings.TrimSpace(c.Text) != c.Text:
				rt.Fatalf("%q is not what lies at its place", c.Text)
			case c.Tokens > size || c.Tokens != knowledge.CountTokens(c.Text):
				rt.Fatalf("chunk %d has %d tokens, at most %d are wanted", i, c.Tokens, size)
			case c.End <= end:
				rt.Fatalf("chunk %d brings nothing new", i)
			case c.Start > end && strings.TrimFunc(text[end:c.Start], unicode.IsSpace) != "":
				rt.Fatalf("%q is lost", text[end:c.Start])
			case c.Start < end && knowledge.CountTokens(text[c.Start:end]) > overlap:
				rt.Fatalf("chunk %d shares %d tokens, at most %d are wanted", i, knowledge.CountTokens(text[c.Start:end]), overlap)
			}
			end = c.End
		}
		if strings.TrimSpace(text[end:]) != "" {
			rt.Fatalf("%q is lost", text[end:])
		}
	})
}

// FuzzCut: a text of any bytes is cut in time that grows with it, and ends.
func FuzzCut(f *testing.F) {
	f.Add("one two. three\n\nfour", 16, 4)
	f.Add(strings.Repeat("x", 5000), 16, 8)
	f.Fuzz(func(t *testing.T, text string, size, overlap int) {
		size = knowledge.MinChunkSize + max(0, size)%512
		overlap = max(0, overlap) % (size/2 + 1)
		for _, c := range knowledge.Cut([]knowledge.Section{{Text: text}}, size, overlap) {
			if c.Text != text[c.Start:c.End] || c.Tokens > size {
				t.Fatalf("%+v", c)
			}
		}
	})
}

func BenchmarkCut(b *testing.B) {
	text := strings.Repeat("A sentence about something that matters to somebody. ", 20_000)
	for b.Loop() {
		knowledge.Cut([]knowledge.Section{{Text: text}}, 512, 64)
	}
}
