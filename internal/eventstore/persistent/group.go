package persistent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Why a consumer is refused or sent away.
var (
	// ErrFull: the group has as many consumers as its settings allow.
	ErrFull = errors.New("maximum subscriptions reached")
	// ErrDropped: the group was updated, deleted or restarted.
	ErrDropped = errors.New("subscription was dropped")
)

// group is the state of one group: a machine without clock, goroutines or I/O.
// Whoever runs it holds its lock, feeds it, tells it the time, and does what it
// asks for: parks, checkpoints, truncations.
type group struct {
	settings  Settings
	all       bool // its source is the whole log: places are positions, otherwise revisions
	consumers []*consumer
	strategy  strategy

	source ledger     // of the group's stream, or the log
	parked ledger     // of parked messages that are handed out again
	fresh  []*message // waiting, never handed out, in order
	again  []*message // waiting, to be handed out before those: lower places first, parked ones last
	given  int        // handed out and not answered

	deadlines queue[deadline]
	hands     uint64
	parking   queue[*message] // to be parked by whoever runs the group
	live      bool            // the source has nothing more for now
	stats     stats
	kept      time.Time // when the last checkpoint was made
}

// newGroup makes the state of a group that has settled everything up to floor
// of its source, and up to parkedFloor of its parked messages.
func newGroup(s Settings, floor, parkedFloor int64, now time.Time) *group {
	g := &group{settings: s, strategy: newStrategy(s.Strategy), kept: now}
	g.source.floor, g.source.marked = floor, floor
	g.parked.floor, g.parked.marked = parkedFloor, parkedFloor
	g.stats.since = now
	return g
}

// connect adds a consumer.
func (g *group) connect(c *consumer, now time.Time) error {
	if m := int(g.settings.MaxSubscribers); m > 0 && len(g.consumers) >= m {
		return ErrFull
	}
	c.stats.since = now
	g.consumers = append(g.consumers, c)
	g.dispatch(now)
	return nil
}

// disconnect removes a consumer that went away; what it had goes to the others.
// What it had taken counts as tried, so that a message that kills whoever
// processes it is parked in the end.
func (g *group) disconnect(c *consumer, now time.Time) {
	g.remove(c, g.retry)
	g.dispatch(now)
}

func (g *group) remove(c *consumer, taken func(*message)) {
	at := slices.Index(g.consumers, c)
	if at < 0 {
		return
	}
	g.consumers = slices.Delete(g.consumers, at, at+1)
	g.strategy.left(c)
	g.reclaim(c)
	for _, m := range c.sorted() {
		g.withdraw(m)
		taken(m)
	}
}

// reclaim takes back what a connection has not taken. It was not tried.
func (g *group) reclaim(c *consumer) {
	for c.waiting.len() > 0 {
		m := c.waiting.pop()
		g.withdraw(m)
		g.wait(m)
	}
}

// drop sends all consumers away.
func (g *group) drop(why error) {
	for len(g.consumers) > 0 {
		c := g.consumers[0]
		g.remove(c, g.wait)
		c.dropped = why
		c.wake()
	}
}

// room is the number of events that may be read now; 0 means wait.
func (g *group) room() int {
	size := g.settings.HistoryBufferSize
	if g.live {
		size = g.settings.LiveBufferSize
	}
	batch := min(g.settings.ReadBatchSize, size)
	if len(g.consumers) == 0 || int(size)-len(g.fresh) < int(batch) {
		return 0
	}
	return int(batch)
}

// feed takes what was read next of the source, everything up to a place.
func (g *group) feed(events []*Event, upTo int64, live bool, now time.Time) {
	for _, e := range events {
		m := &message{event: e, at: g.place(e)}
		g.source.add(m)
		g.fresh = append(g.fresh, m)
	}
	g.source.pass(upTo)
	g.live = live
	g.dispatch(now)
}

// place is where an event stands in the source.
func (g *group) place(e *Event) int64 {
	if g.all {
		return int64(e.Original().Position) //nolint:gosec // positions count events
	}
	return int64(e.Original().Revision)
}

// replay takes parked messages that are to be handed out again.
func (g *group) replay(events []*Event, now time.Time) {
	for _, e := range events {
		m := &message{event: e, at: int64(e.Original().Revision), replay: true}
		g.parked.add(m)
		g.wait(m)
	}
	g.dispatch(now)
}

// ack settles what a consumer has processed. Ids that it was not given, or not
// any more, mean nothing.
func (g *group) ack(c *consumer, ids []uuid.UUID, now time.Time) {
	for _, id := range ids {
		if m := c.answered(id); m != nil {
			c.done(m, now)
			g.stats.add(now, 0)
			g.withdraw(m)
			m.ledger.settle(m)
		}
	}
	g.dispatch(now)
}

// nack does what a consumer asks for with messages it has not processed.
func (g *group) nack(c *consumer, ids []uuid.UUID, v Verdict, reason string, now time.Time) {
	for _, id := range ids {
		m := c.answered(id)
		if m == nil {
			continue
		}
		c.done(m, now)
		g.stats.add(now, 0)
		g.withdraw(m)
		switch v {
		case Park:
			g.park(m, "Client explicitly NAK'ed message.\n"+reason)
		case Skip:
			m.ledger.settle(m)
		default:
			g.retry(m)
		}
	}
	g.dispatch(now)
}

