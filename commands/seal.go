package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"strata/domain"
)

// Sealer encrypts secrets before they become part of an event.
type Sealer interface {
	// Seal returns an opaque text that only Strata can turn back.
	Seal(plain string) (string, error)
}

// secretTypes are the secret fields of a kind with their Go types.
func secretTypes(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	secret := domain.SecretFields(t)
	for i := range t.NumField() {
		if name := jsonName(t.Field(i)); slices.Contains(secret, name) {
			out[name] = t.Field(i).Type
		}
	}
	return out
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// seal replaces the plain text of secret fields.
func (r *Resources) seal(kind string, doc domain.Doc) (domain.Doc, error) {
	copied := false
	for field, t := range r.secrets[kind] {
		plain, given := doc[field]
		if !given {
			continue
		}
		sealed, err := r.sealValue(t, plain)
		if err != nil {
			return nil, fmt.Errorf("seal %s: %w", field, err)
		}
		if !copied {
			doc, copied = maps.Clone(doc), true
		}
		doc[field] = sealed
	}
	return doc, nil
}

// sealValue seals every text within a value of type t and leaves its structure,
// so that the sealed value is still one of that type. Keys of maps, texts that are
// one of an enum and whatever is no text are not secret.
func (r *Resources) sealValue(t reflect.Type, v json.RawMessage) (json.RawMessage, error) {
	if len(v) == 0 || bytes.Equal(v, []byte("null")) {
		return v, nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return r.sealText(v)
	case reflect.Map:
		return r.sealObject(v, func(string) reflect.Type { return t.Elem() })
	case reflect.Struct:
		return r.sealObject(v, func(name string) reflect.Type {
			for i := range t.NumField() {
				if f := t.Field(i); jsonName(f) == name && f.Tag.Get("enum") == "" {
					return f.Type
				}
			}
			return nil
		})
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		if err := json.Unmarshal(v, &items); err != nil {
			return nil, err
		}
		for i, item := range items {
			var err error
			if items[i], err = r.sealValue(t.Elem(), item); err != nil {
				return nil, err
			}
		}
		return json.Marshal(items)
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return v, nil
	}
	return nil, fmt.Errorf("secrets of type %s are not supported", t)
}

func (r *Resources) sealObject(v json.RawMessage, typeOf func(name string) reflect.Type) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(v, &fields); err != nil {
		return nil, err
	}
	for name, value := range fields {
		t := typeOf(name)
		if t == nil {
			continue
		}
		var err error
		if fields[name], err = r.sealValue(t, value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(fields)
}

func (r *Resources) sealText(v json.RawMessage) (json.RawMessage, error) {
	var plain string
	if err := json.Unmarshal(v, &plain); err != nil || plain == "" {
		return v, err
	}
	sealed, err := r.sealer.Seal(plain)
	if err != nil {
		return nil, err
	}
	return text(sealed), nil
}
