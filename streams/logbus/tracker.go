package logbus

import (
	"sync"

	"strata/domain"
)

// tracker knows which events are under way and up to where all are finished.
type tracker struct {
	mu      sync.Mutex
	open    []*flight // by position; those before head are finished
	head    int
	low     domain.Position // everything up to here is finished
	seen    domain.Position // everything up to here was handed out or does not match
	changed chan struct{}   // gets a token when low has moved over an event
}

// flight is an event under way.
type flight struct {
	position domain.Position
	finished bool
}

func newTracker(from domain.Position) *tracker {
	return &tracker{low: from, seen: from, changed: make(chan struct{}, 1)}
}

// start notes an event as under way. Positions must grow.
func (t *tracker) start(p domain.Position) *flight {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &flight{position: p}
	t.open = append(t.open, f)
	t.seen = max(t.seen, p)
	return f
}

// finish notes an event as finished.
func (t *tracker) finish(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.finished = true
	moved := false
	for t.head < len(t.open) && t.open[t.head].finished {
		t.low = t.open[t.head].position
		t.open[t.head] = nil
		t.head++
		moved = true
	}
	if t.head == len(t.open) {
		t.open, t.head = t.open[:0], 0
		t.low = max(t.low, t.seen)
	} else if t.head > 1024 && t.head > len(t.open)/2 {
		t.open = append(t.open[:0], t.open[t.head:]...)
		t.head = 0
	}
	if moved {
		t.signal()
	}
}

// signalEvery is how many positions without a matching event may pass before
// the checkpoint is worth saving.
const signalEvery = 10_000

// pass notes that everything up to p has been looked at.
func (t *tracker) pass(p domain.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = max(t.seen, p)
	if t.head == len(t.open) && t.seen > t.low {
		far := t.seen-t.low >= signalEvery
		t.low = t.seen
		if far {
			t.signal()
		}
	}
}

func (t *tracker) signal() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// position is the checkpoint: everything up to it is finished.
func (t *tracker) position() domain.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.low
}

// underWay is the number of events handed out or waiting that are not finished.
func (t *tracker) underWay() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, f := range t.open[t.head:] {
		if !f.finished {
			n++
		}
	}
	return n
}

// seenUpTo is where reading goes on.
func (t *tracker) seenUpTo() domain.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}

// reset begins anew at a position, with nothing under way.
func (t *tracker) reset(from domain.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open, t.head, t.low, t.seen = nil, 0, from, from
}
