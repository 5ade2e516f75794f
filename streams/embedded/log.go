package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"

	"strata/domain"
	"strata/streams"
)

// Log is an open event log. It implements [streams.Store]; all methods are safe
// for concurrent use.
type Log struct {
	dir  string
	opts Options
	lock io.Closer

	segments atomic.Pointer[[]*segment] // oldest first; the last is being written
	filters  atomic.Pointer[[]*spanFilter]
	sealMu   sync.Mutex     // one sealer at a time
	filterMu sync.Mutex     // one maker of filters at a time
	unmaps   []func() error // of filters, for Close
	heads    *heads
	durable  atomic.Uint64 // position of the last event on disk
	arrivals broadcast     // rung when durable moves, and at Close
	controls atomic.Bool   // the log has system records
	removed  atomic.Bool   // the log has records that were scavenged

	// gate is held for reading by whoever uses segments, so that Close can let
	// go of files and mappings.
	gate   sync.RWMutex
	closed atomic.Bool
	done   chan struct{} // closed by Close

	writer     *writer
	sealer     sync.WaitGroup // index files being written
	scavenging sync.Mutex     // one scavenge at a time
}

var _ streams.Store = (*Log)(nil)

// Open opens the log in a directory, which it makes when it is missing, and
// recovers from a crash if there was one: what a torn write left behind the
// last acknowledged append is cut off and reported to the logger.
//
// Errors: one matching [ErrLocked] when the directory is in use, a
// [*CorruptError] when something acknowledged is damaged.
func Open(dir string, opts Options) (*Log, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("event log options: %w", err)
	}
	opts.setDefaults()
	if err := opts.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make the event log's directory: %w", err)
	}
	lock, err := lockDir(opts.FS, dir)
	if err != nil {
		return nil, err
	}
	l := &Log{dir: dir, opts: opts, lock: lock, heads: newHeads(opts.HeadCache), done: make(chan struct{})}
	l.filters.Store(new([]*spanFilter))
	if err := l.load(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	go l.writer.run()
	return l, nil
}

// LockDirectory makes a directory when it is missing and makes it this
// process's own until the lock is closed or the process ends. Open does so by
// itself; it is for what lies outside a log but must have one owner too.
// Errors: one matching [ErrLocked] when another process has it.
func LockDirectory(dir string) (io.Closer, error) {
	fsys := osFS{}
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make the directory %s: %w", dir, err)
	}
	return lockDir(fsys, dir)
}

func lockDir(fsys FS, dir string) (io.Closer, error) {
	lock, err := fsys.Lock(filepath.Join(dir, "LOCK"))
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("%w: another process has %s open", ErrLocked, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the directory %s: %w", dir, err)
	}
	return lock, nil
}

// list returns the segments as of now.
func (l *Log) list() []*segment { return *l.segments.Load() }

// segmentOf returns the segment of a number.
func (l *Log) segmentOf(no uint32) *segment {
	list := l.list()
	return list[no-list[0].no]
}

// enter begins a use of the segments; leave ends it.
func (l *Log) enter() error {
	l.gate.RLock()
	if l.closed.Load() {
		l.gate.RUnlock()
		return streams.ErrClosed
	}
	return nil
}

func (l *Log) leave() { l.gate.RUnlock() }

// Head returns the position of the last durable event.
func (l *Log) Head(ctx context.Context) (domain.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if l.closed.Load() {
		return 0, streams.ErrClosed
	}
	return domain.Position(l.durable.Load()), nil
}

// StreamRevision returns the last revision of a stream: a look into a map for
// one that is in the cache.
func (l *Log) StreamRevision(ctx context.Context, stream domain.StreamID) (domain.Revision, error) {
	if err := ctx.Err(); err != nil {
		return domain.NoRevision, err
	}
	if err := l.enter(); err != nil {
		return domain.NoRevision, err
	}
	defer l.leave()
	st, err := l.state(stream)
	if err != nil || st.deleted() || st.tombstoned() {
		return domain.NoRevision, err
	}
	return st.last, nil
}

// StreamMeta returns a stream's metadata.
func (l *Log) StreamMeta(ctx context.Context, stream domain.StreamID) (streams.Meta, error) {
	if err := ctx.Err(); err != nil {
		return streams.Meta{}, err
	}
	if err := l.enter(); err != nil {
		return streams.Meta{}, err
	}
	defer l.leave()
	st, err := l.state(stream)
	switch {
	case err != nil:
		return streams.Meta{}, err
	case st.tombstoned():
		return streams.Meta{}, streams.ErrTombstoned
	case st.control == nil:
		return streams.Meta{}, nil
	}
	return st.control.Meta, nil
}

// Err tells why the log takes no more appends: nil while it does,
// [streams.ErrClosed] after Close, and an error that also wraps the cause when
// it stopped itself after a failed write. Readiness checks ask it.
func (l *Log) Err() error {
	if err := l.writer.failure(); err != nil {
		return err
	}
	if l.closed.Load() {
		return streams.ErrClosed
	}
	return nil
}

// Close finishes the appends that have been begun, refuses the others, and lets
// go of the directory. Reads and subscriptions end with [streams.ErrClosed].
func (l *Log) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	close(l.done)
	l.scavenging.Lock() // waits for a scavenge in progress, which sees the log closed
	defer l.scavenging.Unlock()
	l.writer.stop()
	l.sealer.Wait()
	l.arrivals.ring()
	l.gate.Lock() // waits for reads in progress
	defer l.gate.Unlock()
	err := l.writer.failure()
	if err == nil {
		err = l.rememberHead()
	}
	return errors.Join(err, l.release())
}

// release lets go of files, mappings and the lock.
func (l *Log) release() error {
	var faults []error
	if l.segments.Load() != nil {
		for _, s := range l.list() {
			faults = append(faults, s.close())
		}
	}
	for _, unmap := range l.unmaps {
		faults = append(faults, unmap())
	}
	return errors.Join(append(faults, l.lock.Close())...)
}

// broadcast wakes everybody who waits, any number at the price of one.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{} // nil when nobody waits
}

// wait returns a channel that is closed at the next ring.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
