package eslog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB) *eslog.Log { return openIn(t, t.TempDir()) }

func openIn(t testing.TB, dir string) *eslog.Log {
	t.Helper()
	l, err := embedded.Open(dir, embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return eslog.New(l)
}

// ids are event ids by letter: the same letter is the same id.
type ids map[byte]uuid.UUID

// events makes an event for each letter.
func (m ids) events(letters string) []eslog.Event {
	out := make([]eslog.Event, len(letters))
	for i := range letters {
		if m[letters[i]] == uuid.Nil {
			m[letters[i]] = uuid.New()
		}
		out[i] = eslog.Event{ID: m[letters[i]], Type: "t", ContentType: eslog.ContentJSON, Data: fmt.Appendf(nil, `{"n":%q}`, letters[i])}
	}
	return out
}

const (
	stateNone      = ""
	stateDeleted   = "deleted"
	stateRevived   = "revived" // deleted and written again, with one event "z"
	stateBuried    = "tombstoned"
	stateOnlyMeta  = "metadata only"
	stateMetaEmpty = "deleted by metadata, never written"
)

// Answers that are no revision.
const (
	wrong   = -10
	deleted = -11
)

// appendCases are the decisions of EventStoreDB: what is in the stream, what is
// expected, what is appended, and the last revision that is answered.
var appendCases = []struct {
	there    string
	state    string
	expected streams.Expected
	append   string
	want     domain.Revision
	written  bool // rather than recognised
}{
	// Any: new when the first id is, whatever the others are.
	{"", stateNone, streams.Any, "a", 0, true},
	{"ab", stateNone, streams.Any, "c", 2, true},
	{"ab", stateNone, streams.Any, "a", 0, false},
	{"ab", stateNone, streams.Any, "ab", 1, false},
	{"abc", stateNone, streams.Any, "bc", 2, false},
	{"abc", stateNone, streams.Any, "ca", 0, false}, // all known, in any order: the last one counts
	{"abc", stateNone, streams.Any, "ac", 2, false},
	{"ab", stateNone, streams.Any, "ac", wrong, false},
	{"ab", stateNone, streams.Any, "cb", 3, true},
	{"ab", stateNone, streams.Any, "", 1, false},
	{"", stateNone, streams.Any, "", -1, false},
	// StreamExists: the same, for a stream with an event or metadata.
	{"", stateNone, streams.StreamExists, "a", wrong, false},
	{"", stateOnlyMeta, streams.StreamExists, "a", 0, true},
	{"ab", stateNone, streams.StreamExists, "c", 2, true},
	{"ab", stateNone, streams.StreamExists, "b", 1, false},
	{"ab", stateNone, streams.StreamExists, "bc", wrong, false},
	{"ab", stateDeleted, streams.StreamExists, "c", deleted, false},
	{"", stateMetaEmpty, streams.StreamExists, "c", deleted, false},
	// NoStream.
	{"", stateNone, streams.NoStream, "ab", 1, true},
	{"", stateNone, streams.NoStream, "", -1, false},
	{"", stateOnlyMeta, streams.NoStream, "a", 0, true},
	{"ab", stateNone, streams.NoStream, "a", 0, false},
	{"ab", stateNone, streams.NoStream, "ab", 1, false},
	{"ab", stateNone, streams.NoStream, "abc", wrong, false},
	{"ab", stateNone, streams.NoStream, "b", wrong, false},
	{"ab", stateNone, streams.NoStream, "c", wrong, false},
	{"ab", stateNone, streams.NoStream, "", wrong, false},
	{"ab", stateDeleted, streams.NoStream, "c", 2, true},
	{"ab", stateDeleted, streams.NoStream, "a", 0, false}, // a late retry of what was deleted
	{"ab", stateDeleted, streams.NoStream, "ac", wrong, false},
	{"ab", stateRevived, streams.NoStream, "z", wrong, false}, // only the first revisions are looked at
	{"", stateMetaEmpty, streams.NoStream, "a", 0, true},
	// A revision.
	{"ab", stateNone, streams.At(1), "c", 2, true},
	{"ab", stateNone, streams.At(1), "b", 2, true}, // as expected: no look at ids
	{"ab", stateNone, streams.At(1), "", 1, false},
	{"ab", stateNone, streams.At(2), "c", wrong, false},
	{"", stateNone, streams.At(0), "a", wrong, false},
	{"abcd", stateNone, streams.At(0), "b", 1, false},
	{"abcd", stateNone, streams.At(0), "bcd", 3, false},
	{"abcd", stateNone, streams.At(0), "bcde", wrong, false},
	{"abcd", stateNone, streams.At(0), "c", wrong, false},
	{"abcd", stateNone, streams.At(0), "bd", wrong, false},
	{"abcd", stateNone, streams.At(0), "", wrong, false},
	{"ab", stateDeleted, streams.At(1), "c", 2, true},
	{"ab", stateDeleted, streams.At(0), "b", 1, false},
	{"ab", stateDeleted, streams.At(0), "c", wrong, false},
	{"ab", stateDeleted, streams.Any, "c", 2, true},
	{"ab", stateDeleted, streams.Any, "b", 1, false},
	{"ab", stateRevived, streams.Any, "z", 2, false},
	// Tombstoned: nothing goes.
	{"ab", stateBuried, streams.Any, "c", deleted, false},
	{"ab", stateBuried, streams.Any, "a", deleted, false},
	{"ab", stateBuried, streams.NoStream, "c", deleted, false},
	{"ab", stateBuried, streams.StreamExists, "c", deleted, false},
	{"ab", stateBuried, streams.At(1), "c", deleted, false},
	{"", stateBuried, streams.NoStream, "c", deleted, false},
}

func TestAppendDecisions(t *testing.T) {
	l := open(t)
	for i, c := range appendCases {
		stream := domain.StreamID(fmt.Sprintf("case-%d", i))
		t.Run(fmt.Sprintf("%q %s expecting %d append %q", c.there, c.state, c.expected, c.append), func(t *testing.T) {
			known := ids{}
			prepare(t, l, stream, c.there, c.state, known)
			before := head(t, l)
			r, err := l.Append(background(t), stream, c.expected, known.events(c.append))
			var w *streams.WrongRevision
			switch {
			case c.want == wrong:
				if !errors.As(err, &w) || w.Expected != c.expected {
					t.Errorf("answered %+v, %v; want a wrong revision", r, err)
				}
			case c.want == deleted:
				if !errors.Is(err, streams.ErrTombstoned) && !errors.Is(err, eslog.ErrDeleted) {
					t.Errorf("answered %+v, %v; want a deleted stream", r, err)
				}
			case err != nil || r.Last != c.want:
				t.Errorf("answered %+v, %v; want revision %d", r, err, c.want)
			case (r.Position > before) != c.written:
				t.Errorf("answered %+v, the head was %d; written must be %t", r, before, c.written)
			}
			if !c.written && head(t, l) != before {
				t.Errorf("something was written, the head went from %d to %d", before, head(t, l))
			}
		})
	}
}

// prepare brings a stream into a state.
func prepare(t *testing.T, l *eslog.Log, stream domain.StreamID, there, state string, known ids) {
	t.Helper()
	ctx := background(t)
	must := func(r eslog.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if there != "" {
		must(l.Append(ctx, stream, streams.Any, known.events(there)))
	}
	meta := func(json string) {
		t.Helper()
		must(l.Append(ctx, eslog.MetadataStream(stream), streams.Any, []eslog.Event{
			{ID: uuid.New(), Type: streams.TypeMetadata, ContentType: eslog.ContentJSON, Data: []byte(json)},
		}))
	}
	switch state {
	case stateDeleted:
		must(l.Delete(ctx, stream, streams.Any))
	case stateRevived:
		must(l.Delete(ctx, stream, streams.Any))
		must(l.Append(ctx, stream, streams.NoStream, known.events("z")))
	case stateBuried:
		must(l.Tombstone(ctx, stream, streams.Any))
	case stateOnlyMeta:
		meta(`{"k":1}`)
	case stateMetaEmpty:
		meta(`{"$tb":9223372036854775807}`)
	}
}

func head(t *testing.T, l *eslog.Log) domain.Position {
	t.Helper()
	p, err := l.Embedded().Head(background(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// revisions reads the revisions that a stream shows.
func revisions(t *testing.T, l *eslog.Log, stream domain.StreamID, q eslog.ReadStream) ([]domain.Revision, error) {
	t.Helper()
	var out []domain.Revision
	for r, err := range l.ReadStream(background(t), stream, q) {
		if err != nil {
			return out, err
		}
		out = append(out, r.Revision)
	}
	return out, nil
}
