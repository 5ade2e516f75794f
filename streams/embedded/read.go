package embedded

import (
	"context"
	"iter"
	"slices"

	"strata/domain"
	"strata/streams"
)

// Bounds of what a reader takes from a segment at once, and so of its memory
// and of the time it holds up Close.
const (
	chunkEvents  = 512
	chunkBytes   = 512 << 10
	chunkEntries = 64 << 10 // index entries looked at
)

// chunk is a batch of decoded events, with what decoding reuses.
type chunk struct {
	events []streams.Recorded
	ords   []uint32
	buf    readBuffer
	names  interner
}

// take decodes ords of a segment, ascending, into the chunk's events. accept
// may refuse a record; nil accepts all.
func (c *chunk) take(s *segment, x *content, ords []uint32, accept func(*record) bool) error {
	clear(c.events) // do not keep payloads alive that the reader is done with
	c.events = c.events[:0]
	return s.fetch(x, ords, &c.buf, func(r *record) {
		if r.flags&flagRemoved == 0 && (accept == nil || accept(r)) {
			c.events = append(c.events, r.recorded(&c.names))
		}
	})
}

// ReadStream yields events of a stream as of the call. Metadata is honoured
// exactly: MaxCount and TruncateBefore when the read begins, MaxAge per event
// against the log's clock.
func (l *Log) ReadStream(ctx context.Context, stream domain.StreamID, r streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	return func(yield func(streams.Recorded, error) bool) {
		sr := streamReader{log: l, backwards: r.Backwards, limit: r.Limit}
		err := l.using(ctx, func() error { return sr.begin(stream, r) })
		for err == nil {
			if err = l.using(ctx, sr.fill); err != nil || len(sr.events) == 0 {
				break
			}
			if !yieldAll(sr.events, yield) {
				return
			}
		}
		if err != nil {
			yield(streams.Recorded{}, err)
		}
	}
}

// using runs a step of a read while the segments are sure to be there.
func (l *Log) using(ctx context.Context, step func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.enter(); err != nil {
		return err
	}
	defer l.leave()
	return step()
}

func yieldAll(events []streams.Recorded, yield func(streams.Recorded, error) bool) bool {
	for i := range events {
		if !yield(events[i], nil) {
			return false
		}
	}
	return true
}

// streamReader reads the revisions lo to hi of a stream, part by part.
type streamReader struct {
	log       *Log
	backwards bool
	limit     int   // events still to deliver, 0 for all
	since     int64 // events recorded before are too old, microseconds
	lo, hi    domain.Revision

	parts *partIter // backwards: still to come
	older []located // forwards: the parts found on the way to lo, newest first
	now   located
	ords  []uint32 // of now, still to be read, ascending
	chunk
}

// located is a part of a stream with its segment.
type located struct {
	seg  *segment
	part part
}

func (r *streamReader) begin(stream domain.StreamID, q streams.ReadStream) error {
	st, err := r.log.state(stream)
	switch {
	case err != nil:
		return err
	case st.tombstoned():
		return streams.ErrTombstoned
	case st.last < 0 || st.deleted():
		return streams.ErrStreamNotFound
	}
	r.lo, r.hi = st.visible(), st.last
	if r.backwards {
		r.hi = min(r.hi, q.From)
	} else {
		r.lo = max(r.lo, q.From)
	}
	if st.control != nil && st.control.MaxAge > 0 {
		r.since = r.log.opts.Clock().Add(-st.control.MaxAge).UnixMicro()
	} else if n := domain.Revision(q.Limit); n > 0 && n <= r.hi-r.lo && !r.log.removed.Load() { // the limit tells which revisions
		if r.backwards {
			r.lo = max(r.lo, r.hi-n+1)
		} else {
			r.hi = min(r.hi, r.lo+n-1)
		}
	}
	r.parts = r.log.parts(stream, st)
	if r.backwards || r.lo > r.hi {
		return nil
	}
	for r.parts.next() {
		r.older = append(r.older, located{r.parts.seg, r.parts.part})
		if r.parts.part.first <= r.lo {
			break
		}
	}
	return r.parts.err
}

// fill decodes the next events; none when there are no more.
func (r *streamReader) fill() error {
	r.events = r.events[:0]
	for len(r.events) == 0 {
		if len(r.ords) == 0 {
			if more, err := r.nextPart(); err != nil || !more {
				return err
			}
			continue
		}
		c, err := r.now.seg.columns()
		if err != nil {
			return err
		}
		n := min(len(r.ords), chunkEvents)
		if r.limit > 0 {
			n = min(n, r.limit)
		}
		ords := r.ords[:n]
		if r.backwards {
			ords = r.ords[len(r.ords)-n:]
		}
		ords = withinBytes(c, ords, r.backwards)
		if r.backwards {
			r.ords = r.ords[:len(r.ords)-len(ords)]
		} else {
			r.ords = r.ords[len(ords):]
		}
		if err := r.take(r.now.seg, c, ords, func(rec *record) bool { return rec.at >= r.since }); err != nil {
			return err
		}
		if r.backwards {
			slices.Reverse(r.events)
		}
		if r.limit > 0 && len(r.events) >= r.limit {
			r.events, r.ords = r.events[:r.limit], nil
			r.lo = r.hi + 1 // delivered all
		} else if r.limit > 0 {
			r.limit -= len(r.events)
		}
	}
	return nil
}

