package live

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata/domain"
	"strata/internal/view"
	"strata/streams"
)

// Timing of live connections.
const (
	pingEvery  = 15 * time.Second
	pongWait   = 60 * time.Second // a peer from which nothing came for so long is gone
	closeWait  = time.Second      // for the peer to answer the close frame
	drainWait  = 2 * time.Second  // for a frame, once the server drains
	maxPending = 64               // answers to what one client said that wait to be written
	maxSaid    = 64 << 10         // bytes of a client's message
)

// Config is what a hub works with.
type Config struct {
	Store streams.Store
	// Show decodes an event and shows it as clients see it. An event it fails on
	// ends the connections that want it, with the position before it.
	Show func(streams.Recorded) (view.Event, error)
	// Public tells whether clients see a type at all; nil: all.
	Public func(typ string) bool
	// Patience is how long a client may take for what is written to it at once
	// before its connection is cut; after half of it, it is told to come back
	// later. Default 10 s.
	Patience time.Duration
	// Hold is called when a connection has left its request's handler, and what it
	// returns when the connection has ended; may be nil.
	Hold    func() (release func())
	Logger  *slog.Logger          // default: discards
	Metrics prometheus.Registerer // nil: no metrics
}

// Hub brings events to clients. It is safe for concurrent use. While nobody
// follows it owns no goroutine; Drain ends it.
type Hub struct {
	Config
	meters *meters

	mu       sync.Mutex
	tail     *tail // nil while nobody follows
	draining bool
}

// New makes a hub.
func New(c Config) *Hub {
	c.Patience = cmp.Or(c.Patience, 10*time.Second)
	if c.Public == nil {
		c.Public = func(string) bool { return true }
	}
	if c.Hold == nil {
		c.Hold = func() func() { return func() {} }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Hub{Config: c, meters: newMeters(c.Metrics)}
}

// Follow is what a client asks for.
type Follow struct {
	Workspace string
	After     *domain.Position // nil: from now on
	Want      Interest
}

// Drain tells every client where to go on and closes its connection. Whoever
// comes later is refused. It does not wait for the connections to end.
func (h *Hub) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	if h.tail != nil {
		h.tail.shutAll(draining)
	}
}

// admit makes a follower and, if it is the first, the tail. The caller makes it
// run or leave.
func (h *Hub) admit(ctx context.Context, want Follow, s shape) (*follower, error) {
	if want.Workspace == "" { // to the log, no workspace is any
		return nil, domain.Errorf(domain.CodeForbidden, "this credential works in no workspace")
	}
	head, err := h.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	f := &follower{hub: h, shape: s, at: head, want: want.Want}
	f.state.Store(queued) // nobody else puts it into the queue before it starts
	if want.After != nil {
		if *want.After > head {
			var faults domain.Faults
			faults.Add(true, "after", "is beyond the end of the log (%d)", head)
			return nil, faults.Err()
		}
		f.at = *want.After
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return nil, domain.Errorf(domain.CodeUnavailable, "the server is being stopped")
	}
	if h.tail == nil {
		if h.tail, err = newTail(h, head); err != nil {
			return nil, err
		}
	}
	h.tail.admit(f, want.Workspace)
	h.meters.open(s, 1)
	return f, nil
}

// leave ends what the hub keeps of a follower. The last one stops the tail.
func (h *Hub) leave(f *follower) {
	f.room.leave(f)
	h.mu.Lock()
	t := f.tail
	last := t.leave(f)
	if last && h.tail == t {
		h.tail = nil
	}
	h.mu.Unlock()
	h.meters.open(f.shape, -1)
	if last {
		t.stop()
	}
}
