package streamstest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
)

func mustSetMeta(t *testing.T, s streams.Store, stream domain.StreamID, m streams.Meta) {
	t.Helper()
	if err := s.SetStreamMeta(background(t), stream, m); err != nil {
		t.Fatalf("set metadata of %s: %v", stream, err)
	}
}

func mustDelete(t *testing.T, s streams.Store, stream domain.StreamID, expected streams.Expected) streams.Result {
	t.Helper()
	r, err := s.Delete(background(t), stream, expected)
	if err != nil {
		t.Fatalf("delete %s: %v", stream, err)
	}
	return r
}

func checkRevisions(t *testing.T, s streams.Store, stream domain.StreamID, want ...domain.Revision) {
	t.Helper()
	if got := revisionsOf(mustRead(t, s, stream, streams.ReadStream{})); !slices.Equal(got, want) {
		t.Errorf("%s shows revisions %v, want %v", stream, got, want)
	}
	slices.Reverse(want)
	if got := revisionsOf(mustRead(t, s, stream, streams.ReadStream{From: streams.End, Backwards: true})); !slices.Equal(got, want) {
		t.Errorf("%s shows revisions %v backwards, want %v", stream, got, want)
	}
}

func testMetadata(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("meta")
	if m, err := s.StreamMeta(background(t), stream); err != nil || !reflect.DeepEqual(m, streams.Meta{}) {
		t.Fatalf("metadata of an empty stream: %+v, %v", m, err)
	}
	// Metadata may come before the first event.
	want := streams.Meta{
		MaxCount: 4, MaxAge: 90 * time.Minute, TruncateBefore: 2,
		Custom: map[string]any{"owner": "me", "limits": map[string]any{"n": 1.5}},
	}
	mustSetMeta(t, s, stream, want)
	if m, err := s.StreamMeta(background(t), stream); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
	if _, err := read(t, s, stream, streams.ReadStream{}); !errors.Is(err, streams.ErrStreamNotFound) {
		t.Errorf("a stream with nothing but metadata: %v", err)
	}
	if r := mustAppend(t, s, stream, streams.NoStream, events("made", 5)...); r.Revision != 4 {
		t.Errorf("got %+v", r)
	}
	checkRevisions(t, s, stream, 2, 3, 4)
	mustAppend(t, s, stream, streams.At(4), events("more", 2)...)
	checkRevisions(t, s, stream, 3, 4, 5, 6)
	if got := revisionsOf(mustRead(t, s, stream, streams.ReadStream{Limit: 2})); !slices.Equal(got, []domain.Revision{3, 4}) {
		t.Errorf("the limit counts hidden events: %v", got)
	}
	mustSetMeta(t, s, stream, streams.Meta{})
	checkRevisions(t, s, stream, 0, 1, 2, 3, 4, 5, 6)
	mustSetMeta(t, s, stream, streams.Meta{TruncateBefore: 7})
	checkRevisions(t, s, stream)
	if rev, err := s.StreamRevision(background(t), stream); err != nil || rev != 6 {
		t.Errorf("revision of a truncated stream: %d, %v", rev, err)
	}
	mustSetMeta(t, s, stream, streams.Meta{MaxAge: time.Hour})
	checkRevisions(t, s, stream, 0, 1, 2, 3, 4, 5, 6)

	t.Run("the whole log shows what a stream hides", func(t *testing.T) {
		mustSetMeta(t, s, stream, streams.Meta{MaxCount: 1})
		n := 0
		for _, e := range mustReadAll(t, s, streams.ReadAll{Filter: &streams.Filter{Categories: []string{"meta"}}}) {
			if e.Stream == stream {
				n++
			}
		}
		if n != 7 {
			t.Errorf("%d events, want 7", n)
		}
	})
	t.Run("invalid", func(t *testing.T) {
		for _, m := range []streams.Meta{
			{MaxCount: -1}, {MaxAge: -1}, {TruncateBefore: -1}, {Custom: map[string]any{"$acl": 1}},
		} {
			if err := s.SetStreamMeta(background(t), stream, m); !errors.Is(err, streams.ErrInvalid) {
				t.Errorf("%+v: %v", m, err)
			}
		}
	})
}

