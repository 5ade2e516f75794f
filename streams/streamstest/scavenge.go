package streamstest

import (
	"errors"
	"testing"

	"strata/domain"
	"strata/streams"
)

// testScavenge removes what streams hide. Which of it goes, and when, is the
// store's affair; but what streams show stays, where it was, and whoever follows
// the log meets neither an error nor anything twice.
func testScavenge(t *testing.T, f Factory) {
	sc, ok := f.(Scavenger)
	if !ok {
		t.Skip("the store cannot be scavenged in a test")
	}
	s := f.Open(t)
	start := mustHead(t, s)
	plain, cut, counted, deleted, buried := newStream("scav"), newStream("scav"), newStream("scav"), newStream("scav"), newStream("scav")
	kept := map[domain.StreamID]int{plain: 6, cut: 2, counted: 1}
	last := map[domain.StreamID]streams.Result{}
	lists := map[domain.StreamID][]streams.Proposed{}
	for _, stream := range []domain.StreamID{plain, cut, counted, deleted, buried} {
		lists[stream] = events("made", 6)
		last[stream] = mustAppend(t, s, stream, streams.NoStream, lists[stream]...)
	}
	mustSetMeta(t, s, cut, streams.Meta{TruncateBefore: 4})
	mustSetMeta(t, s, counted, streams.Meta{MaxCount: 1})
	mustDelete(t, s, deleted, streams.Any)
	if _, err := s.Tombstone(background(t), buried, streams.Any); err != nil {
		t.Fatal(err)
	}
	before := mustReadAll(t, s, streams.ReadAll{After: start, Filter: &streams.Filter{Categories: []string{"scav"}}})
	sub := subscribe(t, s, start, &streams.Filter{Categories: []string{"scav"}})
	next(t, sub, 3)

	sc.Scavenge(t, s)
	for stream, n := range kept {
		list := mustRead(t, s, stream, streams.ReadStream{})
		if len(list) != n || list[n-1].Position != last[stream].Position || list[n-1].Revision != 5 {
			t.Errorf("%s shows %d events up to %+v, want %d up to %+v", stream, len(list), list[len(list)-1], n, last[stream])
		}
	}
	checkGone(t, s, deleted, streams.ErrStreamNotFound)
	checkGone(t, s, buried, streams.ErrTombstoned)
	after := mustReadAll(t, s, streams.ReadAll{After: start, Filter: &streams.Filter{Categories: []string{"scav"}}})
	checkSubset(t, before, after, kept)
	rest, _ := drain(t, sub, 2)
	for i := 1; i < len(rest); i++ {
		if rest[i] <= rest[i-1] {
			t.Errorf("the subscription delivered position %d behind %d", rest[i], rest[i-1])
		}
	}
	// A late retry is its repeat, or refused; never is it written again.
	var wrong *streams.WrongRevision
	if r, err := s.Append(background(t), cut, streams.NoStream, lists[cut]...); err == nil && !r.Repeated || err != nil && !errors.As(err, &wrong) {
		t.Errorf("a retry of what was scavenged: %+v, %v", r, err)
	}
	if r := mustAppend(t, s, deleted, streams.Any, event("again", 1)); r.Revision != 6 {
		t.Errorf("the deleted stream goes on with %+v", r)
	}
}

// checkSubset checks that a log lost only events that no stream shows.
func checkSubset(t *testing.T, before, after []streams.Recorded, kept map[domain.StreamID]int) {
	t.Helper()
	i := 0
	for _, e := range before {
		switch {
		case i < len(after) && after[i].Position == e.Position:
			if after[i].ID != e.ID || string(after[i].Data) != string(e.Data) {
				t.Errorf("position %d has changed", e.Position)
			}
			i++
		case int(e.Revision) >= 6-kept[e.Stream]:
			t.Errorf("%s lost revision %d", e.Stream, e.Revision)
		}
	}
	if i != len(after) {
		t.Errorf("%d events too many or out of order", len(after)-i)
	}
}
