package httpx

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

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
// zero checker accepts everything.
type checker struct {
	schema *huma.Schema
	// first are the bytes that a value of the type may begin with, when that is
	// all there is to check; "" when the value has to be decoded.
	first string
}

func newChecker(s *huma.Schema, shaped bool) checker {
	bare := *s
	bare.Description, bare.Examples, bare.Default = "", nil, nil
	bare.ReadOnly, bare.WriteOnly, bare.Deprecated, bare.Title = false, false, false, ""
	constrained := bare.Format != "" || bare.ContentEncoding != "" || bare.Enum != nil || bare.Pattern != "" ||
		bare.MinLength != nil || bare.MaxLength != nil || bare.MinItems != nil || bare.MaxItems != nil ||
		bare.MinProperties != nil || bare.MaxProperties != nil || bare.UniqueItems ||
		bare.OneOf != nil || bare.AnyOf != nil || bare.AllOf != nil || bare.Not != nil
	switch {
	case constrained:
	case bare.Type == "" || shaped: // free-form, or visited by the rewriter
		return checker{}
	case bare.Type == huma.TypeString:
		return checker{s, `"`}
	case bare.Type == huma.TypeBoolean:
		return checker{s, "tf"}
	}
	return checker{s, ""}
}

// verdict gathers huma's findings; kept between values to save allocations.
type verdict struct {
	path   *huma.PathBuffer
	result huma.ValidateResult
}

func newVerdict() *verdict { return &verdict{path: huma.NewPathBuffer(make([]byte, 0, 64), 0)} }

// check reports the faults of the JSON value raw, with paths below prefix.
func (c checker) check(raw []byte, v *verdict, report func(below, message string)) {
	if c.schema == nil || len(raw) == 0 {
		return
	}
	if c.first != "" {
		for i := range len(c.first) {
			if raw[0] == c.first[i] {
				return
			}
		}
	}
	value, err := decodeAny(raw)
	if err != nil {
		report("", "is out of range")
		return
	}
	c.value(value, v, report)
}

// value reports the faults of a decoded value.
func (c checker) value(value any, v *verdict, report func(below, message string)) {
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
