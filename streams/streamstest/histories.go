package streamstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
)

// model is the store in its simplest form: a list of events per stream.
type model struct {
	streams map[domain.StreamID]*modelStream
	log     []domain.StreamID // of every event, in order
}

type modelStream struct {
	ids           []uuid.UUID
	deletedBefore domain.Revision
	tombstoned    bool
	meta          streams.Meta
	appends       []modelAppend // everything acknowledged, for repeats
}

type modelAppend struct {
	expected streams.Expected
	events   []streams.Proposed
	result   streams.Result
}

func (m *modelStream) last() domain.Revision { return domain.Revision(len(m.ids) - 1) }
func (m *modelStream) deleted() bool         { return m.deletedBefore > m.last() && len(m.ids) > 0 }

func (m *modelStream) holds(expected streams.Expected) bool {
	switch expected {
	case streams.Any:
		return true
	case streams.StreamExists:
		return len(m.ids) > 0 && !m.deleted()
	case streams.NoStream:
		return len(m.ids) == 0 || m.deleted()
	}
	return streams.At(m.last()) == expected
}

// visible lists the revisions that a read must show.
func (m *modelStream) visible() []domain.Revision {
	first := max(m.deletedBefore, m.meta.TruncateBefore)
	if m.meta.MaxCount > 0 {
		first = max(first, domain.Revision(len(m.ids))-domain.Revision(m.meta.MaxCount))
	}
	revs := []domain.Revision{}
	for r := first; r <= m.last(); r++ {
		revs = append(revs, r)
	}
	return revs
}

