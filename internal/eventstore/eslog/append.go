package eslog

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// Log is an event log with the rules of EventStoreDB. It is safe for concurrent
// use.
type Log struct{ log *embedded.Log }

// New gives a log these rules. Whoever opened it closes it.
func New(l *embedded.Log) *Log { return &Log{log: l} }

// Embedded returns the log itself.
func (l *Log) Embedded() *embedded.Log { return l.log }

// ErrDeleted: the stream is soft-deleted, and the writer wanted one that exists.
var ErrDeleted = errors.New("stream is deleted")

// Result tells where a write went.
type Result struct {
	Last     domain.Revision // of the last event written; of a write of no events, of the stream
	Position domain.Position // of the last event written; 0 when nothing was
}

// Append writes events to a stream, all or none. A retry of what is there already
// is answered as the first time, as far as EventStoreDB recognises it: with Any
// and StreamExists by each id among the stream's recent events, with a revision
// that has been passed by the ids behind it, and not at all when the stream is as
// expected. Metadata is appended to its stream ([MetadataStream]) like any event.
//
// Errors: *streams.WrongRevision, ErrDeleted, streams.ErrTombstoned,
// ErrTooLarge, ErrFull, ErrInvalid, ErrClosed.
func (l *Log) Append(ctx context.Context, stream domain.StreamID, expected streams.Expected, events []Event) (Result, error) {
	wait, err := l.AppendLater(ctx, stream, expected, events)
	if err != nil {
		return Result{}, err
	}
	return wait()
}

