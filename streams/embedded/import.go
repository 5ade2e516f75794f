package embedded

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

var _ streams.Importer = (*Log)(nil)

// Import appends events as another store recorded them; see [streams.Importer].
func (l *Log) Import(ctx context.Context, events []streams.Recorded) (domain.Position, error) {
	size := 0
	for i := range events {
		if err := l.checkImport(&events[i]); err != nil {
			return 0, fmt.Errorf("event %d: %w", i, err)
		}
		size += recordSize(events[i].Stream, &events[i].Proposed)
	}
	if len(events) == 0 {
		return 0, fmt.Errorf("%w: no events", streams.ErrInvalid)
	}
	if size > l.opts.MaxAppendSize {
		return 0, fmt.Errorf("%w: %d bytes to import at once, the limit is %d", streams.ErrTooLarge, size, l.opts.MaxAppendSize)
	}
	r := requests.Get().(*request)
	r.op, r.imports, r.size = opImport, events, size
	result, err := l.submit(ctx, r)
	return result.Position, err
}

// checkImport is checkAppend for one event, which may be a system record.
func (l *Log) checkImport(e *streams.Recorded) error {
	of, system := cutMeta(e.Stream)
	switch err := checkStream(of); {
	case err != nil:
		return err
	case system && e.Type != streams.TypeMetadata && e.Type != streams.TypeTombstone && e.Type != "":
		return fmt.Errorf("%w: %s cannot be in %s", streams.ErrInvalid, e.Type, e.Stream)
	case len(e.Stream) > maxStreamName:
		return fmt.Errorf("%w: stream name is too long", streams.ErrInvalid)
	case e.ID == uuid.Nil || len(e.Type) > maxTypeName || len(e.Workspace) > maxWorkspace:
		return fmt.Errorf("%w: id, type or workspace", streams.ErrInvalid)
	case e.Type == "" && len(e.Workspace)+len(e.Meta)+len(e.Data) > 0:
		return fmt.Errorf("%w: an event without a type has content", streams.ErrInvalid)
	case len(e.Type)+len(e.Meta)+len(e.Data) > l.opts.MaxEventSize:
		return fmt.Errorf("%w: %d bytes, the limit is %d", streams.ErrTooLarge, len(e.Type)+len(e.Meta)+len(e.Data), l.opts.MaxEventSize)
	}
	return nil
}

// imported is an event of an import that has been checked.
type imported struct {
	head    *head
	target  *head    // of a system record: the stream it is about
	control *control // and what it says
}

// decideImport checks all events before it stages the first.
func (w *writer) decideImport(r *request) error {
	before := w.lastTime
	if len(w.group.events) > 0 {
		before = w.group.last
	}
	list := make([]imported, len(r.imports))
	last := map[*head]domain.Revision{}
	for i := range r.imports {
		e := &r.imports[i]
		at := e.At.UnixMicro()
		if at < before {
			return fmt.Errorf("%w: revision %d of %s was recorded before the event in front of it", streams.ErrInvalid, e.Revision, e.Stream)
		}
		before = at
		if err := w.admit(e, &list[i], last); err != nil {
			return err
		}
	}
	now := w.group.at
	for i := range r.imports {
		e, x := &r.imports[i], &list[i]
		w.group.at = e.At.UnixMicro()
		flags := byte(flagFirst | flagLast)
		if e.Type == "" {
			flags |= flagRemoved
			w.log.removed.Store(true) // before anybody can read it
		}
		s := w.stage(x.head, &e.Proposed, flags)
		if x.target != nil {
			s.target, s.control = x.target, x.control
			w.touch(x.target)
			x.target.staged.control = x.control
		}
	}
	w.group.at = max(now, w.group.last) // for the requests behind this one
	r.result = streams.Result{Position: w.next + domain.Position(len(w.group.events)-1)}
	return nil
}

// admit checks an event against its stream as it will be; last holds the
// revisions of streams that the import has extended so far.
func (w *writer) admit(e *streams.Recorded, x *imported, last map[*head]domain.Revision) (err error) {
	if x.head, err = w.log.own(e.Stream); err != nil {
		return err
	}
	revision, seen := last[x.head]
	if !seen {
		revision = x.head.staged.last
	}
	if e.Revision != revision+1 {
		return &streams.WrongRevision{Stream: e.Stream, Expected: streams.At(e.Revision - 1), Actual: revision}
	}
	last[x.head] = e.Revision
	of, system := cutMeta(e.Stream)
	if !system || e.Type == "" {
		if x.head.staged.tombstoned() {
			return streams.ErrTombstoned
		}
		return nil
	}
	if x.target, err = w.log.own(of); err != nil {
		return err
	}
	if x.control, err = decodeControl(e.Type, e.Data); err != nil {
		return fmt.Errorf("%w: %w", streams.ErrInvalid, err)
	}
	// What was deleted may have been removed since; the stream goes on behind it.
	if revision, seen = last[x.target]; !seen {
		revision = x.target.staged.last
	}
	if below := x.control.DeletedBefore; below > revision+1 {
		return &streams.WrongRevision{Stream: of, Expected: streams.At(below - 1), Actual: revision}
	}
	return nil
}

// cutMeta returns the stream that a metadata stream is about, or the stream
// itself.
func cutMeta(s domain.StreamID) (of domain.StreamID, system bool) {
	if isSystem(s) {
		return s[len("$$"):], true
	}
	return s, false
}
