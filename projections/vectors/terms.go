package vectors

import (
	"hash/fnv"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxWord is the longest word that counts, in bytes; longer runs are data.
const maxWord = 64

// termsOf are the words of a text as numbers, sorted, each as often as it occurs:
// what searches by words compare. Case and accents do not count. Scripts that
// write without spaces give a term per character.
func termsOf(text string) []uint32 {
	terms := []uint32{}
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 && word.Len() <= maxWord {
			terms = append(terms, termOf(word.String()))
		}
		word.Reset()
	}
	for _, r := range norm.NFKD.String(strings.ToLower(text)) {
		switch {
		case unicode.Is(unicode.Mn, r): // an accent
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			flush()
			terms = append(terms, termOf(string(r)))
		case unicode.IsLetter(r), unicode.IsDigit(r):
			word.WriteRune(r)
		default:
			flush()
		}
	}
	flush()
	slices.Sort(terms)
	return terms
}

// termOf is fixed for ever: stored rows depend on it.
func termOf(word string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(word)) // a hash takes everything
	return h.Sum32()
}
