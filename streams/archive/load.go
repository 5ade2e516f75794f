package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"strata/domain"
	"strata/streams"
)

// ErrNotEmpty is returned when a dump is to be loaded into a log that holds
// something.
var ErrNotEmpty = errors.New("the log is not empty")

// How much is appended at once.
const (
	batchEvents = 1000
	batchBytes  = 4 << 20
)

// Load reads a dump into an empty log. Ids and the order of events are kept, and
// so are revisions and times where the store is a [streams.Importer]; the stats
// tell what is not as it was. A faulty dump is a [*Fault]; what was loaded
// before the fault stays in the log, which is then good for nothing.
func Load(ctx context.Context, store streams.Store, in io.Reader) (Stats, error) {
	if err := empty(ctx, store); err != nil {
		return Stats{}, fmt.Errorf("load: %w", err)
	}
	r, err := NewReader(in)
	if err != nil {
		return Stats{}, err
	}
	l := &loader{ctx: ctx, store: store}
	if i, ok := store.(streams.Importer); ok {
		l.put = (&importer{store: i, stats: &l.stats}).put
	} else {
		l.put = (&appender{store: store, stats: &l.stats, known: map[domain.StreamID]control{}}).put
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return l.stats, l.flush()
		}
		if err != nil {
			return l.stats, err
		}
		if err := l.add(e); err != nil {
			return l.stats, fmt.Errorf("load the event of line %d: %w", r.line, err)
		}
	}
}

// empty refuses a log that holds something. A log that belongs to a server may
// hold what the server says of itself.
func empty(ctx context.Context, store streams.Store) error {
	if _, ok := store.(streams.Importer); !ok {
		for e, err := range store.ReadAll(ctx, streams.ReadAll{Limit: 1}) {
			if err != nil {
				return err
			}
			return fmt.Errorf("%w: there is %s at position %d", ErrNotEmpty, e.Stream, e.Position)
		}
		return nil
	}
	head, err := store.Head(ctx)
	if err == nil && head != 0 {
		err = fmt.Errorf("%w: it ends at position %d", ErrNotEmpty, head)
	}
	return err
}

// loader gathers events into batches.
type loader struct {
	ctx   context.Context
	store streams.Store
	put   func(context.Context, []streams.Recorded) (domain.Position, error)
	stats Stats

	batch []streams.Recorded
	bytes int
}

func (l *loader) add(e streams.Recorded) error {
	size := len(e.Data) + len(e.Meta) + len(e.Stream) + 256
	if len(l.batch) == batchEvents || len(l.batch) > 0 && l.bytes+size > batchBytes {
		if err := l.flush(); err != nil {
			return err
		}
	}
	l.batch, l.bytes = append(l.batch, e), l.bytes+size
	return nil
}

func (l *loader) flush() error {
	if len(l.batch) == 0 {
		return nil
	}
	head, err := l.put(l.ctx, l.batch)
	if err != nil {
		return fmt.Errorf("up to here, %d events loaded: %w", l.stats.Events, err)
	}
	l.stats.Events += uint64(len(l.batch))
	l.stats.Head = head
	l.batch, l.bytes = l.batch[:0], 0
	return nil
}

// importer loads into stores that take over everything but positions.
type importer struct {
	store streams.Importer
	stats *Stats

	last   time.Time // of the events seen
	before time.Time // of the events imported
}

func (i *importer) put(ctx context.Context, batch []streams.Recorded) (domain.Position, error) {
	for n := range batch {
		if e := &batch[n]; e.At.Before(i.last) {
			e.At = i.last
			i.stats.Adjusted++
		} else {
			i.last = e.At
		}
	}
	for {
		head, err := i.store.Import(ctx, batch)
		if gap, ok := errors.AsType[*streams.WrongRevision](err); ok && gap.Expected > streams.At(gap.Actual) {
			if err := i.fill(ctx, batch, gap); err != nil {
				return 0, err
			}
			continue
		}
		if err != nil {
			return 0, err
		}
		for n := range batch {
			if batch[n].Position != head-domain.Position(len(batch)-1-n) {
				i.stats.Moved++
			}
		}
		i.before = batch[len(batch)-1].At
		return head, nil
	}
}

// fill puts in what a scavenge has removed of a stream: events without content,
// so that the others keep their revisions.
func (i *importer) fill(ctx context.Context, batch []streams.Recorded, gap *streams.WrongRevision) error {
	at := i.before
	if at.IsZero() {
		at = batch[0].At
	}
	for next := gap.Actual + 1; streams.At(next) <= gap.Expected; {
		var list []streams.Recorded
		for ; len(list) < batchEvents && streams.At(next) <= gap.Expected; next++ {
			list = append(list, streams.Recorded{Proposed: streams.Proposed{ID: domain.NewEventID()}, Stream: gap.Stream, Revision: next, At: at})
		}
		if _, err := i.store.Import(ctx, list); err != nil {
			return fmt.Errorf("fill a gap in %s: %w", gap.Stream, err)
		}
		i.stats.Filled += uint64(len(list))
	}
	return nil
}