// tick lets time pass: what was not answered in time goes to others.
func (g *group) tick(now time.Time) {
	for g.deadlines.len() > 0 && !g.deadlines.front().at.After(now) {
		d := g.deadlines.pop()
		m := d.message
		if m.owner == nil || m.hand != d.hand {
			continue
		}
		if c := m.owner; !m.sent {
			c.stuck = true // everything would only run out there again
			g.reclaim(c)
			continue
		}
		g.withdraw(m)
		g.retry(m)
	}
	g.dispatch(now)
}

// nextTick tells when time will matter next.
func (g *group) nextTick() (at time.Time, ok bool) {
	for g.deadlines.len() > 0 {
		d := g.deadlines.front()
		if d.message.owner != nil && d.message.hand == d.hand {
			return d.at, true
		}
		g.deadlines.pop()
	}
	return time.Time{}, false
}

// take gives a connection its next message.
func (g *group) take(c *consumer, now time.Time) (m *message, retries int32, ok bool) {
	stuck := c.stuck
	if m, ok = c.take(); !ok {
		c.stuck = false
	}
	if stuck {
		g.dispatch(now)
	}
	if !ok {
		return nil, 0, false
	}
	return m, m.retries, true
}

// withdraw takes a message from its consumer.
func (g *group) withdraw(m *message) {
	g.strategy.settled(m)
	m.owner.remove(m)
	g.given--
}

// retry hands a message out once more, or parks it.
func (g *group) retry(m *message) {
	if m.retries >= g.settings.MaxRetryCount {
		g.park(m, fmt.Sprintf("Reached retry count of %d", g.settings.MaxRetryCount))
		return
	}
	m.retries++
	g.wait(m)
}

// wait puts a message among those to be handed out before fresh ones.
func (g *group) wait(m *message) {
	at, _ := slices.BinarySearchFunc(g.again, m, inOrderOfPlace)
	g.again = slices.Insert(g.again, at, m)
}

func (g *group) park(m *message, reason string) {
	m.reason = reason
	g.parking.push(m)
}

// dispatch hands out what can be.
func (g *group) dispatch(now time.Time) {
	if len(g.again)+len(g.fresh) == 0 || !g.anyFree() {
		return
	}
	var stopped bool
	if g.again, stopped = g.handOut(g.again, now); !stopped {
		g.fresh, _ = g.handOut(g.fresh, now)
	}
}

// handOut hands out from a list and returns what is left of it, and whether
// what is behind it has to wait too. Mostly its beginning is handed out, and then
// nothing is moved.
func (g *group) handOut(list []*message, now time.Time) (left []*message, stopped bool) {
	first, given := 0, 0 // all before the first are given
	for i, m := range list {
		c := g.strategy.pick(m, g.consumers)
		if c == nil {
			if stopped = !g.strategy.overtakes() || !g.anyFree(); stopped {
				break
			}
			continue
		}
		g.give(m, c, now)
		list[i] = nil
		if given++; first == i {
			first++
		}
	}
	list = list[first:]
	if given > first {
		list = slices.DeleteFunc(list, func(m *message) bool { return m == nil })
	}
	return list, stopped
}

// anyFree tells whether any consumer can be given something.
func (g *group) anyFree() bool {
	return slices.ContainsFunc(g.consumers, func(c *consumer) bool { return c.free() > 0 })
}

func (g *group) give(m *message, c *consumer, now time.Time) {
	g.hands++
	g.given++
	m.owner, m.hand, m.since, m.sent = c, g.hands, now, false
	c.give(m)
	if t := g.settings.MessageTimeout; t > 0 {
		g.deadlines.push(deadline{m, m.hand, now.Add(t)})
	}
}

// checkpoint tells the place to write down, if it is time to.
func (g *group) checkpoint(now time.Time, final bool) (place int64, settled int, due bool) {
	l, s := &g.source, &g.settings
	if l.floor == l.marked {
		return 0, 0, false
	}
	n := l.settled
	byCount := s.MaxCheckpoint > 0 && n >= int(s.MaxCheckpoint)
	byTime := g.worthy() && now.Sub(g.kept) >= s.CheckpointAfter
	if !final && !byCount && !byTime {
		return 0, 0, false
	}
	return l.floor, n, true
}

// worthy tells whether enough has happened for a checkpoint by time.
func (g *group) worthy() bool {
	l := &g.source
	return l.settled >= max(1, int(g.settings.MinCheckpoint)) || g.all && l.floor-l.marked >= skipped
}

// skipped is the number of positions without a message for which a checkpoint
// is worth its write; far more than the one record that the write itself is.
const skipped = 10_000

// checkpointed says that a place was written down.
func (g *group) checkpointed(place int64, settled int, now time.Time) {
	g.source.mark(place, settled)
	g.kept = now
}

// checkpointAt tells when time alone may make a checkpoint due.
func (g *group) checkpointAt() (at time.Time, ok bool) {
	if !g.worthy() {
		return time.Time{}, false
	}
	return g.kept.Add(g.settings.CheckpointAfter), true
}
