package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Sink stores what a topic holds, many records at once.
type Sink interface {
	// Open begins with a partition that is ours from now on. It may wait for
	// whoever had it before; after an error it is tried again.
	Open(ctx context.Context, topic string, partition int) (Lane, error)
}

// Lane stores the records of one partition, in their order.
type Lane interface {
	// Write stores records; they are in order, and none was left out between two
	// calls. Nil means that they are stored for good: their offset is committed.
	// After an error, the end of the process, or the loss of the partition,
	// records come again from the last committed offset on, cut otherwise,
	// perhaps to somebody else: it is the lane's task to recognise them.
	Write(ctx context.Context, records []Record) error
	// Close ends it: the partition is no longer ours.
	Close() error
}

// ConsumerConfig says what a Consumer reads. Group is needed; Marshaler and
// Window are not used.
type ConsumerConfig struct {
	SubscriberConfig
	BatchSize  int           // a batch is written as soon as it has so many records; default 10,000
	BatchBytes int           // or so many bytes; default 16 MiB
	BatchWait  time.Duration // or when its first record has waited so long; default 1 s
}

func (c *ConsumerConfig) prepare() error {
	faults := []error{c.SubscriberConfig.prepare()}
	if c.Group == "" {
		faults = append(faults, errors.New("kafka consumer: group: there is none"))
	}
	if c.BatchSize < 0 || c.BatchBytes < 0 || c.BatchWait < 0 {
		faults = append(faults, errors.New("kafka consumer: sizes of batches cannot be negative"))
	}
	c.BatchSize = cmp.Or(c.BatchSize, 10_000)
	c.BatchBytes = cmp.Or(c.BatchBytes, 16<<20)
	c.BatchWait = cmp.Or(c.BatchWait, time.Second)
	return errors.Join(faults...)
}

// Consumer copies a topic into a sink. Several of a group, in several
// processes, share the topic's partitions; each partition has one at a time, as
// far as the brokers can tell. A process that hung may still believe that it
// has a partition: the sink must keep such a one out.
type Consumer struct {
	cfg     ConsumerConfig
	sink    Sink
	cluster *cluster

	mu    sync.Mutex
	sub   *subscription // nil: not running
	lanes map[int]*laneClaim
}

// NewConsumer makes a consumer. It does nothing until Run.
func NewConsumer(cfg ConsumerConfig, sink Sink) (*Consumer, error) {
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	c, err := connect(cfg.Connection)
	if err != nil {
		return nil, err
	}
	return &Consumer{cfg: cfg, sink: sink, cluster: c, lanes: map[int]*laneClaim{}}, nil
}

// Run copies a topic until ctx ends. Batches that are being written then may
// finish within the time to drain. It is called once.
func (c *Consumer) Run(ctx context.Context, topic string) error {
	defer c.cluster.close()
	d := newSubscription(ctx, &c.cfg.SubscriberConfig, c.cluster, topic, c.claim)
	c.mu.Lock()
	c.sub = d
	c.mu.Unlock()
	d.run()
	return ctx.Err()
}

// States of a lane.
const (
	LaneOpening = "opening" // the sink has not opened it yet: it may wait for whoever had it before
	LaneCopying = "copying"
	LaneFailing = "failing" // opening, reading or writing fails, and is tried again
)

// LaneStatus tells how far a partition that is ours has been copied.
type LaneStatus struct {
	Partition int    `json:"partition"`
	State     string `json:"state"`
	Offset    int64  `json:"offset"` // of the next record to be stored; -1: not known yet
	End       int64  `json:"end"`    // of the next record to be published, as last heard; -1: not known yet
}

// Lag is how many records are to be stored, as far as is known.
func (s LaneStatus) Lag() int64 {
	if s.Offset < 0 {
		return 0
	}
	return max(s.End-s.Offset, 0)
}

// Status describes the partitions that this consumer has, in order.
func (c *Consumer) Status() []LaneStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]LaneStatus, 0, len(c.lanes))
	for _, l := range c.lanes {
		out = append(out, LaneStatus{Partition: l.partition, State: l.state(), Offset: l.stored.Load(), End: cmp.Or(l.reader.end.Load(), -1)})
	}
	slices.SortFunc(out, func(a, b LaneStatus) int { return a.Partition - b.Partition })
	return out
}

// Failing tells whether anything fails now: finding the topic, being a member of
// the group, or a lane.
func (c *Consumer) Failing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sub != nil && c.sub.outage.lasts()
}

// laneClaim is a partition of a consumer while it is ours.
type laneClaim struct {
	owner      *Consumer
	sub        *subscription
	partition  int
	reader     *reader
	generation *kafkago.Generation
	stored     atomic.Int64
	opened     atomic.Bool
	faults     atomic.Int32 // how many of what is done at the same time fail now
}

func (l *laneClaim) state() string {
	switch {
	case l.faults.Load() > 0:
		return LaneFailing
	case !l.opened.Load():
		return LaneOpening
	}
	return LaneCopying
}

func (c *Consumer) claim(d *subscription, partition int, offset int64, g *kafkago.Generation) func(context.Context) {
	l := &laneClaim{owner: c, sub: d, partition: partition, generation: g, reader: newReader(c.cluster, d.topic, partition, offset, c.cfg.FetchBytes)}
	l.stored.Store(max(offset, -1))
	return l.run
}

