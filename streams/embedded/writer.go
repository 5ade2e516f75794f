package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// operation is what a request asks of the writer.
type operation uint8

const (
	opAppend operation = iota
	opSetMeta
	opDelete
	opTombstone
	opImport
	opTransact
	opSeal // begin a new segment, so that the one being written gets sealed
)

// request is one append (or change of metadata) on its way through the writer.
type request struct {
	op       operation
	stream   domain.StreamID
	expected streams.Expected
	events   []streams.Proposed
	imports  []streams.Recorded // of an import; instead of stream and events
	meta     streams.Meta
	decide   func(*Tx) (streams.Result, error)
	size     int // bytes in a segment, at most

	result streams.Result
	err    error
	done   chan struct{} // gets one value when result and err are there
	state  atomic.Int32  // waiting, then begun or withdrawn
}

const (
	requestWaiting int32 = iota
	requestBegun
	requestWithdrawn
)

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// writer is the one goroutine that writes: it gathers the requests that wait
// into groups and makes each group durable with one write and one sync.
type writer struct {
	log *Log

	mu       sync.Mutex
	queue    []*request
	stopping bool
	wake     chan struct{}
	stopped  chan struct{}

	failed atomic.Pointer[error] // why the log has stopped itself

	// Of the goroutine.
	seg      *segment
	index    *memIndex
	tail     int64 // end of the records in seg
	room     int64 // size of seg's file
	next     domain.Position
	lastTime int64 // microseconds
	recent   *recentIDs
	group    group
	spare    []*request
}

// maxGroup bounds the bytes of a group, and so the memory and the time of one write.
const maxGroup = 8 << 20

// evictAtLeast is the number of heads looked at for eviction between groups.
const evictAtLeast = 64

func newWriter(l *Log, s *segment, m *memIndex, w walkEnd) *writer {
	return &writer{
		log: l, seg: s, index: m,
		tail: w.complete, room: max(l.opts.SegmentSize, w.complete),
		next: s.base + domain.Position(m.count()), lastTime: w.at,
		recent: newRecentIDs(l.opts.RepeatWindow),
		wake:   make(chan struct{}, 1), stopped: make(chan struct{}),
		group: group{ids: make(map[uuid.UUID]int)},
	}
}

// do hands a request to the writer and waits for its outcome. A context that
// ends while the request still waits withdraws it.
func (w *writer) do(ctx context.Context, r *request) (streams.Result, error) {
	if err := w.enqueue(r); err != nil {
		return streams.Result{}, err
	}
	return w.await(ctx, r)
}

// await waits for the outcome of a request that the writer has.
func (w *writer) await(ctx context.Context, r *request) (streams.Result, error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(requestWaiting, requestWithdrawn) {
			return streams.Result{}, ctx.Err() // the writer will drop it
		}
		<-r.done
	}
	result, err := r.result, r.err
	requests.Put(r.reset())
	return result, err
}

func (r *request) reset() *request {
	r.events, r.imports, r.meta, r.decide, r.err, r.result = nil, nil, streams.Meta{}, nil, nil, streams.Result{}
	return r
}

// enqueue gives a request to the writer.
func (w *writer) enqueue(r *request) error {
	r.state.Store(requestWaiting)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping {
		requests.Put(r.reset())
		return streams.ErrClosed
	}
	w.queue = append(w.queue, r)
	if len(w.queue) == 1 {
		w.nudge()
	}
	return nil
}

// nudge lets the writer look at its queue, and evict heads.
func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop lets the writer finish what is queued and waits for its end.
func (w *writer) stop() {
	w.mu.Lock()
	w.stopping = true
	w.mu.Unlock()
	w.nudge()
	<-w.stopped
}

// failure returns why the log stopped itself, or nil.
func (w *writer) failure() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *writer) run() {
	defer close(w.stopped)
	last := 0
	for {
		<-w.wake
		w.gather(last)
		w.mu.Lock()
		batch, stopping := w.queue, w.stopping
		w.queue = w.spare[:0]
		w.mu.Unlock()
		last = len(batch)
		w.commit(batch)
		clear(batch)
		w.spare = batch
		w.log.heads.evict(evictAtLeast + 2*last)
		if stopping {
			return // nothing is queued behind the flag
		}
	}
}

