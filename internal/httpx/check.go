package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"strata/domain"
)

// leafRegistry lets huma describe a value without what is inside of its
// structs: the rewriter visits those itself, so here they are just objects.
type leafRegistry struct{}

var _ huma.Registry = leafRegistry{}

// Schema implements huma.Registry.
func (r leafRegistry) Schema(t reflect.Type, _ bool, _ string) *huma.Schema {
	if base := deref(t); base.Kind() == reflect.Struct && !opaque(base) {
		return &huma.Schema{Type: huma.TypeObject}
	}
	s := huma.SchemaFromType(r, t)
	if s != nil && s.Type == huma.TypeArray {
		s.Nullable = false
	}
	return s
}

// SchemaFromRef implements huma.Registry; there are no references.
func (leafRegistry) SchemaFromRef(string) *huma.Schema { return nil }

// TypeFromRef implements huma.Registry; there are no references.
func (leafRegistry) TypeFromRef(string) reflect.Type { return nil }

// Map implements huma.Registry; there are no components.
func (leafRegistry) Map() map[string]*huma.Schema { return nil }

// RegisterTypeAlias implements huma.Registry; types describe themselves here.
func (leafRegistry) RegisterTypeAlias(t, alias reflect.Type) {
	panic(fmt.Sprintf("httpx: alias of %s to %s: implement huma.SchemaProvider instead", t, alias))
}

// leafSchema is what a field's own value has to satisfy.
func leafSchema(owner reflect.Type, f jsonField) *huma.Schema {
	s := huma.SchemaFromField(leafRegistry{}, f.withoutNull(), owner.Name()+f.Name)
	if s == nil {
		panic(fmt.Sprintf("httpx: %s.%s: %s has no JSON form", owner, f.Name, f.Type))
	}
	s.Nullable = false
	return s
}

// checker validates one JSON value against a schema without references. The
// zero checker accepts everything. It has quick ways to accept the common
// cases; whatever they do not accept, huma judges and finds the words for.
type checker struct {
	schema *huma.Schema
	quick  quickCheck
}

type quickCheck uint8

const (
	noQuick     quickCheck = iota
	quickString            // at most a length
	quickBool
	quickInteger // at most a range
	quickNumber
)

// newChecker returns the checker for a schema; shaped values are visited by
// the rewriter, which checks their type itself.
func newChecker(s *huma.Schema, shaped bool) checker {
	counted := s.MinItems != nil || s.MaxItems != nil || s.UniqueItems || s.MinProperties != nil || s.MaxProperties != nil
	composed := s.OneOf != nil || s.AnyOf != nil || s.AllOf != nil || s.Not != nil
	if !counted && !composed && s.Enum == nil && (s.Type == "" || shaped) {
		return checker{}
	}
	if composed || s.Enum != nil {
		return checker{s, noQuick}
	}
	switch s.Type {
	case huma.TypeString:
		if s.Format == "" && s.ContentEncoding == "" && s.Pattern == "" {
			return checker{s, quickString}
		}
	case huma.TypeBoolean:
		return checker{s, quickBool}
	case huma.TypeInteger, huma.TypeNumber:
		if s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil || s.MultipleOf != nil {
			break
		}
		if s.Type == huma.TypeInteger {
			return checker{s, quickInteger}
		}
		return checker{s, quickNumber}
	}
	return checker{s, noQuick}
}

// accepts tells whether the value raw certainly satisfies the schema.
func (c *checker) accepts(raw []byte) bool {
	if c.schema == nil {
		return true
	}
	switch c.quick {
	case quickString:
		if raw[0] != '"' {
			return false
		}
		if c.schema.MinLength == nil && c.schema.MaxLength == nil {
			return true
		}
		n := utf8.RuneCount(raw) - 2 // without the quotes
		return bytes.IndexByte(raw, '\\') < 0 &&
			(c.schema.MinLength == nil || n >= *c.schema.MinLength) && (c.schema.MaxLength == nil || n <= *c.schema.MaxLength)
	case quickBool:
		return raw[0] == 't' || raw[0] == 'f'
	case quickInteger:
		if bytes.ContainsAny(raw, ".eE") {
			return false
		}
		return c.inRange(raw)
	case quickNumber:
		return c.inRange(raw)
	}
	return false
}

