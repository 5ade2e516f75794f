package conversation

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"strata/domain"
)

// titleLength is how many characters a title taken from a message has at most.
const titleLength = 60

// titleOf makes a title of a message: its words in one line, cut at a word's
// end, with an ellipsis when something was cut off.
func titleOf(content string) string {
	// A title needs a few hundred bytes at most, even of the widest text.
	const enough = 4 << 10
	if len(content) > enough {
		content = strings.ToValidUTF8(content[:enough], "")
	}
	words := strings.FieldsFunc(content, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	line := strings.Join(words, " ")
	if utf8.RuneCountInString(line) <= titleLength {
		return line
	}
	runes := []rune(line)[:titleLength] // one is kept for the ellipsis
	cut := titleLength - 1
	for i := cut; i > titleLength/2; i-- {
		if runes[i] == ' ' {
			cut = i
			break
		}
	}
	return strings.TrimRight(string(runes[:cut]), " ,.;:-") + "…"
}

func checkTitle(f *domain.Faults, title string) {
	f.Add(utf8.RuneCountInString(title) > maxTitle, "title", "must be at most %d characters long", maxTitle)
}
