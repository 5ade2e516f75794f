package vectors_test

import (
	"encoding/json"
	"slices"
	"testing"

	"strata/domain"
	"strata/projections/vectors"
)

func fields(err error) []string {
	e, _ := err.(*domain.Error) //nolint:errorlint // as it is answered
	if e == nil {
		return nil
	}
	var names []string
	for _, f := range e.Fields {
		names = append(names, f.Field)
	}
	return names
}

func TestParseFilterNamesEveryFault(t *testing.T) {
	for text, want := range map[string][]string{
		``:                                     nil,
		`null`:                                 nil,
		`{}`:                                   nil,
		`{"type":"eq","key":"a","value":1}`:    nil,
		`{"type":"note"}`:                      nil, // metadata may have such a field
		`[]`:                                   {"filter"},
		`{"type":"like","key":"a","value":1}`:  {"filter.type"},
		`{"type":"eq","key":"","value":{}}`:    {"filter.key", "filter.value"},
		`{"type":"gt","key":"a","value":true}`: {"filter.value"},
		`{"type":"in","key":"a","value":"x"}`:  {"filter.value"},
		`{"type":"nin","key":"a","value":["x",[]]}`: {"filter.value.1"},
		`{"type":"and","filters":[]}`:               {"filter.filters"},
		`{"type":"or","filters":[{"type":"eq","key":"a","value":1},{"type":"x","key":"b","value":1}]}`: {"filter.filters.1.type"},
		`{"a":{"b":1},"c":[{}]}`: {"filter.a", "filter.c.0"},
	} {
		_, err := vectors.ParseFilter("filter", json.RawMessage(text))
		if got := fields(err); !slices.Equal(got, want) {
			t.Errorf("%s: faults %v, want %v", text, got, want)
		}
	}
	deep := `{"type":"eq","key":"a","value":1}`
	for range 8 {
		deep = `{"type":"and","filters":[` + deep + `]}`
	}
	if _, err := vectors.ParseFilter("filter", json.RawMessage(deep)); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("a filter without bottom was accepted: %v", err)
	}
}

// FuzzParseFilter: any JSON is a filter, or a fault that names a field.
func FuzzParseFilter(f *testing.F) {
	f.Add(`{"type":"and","filters":[{"type":"in","key":"a","value":[1,"x",true]}]}`)
	f.Add(`{"a":1,"b":["x"],"c":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := vectors.ParseFilter("filter", json.RawMessage(text)); err != nil && len(fields(err)) == 0 {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
