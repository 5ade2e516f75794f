package rawjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"unicode/utf8"
)

func TestParseAndGet(t *testing.T) {
	o, err := Parse([]byte(` { "model" : "a/b", "n":2 , "x":null,"deep":{"a":[1,"}"]},"esc\u0061pe":"\"q" } `))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"model": `"a/b"`, "n": "2", "x": "", "deep": `{"a":[1,"}"]}`, "escape": `"\"q"`, "absent": "",
	} {
		if got := string(o.Get(key)); got != want {
			t.Errorf("Get(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]error{`{"a":1`: ErrSyntax, ``: ErrSyntax, `[1]`: ErrNotObject, `"s"`: ErrNotObject} {
		if _, err := Parse([]byte(text)); !errors.Is(err, want) {
			t.Errorf("Parse(%q): %v, want %v", text, err, want)
		}
	}
	many := []byte(`{"0":0`)
	for i := range MaxFields {
		many = fmt.Appendf(many, `,"k%d":0`, i)
	}
	if _, err := Parse(append(many, '}')); !errors.Is(err, ErrTooManyFields) {
		t.Errorf("%d fields: %v", MaxFields+1, err)
	}
	var duplicate *DuplicateKey
	if _, err := Parse([]byte(`{"max_tokens":1,"max_t\u006fkens":2}`)); !errors.As(err, &duplicate) || duplicate.Key != "max_tokens" {
		t.Errorf("an escaped duplicate passed: %v", err)
	}
}

func TestWithKeepsWhatItDoesNotName(t *testing.T) {
	o, err := Parse([]byte(`{ "model":"m", "unknown" : 1.50e3, "gone":true }`))
	if err != nil {
		t.Fatal(err)
	}
	got := string(o.With(Edit{"model", Quote("n")}, Edit{"gone", nil}, Edit{"new", []byte("7")}, Edit{"never", nil}))
	if want := `{"model":"n","unknown" : 1.50e3,"new":7}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	empty, err := Parse([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(empty.With(Edit{"a", []byte("1")})); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
}

func TestElements(t *testing.T) {
	var got []string
	Elements([]byte(` [ 1 , "a,]" ,{"x":[2]}, [ ] ]`), func(e []byte) { got = append(got, string(e)) })
	if want := []string{"1", `"a,]"`, `{"x":[2]}`, "[ ]"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	Elements([]byte(`{"a":1}`), func([]byte) { t.Error("an object has no elements") })
}

// FuzzParse holds the scanner against encoding/json: the same keys and values,
// and an edited object that still is one.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":{"b":[1,2,{"c":"}"}]},"d":"\\\""}`, ` {"a" : -1e5 , "b":null}`, `{"\u0061":1}`, `[{}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := Parse(raw)
		if err != nil || !utf8.Valid(raw) { // encoding/json would replace the invalid bytes of keys
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		for key, value := range want {
			if string(value) != "null" && string(o.Get(key)) != string(value) {
				t.Fatalf("Get(%q) = %q, want %q", key, o.Get(key), value)
			}
		}
		var edited map[string]json.RawMessage
		if err := json.Unmarshal(o.With(Edit{"model", Quote("m")}, Edit{"gone", nil}), &edited); err != nil {
			t.Fatalf("an edit broke the object: %v", err)
		}
		if string(edited["model"]) != `"m"` {
			t.Fatalf("the edit is lost: %s", edited["model"])
		}
	})
}