func testSoftDelete(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("delete")
	list := events("made", 3)
	last := mustAppend(t, s, stream, streams.NoStream, list...)
	r := mustDelete(t, s, stream, streams.At(2))
	if r.Revision != 2 || r.Position <= last.Position {
		t.Errorf("delete answered %+v", r)
	}
	checkGone(t, s, stream, streams.ErrStreamNotFound)
	if again := mustDelete(t, s, stream, streams.At(2)); again.Revision != 2 {
		t.Errorf("repeated delete answered %+v", again)
	}
	if _, err := s.Delete(background(t), stream, streams.Any); !errors.Is(err, streams.ErrStreamNotFound) {
		t.Errorf("deleting a deleted stream: %v", err)
	}
	// A late retry of the first append is still its repeat.
	checkRepeat(t, s, stream, streams.NoStream, last, list)

	again := events("again", 2)
	second := mustAppend(t, s, stream, streams.NoStream, again...)
	if second.Revision != 4 || second.Repeated {
		t.Errorf("append after delete answered %+v", second)
	}
	checkRevisions(t, s, stream, 3, 4)
	checkRepeat(t, s, stream, streams.NoStream, second, again)
	mustSetMeta(t, s, stream, streams.Meta{MaxCount: 10})
	checkRevisions(t, s, stream, 3, 4)
	mustDelete(t, s, stream, streams.Any)
	checkGone(t, s, stream, streams.ErrStreamNotFound)
	mustSetMeta(t, s, stream, streams.Meta{MaxCount: 9})
	checkGone(t, s, stream, streams.ErrStreamNotFound)
	mustAppend(t, s, stream, streams.Any, events("third", 1)...)
	checkRevisions(t, s, stream, 5)
}

func checkGone(t *testing.T, s streams.Store, stream domain.StreamID, want error) {
	t.Helper()
	for _, r := range []streams.ReadStream{{}, {From: streams.End, Backwards: true}} {
		if _, err := read(t, s, stream, r); !errors.Is(err, want) {
			t.Errorf("read of a deleted stream: %v, want %v", err, want)
		}
	}
	if rev, err := s.StreamRevision(background(t), stream); err != nil || rev != domain.NoRevision {
		t.Errorf("revision of a deleted stream: %d, %v", rev, err)
	}
}

func testTombstone(t *testing.T, f Factory) {
	s := f.Open(t)
	written, empty := newStream("tomb"), newStream("tomb")
	mustAppend(t, s, written, streams.NoStream, events("made", 2)...)
	if r, err := s.Tombstone(background(t), written, streams.At(1)); err != nil || r.Revision != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if _, err := s.Tombstone(background(t), empty, streams.NoStream); err != nil {
		t.Fatalf("a stream that was never written: %v", err)
	}
	for _, stream := range []domain.StreamID{written, empty} {
		checkGone(t, s, stream, streams.ErrTombstoned)
		for _, expected := range []streams.Expected{streams.Any, streams.NoStream, streams.StreamExists, streams.At(1)} {
			if _, err := s.Append(background(t), stream, expected, event("more", 1)); !errors.Is(err, streams.ErrTombstoned) {
				t.Errorf("append expecting %d: %v", expected, err)
			}
			if _, err := s.Delete(background(t), stream, expected); !errors.Is(err, streams.ErrTombstoned) {
				t.Errorf("delete expecting %d: %v", expected, err)
			}
			if _, err := s.Tombstone(background(t), stream, expected); !errors.Is(err, streams.ErrTombstoned) {
				t.Errorf("tombstone expecting %d: %v", expected, err)
			}
		}
		if err := s.SetStreamMeta(background(t), stream, streams.Meta{MaxCount: 1}); !errors.Is(err, streams.ErrTombstoned) {
			t.Errorf("set metadata: %v", err)
		}
	}
}

func testDeleteExpectations(t *testing.T, f Factory) {
	s := f.Open(t)
	for name, remove := range map[string]func(domain.StreamID, streams.Expected) error{
		"delete": func(stream domain.StreamID, e streams.Expected) error {
			_, err := s.Delete(background(t), stream, e)
			return err
		},
		"tombstone": func(stream domain.StreamID, e streams.Expected) error {
			_, err := s.Tombstone(background(t), stream, e)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			stream := newStream("delete")
			mustAppend(t, s, stream, streams.NoStream, events("made", 3)...)
			for _, wrongly := range []streams.Expected{streams.NoStream, streams.At(0), streams.At(1), streams.At(3)} {
				var wrong *streams.WrongRevision
				if err := remove(stream, wrongly); !errors.As(err, &wrong) || wrong.Actual != 2 {
					t.Errorf("expecting %d: %v", wrongly, err)
				}
			}
			checkRevisions(t, s, stream, 0, 1, 2)
			if err := remove(stream, streams.StreamExists); err != nil {
				t.Error(err)
			}
		})
	}
	missing := newStream("delete")
	if _, err := s.Delete(background(t), missing, streams.Any); !errors.Is(err, streams.ErrStreamNotFound) {
		t.Errorf("deleting a stream that never was: %v", err)
	}
	var wrong *streams.WrongRevision
	if _, err := s.Delete(background(t), missing, streams.At(0)); !errors.As(err, &wrong) {
		t.Errorf("deleting a stream that never was, at a revision: %v", err)
	}
}

