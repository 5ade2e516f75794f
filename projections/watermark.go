package projections

import (
	"container/heap"
	"context"
	"sync"

	"strata/domain"
)

// watermark is a position that only grows (a reset apart) and can be waited for.
type watermark struct {
	mu      sync.Mutex
	at      domain.Position
	waiters waiters
	wanted  chan struct{} // told, when it is not nil, of everyone who begins to wait
}

type waiter struct {
	want  domain.Position
	done  chan struct{}
	index int // in the heap; -1 once woken
}

func (w *watermark) get() domain.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// set moves the watermark and wakes everyone who waited for it.
func (w *watermark) set(to domain.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = to
	for len(w.waiters) > 0 && w.waiters[0].want <= to {
		next := heap.Pop(&w.waiters).(*waiter)
		close(next.done)
	}
}

// awaited tells whether anybody waits.
func (w *watermark) awaited() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiters) > 0
}

// wait returns when the watermark has reached want or ctx ends, with the
// position it then has.
func (w *watermark) wait(ctx context.Context, want domain.Position) domain.Position {
	w.mu.Lock()
	if w.at >= want {
		defer w.mu.Unlock()
		return w.at
	}
	me := &waiter{want: want, done: make(chan struct{})}
	heap.Push(&w.waiters, me)
	w.mu.Unlock()
	select {
	case w.wanted <- struct{}{}:
	default: // it has been told, and will look
	}
	select {
	case <-me.done:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if me.index >= 0 {
		heap.Remove(&w.waiters, me.index)
	}
	return w.at
}

// waiters is a heap, so that a commit looks only at those it wakes.
type waiters []*waiter

func (h waiters) Len() int           { return len(h) }
func (h waiters) Less(i, j int) bool { return h[i].want < h[j].want }
func (h waiters) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *waiters) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}

func (h *waiters) Pop() any {
	last := (*h)[len(*h)-1]
	last.index = -1
	*h = (*h)[:len(*h)-1]
	return last
}
