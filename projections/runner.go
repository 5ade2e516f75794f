package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// Clock is the time a runner goes by.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now().UTC() }

// After implements Clock.
func (SystemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Config says where a runner reads and writes. Dir, Store and Codec are needed.
type Config struct {
	Dir       string // where the models' files are; made when missing
	Store     streams.Store
	Codec     *streams.Codec
	Logger    *slog.Logger                    // default: discard
	Clock     Clock                           // default: SystemClock
	BatchSize int                             // most events of one transaction; default 2,000
	Linger    time.Duration                   // least time between two transactions of a live model, unless somebody waits for it; default 0
	Attempts  int                             // tries of a failing event before its stream is parked; default 5
	NoSync    bool                            // for tests only: see sqlite.Options
	Backoff   func(attempt int) time.Duration // wait after the attempt-th failure, from 1; default 100 ms, doubling, at most 5 s
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = SystemClock{}
	}
	if c.BatchSize == 0 {
		c.BatchSize = 2000
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int) time.Duration {
			return min(100*time.Millisecond<<min(attempt-1, 10), 5*time.Second)
		}
	}
}

// Runner keeps a set of read models up to date with the log. Each model has its
// own file, its own subscription and its own goroutine: a slow or failing one
// does not hold up the others.
//
// An event that a model cannot apply is retried, then parked together with all
// later events of its stream, while other streams flow on; nothing is ever
// skipped. See Parked and Retry.
//
// A model whose version has changed, or whose file is missing, damaged or ahead
// of the log, is folded into a new file from the start of the log. Until that has
// caught up once, reading it is refused with SERVICE_UNAVAILABLE (the other
// models serve), and then the older file is removed. A model of the right version
// can be folded again beside the living one; see Rebuild.
type Runner struct {
	cfg     Config
	workers []*worker
	byName  map[string]*worker
	hooks   []func(model string, events []domain.Event)
	flushes []func(model string)
	obeyed  watermark // decisions to leave events out are followed up to here

	mu      sync.Mutex
	living  context.Context    // ends with Stop; nil before Start
	cancel  context.CancelFunc // of living
	stopped bool
	running sync.WaitGroup
}

// Open opens the files of the models, making what is missing. A corrupt file,
// or one that is ahead of the log (the log was restored from an older backup),
// is emptied and will be folded again.
func Open(ctx context.Context, cfg Config, models ...Model) (*Runner, error) {
	cfg.setDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	if err := removeIncoming(cfg.Dir); err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	head, err := cfg.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read models: head of the log: %w", err)
	}
	r := &Runner{cfg: cfg, byName: map[string]*worker{}}
	r.obeyed.set(head) // opening the models reads what was decided before
	for _, m := range models {
		if _, twice := r.byName[m.Name()]; twice {
			return nil, errors.Join(fmt.Errorf("two read models are named %s", m.Name()), r.close())
		}
		w, err := r.newWorker(ctx, m, head)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.workers = append(r.workers, w)
		r.byName[m.Name()] = w
	}
	return r, nil
}

func (r *Runner) options() sqlite.Options { return sqlite.Options{NoSync: r.cfg.NoSync} }

// OnCommit registers a function that is told of every commit of every model
// before the model's position moves, so that caches are clean when a reader who
// waited for the position reads. It must be called before Start and must be quick.
func (r *Runner) OnCommit(hook func(model string, events []domain.Event)) {
	r.hooks = append(r.hooks, hook)
}

// OnReplace registers a function that is told when other rows take the place of
// a model's rows, after a rebuild or a damage: caches must drop everything they
// know of the model. It must be called before Start and must be quick.
func (r *Runner) OnReplace(flush func(model string)) { r.flushes = append(r.flushes, flush) }

func (r *Runner) replaced(model string) {
	for _, flush := range r.flushes {
		flush(model)
	}
}

func (r *Runner) committed(model string, events []domain.Event) {
	if len(events) == 0 {
		return
	}
	for _, hook := range r.hooks {
		hook(model, events)
	}
}

// Start begins to follow the log. It returns at once; see WaitLive.
func (r *Runner) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil || r.stopped {
		return errors.New("read models can be started only once")
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.living = ctx
	r.running.Go(func() { r.obey(ctx) })
	for _, w := range r.workers {
		r.running.Go(func() { w.run(ctx) })
		w.rebuild.resume(r)
	}
	return nil
}

// Stop ends following the log, waits for the running transactions and closes
// the files. A stopped runner cannot be started again.
func (r *Runner) Stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	r.stopped = true
	if r.cancel != nil {
		r.cancel()
		r.running.Wait()
	}
	return r.close()
}

func (r *Runner) close() error {
	var errs []error
	for _, w := range r.workers {
		errs = append(errs, w.close())
	}
	return errors.Join(errs...)
}

// Reader returns what a model's queries read from.
func (r *Runner) Reader(model string) (Reader, error) {
	w, err := r.worker(model)
	if err != nil {
		return nil, err
	}
	return &w.handle, nil
}

// Wait blocks until the committed rows of a model reflect the log up to pos, or
// ctx ends. It answers how many positions are still missing, 0 when none.
// Events the model does not want count as reflected as soon as it has passed them.
func (r *Runner) Wait(ctx context.Context, model string, pos domain.Position) (lag uint64, err error) {
	w, err := r.worker(model)
	if err != nil {
		return 0, err
	}
	if at := w.mark.wait(ctx, pos); at < pos {
		return uint64(pos - at), nil
	}
	return 0, nil
}

// WaitLive blocks until every model has caught up with the log once and built
// its indexes, or ctx ends.
func (r *Runner) WaitLive(ctx context.Context) error {
	for _, w := range r.workers {
		select {
		case <-w.live:
		case <-ctx.Done():
			return fmt.Errorf("read model %s is still catching up: %w", w.model.Name(), ctx.Err())
		}
	}
	return nil
}

func (r *Runner) worker(model string) (*worker, error) {
	w, ok := r.byName[model]
	if !ok {
		return nil, domain.NotFound("read model", model)
	}
	return w, nil
}

// Ready tells whether a model can be read. Errors: NOT_FOUND for an unknown one;
// SERVICE_UNAVAILABLE, with what it is waiting for, while it is being built.
func (r *Runner) Ready(model string) error {
	w, err := r.worker(model)
	if err != nil {
		return err
	}
	return w.ready()
}
