// Package view holds the shapes of answers: what a session, a memory, a budget
// look like to a caller. The write side builds them from an aggregate's state,
// the read side from a read model, so both must agree on them here.
//
// Names are snake_case, the canonical spelling; the transport re-cases them for
// the mounts that speak camelCase and fills the documentation from the tags.
package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"strata/domain"
)

// Deleted answers a delete.
type Deleted struct {
	ID      string `json:"id" doc:"What was deleted." example:"app_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Deleted bool   `json:"deleted" example:"true"`
}

// DeletedID answers a delete on the plain mount, which says no more than the id.
type DeletedID struct {
	ID string `json:"id" doc:"What was deleted." example:"mem_01jk2m3n4p5q6r7s8t9v0w1x2y"`
}

// timeOrNil leaves a zero time out of an answer.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Shape says how the resources of a kind are rendered: fields in the order they
// are declared in, no secrets.
type Shape struct {
	fields  []string
	absent  map[string]json.RawMessage // what a field without a value shows, for those that are always there
	version bool                       // whether the kind has versions
}

// ShapeOf works out the shape of a kind.
func ShapeOf(k domain.AnyKind) Shape {
	s := Shape{absent: map[string]json.RawMessage{}, version: len(k.Spec().Versions) > 0}
	t := k.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		access := f.Tag.Get("access")
		if f.Anonymous || name == "version" || access == "w" || access == "uw" {
			continue
		}
		s.fields = append(s.fields, name)
		if options == "" {
			s.absent[name] = emptyOf(f)
		}
	}
	return s
}

// emptyOf is what a field shows that has no value: its default, else what is
// empty in its type.
func emptyOf(f reflect.StructField) json.RawMessage {
	var v any
	switch f.Type.Kind() {
	case reflect.Slice:
		return json.RawMessage("[]")
	case reflect.Map:
		return json.RawMessage("{}")
	case reflect.String:
		v = f.Tag.Get("default")
	default:
		if text := f.Tag.Get("default"); text != "" {
			return json.RawMessage(text)
		}
		v = reflect.Zero(f.Type).Interface()
	}
	b, err := json.Marshal(v)
	if err != nil { // a kind's fields are JSON
		panic(fmt.Sprintf("view: empty %s: %v", f.Name, err))
	}
	return b
}

// Resource renders a plain resource: its own fields and the envelope's.
func (s Shape) Resource(r *domain.Resource) (json.RawMessage, error) {
	var o object
	o.put("id", r.ID)
	for _, f := range s.fields {
		if v, ok := r.Doc[f]; ok {
			o.put(f, v)
		} else if v, ok := s.absent[f]; ok {
			o.put(f, v)
		}
	}
	if s.version {
		o.put("version", r.Version)
	}
	o.put("created_at", domain.FormatTime(r.CreatedAt))
	o.put("updated_at", domain.FormatTime(r.UpdatedAt))
	o.put("created_by", r.CreatedBy)
	o.put("updated_by", r.UpdatedBy)
	return o.end()
}

// object writes a JSON object whose fields keep their order.
type object struct {
	buf bytes.Buffer
	err error
}

func (o *object) put(field string, v any) {
	value, err := json.Marshal(v)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("field %s: %w", field, err)
	}
	if o.buf.Len() == 0 {
		o.buf.WriteByte('{')
	} else {
		o.buf.WriteByte(',')
	}
	fmt.Fprintf(&o.buf, "%q:", field)
	o.buf.Write(value)
}

func (o *object) end() (json.RawMessage, error) {
	o.buf.WriteByte('}')
	return o.buf.Bytes(), o.err
}

// Version renders one version of a resource of a kind.
func (s Shape) Version(kind, id string, v domain.Version) (json.RawMessage, error) {
	var o object
	o.put("id", fmt.Sprintf("%s_v%d", id, v.Number))
	o.put(kind+"_id", id)
	o.put("version", v.Number)
	for _, f := range s.fields {
		if value, ok := v.Doc[f]; ok {
			o.put(f, value)
		}
	}
	if v.Changelog != "" {
		o.put("changelog", v.Changelog)
	}
	o.put("created_at", domain.FormatTime(v.At))
	o.put("created_by", v.By)
	return o.end()
}

// OperationID names an operation on a kind: "createModelRoute", and
// "createModelRouteV1" on the plain mount. A list is named by the plural:
// "listModelRoutes".
func OperationID(verb string, spec *domain.KindSpec, mount string) string {
	name := spec.Name
	if verb == "list" {
		name = spec.Plural
	}
	var b strings.Builder
	b.WriteString(verb)
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	if mount == "v1" {
		b.WriteString("V1")
	}
	return b.String()
}
