package memories_test

import (
	"encoding/json"
	"errors"
	"testing"

	"strata/domain"
	"strata/domain/memory"
	"strata/projections/memories"
	"strata/projections/query"
)

// FuzzMetadataFilter turns any JSON object into a filter on metadata: it is
// refused as a fault that names the field, or it is a query that runs.
func FuzzMetadataFilter(f *testing.F) {
	for _, s := range []string{`{}`, `{"n":1}`, `{"on":true,"name":"x"}`, `{"a.b":null}`, `{"a\"b":1}`, `{"tags":["a"],"d":{"x":1e999}}`, `{"\u0000":1}`, `{"":1}`, `{"n":1.0}`} {
		f.Add(s)
	}
	w := newWorld(f)
	w.given("ws_1", "mem_1", added("tea", func(f *memory.Fields) { f.Metadata = domain.Doc{"n": raw("1"), "on": raw("true")} }))
	w.caughtUp()
	f.Fuzz(func(t *testing.T, text string) {
		var doc domain.Doc
		if json.Unmarshal([]byte(text), &doc) != nil || len(doc) > 50 {
			return
		}
		_, err := w.List(t.Context(), memories.Filter{Workspace: "ws_1", Metadata: doc}, query.Page{Limit: 5})
		if e, refused := errors.AsType[*domain.Error](err); err != nil && (!refused || len(e.Fields) == 0) {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
