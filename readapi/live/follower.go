package live

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
)

// States of a follower. At any time at most one goroutine runs it, a worker or
// one of its own; whoever wakes it meanwhile makes it look again.
const (
	idle    int32 = iota // it has everything it wants of what was published
	queued               // in the queue
	running              // somebody runs it
	again                // somebody runs it and has to look again
)

// ending is why a connection ends.
type ending int32

const (
	open     ending = iota
	gone            // the client has left
	slow            // the client takes too long
	draining        // the server stops
	failed          // the log or an event cannot be read
	endings
)

// String names the ending in metrics.
func (e ending) String() string {
	return [endings]string{"open", "gone", "slow", "draining", "failed"}[e]
}

// gatherBytes is about how much is written to a client at once.
const gatherBytes = 64 << 10

// follower is one connection and how far it is.
type follower struct {
	hub   *Hub
	tail  *tail
	room  *room
	shape shape
	spoke uint8

	link    atomic.Pointer[link] // nil until the connection was taken over
	state   atomic.Int32
	pingDue atomic.Bool
	end     atomic.Int32 // ending
	next    *follower    // in the queue

	// Owned by whoever runs it.
	at     domain.Position // everything wanted up to here was written
	want   Interest
	tell   bool // say that it has caught up, when it has
	done   bool // the last byte was written
	joined bool // the room wakes it; changes under the room's mutex

	// Guarded by the room's mutex.
	group *group
	place int // in the group
	left  bool

	said struct { // what the client's messages led to
		sync.Mutex
		orders []order
	}
}

// order is an answer to a client, or a change of what it wants with its answer.
type order struct {
	answer []byte
	change func(Interest) Interest
}

// wake makes the follower look whether there is something to do. Idle, it has
// everything of what was published before.
func (f *follower) wake() { f.wakeFor(domain.Position(f.tail.at.Load()) + 1) }

// wakeFor wakes the follower for an event it wants.
func (f *follower) wakeFor(position domain.Position) {
	for {
		switch f.state.Load() {
		case idle:
			if f.state.CompareAndSwap(idle, queued) {
				f.at = max(f.at, position-1)
				f.tail.queue.push(f)
				return
			}
		case running:
			if f.state.CompareAndSwap(running, again) {
				return
			}
		default: // whoever runs it next will see
			return
		}
	}
}

// start makes a new follower run.
func (f *follower) start() { f.tail.queue.push(f) }

// rest ends a run, unless somebody has woken the follower meanwhile.
func (f *follower) rest() bool {
	if f.state.CompareAndSwap(running, idle) {
		return true
	}
	f.state.Store(running)
	return false
}

// shut makes the connection end; the first reason counts.
func (f *follower) shut(why ending) {
	if !f.end.CompareAndSwap(int32(open), int32(why)) {
		return
	}
	f.hub.meters.close(why)
	if l := f.link.Load(); l != nil && why != slow { // a write that waits need not wait as long
		l.hurry()
	}
	f.wake()
}

// say adds an answer. A client that says much and hears nothing is too slow.
func (f *follower) say(o order) {
	f.said.Lock()
	f.said.orders = append(f.said.orders, o)
	much := len(f.said.orders) > maxPending
	f.said.Unlock()
	if much {
		f.shut(slow)
	}
	f.wake()
}

func (f *follower) takeOrders() []order {
	f.said.Lock()
	defer f.said.Unlock()
	orders := f.said.orders
	f.said.orders = nil
	return orders
}

// outcome tells what there is to do once what was gathered has been written.
type outcome uint8

const (
	more    outcome = iota // there may be more in the room
	drained                // nothing, until somebody wakes the follower
	behind                 // the room does not hold what comes next (any more)
)

// gather appends what is to be written now: events, then answers, or the last
// words of a connection that ends.
func (f *follower) gather(buf []byte) ([]byte, outcome) {
	if ending(f.end.Load()) != open {
		return f.lastWords(buf), drained
	}
	published := domain.Position(f.tail.at.Load())
	f.room.mu.Lock()
	if !f.joined || f.at < f.room.from {
		f.room.exit(f)
		f.room.mu.Unlock()
		return f.answers(buf), behind
	}
	entries := f.room.after(f.at)
	var some [32]*entry
	n := 0
	for _, e := range entries {
		if n == len(some) {
			break
		}
		if f.want.wants(e.recorded.Type) {
			some[n] = e
			n++
		}
	}
	f.room.mu.Unlock()
	for _, e := range some[:n] {
		if len(buf) >= gatherBytes {
			return buf, more
		}
		wire, err := e.wire(f.hub.Show, f.shape)
		if err != nil {
			return f.broken(buf, e.recorded.Position, err), drained
		}
		buf = append(buf, wire...)
		f.at = e.recorded.Position
		f.hub.meters.sent()
	}
	if n == len(some) {
		return buf, more
	}
	f.at = max(f.at, published)
	if f.tell {
		buf, f.tell = appendCaughtUp(buf, f.shape, f.at), false
	}
	return f.answers(buf), drained
}

// broken ends the connection before an event that cannot be shown: leaving it
// out in silence would be a gap.
func (f *follower) broken(buf []byte, at domain.Position, err error) []byte {
	f.hub.Logger.Error("a live event cannot be shown", "position", uint64(at), "error", err)
	f.shut(failed)
	return f.lastWords(buf)
}

// answers appends what the client's messages led to, and a ping when it is due.
func (f *follower) answers(buf []byte) []byte {
	for _, o := range f.takeOrders() {
		if o.change == nil {
			buf = append(buf, o.answer...)
			continue
		}
		buf = append(buf, f.change(o)...)
	}
	if f.pingDue.Swap(false) {
		buf = appendPing(buf, f.shape)
	}
	return buf
}

// change makes the follower want something else from here on.
func (f *follower) change(o order) []byte {
	want := o.change(f.want)
	if len(want.only)+len(want.except) > maxInterest {
		return tooManyTypes()
	}
	f.room.mu.Lock()
	joined := f.joined
	f.room.exit(f)
	f.want = want
	if joined && !f.left {
		f.room.enter(f)
		f.joined = true
	}
	f.room.mu.Unlock()
	answer := frame{Type: "subscribed", Types: want.only, Except: want.except}
	if want.nothing {
		answer.Types = []string{}
	}
	return answer.bytes()
}

// lastWords appends how the connection ends, once.
func (f *follower) lastWords(buf []byte) []byte {
	if f.done {
		return buf
	}
	f.done = true
	switch why := ending(f.end.Load()); why {
	case gone:
		if f.shape == overWebsocket { // answers the client's own close frame
			buf = appendMessage(buf, websocket.CloseMessage)
		}
		return buf
	case failed:
		return appendClosed(buf, f.shape, websocket.CloseInternalServerErr, f.at)
	default:
		return appendClosed(buf, f.shape, websocket.CloseTryAgainLater, f.at)
	}
}

// patience is how long the next write may take.
func (f *follower) patience() time.Duration {
	if why := ending(f.end.Load()); why != open && why != slow {
		return min(drainWait, f.hub.Patience)
	}
	return f.hub.Patience
}
