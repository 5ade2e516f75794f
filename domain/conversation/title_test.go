package conversation

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTitleOf(t *testing.T) {
	for message, title := range map[string]string{
		"Hello":          "Hello",
		"  two\n lines ": "two lines",
		"What are the opening hours of your shop in the old town, please?": "What are the opening hours of your shop in the old town…",
		strings.Repeat("a", 80):                       strings.Repeat("a", 59) + "…",
		strings.Repeat("ä", 60):                       strings.Repeat("ä", 60),
		"short words then " + strings.Repeat("x", 80): "short words then " + strings.Repeat("x", 42) + "…",
	} {
		if got := titleOf(message); got != title {
			t.Errorf("titleOf(%q)\n got %q\nwant %q", message, got, title)
		}
	}
}

func TestTitleOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		title := titleOf(rapid.String().Draw(t, "message"))
		if n := utf8.RuneCountInString(title); n > titleLength {
			t.Fatalf("title of %d characters", n)
		}
		if !utf8.ValidString(title) || strings.ContainsAny(title, "\n\r\t") {
			t.Fatalf("title %q is not one clean line", title)
		}
	})
}
