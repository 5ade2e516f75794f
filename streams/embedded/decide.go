package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// Append writes events to one stream; see [streams.Store].
func (l *Log) Append(ctx context.Context, stream domain.StreamID, expected streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	size, err := l.checkAppend(stream, expected, events)
	if err != nil {
		return streams.Result{}, err
	}
	r := requests.Get().(*request)
	r.op, r.stream, r.expected, r.events, r.size = opAppend, stream, expected, events, size
	return l.submit(ctx, r)
}

// SetStreamMeta replaces the metadata of a stream.
func (l *Log) SetStreamMeta(ctx context.Context, stream domain.StreamID, m streams.Meta) error {
	if err := checkMeta(m); err != nil {
		return err
	}
	r := requests.Get().(*request)
	r.op, r.stream, r.meta = opSetMeta, stream, m
	_, err := l.submitControl(ctx, r)
	return err
}

// Delete hides the events of a stream.
func (l *Log) Delete(ctx context.Context, stream domain.StreamID, expected streams.Expected) (streams.Result, error) {
	r := requests.Get().(*request)
	r.op, r.stream, r.expected = opDelete, stream, expected
	return l.submitControl(ctx, r)
}

// Tombstone closes a stream for ever.
func (l *Log) Tombstone(ctx context.Context, stream domain.StreamID, expected streams.Expected) (streams.Result, error) {
	r := requests.Get().(*request)
	r.op, r.stream, r.expected = opTombstone, stream, expected
	return l.submitControl(ctx, r)
}

// submitControl submits a change of a stream's control. The size of its record
// is only estimated: it also holds what was there before.
func (l *Log) submitControl(ctx context.Context, r *request) (streams.Result, error) {
	if err := checkStream(r.stream); err != nil {
		return streams.Result{}, err
	}
	if len(metaStream(r.stream)) > maxStreamName {
		return streams.Result{}, fmt.Errorf("%w: stream name is too long", streams.ErrInvalid)
	}
	_, data, err := (&control{Meta: r.meta}).encode()
	if err != nil {
		return streams.Result{}, fmt.Errorf("%w: metadata: %w", streams.ErrInvalid, err)
	}
	if len(data) > l.opts.MaxEventSize {
		return streams.Result{}, fmt.Errorf("%w: metadata of %d bytes", streams.ErrTooLarge, len(data))
	}
	r.size = headerSize + len(r.stream) + len(data) + 256
	return l.submit(ctx, r)
}

func (l *Log) submit(ctx context.Context, r *request) (streams.Result, error) {
	if err := ctx.Err(); err != nil {
		return streams.Result{}, err
	}
	if l.closed.Load() {
		return streams.Result{}, streams.ErrClosed
	}
	return l.writer.do(ctx, r)
}

func checkStream(stream domain.StreamID) error {
	switch {
	case stream == "":
		return fmt.Errorf("%w: stream name is empty", streams.ErrInvalid)
	case isSystem(stream):
		return fmt.Errorf("%w: stream %q belongs to the store", streams.ErrInvalid, stream)
	case len(stream) > maxStreamName:
		return fmt.Errorf("%w: stream name is longer than %d bytes", streams.ErrInvalid, maxStreamName)
	}
	return nil
}

// checkAppend checks what can be checked without knowing the stream, and
// returns the bytes that the events take.
func (l *Log) checkAppend(stream domain.StreamID, expected streams.Expected, events []streams.Proposed) (int, error) {
	if err := checkStream(stream); err != nil {
		return 0, err
	}
	if len(events) == 0 {
		return 0, fmt.Errorf("%w: no events", streams.ErrInvalid)
	}
	if expected < streams.NoStream && expected != streams.Any && expected != streams.StreamExists {
		return 0, fmt.Errorf("%w: expected revision %d has no meaning", streams.ErrInvalid, expected)
	}
	size := 0
	for i := range events {
		e := &events[i]
		switch {
		case e.ID == uuid.Nil:
			return 0, fmt.Errorf("%w: event %d has no id", streams.ErrInvalid, i)
		case e.Type == "":
			return 0, fmt.Errorf("%w: event %d has no type", streams.ErrInvalid, i)
		case len(e.Type) > maxTypeName:
			return 0, fmt.Errorf("%w: type of event %d is longer than %d bytes", streams.ErrInvalid, i, maxTypeName)
		case len(e.Workspace) > maxWorkspace:
			return 0, fmt.Errorf("%w: workspace of event %d is longer than %d bytes", streams.ErrInvalid, i, maxWorkspace)
		}
		if n := len(e.Type) + len(e.Meta) + len(e.Data); n > l.opts.MaxEventSize {
			return 0, fmt.Errorf("%w: event %d has %d bytes, the limit is %d", streams.ErrTooLarge, i, n, l.opts.MaxEventSize)
		}
		size += recordSize(stream, e)
	}
	if size > l.opts.MaxAppendSize {
		return 0, fmt.Errorf("%w: the append has %d bytes, the limit is %d", streams.ErrTooLarge, size, l.opts.MaxAppendSize)
	}
	return size, nil
}

