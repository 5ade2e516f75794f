package logbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
)

// Checkpoints keeps how far subscriptions have come.
type Checkpoints interface {
	// Load returns the position saved under a name, 0 when there is none.
	Load(ctx context.Context, name string) (domain.Position, error)
	// Save keeps a position.
	Save(ctx context.Context, name string, at domain.Position) error
}

// SubscriberConfig says what a Subscriber delivers. The zero value delivers a
// topic's category from the beginning of the log and keeps no checkpoint.
type SubscriberConfig struct {
	Name        string                      // of the checkpoint, before the topic: "<name>/<topic>"; the topic alone when ""
	Filter      *streams.Filter             // which events; default: the topic is a stream category
	Skip        func(streams.Recorded) bool // events that need no message; nil: none
	Checkpoints Checkpoints                 // nil: begin at the start of the log each time
	Window      int                         // most messages handed out or waiting behind one of their stream; default 256
	SaveEvery   time.Duration               // least time between two saves of a checkpoint; default 200 ms
	Drain       time.Duration               // how long Close waits for handlers before it cancels their messages; default 5 s

	// Backoff is the wait before a nacked message is delivered again, and
	// before the log is asked again after an error, from attempt 1. Default
	// 50 ms, doubling, at most 10 s.
	Backoff func(attempt int) time.Duration
	After   func(d time.Duration) <-chan time.Time // clock; default time.After
	Logger  *slog.Logger                           // default: discard

	// Failing is told why the log cannot be read, and nil when it can again. It
	// may be nil.
	Failing func(err error)
}

func (c *SubscriberConfig) setDefaults() {
	if c.Window == 0 {
		c.Window = 256
	}
	if c.SaveEvery == 0 {
		c.SaveEvery = 200 * time.Millisecond
	}
	if c.Drain == 0 {
		c.Drain = 5 * time.Second
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
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func defaultBackoff(attempt int) time.Duration {
	return min(50*time.Millisecond<<min(attempt-1, 10), 10*time.Second)
}

// Subscriber is a Watermill subscriber over the log. Every subscription follows
// the log by itself; messages of one stream come one at a time, in order, and a
// nacked one comes again before those behind it.
type Subscriber struct {
	store streams.Store
	cfg   SubscriberConfig

	mu      sync.Mutex
	closed  bool
	stops   map[*subscription]struct{}
	running sync.WaitGroup
}

var _ message.Subscriber = (*Subscriber)(nil)

// ErrSubscriberClosed is returned by Subscribe after Close.
var ErrSubscriberClosed = errors.New("subscriber is closed")

// NewSubscriber makes a subscriber over a store.
func NewSubscriber(store streams.Store, cfg SubscriberConfig) *Subscriber {
	cfg.setDefaults()
	return &Subscriber{store: store, cfg: cfg, stops: map[*subscription]struct{}{}}
}

// Subscribe implements message.Subscriber. The subscription begins at its
// checkpoint.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	name := topic
	if s.cfg.Name != "" {
		name = s.cfg.Name + "/" + topic
	}
	var from domain.Position
	if s.cfg.Checkpoints != nil {
		var err error
		if from, err = s.cfg.Checkpoints.Load(ctx, name); err != nil {
			return nil, fmt.Errorf("checkpoint of %s: %w", name, err)
		}
	}
	filter := s.cfg.Filter
	if filter == nil {
		filter = &streams.Filter{Categories: []string{topic}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrSubscriberClosed
	}
	d := newSubscription(ctx, s, name, filter, from)
	s.stops[d] = struct{}{}
	s.running.Go(func() {
		d.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.stops, d)
	})
	return d.out, nil
}

// Close implements message.Subscriber: no new messages, a while for those under
// way to be acked, then the checkpoints are saved.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	for d := range s.stops {
		d.stop()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// progress describes the subscriptions together: the lowest checkpoint and the
// number of messages under way. It answers false when nothing is subscribed.
func (s *Subscriber) progress() (low domain.Position, underWay int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.stops {
		at := d.track.position()
		if !ok || at < low {
			low = at
		}
		underWay += d.track.underWay()
		ok = true
	}
	return low, underWay, ok
}
