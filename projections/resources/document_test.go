package resources

import (
	"encoding/json"
	"reflect"
	"testing"

	"strata/domain"
)

func FuzzDocument(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"name":"x\"y\\","list":[1,{"a":"}"}],"o":{"k":[]},"é":null,"n<":-1.5e3}`, `{"":"\ud800"}`, `{"a":"\u0061"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if d, err := splitDoc(text); err == nil && d == nil {
			t.Fatal("neither document nor error")
		}
		var want domain.Doc
		if json.Unmarshal(text, &want) != nil || want == nil {
			return
		}
		written := appendDoc(nil, want)
		if !json.Valid(written) {
			t.Fatalf("%s was written as %s", text, written)
		}
		got, err := splitDoc(written)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s came back as %v, %v", written, got, err)
		}
		for field := range want {
			if a, b := textOf(want, field), want.String(field); a != b {
				t.Fatalf("field %q is %q, want %q", field, a, b)
			}
		}
	})
}
