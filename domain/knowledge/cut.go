package knowledge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Chunk is a piece of a document's text.
type Chunk struct {
	Ordinal  int      `json:"ordinal"` // from 0
	Start    int      `json:"start"`   // in the text, in bytes; Text is exactly what lies there
	End      int      `json:"end"`
	Page     int      `json:"page,omitempty"` // on which it begins, where there are pages
	Headings []string `json:"headings,omitempty"`
	Tokens   int      `json:"tokens"`
	Text     string   `json:"text"`
}

// between joins sections to a text.
const between = "\n\n"

// Join is the text of a document: what chunks are places in.
func Join(sections []Section) string {
	texts := make([]string, len(sections))
	for i, s := range sections {
		texts[i] = s.Text
	}
	return strings.Join(texts, between)
}

// How strongly a text breaks before a unit.
const (
	breakWord = iota
	breakSentence
	breakParagraph
	breakPlace // another heading or page
)

// unit is what is never cut: a sentence, or a part of one that is too long.
type unit struct {
	start, end int
	tokens     int
	strength   int // of the break before it
	section    int
}

// Cut cuts a text into chunks of at most size tokens, of which each but the first
// of a section shares up to overlap tokens with the one before. It prefers to cut
// between sections, then paragraphs, then sentences, and cuts words only when one
// alone is too long. Nothing but white space is left out, and the same text always
// gives the same chunks.
func Cut(sections []Section, size, overlap int) []Chunk {
	text := Join(sections)
	units := unitsOf(sections, text, size)
	var chunks []Chunk
	for at, done := 0, 0; at < len(units); { // units before done are in some chunk
		end := fill(units, at, done, size)
		c, ok := chunkOf(text, sections, units[at:end], len(chunks))
		if ok && (len(chunks) == 0 || c.End > chunks[len(chunks)-1].End) { // more than what it shares, and white space
			chunks = append(chunks, c)
		}
		at, done = rewind(units, at, end, size, overlap), end
	}
	return chunks
}

// fewer says how much of a chunk there must be, 1/fewer, for it to end with its
// section: a title alone is no chunk.
const fewer = 8

// fill finds where a chunk that begins with unit at ends. It takes at least one
// unit that no chunk has yet.
func fill(units []unit, at, done, size int) int {
	end, tokens := at, 0
	for end < len(units) && tokens+units[end].tokens <= size {
		if end > done && units[end].strength == breakPlace && tokens*fewer >= size {
			return end
		}
		tokens += units[end].tokens
		end++
	}
	if end == len(units) || units[end].strength >= breakParagraph {
		return end
	}
	// It ends within a paragraph. Is there a better place in its second half?
	for strength := breakParagraph; strength > breakWord; strength-- {
		for k, left := end-1, tokens; k > done && k > at; k-- {
			left -= units[k].tokens
			if 2*left < size {
				break
			}
			if units[k].strength >= strength {
				return k
			}
		}
	}
	return end
}

// rewind finds the unit that the next chunk begins with: at the end of the last, or
// before it, as far as the overlap reaches and leaves room for what is new.
func rewind(units []unit, at, end, size, overlap int) int {
	if end == len(units) || units[end].strength == breakPlace {
		return end
	}
	next, shared := end, 0
	for k := end - 1; k > at; k-- {
		shared += units[k].tokens
		if shared > overlap || shared+units[end].tokens > size {
			break
		}
		next = k
		if units[k].strength == breakPlace {
			break
		}
	}
	return next
}

// chunkOf makes a chunk of units; none if they are white space.
func chunkOf(text string, sections []Section, units []unit, ordinal int) (Chunk, bool) {
	start, end := units[0].start, units[len(units)-1].end
	inner := text[start:end]
	trimmed := strings.TrimLeftFunc(inner, unicode.IsSpace)
	start += len(inner) - len(trimmed)
	trimmed = strings.TrimRightFunc(trimmed, unicode.IsSpace)
	s := sections[units[0].section]
	return Chunk{Ordinal: ordinal, Start: start, End: start + len(trimmed), Page: s.Page, Headings: s.Headings,
		Tokens: CountTokens(trimmed), Text: trimmed}, trimmed != ""
}

