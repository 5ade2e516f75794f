package live

import (
	"slices"
	"strings"
	"testing"

	"strata/streams"
)

// FuzzInterest reads any words as what a live client wants, and gives some of
// them up again.
func FuzzInterest(f *testing.F) {
	f.Add("session.*, memory.created.v1", "session.created", "session.created.v1")
	f.Add("", "", "a.b.v1")
	f.Add("*,,*", "*", "x")
	f.Add("a.*", "a", "a.v1")
	f.Fuzz(func(t *testing.T, words, up, typ string) {
		i := InterestOf(words)
		if !strings.Contains(words, "*") && i.wants(typ) && len(i.only) > 0 &&
			!slices.ContainsFunc(i.only, func(w string) bool { return typ == w || strings.HasPrefix(typ, w+".v") }) {
			t.Fatalf("%q wants %q", words, typ)
		}
		e := &streams.Recorded{Stream: "a-1", Proposed: streams.Proposed{Type: typ, Workspace: "ws_1"}}
		if i.wants(typ) && !i.filter("ws_1").Matches(e) {
			t.Fatalf("%q wants %q, and the filter hides it", words, typ)
		}
		given := InterestOf(up).only
		less := i.without(given)
		if less.wants(typ) && !i.wants(typ) {
			t.Fatalf("%q without %q wants more: %q", words, up, typ)
		}
		if len(given) == 0 && less.wants(typ) {
			t.Fatalf("%q without anything left wants %q", words, typ)
		}
		if named(given, typ) && less.wants(typ) {
			t.Fatalf("%q without %q still wants %q", words, up, typ)
		}
		if again := less.without(given); len(given) > 0 && again.wants(typ) != less.wants(typ) {
			t.Fatalf("%q without %q twice differs on %q", words, up, typ)
		}
	})
}
