package logbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"strata/domain"
	"strata/streams"
)

// Reactor does something about events: it issues commands, calls a webhook,
// sends a message. Handle is called at least once for every matching event, in
// order per stream, for several streams at once; what it does must therefore be
// harmless when done twice (deterministic ids). An error makes it be called
// again with a backoff, and parks the event's stream in the end.
type Reactor interface {
	Name() string            // of the checkpoint and the metrics; never changes
	Filter() *streams.Filter // nil: every event
	Handle(ctx context.Context, e domain.Event) error
}

// Skipper is a Reactor that can tell from an event as it is stored that there is
// nothing to do: that spares the event a message and its decoding.
type Skipper interface {
	Skip(stored streams.Recorded) bool
}

// BatchWriter copies events to another store, many at once, in the log's order.
type BatchWriter interface {
	Name() string
	Filter() *streams.Filter // nil: every event
	// Write stores events. After an error, or a crash, the same events may come
	// again: alone from the first on, or cut into other batches.
	Write(ctx context.Context, events []domain.Event) error
	// Resume tells up to which position everything is stored, 0 for nothing.
	// It is asked at the start and after every interruption.
	Resume(ctx context.Context) (domain.Position, error)
}

// Sized is a BatchWriter whose events are so large that fewer than the router's
// BatchSize should be in memory at once.
type Sized interface {
	BatchSize() int
}

// Config is what a Router works with. Store, Codec and State are needed.
type Config struct {
	Store   streams.Store
	Codec   *streams.Codec
	State   *State
	Logger  *slog.Logger          // default: discard
	Metrics prometheus.Registerer // nil: none
	Tracing trace.TracerProvider  // nil: none

	Window     int           // most events under way per reactor; default 256
	Retries    int           // further tries of a failing event before its stream is parked; default 5
	RetryAfter time.Duration // wait before the first of them, doubling up to 100 times as long; default 100 ms
	BatchSize  int           // most events of a batch; default 10,000
	BatchWait  time.Duration // longest that an event waits for its batch to fill; default 300 ms
	Drain      time.Duration // how long Stop waits for handlers; default 5 s

	Now   func() time.Time                       // clock; default time.Now
	After func(d time.Duration) <-chan time.Time // clock; default time.After
}

func (c *Config) setDefaults() error {
	if c.Store == nil || c.Codec == nil || c.State == nil {
		return errors.New("router: store, codec and state are needed")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Tracing == nil {
		c.Tracing = noop.NewTracerProvider()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	setInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	setInt(&c.Window, 256)
	setInt(&c.Retries, 5)
	setInt(&c.BatchSize, 10_000)
	setTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	setTime(&c.RetryAfter, 100*time.Millisecond)
	setTime(&c.BatchWait, 300*time.Millisecond)
	setTime(&c.Drain, 5*time.Second)
	return nil
}

// Router runs reactors and writers on one Watermill router. Add them before Start.
type Router struct {
	cfg     Config
	router  *message.Router
	metrics *metrics

	members  []*member
	reactors map[string]Reactor

	leftOut  leftOut    // what operators have discarded
	obeyed   level      // decisions about that are followed up to here
	retrying sync.Mutex // held while parked events of a stream are handled

	mu       sync.Mutex
	stopObey context.CancelFunc
	obeying  sync.WaitGroup
	started  bool
	stopped  bool
	done     chan error
}

// member is a reactor or a writer with what stops it and tells its progress.
type member struct {
	name     string
	sub      message.Subscriber
	progress func() (low domain.Position, underWay int, ok bool)
	writer   bool
	fault    *fault
}

// detached keeps the router's context from a subscriber: Watermill cancels it
// as soon as it begins to close, and with it every handler under way. Stop
// closes the subscribers itself, which lets handlers finish.
type detached struct{ message.Subscriber }

// Subscribe implements message.Subscriber.
func (d detached) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return d.Subscriber.Subscribe(context.WithoutCancel(ctx), topic)
}

// NewRouter makes a router with its middleware: traces and metrics of every
// message, panics turned into errors, correlation ids handed on.
func NewRouter(cfg Config) (*Router, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	logger := watermill.NewSlogLoggerWithLevelMapping(cfg.Logger, map[slog.Level]slog.Level{
		slog.LevelInfo: slog.LevelDebug, // Watermill tells of every handler it starts
	})
	// Watermill waits for handlers after the subscribers have been drained.
	wm, err := message.NewRouter(message.RouterConfig{CloseTimeout: cfg.Drain + time.Second}, logger)
	if err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	r := &Router{cfg: cfg, router: wm, reactors: map[string]Reactor{}, done: make(chan error, 1)}
	if r.metrics, err = newMetrics(cfg.Metrics); err != nil {
		return nil, err
	}
	wm.AddMiddleware(traced(cfg.Tracing), r.metrics.measured, middleware.CorrelationID)
	return r, nil
}

func (r *Router) admit(added *member) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started {
		return fmt.Errorf("router: %s comes after the start", added.name)
	}
	for _, m := range r.members {
		if m.name == added.name {
			return fmt.Errorf("router: there are two of the name %s", added.name)
		}
	}
	r.members = append(r.members, added)
	return nil
}

