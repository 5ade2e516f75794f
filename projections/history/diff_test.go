package history_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/projections/history"
	"strata/projections/history/historytest"
)

func TestDiff(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{`{}`, `{}`, ``},
		{`{"a":1}`, `{ "a" : 1 }`, ``},
		{`{"a":"\u0061"}`, `{"a":"a"}`, ``},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, ``},
		{`{"a":1}`, `{"a":1.0}`, `replace /a 1 1.0`},
		{`{"a":1}`, `{"b":1}`, `remove /a 1 -; add /b - 1`},
		{`{"a":{"x":1}}`, `{"a":{"x":2,"y":null}}`, `replace /a/x 1 2; add /a/y - null`},
		{`{"a":{}}`, `{"a":[]}`, `replace /a {} []`},
		{`{"a/b~":1}`, `{}`, `remove /a~1b~0 1 -`},
		{`{"":1}`, `{"":2}`, `replace / 1 2`},
		{`[1,2,3]`, `[1,9,3]`, `replace /1 2 9`},
		{`[1,2,3]`, `[1]`, `remove /2 3 -; remove /1 2 -`},
		{`[1,3]`, `[1,2,3]`, `add /1 - 2`},
		{`[]`, `[1,1]`, `add /0 - 1; add /1 - 1`},
		{`[1,2,3]`, `[4]`, `replace  [1,2,3] [4]`},
		{`1`, `"1"`, `replace  1 "1"`},
	} {
		changes, err := history.Diff([]byte(c.before), []byte(c.after))
		if err != nil {
			t.Errorf("%s → %s: %v", c.before, c.after, err)
		}
		if got := text(changes); got != c.want {
			t.Errorf("%s → %s:\n %s, want\n %s", c.before, c.after, got, c.want)
		}
	}
	for _, bad := range []string{``, `{`, `[1`, `{"a":tru}`, `nul`} {
		if _, err := history.Diff([]byte(`{"a":true}`), []byte(bad)); err == nil {
			t.Errorf("%q was compared", bad)
		}
	}
}

func text(changes []history.Change) string {
	var out []string
	for _, c := range changes {
		before, after := string(c.Before), string(c.After)
		if c.Before == nil {
			before = "-"
		}
		if c.After == nil {
			after = "-"
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", c.Op, c.Path, before, after))
	}
	return strings.Join(out, "; ")
}

// document draws documents that resemble each other often.
func document() *rapid.Generator[any] {
	name := rapid.SampledFrom([]string{"a", "b", "", "~", "/", "0", "ä", "a/b~1"})
	scalar := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.IntRange(0, 3), func(n int) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(name, func(s string) any { return s }))
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return scalar
		}
		return rapid.OneOf(scalar,
			rapid.Map(rapid.MapOfN(name, value(depth-1), 0, 5), func(m map[string]any) any { return m }),
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 5), func(l []any) any { return l }))
	}
	return value(3)
}

func TestPropertyDiffLeadsFromOneToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, errA := json.Marshal(document().Draw(t, "a"))
		b, errB := json.Marshal(document().Draw(t, "b"))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		leads(t, a, b)
	})
}

func leads(t rapid.TB, a, b json.RawMessage) {
	changes, err := history.Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := historytest.Apply(a, changes)
	if err != nil || !historytest.Same(got, b) {
		t.Fatalf("%s with %s is %s, not %s: %v", a, text(changes), got, b, err)
	}
	if (len(changes) == 0) != historytest.Same(a, b) {
		t.Fatalf("%d changes from %s to %s", len(changes), a, b)
	}
}

func FuzzDiff(f *testing.F) {
	f.Add(`{"a":1,"b":[1,2]}`, `{"a":"\u0061","b":[2]}`)
	f.Add(`[{"x":{}},1e3]`, `[{"x":[]},1E3,null]`)
	f.Fuzz(func(t *testing.T, a, b string) {
		_, err := history.Diff([]byte(a), []byte(b))
		if !json.Valid([]byte(a)) || !json.Valid([]byte(b)) {
			return // an answer or an error, never a panic
		}
		if err != nil {
			t.Fatal(err)
		}
		leads(t, []byte(a), []byte(b))
	})
}