func (c *checker) inRange(raw []byte) bool {
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return false
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	return err == nil && (c.schema.Minimum == nil || n >= *c.schema.Minimum) && (c.schema.Maximum == nil || n <= *c.schema.Maximum)
}

// integer is the width of a Go integer; the zero value is any other type.
type integer struct {
	bits     int
	unsigned bool
}

func integerOf(t reflect.Type) integer {
	t = deref(t)
	if opaque(t) {
		return integer{}
	}
	switch k := t.Kind(); {
	case k >= reflect.Int && k <= reflect.Int64:
		return integer{t.Bits(), false}
	case k >= reflect.Uint && k <= reflect.Uint64:
		return integer{t.Bits(), true}
	}
	return integer{}
}

// exact is the largest integer below which a float64 holds all of them.
const exact = 1 << 53

// plain writes the JSON number at the end of out, which begins at mark, as Go
// reads integers: 3e2 and 300.0 become 300. It returns false when the number
// does not fit the type. What is not a whole number is left to the schema.
func (i integer) plain(out []byte, mark int) ([]byte, bool) {
	raw := out[mark:]
	if i.bits == 0 || len(raw) == 0 || (raw[0] != '-' && (raw[0] < '0' || raw[0] > '9')) {
		return out, true
	}
	if bytes.ContainsAny(raw, ".eE") {
		n, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || n > exact || n < -exact {
			return out, false
		}
		if n != math.Trunc(n) {
			return out, true
		}
		out = strconv.AppendInt(out[:mark], int64(n), 10)
		raw = out[mark:]
	}
	var err error
	if i.unsigned && raw[0] != '-' { // the schema refuses negative ones
		_, err = strconv.ParseUint(string(raw), 10, i.bits)
	} else {
		_, err = strconv.ParseInt(string(raw), 10, i.bits)
	}
	return out, err == nil
}

// verdict gathers huma's findings; kept between values to save allocations.
type verdict struct {
	path   *huma.PathBuffer
	result huma.ValidateResult
}

func newVerdict() *verdict { return &verdict{path: huma.NewPathBuffer(make([]byte, 0, 64), 0)} }

// check reports the faults of the JSON value raw, with paths below it.
func (c *checker) check(raw []byte, v *verdict, report func(below, message string)) {
	value, err := decodeAny(raw)
	if err != nil {
		report("", "is out of range")
		return
	}
	c.value(value, v, report)
}

// value reports the faults of a decoded value.
func (c *checker) value(value any, v *verdict, report func(below, message string)) {
	if c.schema == nil {
		return
	}
	v.path.Reset()
	v.result.Reset()
	huma.Validate(leafRegistry{}, c.schema, v.path, huma.ModeWriteToServer, value, &v.result)
	for _, e := range v.result.Errors {
		if d, ok := e.(*huma.ErrorDetail); ok {
			report(d.Location, d.Message)
		} else {
			report("", e.Error())
		}
	}
}

// decodeAny decodes JSON that was scanned, scalars without reflection.
func decodeAny(raw []byte) (any, error) {
	switch c := raw[0]; {
	case c == '"':
		return string(unquote(raw)), nil
	case c == '-' || (c >= '0' && c <= '9'):
		return strconv.ParseFloat(string(raw), 64)
	}
	var v any
	err := json.Unmarshal(raw, &v)
	return v, err
}

// below joins a path and what huma or a field calls the rest of it.
func below(path, rest string) string {
	if path == "" || rest == "" || rest[0] == '[' {
		return path + rest
	}
	return path + "." + rest
}

// fieldFault is one entry of the list of faults.
func fieldFault(field, message string) domain.FieldError {
	return domain.FieldError{Field: field, Message: message}
}
