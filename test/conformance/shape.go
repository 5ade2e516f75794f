package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shape checks answers against what is documented.
type Shape struct {
	Resources Resources
	// Absent tells of fields of resources that an answer may lack, by "resource.field"
	// or "field", and why.
	Absent map[string]string
}

// Check names every documented field that a value lacks or that has another
// type. value is decoded JSON with numbers as json.Number.
func (s Shape) Check(value any, fields []Field) []string {
	var faults []string
	for _, f := range fields {
		if depth := strings.Count(f.Name, "[]"); depth > 0 {
			faults = append(faults, s.lists(value, depth, f, f.Name)...)
			continue
		}
		faults = append(faults, s.field(value, f, "")...)
	}
	return faults
}

// lists checks a bare list of depth levels.
func (s Shape) lists(value any, depth int, f Field, at string) []string {
	items, ok := value.([]any)
	if !ok {
		return []string{fmt.Sprintf("%s is %T, not a list", at, value)}
	}
	var faults []string
	for i, item := range items {
		here := fmt.Sprintf("[%d]", i)
		if depth > 1 {
			faults = append(faults, s.lists(item, depth-1, f, here)...)
		} else {
			faults = append(faults, s.typed(item, f.Type, here)...)
		}
	}
	return faults
}

// field checks one field of an object; owner is the resource it belongs to, "" for
// the answer itself.
func (s Shape) field(object any, f Field, owner string) []string {
	value := object
	for part := range strings.SplitSeq(f.Name, ".") {
		m, ok := value.(map[string]any)
		if ok {
			value, ok = m[part]
		}
		if !ok {
			if s.mayLack(owner, f.Name) {
				return nil
			}
			return []string{fmt.Sprintf("%s is not there", f.Name)}
		}
	}
	if value == nil {
		if s.mayLack(owner, f.Name) {
			return nil
		}
		return []string{fmt.Sprintf("%s is null", f.Name)}
	}
	faults := s.typed(value, f.Type, f.Name)
	if text, ok := value.(string); ok && f.Enum != nil && !slices.Contains(f.Enum, text) {
		faults = append(faults, fmt.Sprintf("%s is %q, not one of %v", f.Name, text, f.Enum))
	}
	return faults
}

func (s Shape) mayLack(owner, field string) bool {
	name := field
	if owner != "" {
		name = owner + "." + field
	}
	_, ok := s.Absent[name]
	return ok
}

// typed checks a value against a documented type.
func (s Shape) typed(value any, kind, at string) []string {
	if elem := (Field{Type: kind}).Elem(); elem != "" {
		items, ok := value.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T, not a list", at, value)}
		}
		var faults []string
		for i, item := range items {
			faults = append(faults, s.typed(item, elem, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return faults
	}
	if fields, ok := s.Resources[kind]; ok {
		return s.resource(value, kind, fields, at)
	}
	if ok, want := fits(value, kind); !ok {
		return []string{fmt.Sprintf("%s is %s (%T), not %s", at, brief(value), value, want)}
	}
	return nil
}

func (s Shape) resource(value any, kind string, fields []Field, at string) []string {
	if _, ok := value.(map[string]any); !ok {
		return []string{fmt.Sprintf("%s is %T, not a %s", at, value, kind)}
	}
	var faults []string
	for _, f := range fields {
		for _, fault := range s.field(value, f, kind) {
			faults = append(faults, at+"."+fault)
		}
	}
	return faults
}

// fits tells whether a value is of a plain type.
func fits(value any, kind string) (ok bool, want string) {
	switch {
	case kind == "string":
		_, ok = value.(string)
	case kind == "datetime":
		text, isText := value.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		ok = isText && err == nil && strings.HasSuffix(text, "Z")
	case kind == "integer":
		n, isNumber := value.(json.Number)
		_, err := n.Int64()
		ok = isNumber && err == nil
	case kind == "number":
		_, ok = value.(json.Number)
	case kind == "boolean":
		_, ok = value.(bool)
	case kind == "array":
		_, ok = value.([]any)
	case kind == "object", strings.HasPrefix(kind, "object<"), strings.HasPrefix(kind, "map<"):
		_, ok = value.(map[string]any)
	default:
		return false, "of a type that is not known: " + kind
	}
	return ok, kind
}

func brief(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	if len(text) > 60 {
		return string(text[:60]) + "…"
	}
	return string(text)
}
