package streamstest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
)

// testImport takes over events with their revisions and times, for stores that
// can; all or none.
func testImport(t *testing.T, f Factory) {
	s := f.Open(t)
	store, ok := s.(streams.Importer)
	if !ok {
		t.Skip("the store gives out times itself")
	}
	ctx := background(t)
	a, b := newStream("imported"), newStream("imported")
	start := time.Date(2020, 1, 2, 3, 4, 5, 678_000, time.UTC)
	recorded := func(stream domain.StreamID, r domain.Revision, second int) streams.Recorded {
		return streams.Recorded{Proposed: event("a.made", int(r)), Stream: stream, Revision: r, At: start.Add(time.Duration(second) * time.Second)}
	}
	control := func(typ, data string, second int) streams.Recorded {
		r := recorded("$$"+b, 0, second)
		r.Type, r.Data = typ, []byte(data)
		return r
	}
	refused := func(what string, want error, list ...streams.Recorded) {
		t.Helper()
		before, _ := s.Head(ctx)
		_, err := store.Import(ctx, list)
		if wrong := new(streams.WrongRevision); want == nil && !errors.As(err, &wrong) || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
		if after, _ := s.Head(ctx); after != before {
			t.Errorf("%s: the head went from %d to %d", what, before, after)
		}
	}
	refused("a stream that does not begin at 0", nil, recorded(a, 0, 0), recorded(b, 1, 0))
	refused("a revision twice", nil, recorded(a, 0, 0), recorded(a, 0, 0))
	refused("time that goes back", streams.ErrInvalid, recorded(a, 0, 1), recorded(a, 1, 0))
	refused("nothing", streams.ErrInvalid)
	refused("metadata that is none", streams.ErrInvalid, recorded(a, 0, 0), control(streams.TypeMetadata, "[]", 0))
	refused("an event in a metadata stream", streams.ErrInvalid, control("a.made", "{}", 0))

	list := []streams.Recorded{recorded(a, 0, 0), recorded(b, 0, 0), recorded(a, 1, 5), control(streams.TypeMetadata, `{"$maxCount":1}`, 6), recorded(b, 1, 7)}
	head, err := store.Import(ctx, list)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := s.Head(ctx); err != nil || now != head {
		t.Errorf("the head is %d, %v; the import ended at %d", now, err, head)
	}
	check := func(stream domain.StreamID, want ...streams.Recorded) {
		t.Helper()
		got := mustRead(t, s, stream, streams.ReadStream{})
		if !slices.EqualFunc(got, want, func(g, w streams.Recorded) bool {
			return g.ID == w.ID && g.Revision == w.Revision && g.At.Equal(w.At) && string(g.Data) == string(w.Data)
		}) {
			t.Errorf("%s reads %+v, want %+v", stream, got, want)
		}
	}
	check(a, list[0], list[2])
	check(b, list[4]) // the other one is hidden by the metadata
	// What was removed has a revision and is not read.
	c := newStream("imported")
	gone := recorded(c, 0, 8)
	gone.Proposed = streams.Proposed{ID: domain.NewEventID()}
	left := recorded(c, 1, 8)
	refused("content without a type", streams.ErrInvalid, streams.Recorded{Proposed: streams.Proposed{ID: gone.ID, Data: []byte("x")}, Stream: c, At: gone.At})
	if head, err = store.Import(ctx, []streams.Recorded{gone, left}); err != nil {
		t.Fatal(err)
	}
	check(c, left)
	// A repeat is recognised, and the stream goes on.
	if r := mustAppend(t, s, a, streams.NoStream, list[0].Proposed); !r.Repeated || r.Revision != 0 {
		t.Errorf("appended again, the answer is %+v", r)
	}
	if r := mustAppend(t, s, a, streams.At(1), event("a.made", 2)); r.Revision != 2 || r.Position != head+1 {
		t.Errorf("the next append is %+v", r)
	}
	if again := f.Reopen(t, s); again != nil {
		s = again
		check(b, list[4])
	}
}
