package domain

import (
	"bytes"
	"encoding/json"
	"maps"
)

// Doc is a resource's own fields as JSON, by canonical (snake_case) name.
type Doc map[string]json.RawMessage

// DocOf makes a document of a struct.
func DocOf(v any) (Doc, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var d Doc
	return d, json.Unmarshal(b, &d)
}

// Decode reads a document as an S. An error names the field.
func Decode[S any](d Doc) (S, error) {
	var s S
	b, err := json.Marshal(d)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		if t, ok := err.(*json.UnmarshalTypeError); ok {
			var f Faults
			f.Add(true, t.Field, "must be a %s, not a %s", t.Type, t.Value)
			return s, f.Err()
		}
		return s, Errorf(CodeInvalidRequest, "the document cannot be read").Because(err)
	}
	return s, nil
}

// String returns a text field; "" when it is absent or no text.
func (d Doc) String(field string) string {
	var s string
	_ = json.Unmarshal(d[field], &s) // absent or not a string is "" by contract
	return s
}

// Merge returns d with the fields of patch laid over it; a null removes.
func (d Doc) Merge(patch Doc) Doc {
	out := maps.Clone(d)
	if out == nil {
		out = Doc{}
	}
	for k, v := range patch {
		if isNull(v) {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// Changed returns the part of patch that differs from d.
func (d Doc) Changed(patch Doc) Doc {
	out := Doc{}
	for k, v := range patch {
		old, had := d[k]
		if isNull(v) && !had || had && equalJSON(old, v) {
			continue
		}
		out[k] = v
	}
	return out
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

func equalJSON(a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	if bytes.Equal(a, b) { // the usual case when states are folded
		return true
	}
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return false
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}
