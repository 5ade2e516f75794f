package httpx

import (
	"context"
	"sync"
	"time"
)

// limited is a context that ends after a while, as context.WithTimeout's does,
// but makes the timer only when somebody asks about the end: most reads are
// answered from memory before anybody does, and a timer with its registration at
// the parent is among the dearest parts of such an answer. The zero value is
// made a context by begin.
type limited struct {
	parent context.Context
	x      *exchange
	until  time.Time

	mu    sync.Mutex
	made  context.Context // nil until somebody asks
	stop  context.CancelFunc
	ended bool
}

// begin starts the time; nobody may know the context before.
func (c *limited) begin(parent context.Context, x *exchange, length time.Duration) {
	c.parent, c.x, c.until = parent, x, time.Now().Add(length)
}

// end cancels the context. Ending one that never began does nothing.
func (c *limited) end() {
	c.mu.Lock()
	stop := c.stop
	c.ended = true
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// timed returns the context with the timer.
func (c *limited) timed() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made, c.stop = context.WithDeadline(c.parent, c.until)
		if c.ended {
			c.stop()
		}
	}
	return c.made
}

// Deadline implements context.Context.
func (c *limited) Deadline() (time.Time, bool) {
	if earlier, ok := c.parent.Deadline(); ok && earlier.Before(c.until) {
		return earlier, true
	}
	return c.until, true
}

// Done implements context.Context.
func (c *limited) Done() <-chan struct{} { return c.timed().Done() }

// Err implements context.Context.
func (c *limited) Err() error { return c.timed().Err() }

// Value implements context.Context. All but the request is asked of the context
// with the timer, in which package context looks for its own parts.
func (c *limited) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return c.x
	}
	return c.timed().Value(key)
}
