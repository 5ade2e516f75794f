// Package rawjson reads and edits JSON objects in place. A gateway must hand on
// fields it has never heard of, byte for byte; decoding a request into a struct
// would lose them, and into a map would reorder and reformat them. So an object
// is only cut into its fields, and an edit copies everything it does not name.
package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	// ErrSyntax: the text is not valid JSON.
	ErrSyntax = errors.New("not valid JSON")
	// ErrNotObject: the text is valid JSON, but not an object.
	ErrNotObject = errors.New("not a JSON object")
	// ErrTooManyFields: the object has more than MaxFields fields. Each is held
	// against all others, so the number must not be the sender's to choose.
	ErrTooManyFields = errors.New("the JSON object has too many fields")
)

// MaxFields is the most fields an object that is parsed may have.
const MaxFields = 500

// DuplicateKey is returned for an object that names a key twice. Readers
// disagree on which one counts, so what was checked here might not be what the
// next reader obeys.
type DuplicateKey struct{ Key string }

// Error implements error.
func (e *DuplicateKey) Error() string { return fmt.Sprintf("the field %q is given twice", e.Key) }

// Object is a JSON object cut into its fields.
type Object struct {
	raw    []byte
	fields []field
}

type field struct {
	key        string
	start      int // of the key's opening quote
	value, end int // of the value
}

// Parse checks that raw is one valid JSON object without duplicate keys and
// cuts it into fields. The object keeps raw, which must not change afterwards.
func Parse(raw []byte) (Object, error) {
	if !json.Valid(raw) {
		return Object{}, ErrSyntax
	}
	start := skipSpace(raw, 0)
	if raw[start] != '{' {
		return Object{}, ErrNotObject
	}
	o := Object{raw: raw, fields: make([]field, 0, 8)}
	var err error
	walkObject(raw, start, func(keyStart int, key []byte, value, end int) bool {
		name := keyString(key)
		for i := range o.fields {
			if o.fields[i].key == name {
				err = &DuplicateKey{Key: name}
				return false
			}
		}
		if len(o.fields) == MaxFields {
			err = ErrTooManyFields
			return false
		}
		o.fields = append(o.fields, field{key: name, start: keyStart, value: value, end: end})
		return true
	})
	if err != nil {
		return Object{}, err
	}
	return o, nil
}

// Keys calls fn with every key, in order.
func (o Object) Keys(fn func(key string)) {
	for i := range o.fields {
		fn(o.fields[i].key)
	}
}

// Raw returns the text the object was parsed from.
func (o Object) Raw() []byte { return o.raw }

// Get returns the value of a field as it is written, nil when it is absent or null.
func (o Object) Get(key string) []byte {
	for i := range o.fields {
		if o.fields[i].key == key {
			v := o.raw[o.fields[i].value:o.fields[i].end]
			if string(v) == "null" {
				return nil
			}
			return v
		}
	}
	return nil
}

// Edit sets a field to a value (valid JSON), or removes it when Value is nil.
type Edit struct {
	Key   string
	Value []byte
}

// With returns the object's text with some fields set or removed. Fields that
// are not there yet come last; everything else keeps its bytes and its place.
func (o Object) With(edits ...Edit) []byte {
	size := len(o.raw)
	for _, e := range edits {
		size += len(e.Key) + len(e.Value) + 4
	}
	out := append(make([]byte, 0, size), '{')
	empty := true
	comma := func() {
		if !empty {
			out = append(out, ',')
		}
		empty = false
	}
	for i := range o.fields {
		f := &o.fields[i]
		e, edited := find(edits, f.key)
		if edited && e.Value == nil {
			continue
		}
		comma()
		if edited {
			out = append(append(out, o.raw[f.start:f.value]...), e.Value...)
		} else {
			out = append(out, o.raw[f.start:f.end]...)
		}
	}
	for _, e := range edits {
		if e.Value == nil || o.has(e.Key) {
			continue
		}
		comma()
		out = append(append(append(out, Quote(e.Key)...), ':'), e.Value...)
	}
	return append(out, '}')
}

func (o Object) has(key string) bool {
	for i := range o.fields {
		if o.fields[i].key == key {
			return true
		}
	}
	return false
}

func find(edits []Edit, key string) (Edit, bool) {
	for _, e := range edits {
		if e.Key == key {
			return e, true
		}
	}
	return Edit{}, false
}

// Fields calls fn with every key and value of an object. The text must be valid
// JSON; anything but an object has no fields. It allocates nothing.
func Fields(valid []byte, fn func(key, value []byte)) {
	start := skipSpace(valid, 0)
	if start >= len(valid) || valid[start] != '{' {
		return
	}
	walkObject(valid, start, func(_ int, key []byte, value, end int) bool {
		if bytes.IndexByte(key, '\\') >= 0 {
			key = []byte(keyString(key))
		}
		fn(key, valid[value:end])
		return true
	})
}

// Elements calls fn with every element of an array. The text must be valid JSON;
// anything but an array has no elements.
func Elements(valid []byte, fn func(element []byte)) {
	i := skipSpace(valid, 0)
	if i >= len(valid) || valid[i] != '[' {
		return
	}
	for i = skipSpace(valid, i+1); i < len(valid) && valid[i] != ']'; {
		end := skipValue(valid, i)
		fn(valid[i:end])
		i = skipSpace(valid, end)
		if i < len(valid) && valid[i] == ',' {
			i = skipSpace(valid, i+1)
		}
	}
}

// String decodes a JSON string; ok is false when the value is not one.
func String(value []byte) (s string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	if json.Unmarshal(value, &s) != nil {
		return "", false
	}
	return s, true
}

// Quote writes a string as JSON.
func Quote(s string) []byte {
	q, err := json.Marshal(s)
	if err != nil { // a string always marshals
		panic("rawjson: " + err.Error())
	}
	return q
}

func keyString(key []byte) string {
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key)
	}
	s, _ := String(append(append([]byte{'"'}, key...), '"'))
	return s
}

// walkObject visits the fields of the object that starts at raw[start]. key is
// the text between the quotes, still escaped.
func walkObject(raw []byte, start int, visit func(keyStart int, key []byte, value, end int) bool) {
	for i := skipSpace(raw, start+1); i < len(raw) && raw[i] == '"'; {
		keyEnd := skipString(raw, i)
		value := skipSpace(raw, skipSpace(raw, keyEnd)+1)
		end := skipValue(raw, value)
		if !visit(i, raw[i+1:keyEnd-1], value, end) {
			return
		}
		i = skipSpace(raw, end)
		if i < len(raw) && raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that starts at raw[i].
func skipString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// skipValue returns the index after the value that starts at raw[i].
func skipValue(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch raw[i] {
		case '"':
			i = skipString(raw, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what holds a bare number or word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}
