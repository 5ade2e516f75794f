package httpx

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// example is the JSON of an example in a mount's spelling: the given one, else
// one made from the `example` tags of the type.
func (d *document) example(given any, t reflect.Type, view View, m *Mount) json.RawMessage {
	var text []byte
	if given != nil {
		var err error
		if text, err = json.Marshal(given); err != nil {
			panic(fmt.Sprintf("the example of %s: %v", t, err))
		}
	} else {
		text = exampleOf(nil, t, view, nil)
	}
	s := d.router.shapes.of(t, view)
	if len(text) > 0 && text[0] == '[' && (s == nil || s.kind == object) { // a list of them
		s = &shape{kind: list, elem: s}
	}
	out, err := render(nil, text, s, m.Camel)
	if err != nil {
		panic(fmt.Sprintf("the example of %s: %v", t, err))
	}
	return out
}

// exampleOf appends the canonical JSON of an example of a type. Types that
// contain themselves stop at the second time.
func exampleOf(dst []byte, t reflect.Type, view View, above []reflect.Type) []byte {
	t = deref(t)
	if !opaque(t) {
		switch t.Kind() {
		case reflect.Struct:
			return exampleObject(dst, t, view, append(above, t))
		case reflect.Slice, reflect.Array:
			if t.Elem().Kind() == reflect.Uint8 {
				break
			}
			if contains(above, deref(t.Elem())) {
				return append(dst, "[]"...)
			}
			dst = exampleOf(append(dst, '['), t.Elem(), view.nested(), above)
			return append(dst, ']')
		case reflect.Map:
			if t.Elem().Kind() == reflect.Interface || contains(above, deref(t.Elem())) {
				return append(dst, "{}"...)
			}
			dst = exampleOf(append(dst, `{"key":`...), t.Elem(), view.nested(), above)
			return append(dst, '}')
		}
	}
	s := leafRegistry{}.Schema(t, false, "")
	if s == nil {
		panic(t.String() + " has no JSON form")
	}
	return appendJSON(dst, exampleScalar(s, "example"))
}

func contains(above []reflect.Type, t reflect.Type) bool {
	for _, a := range above {
		if a == t {
			return true
		}
	}
	return false
}

func exampleObject(dst []byte, t reflect.Type, view View, above []reflect.Type) []byte {
	dst = append(dst, '{')
	first := true
	for _, f := range jsonFields(t) {
		if presenceOf(t, f, view) != kept || !worthTelling(f, view) || contains(above, deref(f.Type)) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendJSON(dst, f.name), ':')
		dst = exampleField(dst, t, f, view, above)
	}
	return append(dst, '}')
}

func exampleField(dst []byte, owner reflect.Type, f jsonField, view View, above []reflect.Type) []byte {
	s := leafSchema(owner, f)
	switch {
	case len(s.Examples) > 0:
		return appendJSON(dst, s.Examples[0])
	case s.Default != nil:
		return appendJSON(dst, s.Default)
	case s.Type == huma.TypeArray && s.Items != nil && len(s.Items.Enum) > 0:
		return appendJSON(dst, []any{s.Items.Enum[0]})
	case s.Type == "" || s.Type == huma.TypeObject || s.Type == huma.TypeArray:
		return exampleOf(dst, f.Type, view.nested(), above)
	}
	return appendJSON(dst, exampleScalar(s, strings.ReplaceAll(f.name, "_", " ")))
}

// exampleScalar invents a value for a schema; text is what a free string says.
func exampleScalar(s *huma.Schema, text string) any {
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	switch s.Type {
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		n := 1.0
		if s.Minimum != nil {
			n = max(n, *s.Minimum)
		}
		if s.Maximum != nil {
			n = min(n, *s.Maximum)
		}
		return n
	case huma.TypeString:
		return exampleString(s, text)
	}
	return map[string]any{}
}

func exampleString(s *huma.Schema, text string) string {
	switch {
	case s.ContentEncoding == "base64":
		return "ZXhhbXBsZQ=="
	case s.Format == "date-time":
		return exampleTime
	case s.Format == "date":
		return exampleTime[:10]
	case s.Format == "uri":
		return "https://example.com"
	case s.Format == "email":
		return "ada@example.com"
	case s.Format == "uuid":
		return "018d0c3e-7c2a-7b1e-9f3a-5d2c1b0a9e8f"
	}
	if s.MinLength != nil && len(text) < *s.MinLength {
		text += strings.Repeat("x", *s.MinLength-len(text))
	}
	if s.MaxLength != nil && len(text) > *s.MaxLength {
		text = text[:*s.MaxLength]
	}
	return text
}
