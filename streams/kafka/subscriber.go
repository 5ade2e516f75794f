package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
)

// SubscriberConfig says what is received, and how much at the same time.
type SubscriberConfig struct {
	Connection
	Marshaler Marshaler // default: Plain{}

	// Group shares a topic's partitions among its members and remembers how far
	// they came. Without one, every subscription receives everything, anew.
	Group  string
	Newest bool // begin with what comes from now on, where the group has no offset; default: at the beginning

	Window      int           // most messages of a partition handed out, or waiting behind one of their key; default 256
	FetchBytes  int           // most bytes of one answer, for each partition; default 1 MiB
	CommitEvery time.Duration // least time between two commits of a partition; default 200 ms
	Drain       time.Duration // how long handlers may go on when a partition is given up, or on Close; default 5 s

	Session   time.Duration // after so long without a heartbeat a member is taken for dead; default 30 s
	Heartbeat time.Duration // how often a member tells that it lives, and learns of a rebalance; default 1 s
	Rebalance time.Duration // how long members have to give up their partitions; default 30 s
	Watch     time.Duration // how often it is looked whether a topic has more partitions; default 5 s

	Backoff func(attempt int) time.Duration        // before a nacked message comes again, and another try; default 50 ms, doubling, at most 10 s
	After   func(d time.Duration) <-chan time.Time // clock; default time.After
	Failing func(err error)                        // told why nothing can be received, and nil when it can again; may be nil
}

func (c *SubscriberConfig) prepare() error {
	faults := []error{c.Connection.prepare()}
	for _, n := range []int{c.Window, c.FetchBytes} {
		if n < 0 {
			faults = append(faults, errors.New("window and size of fetches cannot be negative"))
		}
	}
	if c.Marshaler == nil {
		c.Marshaler = Plain{}
	}
	if c.Backoff == nil {
		c.Backoff = defaultBackoff
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Failing == nil {
		c.Failing = func(error) {}
	}
	c.Window = cmp.Or(c.Window, 256)
	c.FetchBytes = cmp.Or(c.FetchBytes, 1<<20)
	c.CommitEvery = cmp.Or(c.CommitEvery, 200*time.Millisecond)
	c.Drain = cmp.Or(c.Drain, 5*time.Second)
	c.Session = cmp.Or(c.Session, 30*time.Second)
	c.Heartbeat = cmp.Or(c.Heartbeat, time.Second)
	c.Rebalance = cmp.Or(c.Rebalance, 30*time.Second)
	c.Watch = cmp.Or(c.Watch, 5*time.Second)
	for _, d := range []time.Duration{c.CommitEvery, c.Drain, c.Session, c.Heartbeat, c.Rebalance, c.Watch} {
		if d < 0 {
			faults = append(faults, fmt.Errorf("a duration is %s", d))
		}
	}
	// A member that drains sends no heartbeats.
	if c.Drain >= c.Session || c.Drain >= c.Rebalance || c.Heartbeat >= c.Session {
		faults = append(faults, fmt.Errorf("drain (%s) and heartbeat (%s) must be shorter than session (%s) and rebalance (%s)",
			c.Drain, c.Heartbeat, c.Session, c.Rebalance))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("kafka subscriber: %w", err)
	}
	return nil
}

// Subscriber is a Watermill subscriber. Every subscription is a member of the
// group by itself.
type Subscriber struct {
	cfg     SubscriberConfig
	cluster *cluster

	mu      sync.Mutex
	closed  bool
	stops   map[*subscription]struct{}
	running sync.WaitGroup
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// NewSubscriber makes a subscriber. The cluster is asked by Subscribe.
func NewSubscriber(cfg SubscriberConfig) (*Subscriber, error) {
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	c, err := connect(cfg.Connection)
	if err != nil {
		return nil, err
	}
	return &Subscriber{cfg: cfg, cluster: c, stops: map[*subscription]struct{}{}}, nil
}

// SubscribeInitialize implements message.SubscribeInitializer: it makes the
// topic, if there is none.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	_, err := s.cluster.partitions(context.Background(), topic)
	return err
}

// Subscribe implements message.Subscriber. It does not wait for the cluster:
// the subscription joins as soon as that can be reached, and again whenever it
// was lost. The messages' contexts descend from ctx, and its end is the
// subscription's.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	out := make(chan *message.Message)
	d := newSubscription(ctx, &s.cfg, s.cluster, topic, func(d *subscription, partition int, offset int64, g *kafkago.Generation) func(context.Context) {
		return newClaim(d, out, partition, offset, g).run
	})
	s.stops[d] = struct{}{}
	s.running.Go(func() {
		defer close(out)
		d.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.stops, d)
	})
	return out, nil
}

// Close implements message.Subscriber. Handlers may finish within the time to
// drain, and what they acked is committed; then messages are cancelled.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	for d := range s.stops {
		d.stop()
	}
	s.mu.Unlock()
	s.running.Wait()
	s.cluster.close()
	return nil
}
