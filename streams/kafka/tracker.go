package kafka

import "sync"

// tracker knows which offsets are under way, and below which all are finished.
type tracker struct {
	mu      sync.Mutex
	open    []*flight // by offset; those before head are finished
	head    int
	low     int64         // offset after the last below which all are finished; 0: none is yet
	changed chan struct{} // gets a token when low has moved
}

// flight is an offset under way.
type flight struct {
	offset   int64
	finished bool
}

func newTracker() *tracker { return &tracker{changed: make(chan struct{}, 1)} }

// start notes an offset as under way. Offsets must grow.
func (t *tracker) start(offset int64) *flight {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &flight{offset: offset}
	t.open = append(t.open, f)
	return f
}

// finish notes an offset as finished.
func (t *tracker) finish(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.finished = true
	moved := false
	for t.head < len(t.open) && t.open[t.head].finished {
		t.low = t.open[t.head].offset + 1
		t.open[t.head] = nil
		t.head++
		moved = true
	}
	if t.head == len(t.open) {
		t.open, t.head = t.open[:0], 0
	} else if t.head > 1024 && t.head > len(t.open)/2 {
		t.open = append(t.open[:0], t.open[t.head:]...)
		t.head = 0
	}
	if moved {
		select {
		case t.changed <- struct{}{}:
		default:
		}
	}
}

// next is the offset to commit: that of the first record which is not finished,
// as far as is known; 0 when nothing has been finished yet.
func (t *tracker) next() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.low
}