func testLifecycleAfterReopen(t *testing.T, f Factory) {
	s := f.Open(t)
	deleted, revived, buried, truncated := newStream("life"), newStream("life"), newStream("life"), newStream("life")
	for _, stream := range []domain.StreamID{deleted, revived, buried, truncated} {
		mustAppend(t, s, stream, streams.NoStream, events("made", 3)...)
	}
	mustDelete(t, s, deleted, streams.Any)
	mustDelete(t, s, revived, streams.Any)
	mustAppend(t, s, revived, streams.NoStream, events("again", 2)...)
	if _, err := s.Tombstone(background(t), buried, streams.Any); err != nil {
		t.Fatal(err)
	}
	meta := streams.Meta{TruncateBefore: 1, Custom: map[string]any{"k": "v"}}
	mustSetMeta(t, s, truncated, meta)
	head := mustHead(t, s)

	s = reopen(t, f, s)
	if got := mustHead(t, s); got < head {
		t.Errorf("head was %d and is %d", head, got)
	}
	checkGone(t, s, deleted, streams.ErrStreamNotFound)
	checkRevisions(t, s, revived, 3, 4)
	checkGone(t, s, buried, streams.ErrTombstoned)
	checkRevisions(t, s, truncated, 1, 2)
	if m, err := s.StreamMeta(background(t), truncated); err != nil || !reflect.DeepEqual(m, meta) {
		t.Errorf("got %+v, %v", m, err)
	}
	if r := mustAppend(t, s, deleted, streams.NoStream, event("again", 1)); r.Revision != 3 {
		t.Errorf("append to the deleted stream answered %+v", r)
	}
	if _, err := s.Append(background(t), buried, streams.Any, event("more", 1)); !errors.Is(err, streams.ErrTombstoned) {
		t.Errorf("append to the tombstoned stream: %v", err)
	}
}

func testSystemStreams(t *testing.T, f Factory) {
	s := f.Open(t)
	start := mustHead(t, s)
	stream := newStream("sys")
	mustSetMeta(t, s, stream, streams.Meta{MaxCount: 5})
	r := mustAppend(t, s, stream, streams.NoStream, event("made", 1))
	mustDelete(t, s, stream, streams.Any)
	if _, err := s.Tombstone(background(t), stream, streams.Any); err != nil {
		t.Fatal(err)
	}
	count := func(filter *streams.Filter) (events, system int) {
		for _, e := range mustReadAll(t, s, streams.ReadAll{After: start, Filter: filter}) {
			switch e.Stream {
			case stream:
				events++
			case "$$" + stream:
				system++
			}
		}
		return events, system
	}
	if e, sys := count(nil); e != 1 || sys != 0 {
		t.Errorf("without a filter: %d events and %d system records, want 1 and 0", e, sys)
	}
	if e, sys := count(&streams.Filter{Workspace: "ws_test"}); e != 1 || sys != 0 {
		t.Errorf("by workspace: %d events and %d system records, want 1 and 0", e, sys)
	}
	if e, sys := count(&streams.Filter{Types: []string{streams.TypeTombstone}}); e != 0 || sys != 1 {
		t.Errorf("tombstones: %d events and %d system records, want 0 and 1", e, sys)
	}
	// Metadata, deletion and tombstone; a store may need more than one record for a step.
	if e, sys := count(&streams.Filter{TypePrefixes: []string{"$"}}); e != 0 || sys < 3 {
		t.Errorf("by prefix: %d events and %d system records, want 0 and 3", e, sys)
	}
	if list := mustRead(t, s, "$$"+stream, streams.ReadStream{}); len(list) == 0 {
		t.Error("the metadata stream cannot be read")
	}
	if head := mustHead(t, s); head <= r.Position {
		t.Errorf("head %d does not count system records", head)
	}
}