// unitsOf splits a text into units, which cover all of it.
func unitsOf(sections []Section, text string, size int) []unit {
	var units []unit
	at := 0
	for i, s := range sections {
		end := at + len(s.Text)
		if i < len(sections)-1 {
			end += len(between)
		}
		strength := breakPlace
		if i > 0 && samePlace(sections[i-1], s) {
			strength = breakParagraph
		}
		for at < end {
			n, next := sentence(text[at:end])
			for _, u := range split(text, at, at+n, size) {
				u.strength, u.section = strength, i
				units = append(units, u)
				strength = breakWord
			}
			at, strength = at+n, next
		}
	}
	return units
}

func samePlace(a, b Section) bool {
	if a.Page != b.Page || len(a.Headings) != len(b.Headings) {
		return false
	}
	for i := range a.Headings {
		if a.Headings[i] != b.Headings[i] {
			return false
		}
	}
	return true
}

// sentence finds the end of the first sentence or line, with the white space
// behind it, and how strongly the text breaks there.
func sentence(text string) (n, strength int) {
	closed := false // the last character may end a sentence
	for i := 0; i < len(text); {
		r, w := utf8.DecodeRuneInString(text[i:])
		if r == '\n' || closed && unicode.IsSpace(r) {
			end := i + len(text[i:]) - len(strings.TrimLeftFunc(text[i:], unicode.IsSpace))
			if strings.Count(text[i:end], "\n") > 1 {
				return end, breakParagraph
			}
			return end, breakSentence
		}
		i += w
		switch {
		case strings.ContainsRune("。！？", r): // written without a space behind
			return i, breakSentence
		case strings.ContainsRune(".!?", r):
			closed = true
		case !strings.ContainsRune(`"')]»”’`, r):
			closed = false
		}
	}
	return len(text), breakWord
}

// split cuts a sentence that is too long between words, and words that are too
// long between characters.
func split(text string, start, end, size int) []unit {
	if n := CountTokens(text[start:end]); n <= size {
		return []unit{{start: start, end: end, tokens: n}}
	}
	var units []unit
	for at := start; at < end; {
		stop := word(text[at:end]) + at
		n := CountTokens(text[at:stop])
		for n > size {
			cut := at + beginning(text[at:stop], size)
			units = append(units, unit{start: at, end: cut, tokens: CountTokens(text[at:cut])})
			at, n = cut, CountTokens(text[cut:stop])
		}
		if at < stop {
			units = append(units, unit{start: at, end: stop, tokens: n})
		}
		at = stop
	}
	return units
}

// word is the length of the first word with the white space behind it.
func word(text string) int {
	space := strings.IndexFunc(text, unicode.IsSpace)
	if space < 0 {
		return len(text)
	}
	return space + len(text[space:]) - len(strings.TrimLeftFunc(text[space:], unicode.IsSpace))
}

// beginning is the length of the longest beginning of a text with at most size tokens.
func beginning(text string, size int) int {
	c := counter{}
	for i := 0; i < len(text); {
		r, w := utf8.DecodeRuneInString(text[i:])
		if c.add(r); c.total() > size {
			return i
		}
		i += w
	}
	return len(text)
}

// CountTokens estimates how many tokens a model makes of a text: one for four
// letters or digits of a word, one for any other character that is no space. It
// never tells less of two parts than of the whole.
func CountTokens(text string) int {
	c := counter{}
	for _, r := range text {
		c.add(r)
	}
	return c.total()
}

type counter struct{ tokens, run int }

func (c *counter) add(r rune) {
	switch {
	case r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)):
		c.run++
	case unicode.IsSpace(r):
		c.tokens, c.run = c.total(), 0
	default:
		c.tokens, c.run = c.total()+1, 0
	}
}

func (c *counter) total() int { return c.tokens + (c.run+3)/4 }
