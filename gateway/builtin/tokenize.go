package builtin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// pieceRunes is the length at which a long word is cut into several tokens.
const pieceRunes = 8

// Tokenize cuts a text into the tokens of the built-in models. Joined they give
// the text again: a token is a run of letters or digits with the space before
// it, or one other character. No token is empty, so a text never has more
// tokens than bytes.
func Tokenize(text string) []string {
	tokens := make([]string, 0, len(text)/5+1)
	for start := 0; start < len(text); {
		end := start
		if text[end] == ' ' {
			end++
		}
		runes := 0
		for end < len(text) && runes < pieceRunes {
			r, size := utf8.DecodeRuneInString(text[end:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				break
			}
			end += size
			runes++
		}
		if runes == 0 && end < len(text) { // a mark, with the space before it
			_, size := utf8.DecodeRuneInString(text[end:])
			end += size
		}
		tokens = append(tokens, text[start:end])
		start = end
	}
	return tokens
}

// words returns the words of a text in lower case; an ideograph is a word.
func words(text string) []string {
	var list []string
	start := -1
	flush := func(end int) {
		if start >= 0 {
			list = append(list, strings.ToLower(text[start:end]))
			start = -1
		}
	}
	for i, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			flush(i)
			list = append(list, string(r))
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		case r == '\'' || r == '’': // "don't" is one word
			if start < 0 {
				continue
			}
		default:
			flush(i)
		}
	}
	flush(len(text))
	return list
}

// stem cuts the commonest English endings, so that "orders" meets "ordered".
// Words of other languages mostly pass unchanged, and so match as they stand.
func stem(word string) string {
	word = strings.TrimSuffix(strings.TrimSuffix(word, "'s"), "’s")
	for _, ending := range []string{"ingly", "edly", "ing", "ies", "ied", "ed", "es", "ly", "s"} {
		if rest, ok := strings.CutSuffix(word, ending); ok && len(rest) >= 3 && !(ending == "s" && strings.HasSuffix(rest, "s")) {
			if ending == "ies" || ending == "ied" {
				return rest + "y"
			}
			word = rest
			break
		}
	}
	if len(word) > 3 {
		word = strings.TrimSuffix(word, "e") // "closes" and "closing" meet at "clos"
	}
	return word
}

// stopWords carry no subject, so they say nothing about what a sentence is about.
var stopWords = func() map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(`a about after all also am an and any are as at be been before being but by can
		could did do does doing for from had has have having he her here him his how i if in into is it its just like me
		more most my no not of on once only or other our out over please she should so some such tell than that the their
		them then there these they this those to too under up us very was we were what when where which while who whom
		why will with would you your give know want need show explain describe answer question`) {
		set[w] = true
	}
	return set
}()

// terms returns the stems of a text's telling words.
func terms(text string) []string {
	var list []string
	for _, w := range words(text) {
		if !stopWords[w] {
			list = append(list, stem(w))
		}
	}
	return list
}

// sentences cuts a text at sentence ends and line breaks.
func sentences(text string) []string {
	var list []string
	start := 0
	cut := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			list = append(list, s)
		}
		start = end
	}
	for i, r := range text {
		next := i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, size := utf8.DecodeRuneInString(text[i:])
			next = i + size
		}
		switch r {
		case '\n', '\r', '。', '！', '？':
			cut(next)
		case '.', '!', '?':
			// "3.5" and "e.g.x" go on; an end is followed by space or nothing.
			if next >= len(text) || text[next] == ' ' || text[next] == '\n' || text[next] == '\t' || text[next] == '"' {
				cut(next)
			}
		}
	}
	cut(len(text))
	return list
}
