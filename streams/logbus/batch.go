package logbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
)

// batchConfig says how events are gathered for a BatchWriter.
type batchConfig struct {
	name    string
	filter  *streams.Filter
	resume  func(ctx context.Context) (domain.Position, error)
	size    int
	wait    time.Duration // longest that the first event of a batch waits for others
	drain   time.Duration
	backoff func(attempt int) time.Duration
	after   func(d time.Duration) <-chan time.Time
	logger  *slog.Logger
	failing func(err error) // told why the writer cannot go on, and nil when it can again
}

// batchSubscriber delivers one message per batch. While a batch is under way
// the next one is gathered, so a slow writer gets large batches and a fast one
// small ones. A nacked batch comes again, the same, until it is acked: it is
// the writer's task to recognise what it has stored already.
type batchSubscriber struct {
	store streams.Store
	cfg   batchConfig
	track *tracker

	mu      sync.Mutex
	closed  bool
	stop    context.CancelFunc
	running sync.WaitGroup
}

type batchKey struct{}

// batchOf returns the events of a batch message.
func batchOf(m *message.Message) ([]streams.Recorded, bool) {
	b, ok := m.Context().Value(batchKey{}).([]streams.Recorded)
	return b, ok
}

func newBatchSubscriber(store streams.Store, cfg batchConfig) *batchSubscriber {
	return &batchSubscriber{store: store, cfg: cfg, track: newTracker(0)}
}

// Subscribe implements message.Subscriber. Where to begin is asked of the
// writer in the background: its database may still be starting.
func (s *batchSubscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stop != nil {
		return nil, ErrSubscriberClosed
	}
	living, kill := context.WithCancel(ctx)
	reading, stop := context.WithCancel(living)
	s.stop = stop
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer kill()
		defer close(out)
		s.run(reading, living, out)
	})
	return out, nil
}

// Close implements message.Subscriber: the batch under way may finish.
func (s *batchSubscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.stop != nil {
		s.stop()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

func (s *batchSubscriber) run(reading, living context.Context, out chan<- *message.Message) {
	for attempt := 1; reading.Err() == nil; attempt++ {
		before := s.track.position()
		err := s.follow(reading, living, out)
		if reading.Err() != nil {
			return
		}
		if s.track.position() > before {
			attempt = 1
		}
		s.cfg.failing(err)
		s.cfg.logger.Error("writer cannot go on", "writer", s.cfg.name, "error", err, "attempt", attempt)
		select {
		case <-s.cfg.after(s.cfg.backoff(attempt)):
		case <-reading.Done():
		}
	}
}

// follow resumes and delivers batches until something fails.
func (s *batchSubscriber) follow(reading, living context.Context, out chan<- *message.Message) (err error) {
	from, err := s.cfg.resume(reading)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	s.cfg.failing(nil)
	s.track.reset(from)
	sub, err := s.store.Subscribe(reading, from, s.cfg.filter)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	pump := &pump{sub: sub, size: s.cfg.size, batches: make(chan streams.Batch), fault: make(chan error, 1), enough: make(chan struct{})}
	var pumping sync.WaitGroup
	pumping.Go(func() { pump.run(reading) })
	defer func() {
		close(pump.enough)
		err = errors.Join(err, sub.Close())
		pumping.Wait()
	}()
	return s.deliver(reading, living, out, pump)
}

// pump reads ahead by one step, so that waiting for the log, for the clock and
// for an ack can be one select.
type pump struct {
	sub     streams.Subscription
	size    int
	batches chan streams.Batch
	fault   chan error
	enough  chan struct{}
}

func (p *pump) run(ctx context.Context) {
	for {
		b, err := p.sub.Next(ctx, p.size)
		if err != nil {
			p.fault <- err
			return
		}
		select {
		case p.batches <- b:
		case <-p.enough:
			return
		}
	}
}

// gathering is what deliver has in its hands.
type gathering struct {
	events []streams.Recorded
	upTo   domain.Position  // looked at so far
	due    <-chan time.Time // when the events must go, even if they are few
}

// deliver gathers batches and hands them out one after the other.
func (s *batchSubscriber) deliver(reading, living context.Context, out chan<- *message.Message, p *pump) error {
	var next gathering
	var acked chan error // of the batch under way
	ready := false
	for {
		if acked == nil && ready {
			batch := next
			next, ready = gathering{}, false
			acked = make(chan error, 1)
			go func() { acked <- s.handOver(reading, living, out, batch) }()
		}
		more := p.batches
		if len(next.events) >= s.cfg.size {
			more, ready = nil, true
			if acked == nil {
				continue
			}
		}
		select {
		case b := <-more:
			s.gather(&next, b)
		case <-next.due:
			next.due, ready = nil, true
		case err := <-acked:
			acked = nil
			if err != nil {
				return err
			}
		case err := <-p.fault:
			return errors.Join(err, wait(acked))
		case <-reading.Done():
			return errors.Join(reading.Err(), wait(acked))
		}
	}
}

func wait(acked chan error) error {
	if acked == nil {
		return nil
	}
	return <-acked
}

func (s *batchSubscriber) gather(g *gathering, b streams.Batch) {
	g.upTo = b.Position
	if len(b.Events) > 0 && len(g.events) == 0 {
		g.due = s.cfg.after(s.cfg.wait)
	}
	g.events = append(g.events, b.Events...)
	if len(g.events) == 0 {
		s.track.pass(g.upTo)
	}
}

// handOver delivers a batch until it is acked.
func (s *batchSubscriber) handOver(reading, living context.Context, out chan<- *message.Message, g gathering) error {
	first, last := g.events[0], g.events[len(g.events)-1]
	flight := s.track.start(last.Position)
	for attempt := 1; ; attempt++ {
		m := message.NewMessage(first.ID.String(), nil)
		m.Metadata[MetaPosition] = strconv.FormatUint(uint64(last.Position), 10)
		m.Metadata["events"] = strconv.Itoa(len(g.events))
		ctx, cancel := context.WithCancel(context.WithValue(living, batchKey{}, g.events))
		m.SetContext(ctx)
		acked, err := s.offer(reading, living, out, m)
		cancel()
		if acked {
			s.track.finish(flight)
			s.track.pass(g.upTo)
		}
		if acked || err != nil {
			return err
		}
		select {
		case <-s.cfg.after(s.cfg.backoff(attempt)):
		case <-reading.Done():
			return reading.Err()
		}
	}
}

// offer delivers a message and waits for the verdict. An error means that the
// subscription was stopped.
func (s *batchSubscriber) offer(reading, living context.Context, out chan<- *message.Message, m *message.Message) (acked bool, err error) {
	select {
	case out <- m:
	case <-reading.Done():
		return false, reading.Err()
	}
	var late <-chan time.Time
	stopping := reading.Done()
	for {
		select {
		case <-m.Acked():
			return true, nil
		case <-m.Nacked():
			return false, nil
		case <-stopping: // a while for the batch under way to finish
			stopping, late = nil, s.cfg.after(s.cfg.drain)
		case <-late:
			return false, context.DeadlineExceeded
		case <-living.Done():
			return false, living.Err()
		}
	}
}