// gather lets the callers of the last group, who have just been answered, come
// back with their next append before the next group is closed; else a small
// group and a large one would take turns, each paying a sync.
func (w *writer) gather(last int) {
	for range 3 {
		w.mu.Lock()
		n, stopping := len(w.queue), w.stopping
		w.mu.Unlock()
		if n >= last || stopping {
			return
		}
		runtime.Gosched()
	}
}

// commit makes requests durable, in order, in as few groups as fit.
func (w *writer) commit(batch []*request) {
	w.begin()
	for _, r := range batch {
		if !r.state.CompareAndSwap(requestWaiting, requestBegun) {
			continue
		}
		if need := len(w.group.buf) + r.size; len(w.group.answers) > 0 &&
			(r.op == opSeal || need > maxGroup || w.tail+int64(need) > w.room) {
			w.flush()
			w.begin()
		}
		// Asked for every request: the flush above may have failed, and nothing
		// must be written after a failure.
		if err := w.failure(); err != nil {
			r.answer(err)
			continue
		}
		if r.op == opSeal {
			r.answer(w.seal())
			continue
		}
		if w.tail+int64(r.size) > w.room {
			if err := w.rotate(int64(r.size)); err != nil {
				r.answer(err)
				continue
			}
		}
		w.log.gate.RLock() // a decision may read segments
		r.err = w.decide(r)
		w.log.gate.RUnlock()
		w.group.answers = append(w.group.answers, r)
	}
	w.flush()
}

// answer wakes the caller, with the request's own outcome unless err overrides it.
func (r *request) answer(err error) {
	if err != nil {
		r.result, r.err = streams.Result{}, err
	}
	r.done <- struct{}{}
}

// group is what goes to disk with one write and one sync.
type group struct {
	buf     []byte
	at      int64 // microseconds
	last    int64 // time of the last event
	events  []stagedEvent
	touched []*head
	ids     map[uuid.UUID]int // index in events
	answers []*request        // to be answered when the group is durable
}

// stagedEvent is an event of the group that is not yet durable.
type stagedEvent struct {
	head     *head
	id       uuid.UUID
	revision domain.Revision
	typ      string
	size     int
	before   int // index + 1 of the stream's staged event before
	// For a record of a metadata stream: whose control it sets.
	target  *head
	control *control
}

// begin starts an empty group.
func (w *writer) begin() {
	g := &w.group
	if cap(g.buf) > 2*maxGroup {
		g.buf = nil // one huge append should not keep its memory for ever
	}
	g.buf = g.buf[:0]
	clear(g.events)
	clear(g.touched)
	clear(g.answers)
	g.events, g.touched, g.answers = g.events[:0], g.touched[:0], g.answers[:0]
	clear(g.ids)
	// Times never go back within the log, whatever the clock does.
	g.at = max(w.log.opts.Clock().UnixMicro(), w.lastTime)
}

// stage encodes one event behind the group.
func (w *writer) stage(h *head, e *streams.Proposed, flags byte) *stagedEvent {
	g := &w.group
	w.touch(h)
	h.staged.last++
	g.last = g.at
	size := len(g.buf)
	g.buf = appendRecord(g.buf, h.stream, e, place{
		group: uint32(w.tail), flags: flags, at: g.at,
		position: w.next + domain.Position(len(g.events)), revision: h.staged.last,
	})
	g.events = append(g.events, stagedEvent{
		head: h, id: e.ID, revision: h.staged.last, typ: e.Type, size: len(g.buf) - size, before: h.lastStaged,
	})
	h.lastStaged = len(g.events)
	g.ids[e.ID] = len(g.events) - 1
	return &g.events[len(g.events)-1]
}

// touch notes that the group changes a head.
func (w *writer) touch(h *head) {
	if !h.dirty {
		h.dirty = true
		w.group.touched = append(w.group.touched, h)
	}
}

// flush makes the group durable, publishes it and answers its requests.
func (w *writer) flush() {
	g := &w.group
	err := w.persist()
	if err == nil {
		w.publish()
	}
	for _, h := range g.touched {
		h.dirty, h.lastStaged = false, 0
	}
	for _, r := range g.answers {
		r.answer(err)
	}
}

