package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// syntaxError is malformed JSON at a byte offset.
type syntaxError struct {
	offset  int
	message string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.message, e.offset) }

// maxDepth bounds the nesting of JSON, so that a hostile body cannot exhaust
// the stack.
const maxDepth = 500

// scanner steps over JSON text. It accepts exactly what encoding/json accepts
// (a fuzz test holds it to that).
type scanner struct {
	src   []byte
	pos   int
	depth int
}

func (s *scanner) fail(message string) error { return &syntaxError{s.pos, message} }

// space moves to the next byte that is not white space and returns it, 0 at
// the end.
func (s *scanner) space() byte {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// skip moves over one value.
func (s *scanner) skip() error {
	switch c := s.space(); {
	case c == '"':
		_, err := s.str()
		return err
	case c == '{':
		return s.skipObject()
	case c == '[':
		return s.skipArray()
	case c == '-' || (c >= '0' && c <= '9'):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case s.pos >= len(s.src):
		return s.fail("unexpected end of JSON")
	}
	return s.fail(fmt.Sprintf("unexpected character %q", s.src[s.pos]))
}

func (s *scanner) enter() error {
	s.pos++
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested too deeply")
	}
	return nil
}

func (s *scanner) skipObject() error {
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.next(first, '}')
		if err != nil || !more {
			return err
		}
		if _, err := s.key(); err != nil {
			return err
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
}

func (s *scanner) skipArray() error {
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.next(first, ']')
		if err != nil || !more {
			return err
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
}

// next moves to the next element of an object or array, over its comma; it
// returns false after the closing bracket.
func (s *scanner) next(first bool, closing byte) (bool, error) {
	switch c := s.space(); {
	case c == closing:
		s.pos++
		s.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.pos++
		if s.space() == closing {
			return false, s.fail("unexpected comma before the end")
		}
		return true, nil
	case s.pos >= len(s.src):
		return false, s.fail("unexpected end of JSON")
	}
	return false, s.fail("expected a comma or the end")
}

// key reads an object's key and its colon; the result keeps its quotes.
func (s *scanner) key() ([]byte, error) {
	if s.space() != '"' {
		return nil, s.fail("expected a name in quotes")
	}
	key, err := s.str()
	if err != nil {
		return nil, err
	}
	if s.space() != ':' {
		return nil, s.fail("expected a colon")
	}
	s.pos++
	return key, nil
}

// str moves over a string and returns it with its quotes.
func (s *scanner) str() ([]byte, error) {
	start := s.pos
	s.pos++
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '"':
			s.pos++
			return s.src[start:s.pos], nil
		case c < ' ':
			return nil, s.fail("control character in a string")
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		default:
			s.pos++
		}
	}
	return nil, s.fail("unexpected end of JSON in a string")
}

func (s *scanner) escape() error {
	s.pos++
	if s.pos >= len(s.src) {
		return s.fail("unexpected end of JSON in a string")
	}
	c := s.src[s.pos]
	s.pos++
	if c == 'u' {
		for range 4 {
			if s.pos >= len(s.src) || !isHex(s.src[s.pos]) {
				return s.fail("expected four hexadecimal digits")
			}
			s.pos++
		}
		return nil
	}
	if bytes.IndexByte([]byte(`"\/bfnrt`), c) < 0 {
		s.pos--
		return s.fail("unknown escape in a string")
	}
	return nil
}

func isHex(c byte) bool {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
}

func (s *scanner) digits() error {
	start := s.pos
	for s.pos < len(s.src) && s.src[s.pos] >= '0' && s.src[s.pos] <= '9' {
		s.pos++
	}
	if s.pos == start {
		return s.fail("expected a digit")
	}
	return nil
}

func (s *scanner) peek(set string) bool {
	if s.pos < len(s.src) {
		for i := range len(set) {
			if s.src[s.pos] == set[i] {
				return true
			}
		}
	}
	return false
}

func (s *scanner) number() error {
	if s.peek("-") {
		s.pos++
	}
	if s.peek("0") {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek(".") {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.peek("eE") {
		s.pos++
		if s.peek("+-") {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.src[s.pos:], []byte(word)) {
		return s.fail("expected " + word)
	}
	s.pos += len(word)
	return nil
}

// end makes sure that nothing but white space follows.
func (s *scanner) end() error {
	if s.space(); s.pos < len(s.src) {
		return s.fail("unexpected text after the JSON value")
	}
	return nil
}

// unquote returns the text of a JSON string that the scanner has accepted.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil { // cannot be: it was scanned
		return quoted[1 : len(quoted)-1]
	}
	return []byte(text)
}