// decide decides a request against the staged state of its stream and stages
// what it writes. The answer may only be given when the group is durable: even
// a refusal can rest on an event of the same group.
func (w *writer) decide(r *request) error {
	switch r.op {
	case opImport:
		return w.decideImport(r)
	case opTransact:
		return w.decideTransact(r)
	}
	h, err := w.log.own(r.stream)
	if err != nil {
		return err
	}
	st := &h.staged
	if st.tombstoned() {
		return streams.ErrTombstoned
	}
	if r.op == opAppend {
		return w.decideAppend(r, h)
	}
	c := control{}
	if st.control != nil {
		c = *st.control
	}
	switch r.op {
	case opSetMeta:
		c.Meta = r.meta
	case opDelete:
		if st.deleted() && r.expected == streams.At(st.last) {
			return w.repeatedControl(r, h)
		}
		if st.last < 0 || st.deleted() {
			if r.expected >= 0 {
				return wrongRevision(r, h)
			}
			return streams.ErrStreamNotFound
		}
		if !expectationHolds(r.expected, st) {
			return wrongRevision(r, h)
		}
		c.DeletedBefore = st.last + 1
	case opTombstone:
		if !expectationHolds(r.expected, st) {
			return wrongRevision(r, h)
		}
		c.Tombstoned = true
	}
	return w.stageControl(r, h, &c)
}

// expectationHolds tells whether a stream is as a writer expects.
func expectationHolds(expected streams.Expected, st *headState) bool {
	switch expected {
	case streams.Any:
		return true
	case streams.StreamExists:
		return st.last >= 0 && !st.deleted()
	case streams.NoStream:
		return st.last < 0 || st.deleted()
	default:
		return domain.Revision(expected) == st.last
	}
}

func wrongRevision(r *request, h *head) error {
	actual := h.staged.last
	if h.staged.deleted() {
		actual = domain.NoRevision
	}
	return &streams.WrongRevision{Stream: r.stream, Expected: r.expected, Actual: actual}
}

// stageControl stages the record that gives a stream a new control.
func (w *writer) stageControl(r *request, h *head, c *control) error {
	meta, err := w.log.own(metaStream(r.stream))
	if err != nil {
		return err
	}
	e := streams.Proposed{ID: domain.NewEventID()}
	if e.Type, e.Data, err = c.encode(); err != nil {
		return fmt.Errorf("encode stream metadata: %w", err)
	}
	s := w.stage(meta, &e, flagFirst|flagLast)
	s.target, s.control = h, c
	w.touch(h)
	h.staged.control = c
	r.result = streams.Result{Revision: h.staged.last, Position: w.next + domain.Position(len(w.group.events)-1)}
	return nil
}

// repeatedControl answers a repeated delete with the position of the record
// that deleted the stream.
func (w *writer) repeatedControl(r *request, h *head) error {
	meta, err := w.log.own(metaStream(r.stream))
	if err != nil {
		return err
	}
	pos, err := w.positionAt(meta, meta.staged.last)
	r.result = streams.Result{Revision: h.staged.last, Position: pos, Repeated: true}
	return err
}

// decideAppend is the table of expectations and repeats. What holds for all:
// a repeat is looked for before a refusal, and where the expectation is met at
// the head there is nothing a repeat could have written.
func (w *writer) decideAppend(r *request, h *head) error {
	st := &h.staged
	switch r.expected {
	case streams.Any, streams.StreamExists:
		if r.expected == streams.StreamExists && !expectationHolds(r.expected, st) {
			return wrongRevision(r, h)
		}
		first, found, err := w.recentRevision(h, r.events[0].ID)
		if err != nil {
			return err
		}
		if found {
			return w.repeatOrRefuse(r, h, first)
		}
	default:
		expected := domain.Revision(r.expected)
		if expected > st.last {
			return wrongRevision(r, h)
		}
		if expected < st.last {
			err := w.repeatOrRefuse(r, h, expected+1)
			var wrong *streams.WrongRevision
			if !errors.As(err, &wrong) || r.expected != streams.NoStream || st.control == nil || st.control.DeletedBefore == 0 {
				return err
			}
			// NoStream on a stream that was deleted: it may have been begun anew
			// by this very append, or is about to be.
			if !st.deleted() {
				return w.repeatOrRefuse(r, h, st.control.DeletedBefore)
			}
		}
	}
	for i := range r.events {
		w.stage(h, &r.events[i], appendFlags(i, len(r.events)))
	}
	r.result = streams.Result{Revision: st.last, Position: w.next + domain.Position(len(w.group.events)-1)}
	return nil
}

func appendFlags(i, n int) byte {
	var f byte
	if i == 0 {
		f |= flagFirst
	}
	if i == n-1 {
		f |= flagLast
	}
	return f
}

// repeatOrRefuse answers with the earlier result when the stream already holds
// the request's events from a revision on, and refuses otherwise.
func (w *writer) repeatOrRefuse(r *request, h *head, first domain.Revision) error {
	last := first + domain.Revision(len(r.events)) - 1
	if last > h.staged.last {
		return wrongRevision(r, h)
	}
	for i := range r.events {
		same, err := w.hasID(h, first+domain.Revision(i), r.events[i].ID)
		if err != nil {
			return err
		}
		if !same {
			return wrongRevision(r, h)
		}
	}
	pos, err := w.positionAt(h, last)
	r.result = streams.Result{Revision: last, Position: pos, Repeated: true}
	return err
}