// AddReactor registers a reactor.
func (r *Router) AddReactor(reactor Reactor) error {
	name, filter := reactor.Name(), reactor.Filter()
	if filter == nil {
		filter = &streams.Filter{} // everything, not the category called like the reactor
	}
	var skip func(streams.Recorded) bool
	if s, ok := reactor.(Skipper); ok {
		skip = s.Skip
	}
	fault := &fault{}
	sub := NewSubscriber(r.cfg.Store, SubscriberConfig{Filter: filter, Skip: skip, Checkpoints: r.cfg.State, Window: r.cfg.Window,
		Drain: r.cfg.Drain, After: r.cfg.After, Logger: r.cfg.Logger, Failing: fault.set})
	if err := r.admit(&member{name: name, sub: sub, progress: sub.progress, fault: fault}); err != nil {
		return err
	}
	r.reactors[name] = reactor
	handler := r.router.AddConsumerHandler(name, name, detached{sub}, func(m *message.Message) error {
		e, err := RecordedOf(m)
		if err != nil {
			return err
		}
		return r.handle(m.Context(), reactor, e)
	})
	handler.AddMiddleware(r.parking(name), middleware.Retry{
		MaxRetries: r.cfg.Retries, InitialInterval: r.cfg.RetryAfter, MaxInterval: 100 * r.cfg.RetryAfter, Multiplier: 2,
	}.Middleware, middleware.Recoverer)
	return nil
}

func (r *Router) handle(ctx context.Context, reactor Reactor, stored streams.Recorded) error {
	e, err := r.cfg.Codec.Decode(stored)
	if err != nil {
		return err
	}
	return reactor.Handle(ctx, e)
}

// AddWriter registers a batch writer. A batch that fails is tried again until
// it succeeds; only an event that cannot be decoded is parked.
func (r *Router) AddWriter(w BatchWriter) error {
	name, size := w.Name(), r.cfg.BatchSize
	if s, ok := w.(Sized); ok {
		size = min(size, s.BatchSize())
	}
	fault := &fault{}
	sub := newBatchSubscriber(r.cfg.Store, batchConfig{name: name, filter: w.Filter(), resume: w.Resume, size: size,
		wait: r.cfg.BatchWait, drain: r.cfg.Drain, backoff: defaultBackoff, after: r.cfg.After, logger: r.cfg.Logger, failing: fault.set})
	progress := func() (domain.Position, int, bool) { return sub.track.position(), sub.track.underWay(), true }
	if err := r.admit(&member{name: name, sub: sub, progress: progress, writer: true, fault: fault}); err != nil {
		return err
	}
	handler := r.router.AddConsumerHandler(name, name, detached{sub}, func(m *message.Message) error {
		stored, ok := batchOf(m)
		if !ok {
			return errors.New("message holds no batch")
		}
		events, err := r.decodeBatch(m.Context(), name, stored)
		if err != nil {
			return err
		}
		return w.Write(m.Context(), events)
	})
	handler.AddMiddleware(middleware.Recoverer)
	return nil
}

