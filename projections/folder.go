package projections

import (
	"context"
	"log/slog"
	"sync"

	"strata/domain"
	"strata/streams"
)

// folder folds batches into a file. What fails is tried again, then parked, so
// that only what waits with it waits.
type folder struct {
	cfg *Config
	log *slog.Logger

	mu   sync.Mutex // serialises everything that writes to the file
	file *file      // guarded by mu, as it may be replaced

	// committed is told of what was applied, and then moved of where the file
	// stands, both while mu is held.
	committed func(events []domain.Event)
	moved     func(to domain.Position)
	// trying is told what is being tried again, and nil when it is over.
	trying func(err error)
}

// advance folds a batch, until all of it is applied or parked.
func (f *folder) advance(ctx context.Context, batch []streams.Recorded, upTo domain.Position) error {
	if len(batch) == 0 {
		return f.pass(ctx, upTo)
	}
	defer f.trying(nil)
	for attempt := 1; ; {
		events, fault, err := f.fold(ctx, batch, upTo)
		if err != nil || fault == nil {
			return err
		}
		if len(events) > 0 {
			attempt = 1
		}
		batch = batch[fault.index:]
		if attempt < f.cfg.Attempts {
			f.trying(fault.err)
			if !f.pause(ctx, attempt) {
				return ctx.Err()
			}
			attempt++
			continue
		}
		if err := f.park(ctx, fault); err != nil {
			return err
		}
		if batch, attempt = batch[1:], 1; len(batch) == 0 {
			return f.pass(ctx, upTo)
		}
	}
}

// pause waits as the backoff says; false means that ctx ended.
func (f *folder) pause(ctx context.Context, attempt int) bool {
	select {
	case <-f.cfg.Clock.After(f.cfg.Backoff(attempt)):
		return true
	case <-ctx.Done():
		return false
	}
}

// fold applies a batch and tells of it.
func (f *folder) fold(ctx context.Context, batch []streams.Recorded, upTo domain.Position) ([]domain.Event, *failure, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events, fault, err := f.file.fold(ctx, f.cfg.Codec, batch, upTo, f.cfg.Clock.Now())
	if err != nil {
		return nil, nil, err
	}
	f.committed(events)
	f.moved(f.file.reached)
	return events, fault, nil
}

// pass moves on over events that do not concern the model.
func (f *folder) pass(ctx context.Context, upTo domain.Position) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if upTo <= f.file.reached {
		return nil
	}
	f.file.reached = upTo
	if f.file.reached-f.file.saved >= saveEvery {
		if err := f.file.save(ctx); err != nil {
			return err
		}
	}
	f.moved(upTo)
	return nil
}

func (f *folder) park(ctx context.Context, fault *failure) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log.ErrorContext(ctx, "event cannot be applied, its stream is parked", "error", fault.err,
		"stream", fault.event.Stream, "position", fault.event.Position, "type", fault.event.Type)
	if err := f.file.park(ctx, fault, f.cfg.Clock.Now()); err != nil {
		return err
	}
	f.moved(f.file.reached)
	return nil
}
