package projections

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// saveEvery is how many positions without a matching event may pass before the
// checkpoint is saved: a model of rare events then need not read the log from
// far behind after a restart, and does not write for events it ignores.
const saveEvery = 10_000

// worker keeps one model up to date.
type worker struct {
	folder
	runner *Runner
	model  Model
	handle handle
	mark   watermark
	skip   *leftOut

	live      chan struct{} // closed when the model has caught up once
	serving   atomic.Bool   // it can be read; false until live, and while a damaged file is built anew
	target    atomic.Uint64 // head of the log when it was last looked at, for those who wait
	forgotten atomic.Int64  // counts Forget: rows that were read before may hold what was erased
	parked    atomic.Int64  // parked events, for status
	condition condition
	rebuild   rebuild // beside the living file
}

// newWorker opens a model's files.
func (r *Runner) newWorker(ctx context.Context, m Model, head domain.Position) (*worker, error) {
	skip, err := readLeftOut(ctx, r.cfg.Store, m)
	if err != nil {
		return nil, err
	}
	living, shadow, err := r.openLiving(ctx, m, skip)
	if err != nil {
		return nil, err
	}
	w := &worker{runner: r, model: m, skip: skip, live: make(chan struct{})}
	w.folder = folder{cfg: &r.cfg, log: r.cfg.Logger.With("model", m.Name()), file: living,
		committed: func(events []domain.Event) { r.committed(m.Name(), events) }, moved: w.moved, trying: w.trying}
	w.mark.wanted = make(chan struct{}, 1)
	w.handle.ready = w.ready
	w.handle.replace(living.db)
	w.rebuild.begin(w, shadow)
	w.target.Store(uint64(head))
	if err := w.settle(ctx, head); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.condition.set(StateStarting, nil)
	return w, nil
}

// settle brings what the file says in line with the log before it is followed.
func (w *worker) settle(ctx context.Context, head domain.Position) error {
	if w.file.saved > head {
		w.log.ErrorContext(ctx, "read model is ahead of the log, rebuilding it", "position", w.file.saved, "head", head)
		if err := w.reset(ctx); err != nil {
			return err
		}
	}
	w.moved(w.file.reached)
	if err := w.dropDiscarded(ctx); err != nil {
		return err
	}
	if head == 0 && !w.file.indexed { // there is nothing to wait for
		if err := w.file.buildIndexes(ctx); err != nil {
			return err
		}
	}
	w.serving.Store(w.file.indexed)
	if head == 0 {
		close(w.live)
	}
	return nil
}

// moved tells how far the rows are.
func (w *worker) moved(to domain.Position) {
	w.parked.Store(w.file.waiting.Load())
	w.condition.touch(w.cfg.Clock.Now())
	w.mark.set(to)
}

// trying tells of an event that is being tried again, or that this is over.
func (w *worker) trying(err error) {
	if err != nil {
		w.condition.set(StateRetrying, err)
		return
	}
	w.recovered()
}

// recovered goes from retrying back to what the model was doing before.
func (w *worker) recovered() {
	if w.serving.Load() && w.isLive() {
		w.condition.set(StateLive, nil)
	} else {
		w.condition.set(StateCatchingUp, nil)
	}
}

func (w *worker) isLive() bool {
	select {
	case <-w.live:
		return true
	default:
		return false
	}
}

// run follows the log until ctx ends, beginning again after every error of the
// log or the file.
func (w *worker) run(ctx context.Context) {
	defer w.condition.set(StateStopped, nil)
	for attempt := 1; ; attempt++ {
		from := w.mark.get()
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.mark.get() > from {
			attempt = 1
		}
		w.condition.set(StateRetrying, err)
		w.log.ErrorContext(ctx, "read model cannot follow the log", "error", err, "attempt", attempt)
		if errors.Is(err, sqlite.ErrCorrupt) {
			if err := w.replaceDamaged(ctx); err != nil {
				w.log.ErrorContext(ctx, "read model file cannot be replaced", "error", err)
			}
		}
		if !w.pause(ctx, attempt) {
			return
		}
	}
}