// testHistories runs random histories against the model.
func testHistories(t *testing.T, f Factory) {
	rapid.Check(t, func(rt *rapid.T) {
		h := history{T: rt, store: f.Open(t), model: model{streams: map[domain.StreamID]*modelStream{}}}
		h.start, _ = h.store.Head(context.Background())
		for range 5 {
			h.names = append(h.names, newStream("hist"))
		}
		canReopen := true
		rt.Repeat(map[string]func(*rapid.T){
			"append":    h.append,
			"repeat":    h.repeat,
			"delete":    h.delete,
			"tombstone": h.tombstone,
			"meta":      h.setMeta,
			"reopen": func(*rapid.T) {
				if !canReopen {
					return
				}
				if again := f.Reopen(t, h.store); again != nil {
					h.store = again
				} else {
					canReopen = false
				}
			},
			"": h.check,
		})
		if err := h.store.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

type history struct {
	*rapid.T
	store streams.Store
	model model
	names []domain.StreamID
	start domain.Position
}

func (h *history) pick(t *rapid.T) (domain.StreamID, *modelStream) {
	name := rapid.SampledFrom(h.names).Draw(t, "stream")
	m := h.model.streams[name]
	if m == nil {
		m = &modelStream{}
		h.model.streams[name] = m
	}
	return name, m
}

func pickExpected(t *rapid.T, m *modelStream) streams.Expected {
	return rapid.SampledFrom([]streams.Expected{
		streams.Any, streams.StreamExists, streams.NoStream, streams.At(m.last()), streams.At(m.last()), streams.At(max(m.last()-1, 0)), streams.At(m.last() + 1),
	}).Draw(t, "expected")
}

func (h *history) append(t *rapid.T) {
	name, m := h.pick(t)
	expected := pickExpected(t, m)
	list := events(rapid.SampledFrom([]string{"a.made", "b.made"}).Draw(t, "type"), rapid.IntRange(1, 4).Draw(t, "events"))
	pad := rapid.IntRange(0, 2000).Draw(t, "size")
	for i := range list {
		list[i].Data = fmt.Appendf(nil, `{"pad":"%*d"}`, pad, i)
	}
	r, err := h.store.Append(context.Background(), name, expected, list...)
	if !h.refused(t, err, m, expected) {
		for _, e := range list {
			m.ids = append(m.ids, e.ID)
			h.model.log = append(h.model.log, name)
		}
		if r.Revision != m.last() || r.Repeated {
			t.Fatalf("append answered %+v, the model is at %d", r, m.last())
		}
		m.appends = append(m.appends, modelAppend{expected, list, r})
	}
}

// refused checks an error against the model, and tells whether there must be one.
func (h *history) refused(t *rapid.T, err error, m *modelStream, expected streams.Expected) bool {
	var wrong *streams.WrongRevision
	switch {
	case m.tombstoned:
		if !errors.Is(err, streams.ErrTombstoned) {
			t.Fatalf("got %v, the model is tombstoned", err)
		}
	case !m.holds(expected):
		if !errors.As(err, &wrong) {
			t.Fatalf("expecting %d: got %v, the model is at %d", expected, err, m.last())
		}
	default:
		if err != nil {
			t.Fatalf("expecting %d: %v, the model is at %d", expected, err, m.last())
		}
		return false
	}
	return true
}

// repeat sends an append again that was acknowledged before.
func (h *history) repeat(t *rapid.T) {
	name, m := h.pick(t)
	if len(m.appends) == 0 || m.tombstoned {
		return
	}
	a := m.appends[len(m.appends)-1]
	if len(m.appends) > 1 && rapid.Bool().Draw(t, "older") && !m.deleted() && m.deletedBefore == 0 {
		a = rapid.SampledFrom(m.appends).Draw(t, "append")
	}
	if m.deleted() && a.expected != streams.Any { // what holds then is told by a table of its own
		return
	}
	r, err := h.store.Append(context.Background(), name, a.expected, a.events...)
	want := a.result
	want.Repeated = true
	if err != nil || r != want {
		t.Fatalf("repeat expecting %d answered %+v, %v, want %+v", a.expected, r, err, want)
	}
}

func (h *history) delete(t *rapid.T) {
	name, m := h.pick(t)
	if len(m.ids) == 0 || m.deleted() {
		return
	}
	expected := pickExpected(t, m)
	_, err := h.store.Delete(context.Background(), name, expected)
	if !h.refused(t, err, m, expected) {
		m.deletedBefore = m.last() + 1
	}
}

func (h *history) tombstone(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
		return
	}
	name, m := h.pick(t)
	expected := pickExpected(t, m)
	_, err := h.store.Tombstone(context.Background(), name, expected)
	if !h.refused(t, err, m, expected) {
		m.tombstoned = true
	}
}

func (h *history) setMeta(t *rapid.T) {
	name, m := h.pick(t)
	// Whether truncation beyond the end outlives a deletion is the store's affair:
	// what lies before the end is gone with the deletion.
	meta := streams.Meta{
		MaxCount:       int64(rapid.IntRange(0, 5).Draw(t, "max count")),
		TruncateBefore: domain.Revision(rapid.IntRange(0, len(m.ids)).Draw(t, "truncate before")),
	}
	err := h.store.SetStreamMeta(context.Background(), name, meta)
	if !h.refused(t, err, m, streams.Any) {
		m.meta = meta
	}
}

// check compares all that can be read with the model.
func (h *history) check(t *rapid.T) {
	ctx := context.Background()
	for name, m := range h.model.streams {
		list, err := collect(h.store.ReadStream(ctx, name, streams.ReadStream{}))
		switch {
		case m.tombstoned:
			if !errors.Is(err, streams.ErrTombstoned) {
				t.Fatalf("read: %v, the model is tombstoned", err)
			}
			continue
		case len(m.ids) == 0 || m.deleted():
			if !errors.Is(err, streams.ErrStreamNotFound) {
				t.Fatalf("read: %v, the model has nothing", err)
			}
			continue
		case err != nil:
			t.Fatalf("read: %v", err)
		}
		if got, want := revisionsOf(list), m.visible(); !slices.Equal(got, want) {
			t.Fatalf("%s shows %v, the model %v", name, got, want)
		}
		for _, e := range list {
			if e.ID != m.ids[e.Revision] {
				t.Fatalf("%s has another event at %d than the model", name, e.Revision)
			}
		}
	}
	var log []domain.StreamID
	for e, err := range h.store.ReadAll(ctx, streams.ReadAll{After: h.start, Filter: &streams.Filter{Categories: []string{"hist"}}}) {
		if err != nil {
			t.Fatalf("read all: %v", err)
		}
		if _, ours := h.model.streams[e.Stream]; ours {
			log = append(log, e.Stream)
		}
	}
	if !slices.Equal(log, h.model.log) {
		t.Fatalf("the log shows %d events, the model %d, or in another order", len(log), len(h.model.log))
	}
}