func (r *streamReader) nextPart() (bool, error) {
	if r.lo > r.hi {
		return false, nil
	}
	if r.backwards {
		if !r.parts.next() {
			return false, r.parts.err
		}
		r.now = located{r.parts.seg, r.parts.part}
	} else {
		if len(r.older) == 0 {
			return false, nil
		}
		last := len(r.older) - 1
		r.now, r.older = r.older[last], r.older[:last]
	}
	// The part may have been found long ago.
	x, err := r.now.refresh(r.parts.stream, r.parts.hash)
	if err != nil {
		return false, err
	}
	p := r.now.part
	r.ords = x.ordinals(nil, p, max(r.lo, p.first), min(r.hi, p.lastRevision()))
	if r.backwards {
		r.hi = min(r.hi, p.first-1)
	}
	return true, nil
}

// withinBytes shortens ords, at the end that is read last, to what a chunk may
// hold, but never to nothing.
func withinBytes(x *content, ords []uint32, backwards bool) []uint32 {
	bytes := uint32(0)
	for i := range ords {
		k := i
		if backwards {
			k = len(ords) - 1 - i
		}
		bytes += x.offset(ords[k]+1) - x.offset(ords[k])
		if bytes > chunkBytes && i > 0 {
			if backwards {
				return ords[k+1:]
			}
			return ords[:k]
		}
	}
	return ords
}

// ReadAll yields the events of the log as of the call, in order of position.
func (l *Log) ReadAll(ctx context.Context, q streams.ReadAll) iter.Seq2[streams.Recorded, error] {
	return func(yield func(streams.Recorded, error) bool) {
		head := domain.Position(l.durable.Load())
		ar := allReader{log: l, backwards: q.Backwards, match: matcher{filter: q.Filter}}
		ar.from, ar.to = max(q.After+1, q.From), head
		if q.Backwards {
			ar.from, ar.to = 1, head
			if q.After > 0 {
				ar.to = min(head, q.After-1)
			}
		}
		limit := q.Limit
		for {
			err := l.using(ctx, func() error { return ar.fill(limit) })
			if err != nil {
				yield(streams.Recorded{}, err)
				return
			}
			if len(ar.events) == 0 && ar.from > ar.to {
				return
			}
			if !yieldAll(ar.events, yield) {
				return
			}
			if limit > 0 {
				if limit -= len(ar.events); limit == 0 {
					return
				}
			}
		}
	}
}

// allReader reads the positions from..to of the log; each fill moves the end it
// reads from.
type allReader struct {
	log       *Log
	backwards bool
	from, to  domain.Position
	match     matcher
	chunk
}

// fill decodes the next events, at most limit (0: as many as fit), from one
// segment. It may find none and yet have moved on.
func (r *allReader) fill(limit int) error {
	clear(r.events)
	r.events = r.events[:0]
	if r.from > r.to {
		return nil
	}
	at := r.from
	if r.backwards {
		at = r.to
	}
	s := r.log.segmentAt(at)
	x, err := s.columns()
	if err != nil {
		return err
	}
	r.match.use(x.index)
	exact := r.gather(s, x, at, limit)
	err = r.take(s, x, r.ords, func(rec *record) bool { return r.match.workspace(rec) })
	if err != nil {
		return err
	}
	if !exact {
		r.events = slices.DeleteFunc(r.events, func(e streams.Recorded) bool { return !r.match.filter.Matches(&e) })
	}
	if r.backwards {
		slices.Reverse(r.events)
	}
	return nil
}

// gather collects the records of a segment that may match, and moves past what
// it looked at. It tells whether all of them are known to match.
func (r *allReader) gather(s *segment, x *content, at domain.Position, limit int) (exact bool) {
	if limit <= 0 || limit > chunkEvents {
		limit = chunkEvents
	}
	r.ords, exact = r.ords[:0], true
	ord := uint32(at - s.base)
	lowest, highest := uint32(0), min(x.count()-1, uint32(min(r.to-s.base, 1<<32-1)))
	if r.from > s.base {
		lowest = uint32(r.from - s.base)
	}
	bytes := uint32(0)
	looked := domain.Position(0)
	for ; looked < chunkEntries && len(r.ords) < limit && bytes < chunkBytes; looked++ {
		if want, sure := r.match.wants(ord); want {
			r.ords = append(r.ords, ord)
			bytes += x.offset(ord+1) - x.offset(ord)
			exact = exact && sure
		}
		if r.backwards {
			if ord == lowest {
				looked++
				break
			}
			ord--
		} else {
			if ord == highest {
				looked++
				break
			}
			ord++
		}
	}
	if r.backwards {
		r.to -= looked
		slices.Reverse(r.ords)
	} else {
		r.from += looked
	}
	return exact
}

// segmentAt returns the segment that holds a position.
func (l *Log) segmentAt(p domain.Position) *segment {
	list := l.list()
	i, _ := slices.BinarySearchFunc(list, p, func(s *segment, p domain.Position) int {
		if s.base <= p {
			return -1
		}
		return 1
	})
	return list[i-1]
}
