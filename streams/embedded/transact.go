package embedded

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// Tx is one decision of [Log.Transact]: what it sees of the log, and what it
// will write. It is of no use after the decision.
type Tx struct {
	w    *writer
	puts []put
}

// put is an event that a decision writes.
type put struct {
	stream domain.StreamID
	event  streams.Proposed
}

// StreamState is what the log knows of a stream besides its events.
type StreamState struct {
	Last       domain.Revision // of everything ever written; NoRevision when nothing was
	First      domain.Revision // first that metadata and deletions leave readable, ages apart; may be beyond Last
	Deleted    bool            // soft-deleted, and not written since
	Tombstoned bool
	Meta       streams.Meta
	// System holds the keys of the metadata that begin with "$" and mean nothing
	// to the log, as JSON. It must not be modified.
	System map[string]json.RawMessage
}

func (s *headState) public() StreamState {
	out := StreamState{Last: s.last, First: s.visible(), Deleted: s.deleted(), Tombstoned: s.tombstoned()}
	if s.control != nil {
		out.Meta, out.System = s.control.Meta, s.control.system
	}
	return out
}

// StreamState returns what is durable of a stream.
func (l *Log) StreamState(ctx context.Context, stream domain.StreamID) (StreamState, error) {
	if err := ctx.Err(); err != nil {
		return StreamState{}, err
	}
	if err := l.enter(); err != nil {
		return StreamState{}, err
	}
	defer l.leave()
	st, err := l.state(stream)
	if err != nil {
		return StreamState{}, err
	}
	return st.public(), nil
}

// Transact lets its caller decide an append: by other rules than those of
// [Log.Append], or of several streams at once, metadata streams included. What
// decide puts reaches the disk whole or not at all; when it returns an error,
// nothing is written. No other append comes between what decide sees and what
// it writes.
//
// decide runs on the log's one writer, so it must be quick, and it must not call
// the log but through tx. size is about what it writes, in bytes. The result is
// decide's own; the position of what it writes is known to [Tx.Put].
//
// Errors: those of decide, ErrTooLarge, ErrFull, ErrClosed.
func (l *Log) Transact(ctx context.Context, size int, decide func(tx *Tx) (streams.Result, error)) (streams.Result, error) {
	wait, err := l.TransactLater(ctx, size, decide)
	if err != nil {
		return streams.Result{}, err
	}
	return wait()
}

