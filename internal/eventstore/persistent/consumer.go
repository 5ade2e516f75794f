package persistent

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// consumer is one connection of a group. Its fields belong to the group's lock.
type consumer struct {
	from, user, name string // of the connection, for who asks
	slots            int    // messages it takes without an answer

	given   map[uuid.UUID]*message // handed out and not answered
	count   int                    // of them, twins included
	waiting queue[*message]        // handed out and not taken by the connection yet
	stuck   bool                   // let messages run out without taking them
	buckets int                    // pinned to it

	ready   chan struct{} // told when there is something to take
	dropped error         // why it was sent away
	stats   stats
}

func newConsumer(slots int, extra bool) *consumer {
	return &consumer{slots: slots, given: map[uuid.UUID]*message{}, ready: make(chan struct{}, 1), stats: stats{extra: extra}}
}

// free is the number of messages it can be given.
func (c *consumer) free() int {
	if c.stuck {
		return 0
	}
	return c.slots - c.count
}

func (c *consumer) give(m *message) {
	m.twin = c.given[m.event.id()]
	c.given[m.event.id()] = m
	c.count++
	c.waiting.push(m)
	c.wake()
}

func (c *consumer) wake() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// take is called by the connection: the next message to send.
func (c *consumer) take() (m *message, ok bool) {
	if c.waiting.len() == 0 {
		return nil, false
	}
	m = c.waiting.pop()
	m.sent, c.stuck = true, false
	return m, true
}

// answered finds the message that an answer is about: the one that was sent
// first, when several have the id.
func (c *consumer) answered(id uuid.UUID) *message {
	var oldest *message
	for m := c.given[id]; m != nil; m = m.twin {
		if m.sent {
			oldest = m
		}
	}
	return oldest
}

// remove takes a message back from it, which must not wait for the connection.
func (c *consumer) remove(m *message) {
	first := c.given[m.event.id()]
	switch {
	case first == m && m.twin == nil:
		delete(c.given, m.event.id())
	case first == m:
		c.given[m.event.id()] = m.twin
	default:
		for at := first; at.twin != nil; at = at.twin {
			if at.twin == m {
				at.twin = m.twin
				break
			}
		}
	}
	c.count--
	m.owner, m.twin, m.sent = nil, nil, false
}

// done counts an answer.
func (c *consumer) done(m *message, now time.Time) { c.stats.add(now, now.Sub(m.since)) }

// sorted lists what it has, in order.
func (c *consumer) sorted() []*message {
	all := make([]*message, 0, c.count)
	for _, m := range c.given {
		for ; m != nil; m = m.twin {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, inOrderOfPlace)
	return all
}