// decodeBatch decodes on all processors: for a writer of wide rows decoding is
// most of the work.
func (r *Router) decodeBatch(ctx context.Context, name string, stored []streams.Recorded) ([]domain.Event, error) {
	events := make([]domain.Event, len(stored))
	faults := make([]error, len(stored))
	parts := max(1, min(runtime.GOMAXPROCS(0), len(stored)/256))
	var all sync.WaitGroup
	for part := range parts {
		all.Go(func() {
			for i := part * len(stored) / parts; i < (part+1)*len(stored)/parts; i++ {
				events[i], faults[i] = r.cfg.Codec.Decode(stored[i])
			}
		})
	}
	all.Wait()
	good := events[:0]
	for i, fault := range faults {
		if r.leftOut.has(name, stored[i].Position) {
			continue
		}
		if fault == nil {
			good = append(good, events[i])
			continue
		}
		r.cfg.Logger.ErrorContext(ctx, "event cannot be decoded and is parked", "writer", name, "position", stored[i].Position, "error", fault)
		if err := r.cfg.State.park(ctx, name, stored[i], fault, r.cfg.Now()); err != nil {
			return nil, err
		}
	}
	return good, nil
}

// Start runs everything that was added and returns when all of it is subscribed.
func (r *Router) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started {
		return errors.New("router: already started")
	}
	if err := r.beginObeying(); err != nil {
		return err
	}
	r.started = true
	go func() { r.done <- r.router.Run(context.Background()) }()
	select {
	case <-r.router.Running():
		return nil
	case err := <-r.done:
		r.done <- err
		return fmt.Errorf("router: %w", err)
	}
}

// Stop stops handing out events, waits for handlers to finish, saves the
// checkpoints and returns. A router cannot be started again.
func (r *Router) Stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	r.stopped = true
	if r.stopObey != nil {
		r.stopObey()
		r.obeying.Wait()
	}
	var draining sync.WaitGroup
	faults := make([]error, len(r.members))
	for i, m := range r.members {
		draining.Go(func() { faults[i] = m.sub.Close() })
	}
	var closing error
	if r.started { // else Watermill would wait for handlers that never ran
		closing = errors.Join(r.router.Close(), <-r.done)
	}
	draining.Wait()
	if err := errors.Join(append(faults, closing)...); err != nil {
		return fmt.Errorf("router: %w", err)
	}
	return nil
}

// Status describes a reactor or writer.
type Status struct {
	Name     string          `json:"name"`
	Writer   bool            `json:"writer"`   // copies events to another store
	Position domain.Position `json:"position"` // everything up to here is handled or parked
	Lag      uint64          `json:"lag"`      // positions behind the log's head
	UnderWay int             `json:"under_way"`
	Parked   int             `json:"parked"`
	Error    string          `json:"error,omitempty"` // why the log or the store cannot be followed now
}

// Status describes every reactor and writer.
func (r *Router) Status(ctx context.Context) ([]Status, error) {
	head, err := r.cfg.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	var all []Status
	for _, m := range r.members {
		s := Status{Name: m.name, Writer: m.writer, Parked: r.cfg.State.parkedBy(m.name), Error: m.fault.text()}
		if low, underWay, ok := m.progress(); ok {
			s.Position, s.UnderWay = low, underWay
		}
		if head > s.Position {
			s.Lag = uint64(head - s.Position)
		}
		all = append(all, s)
	}
	return all, nil
}
