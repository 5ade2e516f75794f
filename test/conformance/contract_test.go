package conformance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestParseFields(t *testing.T) {
	fields, err := ParseFields("name*:string, status:string{draft|active}=draft, usage:map<string,object>, rows:array<action>, a.b:integer=1")
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{Name: "name", Type: "string", Required: true}, {Name: "status", Type: "string", Enum: []string{"draft", "active"}},
		{Name: "usage", Type: "map<string,object>"}, {Name: "rows", Type: "array<action>"}, {Name: "a.b", Type: "integer"},
	}
	if !slices.EqualFunc(fields, want, func(a, b Field) bool {
		return a.Name == b.Name && a.Type == b.Type && a.Required == b.Required && slices.Equal(a.Enum, b.Enum)
	}) {
		t.Errorf("%+v", fields)
	}
	if fields[3].Elem() != "action" || fields[0].Elem() != "" {
		t.Error("items of lists")
	}
	for _, bad := range []string{"name", "name:", "x:string{a|b"} {
		if _, err := ParseFields(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestTheTables(t *testing.T) {
	ops, err := ReadOperations("testdata/operations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	resources, err := ReadResources("testdata/resources.tsv")
	if err != nil {
		t.Fatal(err)
	}
	count, seen := map[string]int{}, map[string]bool{}
	for _, o := range ops {
		count[o.Product]++
		if seen[o.Name()] {
			t.Errorf("%s stands twice", o.Name())
		}
		seen[o.Name()] = true
		for _, f := range o.Answer {
			elem := f.Elem()
			if strings.HasPrefix(f.Name, "[]") {
				elem = f.Type
			}
			if _, known := resources[elem]; elem != "" && !known && elem != "string" && elem != "object" {
				t.Errorf("%s: nobody knows what a %s is", o.Name(), elem)
			}
		}
	}
	if count["inference"] != 78 || count["flotorch"] != 21 {
		t.Errorf("%v", count)
	}
}

func TestShape(t *testing.T) {
	s := Shape{Resources: Resources{"thing": {{Name: "id", Type: "string"}, {Name: "size", Type: "integer"}}},
		Absent: map[string]string{"thing.size": "unknown sizes are left out", "deleted_at": "it lives"}}
	for _, x := range []struct{ value, fields, fault string }{
		{`{"a":"x","n":1}`, "a:string, n:integer", ""},
		{`{"a":1}`, "a:string", "a is 1"},
		{`{}`, "a:string", "a is not there"},
		{`{"a":null}`, "a:string", "a is null"},
		{`{}`, "deleted_at:datetime", ""},
		{`{"a":"2026-01-02T03:04:05Z"}`, "a:datetime", ""},
		{`{"a":"2026-01-02"}`, "a:datetime", "not datetime"},
		{`{"a":1.5}`, "a:integer", "not integer"},
		{`{"a":{"b":true}}`, "a.b:boolean", ""},
		{`{"a":{}}`, "a.b:boolean", "a.b is not there"},
		{`{"a":"z"}`, "a:string{x|y}", `a is "z"`},
		{`{"data":[{"id":"1","size":2},{"id":"2"}]}`, "data:array<thing>", ""},
		{`{"data":[{"id":"1"},{"size":2}]}`, "data:array<thing>", "data[1].id is not there"},
		{`[{"id":"1"}]`, "[]:thing", ""},
		{`{}`, "[]:thing", "not a list"},
		{`[[{"id":"1"}],[{"id":2}]]`, "[][]:thing", "[0].id is 2"},
		{`{"m":{}}`, "m:map<string,object>", ""},
		{`{"m":[]}`, "m:map<string,object>", "not map"},
	} {
		fields, err := ParseFields(x.fields)
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(strings.NewReader(x.value))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(s.Check(v, fields), "; ")
		if (x.fault == "") != (got == "") || !strings.Contains(got, x.fault) {
			t.Errorf("%s against %s: %q, want %q", x.value, x.fields, got, x.fault)
		}
	}
}
