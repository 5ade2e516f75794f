package analytics

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/clickhouse"
)

// Topic names the writer in writer_progress.
const Topic = "inferences"

// WriterOptions tune the writer. The zero value has good defaults.
type WriterOptions struct {
	BatchRows  int           // a batch is written as soon as so many items wait; 0: 10,000
	MaxRows    int           // the most items in one batch, while catching up; 0: 5 batches
	MaxDelay   time.Duration // how long an item waits for others; 0: 500 ms
	RetryDelay time.Duration // the first pause after a fault, growing to 50 times itself; 0: 100 ms
	Owner      Owner         // who writes; without an Installation nobody is kept out
	Logger     *slog.Logger  // nil: none
}

func (o WriterOptions) withDefaults() WriterOptions {
	if o.BatchRows == 0 {
		o.BatchRows = 10_000
	}
	if o.MaxRows == 0 {
		o.MaxRows = 5 * o.BatchRows
	}
	if o.MaxDelay == 0 {
		o.MaxDelay = 500 * time.Millisecond
	}
	if o.RetryDelay == 0 {
		o.RetryDelay = 100 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Writer batches items into the tables. One process at a time may run one for
// a database: two would race for the same watermarks. At a server, Owner keeps
// others out.
//
// Use: position, err := w.Resume(ctx); subscribe to the log after it; call
// Write with what comes, in order, from one goroutine; keep Run running.
type Writer struct {
	db    *clickhouse.DB
	opt   WriterOptions
	log   *slog.Logger
	store *store // touched by the flushing goroutine only

	owning    sync.Mutex // held while ownership is used
	ownership *ownership

	mu       sync.Mutex
	waiting  []Item
	accepted domain.Position // highest position taken by Write
	durable  domain.Position // everything up to here is in the tables
	fault    error           // of the last try to write; nil when it succeeded
	changed  chan struct{}   // closed and replaced when one of the above changes
	wake     chan struct{}   // tells Run that items wait
	full     chan struct{}   // tells Run that a batch is full
}

// WriterStatus tells how far the writer is.
type WriterStatus struct {
	Position domain.Position `json:"position"` // everything up to here can be queried
	Waiting  int             `json:"waiting"`  // items taken and not written yet
	Error    string          `json:"error,omitempty"`
}

// NewWriter makes a writer. It does nothing until Run.
func NewWriter(db *clickhouse.DB, o WriterOptions) *Writer {
	o = o.withDefaults()
	owned := &ownership{db: db, owner: o.Owner}
	return &Writer{
		db: db, opt: o, log: o.Logger, store: newStore(db, 0, owned.check), ownership: owned,
		changed: make(chan struct{}), wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
	}
}

// Resume waits for the engine, migrates the tables, and returns the position
// after which the log must be delivered. It tries until ctx ends.
func (w *Writer) Resume(ctx context.Context) (domain.Position, error) {
	var position domain.Position
	err := w.untilDone(ctx, "resume", func() (err error) {
		if err := w.owned(func(o *ownership) error { return o.take(ctx) }); err != nil {
			return err
		}
		if err := refuseLanes(ctx, w.db); err != nil {
			return err
		}
		position, err = readProgress(ctx, w.db.Conn(), layoutOf(w.db), 0)
		return err
	})
	if err != nil {
		return 0, err
	}
	w.update(func() { w.accepted, w.durable = max(w.accepted, position), max(w.durable, position) })
	return position, nil
}

// owned does something with the claim on the database.
func (w *Writer) owned(do func(*ownership) error) error {
	w.owning.Lock()
	defer w.owning.Unlock()
	return do(w.ownership)
}

// Write takes items in order of position. Items taken before are skipped, so a
// redelivery is harmless. It returns when the items wait in memory: they are
// not lost if the process dies, because Resume counts only what is in the
// tables. It blocks while more than two full batches wait (the engine is down
// or slow) and returns the context's error if ctx ends first; it may then have
// taken some of the items, and the call can be repeated.
func (w *Writer) Write(ctx context.Context, items []Item) error {
	for len(items) > 0 {
		n, changed := w.take(items)
		items = items[n:]
		if len(items) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// take accepts as many items as there is room for, and says what to wait for.
func (w *Writer) take(items []Item) (n int, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range items {
		if it.Position > w.accepted {
			if len(w.waiting) >= 2*w.opt.MaxRows {
				break
			}
			w.waiting = append(w.waiting, it)
			w.accepted = it.Position
		}
		n++
	}
	signal(w.wake)
	if len(w.waiting) >= w.opt.BatchRows {
		signal(w.full)
	}
	return n, w.changed
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Wait returns when everything up to a position is in the tables, or the
// context's error.
func (w *Writer) Wait(ctx context.Context, position domain.Position) error {
	for {
		w.mu.Lock()
		durable, changed := w.durable, w.changed
		w.mu.Unlock()
		if durable >= position {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Drain returns when everything that was taken before the call is in the
// tables, or the context's error.
func (w *Writer) Drain(ctx context.Context) error {
	w.mu.Lock()
	accepted := w.accepted
	w.mu.Unlock()
	return w.Wait(ctx, accepted)
}

// Status tells how far the writer is and what keeps it, if anything does.
func (w *Writer) Status() WriterStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := WriterStatus{Position: w.durable, Waiting: len(w.waiting)}
	if w.fault != nil {
		s.Error = w.fault.Error()
	}
	return s
}

// finalFlush is how long Run goes on writing what waits after its context ended.
const finalFlush = 3 * time.Second

// Run writes batches until ctx ends, then once more what waits. A fault never
// drops a batch: it is tried again until it succeeds. The returned error is
// that of the last flush; what it could not write comes again after Resume.
func (w *Writer) Run(ctx context.Context) error {
	var beating sync.WaitGroup
	beating.Go(func() { w.beat(ctx) })
	defer beating.Wait()
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalFlush)
			defer cancel()
			return errors.Join(w.flush(last), w.owned(func(o *ownership) error { return o.release(last) }))
		}
		w.gather(ctx)
		if err := w.flush(ctx); err != nil {
			w.log.Debug("analytics stops with a batch under way", "error", err) // the last flush takes it up
		}
	}
}

// beat renews the claim on the database until ctx ends, also while a batch is
// being written for long.
func (w *Writer) beat(ctx context.Context) {
	tick := time.NewTicker(ownerBeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := w.owned(func(o *ownership) error {
			if o.heard.Load() == nil || w.db.Status().State != clickhouse.Ready { // not resumed, or nothing to be done now
				return nil
			}
			return o.keep(ctx)
		})
		if err != nil && ctx.Err() == nil {
			w.log.Warn("analytics cannot renew its claim on the database", "error", err)
		}
	}
}

// gather gives the first item of a batch some time to find company.
func (w *Writer) gather(ctx context.Context) {
	timer := time.NewTimer(w.opt.MaxDelay)
	defer timer.Stop()
	select {
	case <-w.full:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// flush writes everything that waits, batch by batch.
func (w *Writer) flush(ctx context.Context) error {
	for {
		w.mu.Lock()
		batch := w.waiting[:min(len(w.waiting), w.opt.MaxRows)]
		w.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		if err := w.untilDone(ctx, "write", func() error { return w.writeOwned(ctx, batch) }); err != nil {
			return err
		}
		w.update(func() {
			w.waiting = append([]Item(nil), w.waiting[len(batch):]...)
			w.durable = batch[len(batch)-1].Position
		})
	}
}

// writeOwned writes a batch if the database is still ours.
func (w *Writer) writeOwned(ctx context.Context, batch []Item) error {
	if err := w.owned(func(o *ownership) error { return o.keep(ctx) }); err != nil {
		w.store.known = false // whoever has it, or had it, wrote too
		return err
	}
	return w.store.write(ctx, batch)
}

// untilDone tries again, with growing pauses, until try succeeds or ctx ends.
// While the engine is away it waits for it to come back instead.
func (w *Writer) untilDone(ctx context.Context, what string, try func() error) error {
	delay := w.opt.RetryDelay
	for {
		err := ctx.Err()
		if err == nil {
			err = w.db.WaitReady(ctx)
		}
		if err == nil {
			err = try()
		}
		if err == nil {
			w.update(func() { w.fault = nil })
			return nil
		}
		w.update(func() { w.fault = err })
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		w.log.Warn("analytics cannot "+what+" now, trying again", "error", err, "in", delay)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		delay = min(2*delay, 50*w.opt.RetryDelay)
	}
}

// update changes the shared state and wakes those who wait for a change.
func (w *Writer) update(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	close(w.changed)
	w.changed = make(chan struct{})
}
