package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// rebuild builds a model's next file, the shadow, beside the living one: it
// folds the log into it up to where the living file is, compares the two, and
// puts the shadow in the living file's place. Reads go on all the while and see
// either the one or the other. What a stop or a kill interrupts goes on at the
// next start.
type rebuild struct {
	w *worker

	mu     sync.Mutex
	now    Rebuilding // what there is to tell; its zero value is nothing
	shadow *folder    // of the rebuild that runs or was interrupted; nil when there is none
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when the one that runs has ended

	compared int64 // w.forgotten when the comparison began: with another one, it is void
}

// errCancelled ends a rebuild that nobody wants any more.
var errCancelled = errors.New("the rebuild was cancelled")

// errDecided: an event was discarded, or a person erased, that the shadow may
// hold; it is begun anew.
var errDecided = errors.New("something was discarded or erased meanwhile")

// nearEnough is how many positions the shadow may be behind for the rest to be
// folded while the living model waits.
const nearEnough = 500

// begin takes over what an earlier process has left.
func (b *rebuild) begin(w *worker, left *file) {
	b.w = w
	b.now = w.file.rebuilt
	if left != nil {
		b.now = left.rebuilt
		b.adopt(left)
	}
}

// adopt makes a file the shadow.
func (b *rebuild) adopt(f *file) {
	b.shadow = &folder{cfg: b.w.cfg, log: b.w.log.With("rebuild", f.path), file: f,
		committed: func([]domain.Event) {}, moved: func(domain.Position) {}, trying: func(err error) { b.tell(func(r *Rebuilding) { r.Error = text(err) }) }}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// tell changes what there is to tell.
func (b *rebuild) tell(change func(*Rebuilding)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.now)
}

// report is what there is to tell, nil when there never was a rebuild.
func (b *rebuild) report() *Rebuilding {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now.State == "" {
		return nil
	}
	r := b.now
	if b.w.forgotten.Load() != b.compared { // the rows may show what was erased
		r.Differences = withoutRows(r.Differences)
	}
	return &r
}

// newShadow makes the file that a rebuild fills.
func (w *worker) newShadow(ctx context.Context, report Rebuilding) (*file, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	skip := w.skip.clone()
	report.LeftOut = skip.count()
	f, err := w.file.openNext(ctx, skip, shadow)
	if err != nil {
		return nil, err
	}
	if err := f.setReport(ctx, report, true); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return f, nil
}

// resume goes on with what was interrupted. The caller holds r.mu.
func (b *rebuild) resume(r *Runner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shadow != nil {
		b.w.log.InfoContext(r.living, "rebuild goes on", "position", b.shadow.file.reached)
		b.start(r)
	}
}

// start runs the rebuild in the background. The caller holds b.mu and r.mu.
func (b *rebuild) start(r *Runner) {
	ctx, cancel := context.WithCancelCause(r.living)
	b.cancel, b.ended = cancel, make(chan struct{})
	r.running.Go(func() { b.run(ctx) })
}

// run builds, trying again when the log or the disk fails, and tells how it ended.
func (b *rebuild) run(ctx context.Context) {
	defer close(b.ended)
	var err error
	for attempt := 1; ; attempt++ {
		before := b.shadow.file.reached
		if err = b.build(ctx); err == nil {
			return
		}
		if errors.Is(err, errDecided) {
			if err = b.again(ctx); err == nil {
				attempt = 0
				continue
			}
		}
		if b.shadow.file.reached > before {
			attempt = 1
		}
		if ctx.Err() != nil || attempt >= b.w.cfg.Attempts || errors.Is(err, sqlite.ErrCorrupt) {
			break
		}
		b.w.log.ErrorContext(ctx, "rebuild cannot go on, trying again", "error", err, "attempt", attempt)
		b.tell(func(r *Rebuilding) { r.Error = err.Error() })
		if !b.shadow.pause(ctx, attempt) {
			break
		}
		b.tell(func(r *Rebuilding) { r.Error = "" })
	}
	switch {
	case errors.Is(context.Cause(ctx), errCancelled):
		b.w.log.InfoContext(ctx, "rebuild was cancelled")
		b.drop(ctx, RebuildCancelled, nil)
	case ctx.Err() != nil: // the runner stops; the next one goes on
		b.rest(ctx)
	default:
		b.w.log.ErrorContext(ctx, "rebuild failed; the living model stays", "error", err)
		b.drop(ctx, RebuildFailed, err)
	}
}

