package eventstoredb

import (
	"fmt"
	"sort"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"strata/domain"
	"strata/streams"
)

// tail follows the end of the log for all subscriptions of a store, and keeps
// its latest events: all of them, of every stream.
type tail struct {
	store *Store
	start sync.Once
	work  sync.WaitGroup
	in    chan streams.Recorded // from the connection to the keeper

	mu      sync.Mutex
	ready   bool            // floor and head are known
	floor   domain.Position // every event after it, up to head, is kept
	head    domain.Position
	events  []streams.Recorded
	bytes   int
	changed chan struct{} // closed when any of the above changes
}

// received bounds the events that wait to be kept. They are taken together, so
// that under load readers are woken once for many.
const received = 256

func newTail(s *Store) *tail {
	return &tail{store: s, in: make(chan streams.Recorded, received), changed: make(chan struct{})}
}

// follow starts the tail, once.
func (t *tail) follow() {
	t.start.Do(func() {
		t.work.Go(t.receive)
		t.work.Go(t.keep)
	})
}

func (t *tail) wait() {
	t.start.Do(func() {}) // never again
	t.work.Wait()
}

// receive subscribes to the end of the log, and again when that ends, for as long
// as the store lives.
func (t *tail) receive() {
	ctx := t.store.ctx
	at := domain.Position(0)
	for try := 0; ; try++ {
		head, err := t.store.head(ctx)
		if err == nil {
			at = head
			t.begin(head)
			break
		}
		if !pause(ctx, try) {
			return
		}
	}
	for try := 0; ; try++ {
		n, err := t.store.conn.get(ctx)
		if err != nil {
			return // the store is closed
		}
		before := at
		at, err = t.from(n, at)
		if at > before {
			try = 0
		}
		again, leader := lost(ctx, err)
		if again && !isAnswer(err) {
			t.store.conn.drop(n, leader, err)
		} else if ctx.Err() == nil {
			t.store.opts.Logger.Warn("the subscription to the event store ended; it is begun again", "after", uint64(at), "error", err)
		}
		if !pause(ctx, try) {
			return
		}
	}
}

// from hands over what the server sends after a position, and returns how far it
// came when that ends.
func (t *tail) from(n *node, at domain.Position) (domain.Position, error) {
	o := newRequest(false)
	o.CountOption = &pb.ReadReq_Options_Subscription{Subscription: &pb.ReadReq_Options_SubscriptionOptions{}}
	all := &pb.ReadReq_Options_AllOptions{AllOption: &pb.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}
	if at > 0 {
		all.AllOption = &pb.ReadReq_Options_AllOptions_Position{Position: &pb.ReadReq_Options_Position{CommitPosition: uint64(at), PreparePosition: uint64(at)}}
	}
	o.StreamOption = &pb.ReadReq_Options_All{All: all}
	call := newUnary(t.store.ctx)
	defer call.cancel()
	stream, err := n.streams.Read(call.ctx, &pb.ReadReq{Options: o}, call.options()...)
	if err != nil {
		return at, call.fault(err)
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return at, call.fault(err)
		}
		if m.GetEvent() == nil {
			continue // that it is confirmed, or has caught up
		}
		e, err := recorded(m.GetEvent())
		if err != nil {
			return at, err
		}
		if e.Position <= at {
			return at, fmt.Errorf("the server sent position %d after %d", e.Position, at)
		}
		select {
		case t.in <- e:
			at = e.Position
		case <-t.store.ctx.Done():
			return at, streams.ErrClosed
		}
	}
}

// keep puts what arrives into memory, everything that waits at a time.
func (t *tail) keep() {
	batch := make([]streams.Recorded, 0, received)
	for {
		select {
		case e := <-t.in:
			batch = append(batch, e)
		case <-t.store.ctx.Done():
			return
		}
		for more := true; more && len(batch) < received; {
			select {
			case e := <-t.in:
				batch = append(batch, e)
			default:
				more = false
			}
		}
		t.add(batch)
		clear(batch)
		batch = batch[:0]
	}
}

func (t *tail) begin(at domain.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready, t.floor, t.head = true, at, at
	t.signal()
}

func (t *tail) add(batch []streams.Recorded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range batch {
		t.bytes += weight(&batch[i])
	}
	t.events = append(t.events, batch...)
	t.head = batch[len(batch)-1].Position
	drop := 0
	for ; len(t.events)-drop > t.store.opts.KeptEvents || t.bytes > t.store.opts.KeptBytes && drop < len(t.events); drop++ {
		t.bytes -= weight(&t.events[drop])
		t.floor = t.events[drop].Position
	}
	clear(t.events[:drop])
	t.events = t.events[drop:]
	t.store.sees(t.head)
	t.signal()
}

// weight estimates the memory of a kept event.
func weight(e *streams.Recorded) int { return len(e.Data) + len(e.Meta) + 256 }

func (t *tail) signal() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// view is what the tail has for a reader that stands at a position.
type view struct {
	ready   bool // the tail knows where the log ends
	behind  bool // the reader's position lies before what is kept: it reads up to head
	events  []streams.Recorded
	at      domain.Position // where the reader stands having taken events
	head    domain.Position
	changed <-chan struct{} // closed when there is more
}

// take returns what matches after a position, at most max events (0 = any number).
func (t *tail) take(after domain.Position, limit int, filter *streams.Filter) view {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := view{ready: t.ready, head: t.head, at: after, changed: t.changed}
	if !t.ready {
		return v
	}
	if after < t.floor {
		v.behind = true
		return v
	}
	first := sort.Search(len(t.events), func(i int) bool { return t.events[i].Position > after })
	for i := first; i < len(t.events); i++ {
		e := &t.events[i]
		v.at = e.Position
		if !matches(filter, e) {
			continue
		}
		v.events = append(v.events, *e)
		if limit > 0 && len(v.events) == limit {
			return v
		}
	}
	v.at = max(v.at, t.head)
	if after > t.head { // it comes from somewhere else, or the server has lost events
		v.at = after
	}
	return v
}
