package resources

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"strata/domain"
)

// Documents are taken apart and put together for every event that is folded,
// so both are done by hand: the standard decoder would check and copy every
// value again, and values are valid JSON already (the codec has read them).

// appendDoc writes a document with its fields in order, so that equal
// documents are equal texts.
func appendDoc(b []byte, d domain.Doc) []byte {
	b = append(b, '{')
	for i, field := range slices.Sorted(maps.Keys(d)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendName(b, field)
		b = append(b, ':')
		if v := d[field]; len(v) > 0 {
			b = append(b, v...)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}

func appendName(b []byte, field string) []byte {
	if plainName(field) {
		b = append(b, '"')
		b = append(b, field...)
		return append(b, '"')
	}
	quoted, err := json.Marshal(field)
	if err != nil { // a string always has a JSON form
		return append(b, `""`...)
	}
	return append(b, quoted...)
}

func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// splitDoc takes a document written by appendDoc apart. The values share the
// text's memory.
func splitDoc(text []byte) (domain.Doc, error) {
	d := domain.Doc{}
	p := splitter{text: text}
	if !p.take('{') {
		return nil, p.fault()
	}
	if p.take('}') {
		return d, p.end()
	}
	for {
		name := p.value()
		if len(name) < 2 || name[0] != '"' || !p.take(':') {
			return nil, p.fault()
		}
		value := p.value()
		if len(value) == 0 {
			return nil, p.fault()
		}
		field := string(name[1 : len(name)-1])
		if !plainName(field) {
			if err := json.Unmarshal(name, &field); err != nil {
				return nil, p.fault()
			}
		}
		d[field] = value
		if p.take('}') {
			return d, p.end()
		}
		if !p.take(',') {
			return nil, p.fault()
		}
	}
}

type splitter struct {
	text []byte
	at   int
}

func (p *splitter) fault() error {
	return fmt.Errorf("stored document is damaged at byte %d", p.at)
}

func (p *splitter) end() error {
	if p.at != len(p.text) {
		return p.fault()
	}
	return nil
}

func (p *splitter) take(c byte) bool {
	if p.at >= len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

// value takes the text of one value: up to the comma, colon or bracket that
// ends it on its own level.
func (p *splitter) value() json.RawMessage {
	start, depth := p.at, 0
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '"':
			if p.at = endOfString(p.text, p.at); p.at >= len(p.text) {
				return nil
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return json.RawMessage(p.text[start:p.at:p.at])
			}
			depth--
		case ',', ':':
			if depth == 0 {
				return json.RawMessage(p.text[start:p.at:p.at])
			}
		}
	}
	return nil
}

// endOfString returns where the string that begins at i ends: its closing quote.
func endOfString(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return i
}

// textOf reads a text field; "" when it is absent or no text.
func textOf(d domain.Doc, field string) string {
	raw := d[field]
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' {
			return d.String(field)
		}
	}
	if !utf8.Valid(inner) {
		return d.String(field)
	}
	return string(inner)
}
