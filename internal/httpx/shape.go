package httpx

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// View picks the fields of a type that take part in a message, by their
// `access` tag: "rw" (default), "r" read only, "w" write only, "c" readable and
// set once, on creation, "u" readable and set by updates only, "uw" taken by
// updates only and never shown.
type View int

// The views.
const (
	// AutoView is Update for the body of PUT and PATCH, Create for other bodies
	// and Output for answers.
	AutoView View = iota
	// Create takes every field but the read-only ones; required fields must be
	// there and defaults fill the absent ones.
	Create
	// Update takes every field that may change, and those set once: clients put
	// back what they got, and whether that changes anything is for the handler to
	// say. Nothing is required and null clears a field. Values are replaced whole, so what is inside of them
	// follows Create.
	Update
	// Output shows every field but the write-only ones.
	Output
)

// nested is the view of the values inside a field.
func (v View) nested() View {
	if v == Update {
		return Create
	}
	return v
}

func (v View) suffix() string {
	return [...]string{AutoView: "", Create: "Create", Update: "Update", Output: ""}[v]
}

type shapeKind uint8

const (
	object shapeKind = iota + 1 // a struct: its keys are fields
	list                        // an array of a shaped element
	dict                        // a map of shaped values; the keys are the user's
)

// shape is what the rewriter knows of a type in a view. A nil shape is a value
// without fields of ours: a scalar or free-form JSON, copied as it is.
type shape struct {
	kind   shapeKind
	elem   *shape // of a list or dict
	fields []shapeField
	lookup map[string]int // both spellings → index in fields
	// fills tells that absent fields of an object have to be looked at: some
	// are required or have a default.
	fills bool
}

// presence says what happens to a field that a message holds.
type presence uint8

const (
	kept    presence = iota
	ignored          // dropped without a word: read-only in, write-only out
	unknown          // refused as a field that is not there: update-only on creation
)

type shapeField struct {
	name, camel string
	shape       *shape
	presence    presence
	required    bool
	nullable    bool
	fallback    []byte  // JSON of the default value, for absent fields
	empty       string  // what null means on output: "[]" for a list, "{}" for a map
	check       checker // what the value itself has to satisfy, on input
	integer     integer // the width of an integer field, on input
}

// spelled returns the field's name in a mount's case.
func (f *shapeField) spelled(camel bool) string {
	if camel {
		return f.camel
	}
	return f.name
}

type shapeKey struct {
	t    reflect.Type
	view View
}

// shapes builds each shape once; recursive types refer to themselves.
type shapes map[shapeKey]*shape

// maxFields is how many fields the rewriter can tick off in one object.
const maxFields = 256

// of returns the shape of a type in a view; nil when nothing in it has a field.
func (c shapes) of(t reflect.Type, view View) *shape {
	t = deref(t)
	if opaque(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return c.object(t, view)
	case reflect.Slice, reflect.Array:
		if elem := c.of(t.Elem(), view.nested()); elem != nil {
			return &shape{kind: list, elem: elem}
		}
	case reflect.Map:
		if elem := c.of(t.Elem(), view.nested()); elem != nil {
			return &shape{kind: dict, elem: elem}
		}
	}
	return nil
}

func (c shapes) object(t reflect.Type, view View) *shape {
	key := shapeKey{t, view}
	if s, ok := c[key]; ok {
		return s
	}
	s := &shape{kind: object, lookup: map[string]int{}}
	c[key] = s // before the fields: a type may contain itself
	fields := jsonFields(t)
	if len(fields) > maxFields {
		panic(fmt.Sprintf("httpx: %s has %d fields; the limit is %d", t, len(fields), maxFields))
	}
	for _, jf := range fields {
		f := shapeField{name: jf.name, camel: camelCase(jf.name), shape: c.of(jf.Type, view.nested())}
		if f.presence = presenceOf(t, jf, view); f.presence == unknown {
			continue
		}
		f.required = view == Create && f.presence == kept && jf.Tag.Get("required") == "true"
		f.nullable = view == Output || jf.nullable(view)
		if view != Output && f.presence == kept {
			leaf := leafSchema(t, jf)
			f.check, f.integer = newChecker(leaf, f.shape != nil), integerOf(jf.Type)
			if view == Create {
				f.fallback = jf.fallback(leaf)
			}
		}
		if view == Output && !jf.nullable(view) {
			f.empty = emptyOf(jf.Type)
		}
		s.fills = s.fills || f.required || f.fallback != nil
		i := len(s.fields)
		s.fields = append(s.fields, f)
		s.lookup[f.name] = i
		if j, taken := s.lookup[f.camel]; taken && j != i {
			panic(fmt.Sprintf("httpx: %s: fields %q and %q are spelled alike", t, f.name, s.fields[j].name))
		}
		s.lookup[f.camel] = i
	}
	return s
}