// persist writes and syncs the group. Lack of space is undone and may pass;
// after any other failure nobody knows what is on disk, so it is final.
func (w *writer) persist() error {
	if len(w.group.buf) == 0 {
		return nil
	}
	_, err := w.seg.file().WriteAt(w.group.buf, w.tail)
	if err != nil && outOfSpace(err) {
		uerr := w.undo()
		if uerr == nil {
			return fmt.Errorf("%w: %w", streams.ErrFull, err)
		}
		err = errors.Join(err, uerr)
	}
	if err == nil && !w.log.opts.NoSync {
		err = w.seg.file().Sync()
	}
	if err != nil {
		return w.fail(fmt.Errorf("write to %s: %w", w.seg.path, err))
	}
	return nil
}

// undo wipes what a failed write may have left behind the tail.
func (w *writer) undo() error {
	if err := w.seg.file().Truncate(w.tail); err != nil {
		return err
	}
	if err := w.seg.file().Preallocate(w.room); err != nil && !outOfSpace(err) {
		return err
	}
	if w.log.opts.NoSync {
		return nil
	}
	return w.seg.file().Sync()
}

// fail stops the log for appends.
func (w *writer) fail(cause error) error {
	err := fmt.Errorf("%w: it stopped itself: %w", streams.ErrClosed, cause)
	w.failed.Store(&err)
	w.log.opts.Logger.Error("event log stopped taking appends", "error", cause)
	return err
}

// publish shows the durable group to readers.
func (w *writer) publish() {
	g := &w.group
	if len(g.events) == 0 {
		return
	}
	for i := range g.events {
		e := &g.events[i]
		h := e.head
		st := &h.durable
		if st.seg != w.seg { // first record of the stream in this segment
			prev := noSegment
			if st.seg != nil {
				prev = st.seg.no
			}
			h.staged.no = w.index.open(h.stream, h.hash, e.revision, prev)
			h.staged.part = part{first: e.revision, prev: prev}
			h.staged.seg = w.seg
		} else {
			h.staged.seg, h.staged.part, h.staged.no = st.seg, st.part, st.no
		}
		id := idHash(e.id)
		ord := w.index.add(h.staged.no, id, e.typ, e.size)
		w.recent.add(id)
		p := &h.staged.part
		p.count, p.at, p.last = p.count+1, ord, ord
		next := h.staged
		next.last = e.revision
		w.log.heads.publish(h, next)
		if e.target != nil {
			w.log.controls.Store(true)
			next := e.target.durable
			next.control = e.control
			w.log.heads.publish(e.target, next)
		}
	}
	w.tail += int64(len(g.buf))
	w.next += domain.Position(len(g.events))
	w.lastTime = g.last
	w.log.durable.Store(uint64(w.next - 1))
	w.log.arrivals.ring()
}

// rotate closes the segment being written and begins the next one, which has
// room for at least need bytes. Everything in the old one is durable.
func (w *writer) rotate(need int64) error {
	l := w.log
	size := max(l.opts.SegmentSize, segmentHeaderSize+need)
	if w.index.count() == 0 && w.room < size {
		// Nothing is in it yet: it only has to be larger.
		if err := w.seg.file().Preallocate(size); err != nil {
			return w.noRoom(err)
		}
		w.room = size
		return nil
	}
	no := w.seg.no + 1
	f, err := createSegment(l.opts.FS, l.dir, no, w.next, size, !l.opts.NoSync)
	if err != nil {
		return w.noRoom(err)
	}
	s := &segment{no: no, base: w.next, path: segmentPath(l.dir, no), fs: l.opts.FS, sealed: make(chan struct{}), onBad: l.indexRepaired}
	m := newMemIndex(segmentHeaderSize)
	s.now.Store(&content{m, f})
	old := w.seg
	w.seg, w.index, w.tail, w.room = s, m, segmentHeaderSize, size
	list := append(append([]*segment(nil), l.list()...), s)
	l.segments.Store(&list)
	l.sealer.Go(func() { l.finishSealing(old) })
	return nil
}

// seal closes the segment being written if it has records.
func (w *writer) seal() error {
	if w.index.count() == 0 {
		return nil
	}
	return w.rotate(0)
}

func (w *writer) noRoom(err error) error {
	if outOfSpace(err) {
		return fmt.Errorf("%w: %w", streams.ErrFull, err)
	}
	return w.fail(err)
}
