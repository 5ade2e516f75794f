package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	kafkago "github.com/segmentio/kafka-go"
)

// call is one Publish under way.
type call struct {
	done chan struct{} // closed when nothing of it is under way

	mu    sync.Mutex
	left  int
	fault error
}

func newCall(n int) *call { return &call{done: make(chan struct{}), left: n} }

// finish notes that n messages have arrived, or never will.
func (c *call) finish(n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault == nil {
		c.fault = err
	}
	if c.left -= n; c.left == 0 {
		close(c.done)
	}
}

func (c *call) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// entry is a message on its way.
type entry struct {
	record Record
	size   int
	call   *call
}

// overhead is more than Kafka adds to a record beside its contents.
const overhead = 48

func sizeOf(r Record) int {
	n := overhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 10 + len(h.Name) + len(h.Value)
	}
	return n
}

// queue sends to one partition, one request after the other: a second request
// under way could overtake the first when that has to be repeated.
type queue struct {
	owner *Publisher
	at    place

	mu      sync.Mutex
	waiting []entry
	busy    bool // somebody works
}

// work sends until nothing waits.
func (q *queue) work() {
	for {
		batch := q.take()
		if len(batch) == 0 {
			return
		}
		err := q.send(batch)
		for _, e := range batch {
			e.call.finish(1, err)
		}
	}
}

// take returns the next batch; none ends the work. What belongs to a call that
// has failed is not sent: the caller will publish all of it again, and a later
// message must not arrive before an earlier one of its key.
func (q *queue) take() []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	var batch []entry
	for _, e := range q.waiting {
		if len(batch) == q.owner.cfg.BatchSize || bytes+e.size > q.owner.cfg.BatchBytes {
			break
		}
		n++
		if err := e.call.err(); err != nil {
			e.call.finish(1, err)
			continue
		}
		batch, bytes = append(batch, e), bytes+e.size
	}
	q.waiting = q.waiting[n:]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	q.busy = len(batch) > 0
	return batch
}

// send repeats a request until the broker has it, there is no hope, patience
// ends, or the publisher closes.
func (q *queue) send(batch []entry) error {
	p := q.owner
	deadline := p.cfg.After(p.cfg.Patience)
	for attempt := 1; ; attempt++ {
		err := q.produce(batch)
		if err == nil {
			if attempt > 1 {
				p.cfg.Failing(q.at.topic, q.at.partition, nil)
			}
			return nil
		}
		p.cfg.Failing(q.at.topic, q.at.partition, err)
		p.cfg.Logger.Warn("messages cannot be sent", "topic", q.at.topic, "partition", q.at.partition, "messages", len(batch), "attempt", attempt, "error", err)
		if hopeless(err) {
			return err
		}
		select {
		case <-p.cfg.After(p.cfg.Backoff(attempt)):
		case <-deadline:
			return err
		case <-p.closing:
			return errors.Join(ErrClosed, err)
		}
	}
}

// produce sends a request that all replicas in sync must acknowledge.
func (q *queue) produce(batch []entry) error {
	p := q.owner
	records := make([]kafkago.Record, len(batch))
	for i, e := range batch {
		r := kafkago.Record{Value: kafkago.NewBytes(e.record.Value), Time: e.record.Time}
		if e.record.Key != nil {
			r.Key = kafkago.NewBytes(e.record.Key)
		}
		r.Headers = make([]kafkago.Header, len(e.record.Headers))
		for j, h := range e.record.Headers {
			r.Headers[j] = kafkago.Header{Key: h.Name, Value: h.Value}
		}
		records[i] = r
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Timeout)
	defer cancel()
	answer, err := p.cluster.client.Produce(ctx, &kafkago.ProduceRequest{Topic: q.at.topic, Partition: q.at.partition,
		RequiredAcks: kafkago.RequireAll, Compression: p.codec, Records: kafkago.NewRecordReader(records...)})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return fmt.Errorf("partition %d: %w", q.at.partition, err)
	}
	return nil
}