// AppendLater is Append in two steps: the appends of one goroutine are decided in
// the order in which they are given, and wait, which must be called once, returns
// the outcome of each.
func (l *Log) AppendLater(ctx context.Context, stream domain.StreamID, expected streams.Expected, events []Event) (wait func() (Result, error), err error) {
	a := appending{stream: stream, expected: expected, events: events, puts: make([]streams.Proposed, len(events))}
	_, a.system = OfMetadata(stream)
	size := 0
	for i := range events {
		if err := a.check(&events[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		a.puts[i] = events[i].seal()
		size += recordOverhead + len(stream) + len(events[i].Type) + len(a.puts[i].Workspace) + len(a.puts[i].Meta) + len(events[i].Data)
	}
	decided, err := l.log.TransactLater(ctx, size, a.decide)
	if err != nil {
		return nil, err
	}
	return func() (Result, error) {
		r, err := decided()
		return Result{Last: r.Revision, Position: r.Position}, err
	}, nil
}

// recordOverhead is about what the log adds to an event.
const recordOverhead = 64

// appending is one append on its way.
type appending struct {
	stream   domain.StreamID
	system   bool // a metadata stream
	expected streams.Expected
	events   []Event
	puts     []streams.Proposed
}

// check checks what can be checked without knowing the stream.
func (a *appending) check(e *Event) error {
	switch {
	case e.ID == uuid.Nil:
		return fmt.Errorf("%w: it has no id", streams.ErrInvalid)
	case e.Type == "":
		return fmt.Errorf("%w: it has no type", streams.ErrInvalid)
	case len(e.ContentType) > maxContentType:
		return fmt.Errorf("%w: its content type is longer than %d bytes", streams.ErrInvalid, maxContentType)
	case !a.system && e.Type == streams.TypeTombstone:
		return fmt.Errorf("%w: type %s belongs to the store", streams.ErrInvalid, e.Type)
	case !a.system:
		return nil
	case e.Type != streams.TypeMetadata:
		return fmt.Errorf("%w: events of a metadata stream have type %s, not %s", streams.ErrInvalid, streams.TypeMetadata, e.Type)
	}
	return checkMetadata(e.Data)
}

// decide is the table of expectations and retries.
func (a *appending) decide(tx *embedded.Tx) (streams.Result, error) {
	v, err := look(tx, a.stream)
	if err != nil {
		return streams.Result{}, err
	}
	repeated, err := v.admits(a.expected, a.events)
	if err != nil || repeated.Repeated {
		return repeated, err
	}
	if len(a.events) == 0 {
		return streams.Result{Revision: v.st.Last}, nil
	}
	r := streams.Result{Revision: v.st.Last + domain.Revision(len(a.events))}
	for i := range a.puts {
		if a.system {
			if a.puts[i].Data, err = stored(a.puts[i].Data, v.target.Last); err != nil {
				return streams.Result{}, err
			}
		}
		r.Position = tx.Put(a.stream, a.puts[i])
	}
	if v.deleted() {
		data, err := revived(v.st, v.st.Last+1)
		if err != nil {
			return streams.Result{}, fmt.Errorf("encode stream metadata: %w", err)
		}
		tx.Put(MetadataStream(a.stream), streams.Proposed{ID: domain.NewEventID(), Type: streams.TypeMetadata, Data: data})
	}
	return r, nil
}

// view is what a decision sees of a stream.
type view struct {
	tx     *embedded.Tx
	stream domain.StreamID
	st     embedded.StreamState
	target embedded.StreamState // of a metadata stream: the stream it is about
}

// look looks at a stream that may be written. Its error is ErrTombstoned when it
// may not.
func look(tx *embedded.Tx, stream domain.StreamID) (v view, err error) {
	v = view{tx: tx, stream: stream}
	if v.st, err = tx.Stream(stream); err != nil {
		return v, err
	}
	of, system := OfMetadata(stream)
	if system {
		if v.target, err = tx.Stream(of); err != nil {
			return v, err
		}
	}
	if v.st.Tombstoned || v.target.Tombstoned {
		return v, streams.ErrTombstoned
	}
	return v, nil
}

// deleted tells whether the stream is soft-deleted, also when nothing was ever
// written to it.
func (v *view) deleted() bool { return v.st.Deleted || v.st.Meta.TruncateBefore == deletedMark }

func (v *view) wrong(expected streams.Expected) error {
	return &streams.WrongRevision{Stream: v.stream, Expected: expected, Actual: v.st.Last}
}

// exists tells whether a stream has an event or metadata.
func (v *view) exists() (bool, error) {
	if v.st.Last >= 0 {
		return true, nil
	}
	if streams.IsSystem(v.stream) {
		return false, nil
	}
	meta, err := v.tx.Stream(MetadataStream(v.stream))
	return meta.Last >= 0, err
}

// admits tells whether the stream is as expected. When instead the events are
// there already, the result says where, with Repeated set.
func (v *view) admits(expected streams.Expected, events []Event) (streams.Result, error) {
	switch {
	case expected == streams.StreamExists && v.deleted():
		return streams.Result{}, ErrDeleted
	case expected == streams.StreamExists:
		if there, err := v.exists(); err != nil || !there {
			return streams.Result{}, firstOf(err, v.wrong(expected))
		}
		return v.recent(expected, events)
	case expected == streams.Any:
		return v.recent(expected, events)
	case domain.Revision(expected) > v.st.Last:
		return streams.Result{}, v.wrong(expected)
	case domain.Revision(expected) < v.st.Last:
		return v.passed(expected, events)
	}
	return streams.Result{}, nil // no look at ids: the same one again is written again
}

// recent looks for every event among the stream's recent ones. When the first is
// new, all are taken for new.
func (v *view) recent(expected streams.Expected, events []Event) (streams.Result, error) {
	last := domain.NoRevision
	for i := range events {
		rev, found, err := v.tx.Recent(v.stream, events[i].ID)
		if err != nil {
			return streams.Result{}, err
		}
		if !found && i == 0 {
			return streams.Result{}, nil
		}
		if !found {
			return streams.Result{}, v.wrong(expected)
		}
		last = rev
	}
	return v.repeated(last)
}

// passed looks for the events where they would have been written.
func (v *view) passed(expected streams.Expected, events []Event) (streams.Result, error) {
	if len(events) == 0 {
		return streams.Result{}, v.wrong(expected)
	}
	rev := domain.Revision(expected)
	for i := range events {
		rev++
		same, err := v.tx.HasID(v.stream, rev, events[i].ID)
		switch {
		case err != nil:
			return streams.Result{}, err
		case same:
		case i == 0 && expected == streams.NoStream && v.deleted():
			return streams.Result{}, nil
		default:
			return streams.Result{}, v.wrong(expected)
		}
	}
	return v.repeated(rev)
}

func (v *view) repeated(rev domain.Revision) (streams.Result, error) {
	if rev < 0 {
		return streams.Result{}, nil // no events
	}
	pos, err := v.tx.Position(v.stream, rev)
	return streams.Result{Revision: rev, Position: pos, Repeated: true}, err
}