// run copies the partition until ctx ends.
func (l *laneClaim) run(ctx context.Context) {
	reading, stop := context.WithCancel(l.sub.reading)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	l.owner.mu.Lock()
	l.owner.lanes[l.partition] = l
	l.owner.mu.Unlock()
	defer func() {
		l.owner.mu.Lock()
		defer l.owner.mu.Unlock()
		delete(l.owner.lanes, l.partition)
	}()
	lane, ok := l.open(reading)
	if !ok {
		return
	}
	l.opened.Store(true)
	records := make(chan []Record, readAhead)
	var reader sync.WaitGroup
	reader.Go(func() { l.read(reading, records) })
	l.copy(reading, lane, records)
	stop()
	reader.Wait()
	if err := lane.Close(); err != nil {
		l.sub.cfg.Logger.Warn("lane cannot be closed", "topic", l.sub.topic, "partition", l.partition, "error", err)
	}
}

// readAhead is how many answers of a broker wait while a batch is written.
const readAhead = 8

// again does something until it succeeds, or ctx ends.
func (l *laneClaim) again(ctx context.Context, what string, do func() error) bool {
	what = source(l.partition, what)
	defer l.sub.outage.gone(what)
	for attempt := 1; ctx.Err() == nil; attempt++ {
		err := do()
		if err == nil {
			l.sub.worked(what)
			return true
		}
		if ctx.Err() != nil {
			break
		}
		if attempt == 1 {
			l.faults.Add(1)
			defer l.faults.Add(-1)
		}
		l.sub.failing(what, err)
		select {
		case <-l.sub.cfg.After(l.sub.cfg.Backoff(attempt)):
		case <-ctx.Done():
		}
	}
	return false
}

func (l *laneClaim) open(ctx context.Context) (lane Lane, ok bool) {
	ok = l.again(ctx, "open", func() (err error) {
		lane, err = l.owner.sink.Open(ctx, l.sub.topic, l.partition)
		return err
	})
	return lane, ok
}

// read reads ahead until ctx ends.
func (l *laneClaim) read(ctx context.Context, out chan<- []Record) {
	for {
		var records []Record
		if !l.again(ctx, "read", func() (err error) { records, err = l.reader.next(ctx); return err }) {
			return
		}
		if len(records) == 0 {
			continue
		}
		select {
		case out <- records:
		case <-ctx.Done():
			return
		}
	}
}

// copy gathers batches and writes them until ctx ends.
func (l *laneClaim) copy(ctx context.Context, lane Lane, in <-chan []Record) {
	for {
		batch := l.gather(ctx, in)
		if ctx.Err() != nil {
			return
		}
		l.stored.CompareAndSwap(-1, batch[0].Offset)
		next := batch[len(batch)-1].Offset + 1
		if !l.again(ctx, "write", func() error { return l.write(ctx, lane, batch) }) {
			return
		}
		l.stored.Store(next)
		l.sub.commit(l.generation, l.partition, next)
	}
}

// write lets a batch under way finish for a while when ctx ends.
func (l *laneClaim) write(ctx context.Context, lane Lane, batch []Record) error {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	written := make(chan error, 1)
	go func() { written <- lane.Write(patient, batch) }()
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-written:
		return err
	case <-l.sub.cfg.After(l.sub.cfg.Drain):
		cancel()
		return <-written
	}
}

// gather collects a batch: it is full, its first record has waited long enough,
// or ctx ends.
func (l *laneClaim) gather(ctx context.Context, in <-chan []Record) []Record {
	var batch []Record
	var due <-chan time.Time
	for size := 0; len(batch) < l.owner.cfg.BatchSize && size < l.owner.cfg.BatchBytes; {
		select {
		case records := <-in:
			if batch == nil {
				due = l.sub.cfg.After(l.owner.cfg.BatchWait)
			}
			for _, r := range records {
				size += sizeOf(r)
			}
			batch = append(batch, records...)
		case <-due:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// CaughtUp returns when a group has committed everything of a topic that was
// there at the call, or the error of ctx.
func CaughtUp(ctx context.Context, connection Connection, group, topic string) error {
	if err := connection.prepare(); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	c, err := connect(connection)
	if err != nil {
		return err
	}
	defer c.close()
	var left map[int]int64 // the ends of those partitions that are behind; nil: not known yet
	for {
		// Leaders and coordinators may be about to move: only what stays so is an error.
		var err error
		if left == nil {
			left, err = c.ends(ctx, topic)
		}
		if err == nil {
			err = c.committed(ctx, group, topic, left)
		}
		if err == nil && len(left) == 0 || hopeless(err) {
			return err
		}
		select {
		case <-time.After(caughtUpPoll):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("group %s is behind in %d partitions of %s: %w", group, len(left), topic, ctx.Err()), err)
		}
	}
}

// ends returns where the partitions of a topic end that are not empty.
func (c *cluster) ends(ctx context.Context, topic string) (map[int]int64, error) {
	n, err := c.countPartitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := map[int]int64{}
	for p := range n {
		_, end, err := (&reader{cluster: c, topic: topic, partition: p}).bounds(ctx)
		if err != nil {
			return nil, err
		}
		if end > 0 {
			out[p] = end
		}
	}
	return out, nil
}

// caughtUpPoll is how often a group's offsets are asked for.
const caughtUpPoll = 50 * time.Millisecond

// committed takes the partitions away that a group has committed.
func (c *cluster) committed(ctx context.Context, group, topic string, left map[int]int64) error {
	if len(left) == 0 {
		return nil
	}
	answer, err := c.client.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: slices.Collect(maps.Keys(left))}})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return fmt.Errorf("offsets of group %s: %w", group, err)
	}
	for _, p := range answer.Topics[topic] {
		if end, behind := left[p.Partition]; behind && p.Error == nil && p.CommittedOffset >= end {
			delete(left, p.Partition)
		}
	}
	return nil
}