// replaceDamaged begins anew with an empty file; until it has caught up, the
// model cannot be read.
func (w *worker) replaceDamaged(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reset(ctx)
}

// reset puts an empty file in the place of the living one.
func (w *worker) reset(ctx context.Context) error {
	w.serving.Store(false)
	fresh, err := w.file.openNext(ctx, w.skip, living)
	if err != nil {
		return err
	}
	w.discard(ctx, w.take(fresh))
	return nil
}

// take makes another file the living one and returns the one before, from which
// nobody begins to read any more.
func (w *worker) take(next *file) (old *file) {
	old, w.file = w.file, next
	w.handle.replace(next.db)
	w.runner.replaced(w.model.Name())
	w.moved(next.reached)
	return old
}

// discard removes a file that was replaced.
func (w *worker) discard(ctx context.Context, old *file) {
	if err := old.remove(); err != nil {
		// It is in nobody's way, and removed at the next start.
		w.log.WarnContext(ctx, "a file that was replaced remains", "file", old.path, "error", err)
	}
}

// follow subscribes from the checkpoint and folds batches until something fails.
func (w *worker) follow(ctx context.Context) (err error) {
	w.recovered()
	head, err := w.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("head of the log: %w", err)
	}
	w.target.Store(uint64(head))
	sub, err := w.cfg.Store.Subscribe(ctx, w.mark.get(), w.model.Filter())
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	size := w.cfg.BatchSize
	var pending []streams.Recorded
	bytes := 0
	for {
		b, err := sub.Next(ctx, size-len(pending))
		if err != nil {
			return fmt.Errorf("next events: %w", err)
		}
		pending, bytes = append(pending, b.Events...), bytes+sizeOf(b.Events...)
		// A transaction costs as much as several dozen rows: what the log holds
		// goes into as few as fit.
		if !b.CaughtUp && len(pending) < size && bytes < mostBytes {
			continue
		}
		upTo := b.Position
		if n := len(pending); n > 0 {
			upTo = max(upTo, pending[n-1].Position)
		}
		if err := w.advance(ctx, pending, upTo); err != nil {
			return err
		}
		if b.CaughtUp {
			if err := w.caughtUp(ctx); err != nil {
				return err
			}
			w.linger(ctx)
		}
		clear(pending) // or what is long applied would stay in memory
		pending, bytes = pending[:0], 0
	}
}

// mostBytes of events are enough for a transaction, however few they are: most events
// are small, but chunks of an upload or parts of a model are not.
const mostBytes = 4 << 20

func sizeOf(events ...streams.Recorded) (bytes int) {
	for i := range events {
		bytes += len(events[i].Data) + len(events[i].Meta)
	}
	return bytes
}

// linger lets events gather before the log is looked at again, so that under load
// transactions are few and large, and a model that an event does not concern is
// not woken by it: with a dozen models that was a tenth of a processor. The first
// event after a quiet time goes at once. Nobody is kept waiting: who wants a
// position is served without it.
func (w *worker) linger(ctx context.Context) {
	if w.cfg.Linger == 0 {
		return
	}
	select {
	case <-w.mark.wanted: // of somebody who has been served meanwhile, perhaps
	default:
	}
	if w.mark.awaited() {
		return
	}
	select {
	case <-w.cfg.Clock.After(w.cfg.Linger):
	case <-w.mark.wanted:
	case <-ctx.Done():
	}
}

// caughtUp finishes the first catch-up.
func (w *worker) caughtUp(ctx context.Context) error {
	if w.isLive() && w.serving.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.file.indexed {
		w.condition.set(StateIndexing, nil)
		if err := w.file.buildIndexes(ctx); err != nil {
			return err
		}
	}
	if err := w.file.removeOlder(); err != nil {
		w.log.WarnContext(ctx, "files of older versions remain", "error", err)
	}
	w.condition.set(StateLive, nil) // first: who waits for what follows reads it
	w.serving.Store(true)
	if !w.isLive() {
		close(w.live)
		w.log.DebugContext(ctx, "read model is live", "position", w.mark.get())
	}
	return nil
}

// close saves how far the model has come and closes its files.
func (w *worker) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.file.save(context.Background()), w.file.close(), w.rebuild.close())
}
