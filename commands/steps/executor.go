package steps

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"strata/commands"
)

// Config of an Executor. Handler is needed.
type Config struct {
	Handler *commands.Handler
	Logger  *slog.Logger // default: discards
	// Slots is how many steps are performed at once, Share how many of them one
	// workspace may have. Defaults: 256, and three quarters of the slots.
	Slots, Share int
	// Grace is how long steps in flight may go on when the executor is told to end.
	// Those that have not ended then are stopped; they are performed again after the
	// next start. Default 2 s.
	Grace time.Duration
	// After is the clock that is waited by; the handler's says what is due.
	// Default time.After.
	After func(d time.Duration) <-chan time.Time
	// At is called with the name of a point that has been reached, for tests that
	// stop a process there; nil: nothing.
	At func(point string)
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Slots == 0 {
		c.Slots = 256
	}
	if c.Share == 0 {
		c.Share = max(1, c.Slots*3/4)
	}
	if c.Grace == 0 {
		c.Grace = 2 * time.Second
	}
	if c.After == nil {
		c.After = time.After
	}
}

const (
	// openAtOnce is how many open runs are asked for together after a start.
	openAtOnce = 500
	// mostLooks bounds how many runs that were open at the start wait to be looked
	// at: reading them all at once would fill the memory with their states.
	mostLooks = 2_000
	// firstPause and longestPause are how long a run, or a step of it, is left alone
	// after a fault of ours, doubled each time.
	firstPause   = time.Second
	longestPause = time.Minute
)

// Executor performs runs. It is safe for concurrent use.
type Executor struct {
	cfg      Config
	machines map[string]machine // by category

	mu      sync.Mutex
	runs    map[string]*run // by stream; those that are queued, looked at, in flight or wait for an alarm
	queue   *queue
	alarms  alarms
	busy    int  // workers
	running bool // runs are taken from the queue
	base    context.Context
	workers sync.WaitGroup

	alarmed chan struct{} // holds a token when the next alarm may be another
	drained chan struct{} // holds a token when the queue has become short
}

// New makes an Executor. Add its machines before Run.
func New(cfg Config) *Executor {
	cfg.setDefaults()
	return &Executor{
		cfg: cfg, machines: map[string]machine{}, runs: map[string]*run{}, queue: newQueue(cfg.Share),
		alarmed: make(chan struct{}, 1), drained: make(chan struct{}, 1),
	}
}

// Add makes the executor perform a kind of run.
func Add[S, J any](e *Executor, m Machine[S, J]) {
	e.machines[m.Aggregate.Category] = bound[S, J]{m}
}

// Status is what an executor has to do.
type Status struct {
	Waiting  int // runs that are to be looked at
	InFlight int // steps that are being performed
	Alarms   int // runs that wait for a time that is near
}

// Status tells what the executor has to do.
func (e *Executor) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{Waiting: e.queue.length}
	for _, r := range e.runs {
		s.InFlight += len(r.flights)
		if !r.alarm.IsZero() {
			s.Alarms++
		}
	}
	return s
}

func (e *Executor) reached(point string) {
	if e.cfg.At != nil {
		e.cfg.At(point)
	}
}

// Run performs runs until ctx ends, beginning with those that are open. It
// returns when no step is in flight any more, with ctx's error.
func (e *Executor) Run(ctx context.Context) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	e.mu.Lock()
	e.running, e.base = true, base
	e.hire()
	e.mu.Unlock()
	var helpers sync.WaitGroup
	helpers.Go(func() { e.ring(ctx) })
	helpers.Go(func() { e.resume(ctx) })
	<-ctx.Done()
	e.mu.Lock()
	e.running = false
	e.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		e.workers.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-e.cfg.After(e.cfg.Grace):
		cut()
		<-idle
	}
	helpers.Wait()
	return ctx.Err()
}

// resume looks at every run that is open.
func (e *Executor) resume(ctx context.Context) {
	for category, m := range e.machines {
		for faults := 1; ; faults++ {
			err := e.resumeAll(ctx, category, m)
			if err == nil || ctx.Err() != nil {
				break
			}
			e.cfg.Logger.WarnContext(ctx, "open runs could not be listed; trying again", "category", category, "error", err)
			e.pause(ctx, patience(faults))
		}
	}
}

func (e *Executor) resumeAll(ctx context.Context, category string, m machine) error {
	after := ""
	for {
		refs, err := m.open(ctx, after, openAtOnce)
		if err != nil || len(refs) == 0 {
			return err
		}
		for _, ref := range refs {
			e.Wake(category, ref)
		}
		after = refs[len(refs)-1].ID
		for e.Status().Waiting > mostLooks {
			select {
			case <-e.drained:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// patience is how long to wait after so many faults in a row.
func patience(faults int) time.Duration {
	return min(firstPause<<min(faults-1, 10), longestPause)
}

func (e *Executor) pause(ctx context.Context, d time.Duration) {
	select {
	case <-e.cfg.After(d):
	case <-ctx.Done():
	}
}

// Wake has a run looked at: something has happened to it that its executor has
// not recorded itself. It costs little, and is harmless when nothing has.
func (e *Executor) Wake(category string, ref Ref) {
	m := e.machines[category]
	if m == nil || ref.ID == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := category + "-" + ref.ID
	r := e.runs[key]
	if r == nil {
		r = &run{key: key, machine: m, ref: ref}
		e.runs[key] = r
	}
	e.wake(r)
}

// wake queues a run. The caller holds the lock, as for all below that say so.
func (e *Executor) wake(r *run) {
	if r.queued {
		return
	}
	if r.looking {
		r.again = true
		return
	}
	r.queued = true
	e.queue.push(r)
	e.hire()
}

// hire starts workers for what can be worked on. The caller holds the lock.
func (e *Executor) hire() {
	for e.running && e.busy < e.cfg.Slots {
		r := e.take()
		if r == nil {
			return
		}
		e.busy++
		e.workers.Go(func() { e.work(r) })
	}
}

// take takes a run from the queue to be looked at. The caller holds the lock.
func (e *Executor) take() *run {
	r := e.queue.pop()
	if r == nil {
		return nil
	}
	r.queued, r.looking = false, true
	if e.queue.length == mostLooks/2 || e.queue.length == 0 {
		signal(e.drained)
	}
	return r
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is a token already
	}
}

// work serves one run after the other while there are any.
func (e *Executor) work(r *run) {
	for r != nil {
		e.serve(r)
		e.mu.Lock()
		e.queue.done(r)
		if r = nil; e.running {
			r = e.take()
		}
		if r == nil {
			e.busy--
		} else {
			e.hire() // a share may have become free
		}
		e.mu.Unlock()
	}
}