// again begins with an empty shadow.
func (b *rebuild) again(ctx context.Context) error {
	report := *b.report()
	report.State, report.Position, report.Differences = RebuildFilling, 0, nil
	f, err := b.w.newShadow(ctx, report)
	if err != nil {
		return err
	}
	b.shadow.mu.Lock()
	old := b.shadow.file
	b.shadow.file = f
	b.shadow.mu.Unlock()
	b.w.discard(ctx, old)
	b.tell(func(r *Rebuilding) { *r = f.rebuilt })
	return nil
}

// drop removes the shadow.
func (b *rebuild) drop(ctx context.Context, s RebuildState, cause error) {
	b.shadow.mu.Lock() // somebody may be erased in it
	b.w.discard(ctx, b.shadow.file)
	b.shadow.file = nil
	b.shadow.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shadow, b.cancel = nil, nil
	b.now.State, b.now.FinishedAt, b.now.Error = s, b.w.cfg.Clock.Now(), text(cause)
}

// rest saves how far the shadow is, for the next start.
func (b *rebuild) rest(ctx context.Context) {
	b.shadow.mu.Lock()
	defer b.shadow.mu.Unlock()
	if err := b.shadow.file.save(context.WithoutCancel(ctx)); err != nil {
		b.w.log.WarnContext(ctx, "some of the rebuild will be repeated", "error", err)
	}
}

// close closes an interrupted rebuild's file.
func (b *rebuild) close() error {
	if b.shadow == nil {
		return nil
	}
	return b.shadow.file.close()
}

// build takes the shadow from where it is to the living file's place.
func (b *rebuild) build(ctx context.Context) error {
	if b.shadow.file.rebuilt.LeftOut != b.w.skip.count() {
		return errDecided
	}
	step := func(s RebuildState, do func(context.Context) error) error {
		b.tell(func(r *Rebuilding) { r.State = s })
		b.w.log.DebugContext(ctx, "rebuild: "+string(s), "position", b.shadow.file.reached)
		return do(ctx)
	}
	if err := step(RebuildFilling, b.fill); err != nil {
		return err
	}
	if !b.shadow.file.indexed {
		if err := step(RebuildIndexing, b.shadow.file.buildIndexes); err != nil {
			return err
		}
		if err := step(RebuildFilling, b.fill); err != nil { // what has come meanwhile
			return err
		}
	}
	if err := step(RebuildComparing, b.compare); err != nil {
		return err
	}
	for {
		if err := b.fill(ctx); err != nil {
			return err
		}
		old, report, err := b.swap(ctx)
		if err != nil {
			return err
		}
		if old != nil {
			b.finish(ctx, old, report)
			return nil
		}
	}
}

// fill folds the log into the shadow until it is near to the living file, or
// beyond it, when that was damaged and begins anew.
func (b *rebuild) fill(ctx context.Context) error {
	for {
		target, at := b.w.mark.get(), b.shadow.file.reached
		if at > target {
			return nil
		}
		if err := b.fillTo(ctx, target); err != nil {
			return err
		}
		if target-at <= nearEnough {
			return nil
		}
	}
}

