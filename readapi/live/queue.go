package live

import "sync"

// queue holds the followers that have something to do, each at most once. It
// links them through a field of their own, so that waking ten thousand of them
// allocates nothing.
type queue struct {
	mu          sync.Mutex
	some        sync.Cond
	first, last *follower
	closed      bool
}

func (q *queue) init() { q.some.L = &q.mu }

func (q *queue) push(f *follower) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last == nil {
		q.first = f
	} else {
		q.last.next = f
	}
	q.last = f
	q.some.Signal()
}

// pop waits for a follower; nil when the queue is closed.
func (q *queue) pop() *follower {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.first == nil && !q.closed {
		q.some.Wait()
	}
	f := q.first
	if q.closed || f == nil {
		return nil
	}
	if q.first = f.next; q.first == nil {
		q.last = nil
	}
	f.next = nil
	return f
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Broadcast()
}