func presenceOf(t reflect.Type, f jsonField, view View) presence {
	switch access := f.Tag.Get("access"); access {
	case "", "rw":
		return kept
	case "r":
		if view != Output {
			return ignored
		}
	case "w":
		if view == Output {
			return ignored
		}
	case "u", "uw":
		if view == Create {
			return unknown
		}
		if access == "uw" && view == Output {
			return ignored
		}
	case "c": // an update may repeat what was set once; that it changes nothing is for the handler to check
	default:
		panic(fmt.Sprintf("httpx: %s.%s: access %q is not one of r, c, u, uw, w, rw", t, f.Name, access))
	}
	return kept
}

// emptyOf is the JSON that a nil slice or map stands for, "" for other types.
func emptyOf(t reflect.Type) string {
	if opaque(t) {
		return ""
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return `""`
		}
		return "[]"
	case reflect.Map:
		return "{}"
	}
	return ""
}

// jsonField is a struct field as encoding/json sees it.
type jsonField struct {
	reflect.StructField
	name string
	omit bool // omitempty or omitzero
}

// nullable tells whether the field may be null in a message of a view. What must be
// given when something is created, must be given a value.
func (f jsonField) nullable(view View) bool {
	if view == Update {
		return true
	}
	switch f.Tag.Get("nullable") {
	case "true":
		return true
	case "false":
		return false
	}
	if view == Create && f.Tag.Get("required") == "true" {
		return f.Type.Kind() == reflect.Interface || f.Type == rawMessageType
	}
	return (f.Type.Kind() == reflect.Pointer && !f.omit) || f.Type.Kind() == reflect.Interface ||
		f.Type == rawMessageType
}

// fallback returns the JSON of the `default` tag, nil when there is none.
func (f jsonField) fallback(schema *huma.Schema) []byte {
	tag, ok := f.Tag.Lookup("default")
	if !ok {
		return nil
	}
	var value any = tag
	if schema.Default != nil { // nil for the empty string
		value = schema.Default
	}
	out, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("httpx: %s: default %q: %v", f.Name, tag, err))
	}
	return out
}

// withoutNull is the field without its `nullable` tag, which huma refuses on
// references to objects; nullability is added by us where it belongs.
func (f jsonField) withoutNull() reflect.StructField {
	out := f.StructField
	out.Tag = reflect.StructTag(strings.ReplaceAll(string(f.Tag), `nullable:"true"`, ""))
	return out
}

// jsonFields lists the fields of a struct with embedded ones promoted; an
// outer field hides an inner one of the same name.
func jsonFields(t reflect.Type) []jsonField {
	var out []jsonField
	seen := map[string]bool{}
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" && deref(f.Type).Kind() == reflect.Struct && !opaque(f.Type) {
			embedded = append(embedded, deref(f.Type))
			continue
		}
		if !f.IsExported() || (tag == "-" && options == "") {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		seen[tag] = true
		out = append(out, jsonField{f, tag, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")})
	}
	for _, e := range embedded {
		for _, f := range jsonFields(e) {
			if !seen[f.name] {
				seen[f.name] = true
				out = append(out, f)
			}
		}
	}
	return out
}

var (
	timeType          = reflect.TypeFor[time.Time]()
	rawMessageType    = reflect.TypeFor[json.RawMessage]()
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	schemaType        = reflect.TypeFor[huma.SchemaProvider]()
)

// opaque tells whether a type writes its own JSON, so that its keys are not
// fields of ours.
func opaque(t reflect.Type) bool {
	t = deref(t)
	p := reflect.PointerTo(t)
	return t == timeType || t == rawMessageType ||
		p.Implements(marshalerType) || p.Implements(textMarshalerType) || p.Implements(schemaType)
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// camelCase turns snake_case into camelCase: "top_k" → "topK",
// "p95_ms" → "p95Ms". A leading underscore stays.
func camelCase(name string) string {
	var b strings.Builder
	upper := false
	for i, c := range name {
		switch {
		case c == '_' && i > 0:
			upper = true
		case upper && c >= 'a' && c <= 'z':
			b.WriteRune(c - 'a' + 'A')
			upper = false
		default:
			b.WriteRune(c)
			upper = false
		}
	}
	return b.String()
}

// snakeCase is the inverse of camelCase, for names that only the wire knows
// (sort fields): "createdAt" → "created_at".
func snakeCase(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// spell returns a name in a mount's case.
func spell(name string, camel bool) string {
	if camel {
		return camelCase(name)
	}
	return name
}

// spellPath turns a dotted path of canonical names ("items[0].file_name") into
// a mount's case, following the shape; what is not a field stays as it is.
func (s *shape) spellPath(path string, camel bool) string {
	if !camel {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		if path[0] == '.' || path[0] == '[' {
			end := 1
			if path[0] == '[' {
				end = strings.IndexByte(path, ']') + 1
				if end == 0 {
					end = len(path)
				}
				if s != nil {
					s = s.elem
				}
			}
			b.WriteString(path[:end])
			path = path[end:]
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		segment := path[:end]
		path = path[end:]
		switch {
		case s == nil:
		case s.kind == object:
			if i, ok := s.lookup[segment]; ok {
				segment, s = s.fields[i].camel, s.fields[i].shape
			} else {
				s = nil
			}
		default:
			s = s.elem
		}
		b.WriteString(segment)
	}
	return b.String()
}