// fillTo folds the log into the shadow up to a position, as fast as it may.
func (b *rebuild) fillTo(ctx context.Context, target domain.Position) error {
	size, rate := b.w.cfg.BatchSize, b.report().EventsPerSecond
	if rate > 0 {
		size = min(size, max(1, rate/10)) // so that the load is even
	}
	for f := b.shadow.file; f.reached < target; {
		events, upTo, err := b.read(ctx, f.reached, target, size)
		if err != nil {
			return err
		}
		if err := b.shadow.advance(ctx, events, upTo); err != nil {
			return err
		}
		b.tell(func(r *Rebuilding) {
			r.Position, r.Target, r.Parked = f.reached, b.w.mark.get(), int(f.waiting.Load())
		})
		if rate > 0 && len(events) > 0 {
			select {
			case <-b.w.cfg.Clock.After(time.Second * time.Duration(len(events)) / time.Duration(rate)):
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// read reads the model's next events, at most limit, between two positions, and
// tells up to where it has looked.
func (b *rebuild) read(ctx context.Context, after, upTo domain.Position, limit int) ([]streams.Recorded, domain.Position, error) {
	var events []streams.Recorded
	for e, err := range b.w.cfg.Store.ReadAll(ctx, streams.ReadAll{After: after, Limit: limit, Filter: b.w.model.Filter()}) {
		if err != nil {
			return nil, after, fmt.Errorf("read the log: %w", err)
		}
		if e.Position > upTo {
			return events, upTo, nil
		}
		events = append(events, e)
	}
	if len(events) == limit {
		upTo = events[limit-1].Position
	}
	return events, upTo, nil
}

// compare compares the rows of both files as of one position. The living file
// is not held up: what it held at that position is read from a snapshot.
func (b *rebuild) compare(ctx context.Context) (err error) {
	b.w.mu.Lock()
	path, whole := b.w.file.path, b.w.serving.Load()
	b.w.mu.Unlock()
	if !whole {
		return nil
	}
	before := b.w.forgotten.Load()
	c, err := beginComparison(ctx, path, b.shadow.file.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	at, err := c.pin(ctx)
	if err != nil {
		return err
	}
	if err := b.fillTo(ctx, at); err != nil {
		return err
	}
	diff, err := c.run(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w.forgotten.Load() != before { // it compared rows from before with rows from after
		return errDecided
	}
	if b.w.serving.Load() { // else it was damaged meanwhile, and the comparison says nothing
		b.now.ComparedAt, b.now.Differences, b.compared = at, diff, before
	}
	return nil
}

// swap brings the shadow to where the living file is, while that waits, and puts
// it in its place. It returns the file that was replaced and what there is to tell
// of it, or nil when there is more to do than the living model can wait for. The
// shadow's fields then belong to the worker.
func (b *rebuild) swap(ctx context.Context) (old *file, report Rebuilding, err error) {
	w, f := b.w, b.shadow.file
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.skip.count() != f.rebuilt.LeftOut {
		return nil, report, errDecided
	}
	to := max(f.reached, w.file.reached) // the living file is behind only when it begins anew
	if to-f.reached > 2*nearEnough {
		return nil, report, nil
	}
	events, upTo, err := b.read(ctx, f.reached, to, 2*nearEnough)
	if err != nil {
		return nil, report, err
	}
	if _, fault, err := f.fold(ctx, w.cfg.Codec, events, upTo, w.cfg.Clock.Now()); err != nil || fault != nil {
		return nil, report, err // fill tries a failing event again and parks it
	}
	if err := ctx.Err(); err != nil {
		return nil, report, err
	}
	if b.void() {
		return nil, report, errDecided
	}
	report = *b.report()
	report.State, report.Position, report.Target, report.FinishedAt = RebuildDone, f.reached, f.reached, w.cfg.Clock.Now()
	report.Parked = int(f.waiting.Load())
	w.log.DebugContext(ctx, "rebuild: swap", "position", f.reached)
	if err := f.setReport(context.WithoutCancel(ctx), report, false); err != nil { // this is the swap
		return nil, report, err
	}
	w.log.DebugContext(ctx, "rebuild: swapped", "position", f.reached)
	f.skip = w.skip
	old = w.take(f)
	w.serving.Store(true)
	return old, report, nil
}

// finish removes the replaced file, once the new one is sure to stay, and tells.
func (b *rebuild) finish(ctx context.Context, old *file, report Rebuilding) {
	f := b.shadow.file
	b.w.log.DebugContext(ctx, "rebuild: taken", "position", report.Position) // kill tests stop at these
	if err := f.durable(ctx); err != nil {
		b.w.log.WarnContext(ctx, "a file that was replaced remains until the next start", "file", old.path, "error", err)
		if err := old.close(); err != nil {
			b.w.log.WarnContext(ctx, "close a file that was replaced", "file", old.path, "error", err)
		}
	} else {
		b.w.discard(ctx, old)
	}
	for _, d := range report.Differences {
		b.w.log.ErrorContext(ctx, "the rebuilt read model differs from the one before; the log has decided", "table", d.Table,
			"only_before", d.OnlyA, "only_after", d.OnlyB) // not the rows: they are not for logs
	}
	b.w.log.InfoContext(ctx, "rebuild is done", "position", report.Position, "differences", len(report.Differences))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now, b.shadow, b.cancel = report, nil, nil
}
