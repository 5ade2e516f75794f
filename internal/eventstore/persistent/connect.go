package persistent

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Connection says who a consumer is, for whoever asks about the group.
type Connection struct {
	From string // address
	User string
	Name string
	// Slots is the number of messages that may be on their way to it without an
	// answer.
	Slots int
}

// Consumer is one connection of a group. Next has one caller; the answers may
// come from another goroutine.
type Consumer struct {
	runner *runner
	state  *consumer
}

// Delivery is a message for a consumer.
type Delivery struct {
	Event
	Retries int32 // how often it was handed out before
}

// Connect joins a group.
//
// Errors: ErrMissing, ErrFull, ErrStopped.
func (g *Groups) Connect(key Key, c Connection) (*Consumer, error) {
	r, err := g.find(key)
	if err != nil {
		return nil, err
	}
	out := &Consumer{runner: r, state: newConsumer(c.Slots, r.entry.Settings.ExtraStatistics)}
	out.state.from, out.state.user, out.state.name = c.From, c.User, c.Name
	r.change(func(g *group, now time.Time) {
		if r.ctx.Err() != nil {
			err = ErrDropped
			return
		}
		err = g.connect(out.state, now)
	})
	return out, err
}

// Next waits for the next message.
//
// Errors: ErrDropped, ErrStopped, the context's.
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	for {
		var d Delivery
		var ok bool
		var dropped error
		c.runner.change(func(g *group, now time.Time) {
			var m *message
			if m, d.Retries, ok = g.take(c.state, now); ok {
				d.Event = *m.event
			}
			dropped = c.state.dropped
		})
		switch {
		case ok:
			return d, nil
		case dropped != nil:
			return Delivery{}, dropped
		}
		select {
		case <-c.state.ready:
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		}
	}
}

// Ack says that messages were processed, by the ids of their original events.
// Ids that the consumer does not have (any more) mean nothing.
func (c *Consumer) Ack(ids ...uuid.UUID) {
	c.runner.change(func(g *group, now time.Time) { g.ack(c.state, ids, now) })
}

// Nack says that messages were not processed, and what to do with them.
func (c *Consumer) Nack(v Verdict, reason string, ids ...uuid.UUID) {
	c.runner.change(func(g *group, now time.Time) { g.nack(c.state, ids, v, reason, now) })
}

// Close leaves the group. What was not answered goes to the other consumers.
func (c *Consumer) Close() {
	c.runner.change(func(g *group, now time.Time) { g.disconnect(c.state, now) })
}
