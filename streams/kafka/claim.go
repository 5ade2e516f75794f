package kafka

import (
	"context"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
)

// claim is a partition while it is ours: it reads, hands out, and commits.
type claim struct {
	sub        *subscription
	out        chan<- *message.Message
	partition  int
	reader     *reader
	generation *kafkago.Generation // nil: no group, nothing is committed

	living  context.Context // of the messages
	kill    context.CancelFunc
	reading context.Context // ends first: nothing more is handed out
	stop    context.CancelFunc

	track *tracker
	slots chan struct{} // a token per message that is not finished

	mu      sync.Mutex
	behind  map[string][]pending // what waits, by key; a key that is there is busy
	stopped bool
	senders sync.WaitGroup // those who may use the channel
	serving sync.WaitGroup // goroutines of busy keys
	drained chan struct{}  // closed when the last of them is gone
}

// pending is a record with its place in the tracker.
type pending struct {
	record Record
	flight *flight
}

func newClaim(d *subscription, out chan<- *message.Message, partition int, offset int64, g *kafkago.Generation) *claim {
	c := &claim{sub: d, out: out, partition: partition, generation: g, track: newTracker(),
		reader: newReader(d.cluster, d.topic, partition, offset, d.cfg.FetchBytes),
		slots:  make(chan struct{}, d.cfg.Window), behind: map[string][]pending{}, drained: make(chan struct{})}
	c.living, c.kill = context.WithCancel(d.living)
	c.reading, c.stop = context.WithCancel(d.reading)
	return c
}

// run works until ctx ends: the partition is given up, or nobody reads any more.
func (c *claim) run(ctx context.Context) {
	released := context.AfterFunc(ctx, c.stop)
	defer released()
	committed := make(chan struct{})
	go func() { defer close(committed); c.commit() }()
	reading := source(c.partition, "read")
	defer c.sub.outage.gone(reading)
	for attempt := 1; c.reading.Err() == nil; attempt++ {
		err := c.read(reading, &attempt)
		if c.reading.Err() != nil {
			break
		}
		c.sub.failing(reading, err)
		select {
		case <-c.sub.cfg.After(c.sub.cfg.Backoff(attempt)):
		case <-c.reading.Done():
		}
	}
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.senders.Wait()

	go func() { defer close(c.drained); c.serving.Wait() }()
	select {
	case <-c.drained:
	case <-c.sub.cfg.After(c.sub.cfg.Drain):
	}
	c.kill()
	<-c.drained
	<-committed
}

// read hands out what it reads until something fails.
func (c *claim) read(source string, attempt *int) error {
	for {
		records, err := c.reader.next(c.reading)
		if err != nil {
			return err
		}
		*attempt = 1
		c.sub.worked(source)
		for _, r := range records {
			if !c.handOut(r) {
				return c.reading.Err()
			}
		}
	}
}

// handOut delivers a record, or puts it behind those of its key that are under
// way. False means that the partition is given up.
func (c *claim) handOut(r Record) bool {
	select {
	case c.slots <- struct{}{}:
	case <-c.reading.Done():
		return false
	}
	p := pending{r, c.track.start(r.Offset)}
	if r.Key != nil {
		key := string(r.Key)
		c.mu.Lock()
		if waiting, busy := c.behind[key]; busy {
			c.behind[key] = append(waiting, p)
			c.mu.Unlock()
			return true
		}
		c.behind[key] = nil
		c.mu.Unlock()
	}
	m := c.send(p)
	if m == nil {
		return false
	}
	c.serving.Go(func() { c.serve(p, m) })
	return true
}

// delivered is a message with what ends its context.
type delivered struct {
	*message.Message
	cancel context.CancelFunc
}

// send makes the message of a record and delivers it; nil when given up. A
// record that makes no message is tried again: what comes behind it in its key
// may not pass it.
func (c *claim) send(p pending) *delivered {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return nil
	}
	c.senders.Add(1)
	c.mu.Unlock()
	defer c.senders.Done()
	failing := "" // what
	for attempt := 1; ; attempt++ {
		m, err := c.sub.cfg.Marshaler.Unmarshal(p.record)
		if err == nil {
			if failing != "" {
				c.sub.worked(failing)
			}
			ctx, cancel := context.WithCancel(withRecord(c.living, p.record))
			m.SetContext(ctx)
			select {
			case c.out <- m:
				return &delivered{m, cancel}
			case <-c.reading.Done():
				cancel()
				return nil
			}
		}
		failing = source(c.partition, fmt.Sprintf("record %d", p.record.Offset))
		c.sub.failing(failing, err)
		select {
		case <-c.sub.cfg.After(c.sub.cfg.Backoff(attempt)):
		case <-c.reading.Done():
			c.sub.outage.gone(failing)
			return nil
		}
	}
}

// serve sees a busy key through: ack, then its next record, until none waits.
func (c *claim) serve(p pending, m *delivered) {
	for attempt := 1; ; {
		select {
		case <-m.Acked():
			m.cancel()
			c.track.finish(p.flight)
			<-c.slots
			var more bool
			if p, more = c.next(p.record.Key); !more {
				return
			}
			attempt = 1
		case <-m.Nacked():
			m.cancel()
			select {
			case <-c.sub.cfg.After(c.sub.cfg.Backoff(attempt)):
			case <-c.reading.Done():
				return
			}
			attempt++
		case <-c.living.Done():
			m.cancel()
			return
		}
		if m = c.send(p); m == nil {
			return
		}
	}
}

// next takes the next waiting record of a key; when there is none the key is no
// longer busy.
func (c *claim) next(key []byte) (pending, bool) {
	if key == nil {
		return pending{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.behind[string(key)]
	if len(waiting) == 0 {
		delete(c.behind, string(key))
		return pending{}, false
	}
	c.behind[string(key)] = waiting[1:]
	return waiting[0], true
}

// commit keeps the group's offset up to date until the last message is
// finished or cancelled, and then once more: the partition's next owner begins
// there.
func (c *claim) commit() {
	var at int64
	write := func() {
		if now := c.track.next(); now != at {
			c.sub.commit(c.generation, c.partition, now)
			at = now
		}
	}
	for {
		select {
		case <-c.track.changed:
		case <-c.living.Done():
			<-c.drained
			write()
			return
		}
		write()
		select {
		case <-c.sub.cfg.After(c.sub.cfg.CommitEvery):
		case <-c.living.Done():
		}
	}
}
