package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// State is what a model is doing.
type State string

// The states of a model.
const (
	StateStarting   State = "starting"    // not reading yet
	StateCatchingUp State = "catching_up" // reading what the log holds
	StateIndexing   State = "indexing"    // building indexes after the first catch-up
	StateLive       State = "live"        // follows the log as it grows
	StateRetrying   State = "retrying"    // something failed and is being tried again; see Error
	StateStopped    State = "stopped"
)

// Status describes a model.
type Status struct {
	Model    string          `json:"model"`
	Version  int             `json:"version"`
	State    State           `json:"state"`
	Position domain.Position `json:"position"` // the rows reflect the log up to here
	Lag      uint64          `json:"lag"`      // positions behind the log's head
	Parked   int             `json:"parked"`   // events set aside; see Runner.Parked
	Error    string          `json:"error,omitempty"`
}

// saveEvery is how many positions without a matching event may pass before the
// checkpoint is saved: a model of rare events then need not read the log from
// far behind after a restart, and does not write for events it ignores.
const saveEvery = 10_000

// worker keeps one model up to date.
type worker struct {
	runner *Runner
	log    *slog.Logger

	mu   sync.Mutex // serialises folding with Retry
	file *file
	mark watermark

	live   chan struct{} // closed when the model has caught up once
	isLive bool

	state struct {
		sync.Mutex
		is  State
		err error
	}
}

func (w *worker) setState(s State, err error) {
	w.state.Lock()
	defer w.state.Unlock()
	w.state.is, w.state.err = s, err
}

// recovered goes from retrying back to what the model was doing before.
func (w *worker) recovered() {
	if w.isLive && w.file.indexed {
		w.setState(StateLive, nil)
	} else {
		w.setState(StateCatchingUp, nil)
	}
}

func (w *worker) status(head domain.Position) Status {
	w.state.Lock()
	defer w.state.Unlock()
	s := Status{Model: w.file.model.Name(), Version: w.file.model.Version(), State: w.state.is,
		Position: w.mark.get(), Parked: int(w.file.waiting.Load())}
	if head > s.Position {
		s.Lag = uint64(head - s.Position)
	}
	if w.state.err != nil {
		s.Error = w.state.err.Error()
	}
	return s
}

// run follows the log until ctx ends, beginning again after every error of the
// log or the file.
func (w *worker) run(ctx context.Context) {
	defer w.setState(StateStopped, nil)
	for attempt := 1; ; attempt++ {
		from := w.mark.get()
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.mark.get() > from {
			attempt = 1
		}
		w.setState(StateRetrying, err)
		w.log.ErrorContext(ctx, "read model cannot follow the log", "error", err, "attempt", attempt)
		if errors.Is(err, sqlite.ErrCorrupt) {
			if err := w.reset(ctx); err != nil {
				w.log.ErrorContext(ctx, "read model file cannot be replaced", "error", err)
			}
		}
		if !w.pause(ctx, attempt) {
			return
		}
	}
}

// pause waits as the backoff says; false means that ctx ended.
func (w *worker) pause(ctx context.Context, attempt int) bool {
	select {
	case <-w.runner.cfg.Clock.After(w.runner.cfg.Backoff(attempt)):
		return true
	case <-ctx.Done():
		return false
	}
}

// reset empties a damaged file; the model is folded again from the beginning.
func (w *worker) reset(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.file.reset(ctx); err != nil {
		return err
	}
	w.mark.set(w.file.saved)
	return nil
}

// follow subscribes from the checkpoint and folds batches until something fails.
func (w *worker) follow(ctx context.Context) (err error) {
	w.recovered()
	sub, err := w.runner.cfg.Store.Subscribe(ctx, w.file.reached, w.file.model.Filter())
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	size := w.runner.cfg.BatchSize
	var pending []streams.Recorded
	for {
		b, err := sub.Next(ctx, size-len(pending))
		if err != nil {
			return fmt.Errorf("next events: %w", err)
		}
		pending = append(pending, b.Events...)
		// A transaction costs as much as several dozen rows: what the log holds
		// goes into as few as fit.
		if !b.CaughtUp && len(pending) < size {
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
			if len(pending) > 0 {
				w.linger(ctx)
			}
		}
		pending = pending[:0]
	}
}

// linger lets events gather after a transaction, so that under load there are
// few and large ones; the first event after a quiet time goes at once. Nobody is
// kept waiting: who wants a position is served without it.
func (w *worker) linger(ctx context.Context) {
	if w.runner.cfg.Linger == 0 {
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
	case <-w.runner.cfg.Clock.After(w.runner.cfg.Linger):
	case <-w.mark.wanted:
	case <-ctx.Done():
	}
}

// caughtUp finishes the first catch-up.
func (w *worker) caughtUp(ctx context.Context) error {
	if w.isLive && w.file.indexed {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.file.indexed {
		w.setState(StateIndexing, nil)
		if err := w.file.buildIndexes(ctx); err != nil {
			return err
		}
	}
	if err := w.file.removeOlder(); err != nil {
		w.log.WarnContext(ctx, "files of older versions remain", "error", err)
	}
	if !w.isLive {
		w.isLive = true
		close(w.live)
		w.log.DebugContext(ctx, "read model is live", "position", w.mark.get())
	}
	w.setState(StateLive, nil)
	return nil
}

// advance folds a batch, retrying and parking events that fail, and moves the
// watermark to upTo.
func (w *worker) advance(ctx context.Context, batch []streams.Recorded, upTo domain.Position) error {
	if len(batch) == 0 {
		return w.pass(ctx, upTo)
	}
	defer w.recovered()
	for attempt := 1; ; {
		events, fault, err := w.fold(ctx, batch, upTo)
		if err != nil || fault == nil {
			return err
		}
		if len(events) > 0 {
			attempt = 1
		}
		batch = batch[fault.index:]
		if attempt < w.runner.cfg.Attempts {
			w.setState(StateRetrying, fault.err)
			if !w.pause(ctx, attempt) {
				return ctx.Err()
			}
			attempt++
			continue
		}
		if err := w.park(ctx, fault); err != nil {
			return err
		}
		if batch, attempt = batch[1:], 1; len(batch) == 0 {
			return w.pass(ctx, upTo)
		}
	}
}

// fold applies a batch and tells of it: first the hooks, then the waiters.
func (w *worker) fold(ctx context.Context, batch []streams.Recorded, upTo domain.Position) ([]domain.Event, *failure, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events, fault, err := w.file.fold(ctx, w.runner.cfg.Codec, batch, upTo, w.runner.cfg.Clock.Now())
	if err != nil {
		return nil, nil, err
	}
	w.runner.committed(w.file.model.Name(), events)
	w.mark.set(w.file.reached)
	return events, fault, nil
}

// pass moves on over events that do not concern the model.
func (w *worker) pass(ctx context.Context, upTo domain.Position) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if upTo <= w.file.reached {
		return nil
	}
	w.file.reached = upTo
	if w.file.reached-w.file.saved >= saveEvery {
		if err := w.file.save(ctx); err != nil {
			return err
		}
	}
	w.mark.set(upTo)
	return nil
}

func (w *worker) park(ctx context.Context, fault *failure) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.ErrorContext(ctx, "event cannot be applied, its stream is parked", "error", fault.err,
		"stream", fault.event.Stream, "position", fault.event.Position, "type", fault.event.Type)
	if err := w.file.park(ctx, fault, w.runner.cfg.Clock.Now()); err != nil {
		return err
	}
	w.mark.set(w.file.reached)
	return nil
}

// close saves how far the model has come and closes its file.
func (w *worker) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.file.save(context.Background()), w.file.close())
}