// TransactLater is Transact in two steps, for callers with many decisions at
// once: those of one goroutine are decided in the order in which they are given,
// and wait, which must be called once, returns the outcome of each. Until then
// it is not known whether the decision was taken.
func (l *Log) TransactLater(ctx context.Context, size int, decide func(tx *Tx) (streams.Result, error)) (wait func() (streams.Result, error), err error) {
	if size += transactRoom; size > l.opts.MaxAppendSize {
		return nil, fmt.Errorf("%w: the append has %d bytes, the limit is %d", streams.ErrTooLarge, size, l.opts.MaxAppendSize)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.closed.Load() {
		return nil, streams.ErrClosed
	}
	r := requests.Get().(*request)
	r.op, r.decide, r.size = opTransact, decide, size
	if err := l.writer.enqueue(r); err != nil {
		return nil, err
	}
	return func() (streams.Result, error) { return l.writer.await(ctx, r) }, nil
}

// transactRoom is what is kept free for what a decision finds to write beyond
// the size it was announced with: metadata.
const transactRoom = 1 << 10

// decideTransact runs a decision and stages what it puts.
func (w *writer) decideTransact(r *request) error {
	tx := &Tx{w: w}
	result, err := r.decide(tx)
	if err != nil {
		return err
	}
	controls := make([]*control, len(tx.puts))
	for i := range tx.puts {
		if controls[i], err = tx.check(&tx.puts[i]); err != nil {
			return err
		}
	}
	for i := range tx.puts {
		if err := w.stagePut(&tx.puts[i], controls[i], appendFlags(i, len(tx.puts))); err != nil {
			return err
		}
	}
	r.result = result
	return nil
}

// check tells whether an event may be put, and what it says when it is a system
// record.
func (t *Tx) check(p *put) (*control, error) {
	of, system := cutMeta(p.stream)
	if err := checkStream(of); err != nil {
		return nil, err
	}
	e, limit := &p.event, t.w.log.opts.MaxEventSize
	if e.ID == uuid.Nil || e.Type == "" || len(e.Type) > maxTypeName || len(e.Workspace) > maxWorkspace || len(p.stream) > maxStreamName {
		return nil, fmt.Errorf("%w: id, type, workspace or stream of an event", streams.ErrInvalid)
	}
	if n := len(e.Type) + len(e.Meta) + len(e.Data); n > limit {
		return nil, fmt.Errorf("%w: an event has %d bytes, the limit is %d", streams.ErrTooLarge, n, limit)
	}
	// Heads are looked up here, where that may still fail.
	if _, err := t.w.log.own(p.stream); err != nil || !system {
		return nil, err
	}
	if e.Type != streams.TypeMetadata && e.Type != streams.TypeTombstone {
		return nil, fmt.Errorf("%w: %s cannot be in %s", streams.ErrInvalid, e.Type, p.stream)
	}
	if _, err := t.w.log.own(of); err != nil {
		return nil, err
	}
	c, err := decodeControl(e.Type, e.Data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", streams.ErrInvalid, err)
	}
	if c.MaxCount < 0 || c.MaxAge < 0 || c.TruncateBefore < 0 || c.DeletedBefore < 0 {
		return nil, fmt.Errorf("%w: metadata must not be negative", streams.ErrInvalid)
	}
	return c, nil
}

// stagePut stages one event that was checked.
func (w *writer) stagePut(p *put, c *control, flags byte) error {
	h, err := w.log.own(p.stream)
	if err != nil {
		return err
	}
	s := w.stage(h, &p.event, flags)
	if c == nil {
		return nil
	}
	of, _ := cutMeta(p.stream)
	target, err := w.log.own(of)
	if err != nil {
		return err
	}
	s.target, s.control = target, c
	w.touch(target)
	target.staged.control = c
	return nil
}

// Stream returns the state of a stream before the decision.
func (t *Tx) Stream(stream domain.StreamID) (StreamState, error) {
	h, err := t.w.log.own(stream)
	if err != nil {
		return StreamState{}, err
	}
	return h.staged.public(), nil
}

// HasID tells whether the event of a stream at a revision has an id. It is false
// for a revision that the stream does not have.
func (t *Tx) HasID(stream domain.StreamID, rev domain.Revision, id uuid.UUID) (bool, error) {
	h, err := t.w.log.own(stream)
	if err != nil || rev < 0 || rev > h.staged.last {
		return false, err
	}
	return t.w.hasID(h, rev, id)
}

// Recent finds the revision at which a stream holds an event id, among the
// latest events of the log (Options.RepeatWindow).
func (t *Tx) Recent(stream domain.StreamID, id uuid.UUID) (domain.Revision, bool, error) {
	h, err := t.w.log.own(stream)
	if err != nil {
		return 0, false, err
	}
	return t.w.recentRevision(h, id)
}

// Position returns the position of an event of a stream.
func (t *Tx) Position(stream domain.StreamID, rev domain.Revision) (domain.Position, error) {
	h, err := t.w.log.own(stream)
	if err != nil {
		return 0, err
	}
	return t.w.positionAt(h, rev)
}

// Put writes an event behind the others of the decision, and returns where it
// will be. In a metadata stream it must be of type TypeMetadata or TypeTombstone,
// and does to the stream what it says.
func (t *Tx) Put(stream domain.StreamID, e streams.Proposed) domain.Position {
	t.puts = append(t.puts, put{stream: stream, event: e})
	return t.w.next + domain.Position(len(t.w.group.events)+len(t.puts)-1)
}
