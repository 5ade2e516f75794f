package main

import (
	"context"
	"net/http"
	"sync"
)

// requests counts the requests being answered. net/http does not know of those
// whose connection became a websocket, and does not wait for those it cuts.
type requests struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n becomes 0; nil while nobody waits
}

// count counts the requests of a handler.
func (q *requests) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.add(1)
		defer q.add(-1)
		h.ServeHTTP(w, r)
	})
}

// hold counts a request whose connection outlives its handler until release.
func (q *requests) hold() (release func()) {
	q.add(1)
	return func() { q.add(-1) }
}

func (q *requests) add(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n += n; q.n == 0 && q.none != nil {
		close(q.none)
		q.none = nil
	}
}

// ended waits until no request is being answered. It returns the context's error.
func (q *requests) ended(ctx context.Context) error {
	q.mu.Lock()
	if q.n == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.none == nil {
		q.none = make(chan struct{})
	}
	none := q.none
	q.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
