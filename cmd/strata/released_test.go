package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/streams"
)

// goldenFiles are the golden files of every package of the domain, by event type.
func goldenFiles(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../domain/*/testdata/events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		out[strings.TrimSuffix(filepath.Base(file), ".json")] = file
	}
	return out
}

// Every event type that is written, and every one that ever was, has a golden
// file, and the program's codec reads it.
func TestEveryEventTypeHasAGoldenFile(t *testing.T) {
	codec, err := newCodec(nil)
	if err != nil {
		t.Fatal(err)
	}
	files := goldenFiles(t)
	for _, ft := range allFacts() {
		if files[ft.Name] == "" {
			t.Errorf("%s has no golden file: add an example to its package's TestGolden and run it with -update", ft.Name)
		}
	}
	for name, file := range files {
		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if err := json.Compact(&data, stored); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		e, err := codec.Decode(streams.Recorded{Proposed: streams.Proposed{Type: name, Data: data.Bytes(), Meta: []byte("{}")}, Position: 1})
		if err != nil {
			t.Errorf("%s cannot be read any more: %v", name, err)
			continue
		}
		again, err := json.Marshal(e.Fact)
		if err != nil {
			t.Fatal(err)
		}
		if e.Fact.EventType() == name && !bytes.Equal(again, data.Bytes()) {
			t.Errorf("%s encodes as\n%s\nbut was released as\n%s", name, again, data.Bytes())
		}
	}
}

// The fields of a released event type do not change: what is written in another
// form has another version. A field that is left out when it is empty may be
// added, with -update; nothing is ever taken back.
func TestShapesOfReleasedEvents(t *testing.T) {
	const file = "testdata/event-shapes.txt"
	text, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	released := map[string]bool{}
	types := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		released[line] = true
		name, _, _ := strings.Cut(line, " ")
		types[name] = true
	}
	now := map[string]bool{}
	for _, line := range shapes(t) {
		now[line] = true
		name, field, _ := strings.Cut(line, " ")
		switch {
		case released[line]:
		case types[name] && !strings.HasSuffix(field, "?"):
			t.Errorf("%s: the field %s is new or changed, and always written: older events have none; make a new version", name, field)
		case !*update:
			t.Errorf("%s: %q is new; go test ./cmd/strata -run Shapes -update releases it", name, field)
		}
	}
	for line := range released {
		if !now[line] {
			t.Errorf("%q was released and is no more: make a new version and an upcast", line)
		}
	}
	if *update && !t.Failed() {
		all := strings.Join(shapes(t), "\n") + "\n"
		if err := os.WriteFile(file, []byte(all), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shapes describes the fields of every event type, a line each.
func shapes(t *testing.T) []string {
	t.Helper()
	states := map[string]reflect.Type{}
	for _, k := range catalogue.All() {
		states[k.Spec().Name] = k.Type()
	}
	var out []string
	for _, ft := range allFacts() {
		fact, err := ft.Decode([]byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		typ := reflect.TypeOf(fact)
		out = append(out, ft.Name)
		out = append(out, shapeOf(ft.Name+" ", typ, nil)...)
		if kind, ok := fact.(domain.KindFact); ok && kind.Verb != domain.VerbDeleted {
			// Documents are laid over each other: a field may be absent from any.
			for _, line := range shapeOf(ft.Name+" doc.", states[kind.Kind], nil) {
				out = append(out, strings.TrimSuffix(line, "?")+"?")
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shapeOf describes the fields of a struct: their path, their type, and "?" for
// those that are left out when they are empty.
func shapeOf(prefix string, t reflect.Type, above []reflect.Type) []string {
	var out []string
	if slices.Contains(above, t) {
		return out
	}
	above = append(above, t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		inner, word := f.Type, ""
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice && inner.Elem().Kind() != reflect.Uint8 {
			if inner.Kind() == reflect.Slice {
				word += "[]"
			}
			inner = inner.Elem()
		}
		if f.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			out = append(out, shapeOf(prefix, inner, above[:len(above)-1])...)
			continue
		}
		if name == "" {
			name = f.Name
		}
		absent := ""
		if strings.Contains(options, "omit") {
			absent = "?"
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() && !inner.Implements(reflect.TypeFor[json.Marshaler]()) {
			out = append(out, fmt.Sprintf("%s%s %s{}%s", prefix, name, word, absent))
			out = append(out, shapeOf(prefix+name+".", inner, above)...)
			continue
		}
		out = append(out, fmt.Sprintf("%s%s %s%s%s", prefix, name, word, wordFor(inner), absent))
	}
	return out
}

// wordFor names a type by its form in JSON, so that what it is called here may
// change.
func wordFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Map:
		return "object"
	case reflect.Slice:
		return "json"
	case reflect.Struct, reflect.Interface:
		return t.String()
	}
	return t.Kind().String()
}
