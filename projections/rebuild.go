package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// Rebuilt tells what a rebuild did.
type Rebuilt struct {
	Events   int             // applied
	Parked   int             // set aside: failing events and those behind them
	Position domain.Position // of the log when the rebuild began; the rows reflect it
}

// Rebuild folds the whole log, as of the call, into a fresh file at path, which
// must not be in use. An existing file is replaced. Nothing is synced: the file
// is to be looked at, not to be kept through a power cut. It may run beside a Runner:
// to compare, rebuild, wait until the model has reached Rebuilt.Position, and
// use Compare while nothing is written.
func Rebuild(ctx context.Context, store streams.Store, codec *streams.Codec, m Model, path string) (done Rebuilt, err error) {
	if err := sqlite.Remove(path); err != nil {
		return done, err
	}
	skip, err := readLeftOut(ctx, store, m)
	if err != nil {
		return done, err
	}
	f, err := openFile(ctx, path, sqlite.Options{NoSync: true}, m, skip, living)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if done.Position, err = store.Head(ctx); err != nil {
		return done, fmt.Errorf("head of the log: %w", err)
	}
	const size = 2000
	batch := make([]streams.Recorded, 0, size)
	for e, err := range store.ReadAll(ctx, streams.ReadAll{Filter: m.Filter()}) {
		if err != nil {
			return done, fmt.Errorf("read the log: %w", err)
		}
		if e.Position > done.Position {
			break
		}
		if batch = append(batch, e); len(batch) == size {
			if err := f.rebuildBatch(ctx, codec, batch, e.Position, &done); err != nil {
				return done, err
			}
			batch = batch[:0]
		}
	}
	if err := f.rebuildBatch(ctx, codec, batch, done.Position, &done); err != nil {
		return done, err
	}
	done.Parked = int(f.waiting.Load())
	return done, f.buildIndexes(ctx)
}

// rebuildBatch folds a batch, parking at once what fails: nothing that a retry
// could heal stands between the log and a file of our own.
func (f *file) rebuildBatch(ctx context.Context, codec *streams.Codec, batch []streams.Recorded, upTo domain.Position, done *Rebuilt) error {
	for {
		events, fault, err := f.fold(ctx, codec, batch, upTo, time.Now().UTC())
		if err != nil {
			return err
		}
		done.Events += len(events)
		if fault == nil {
			return nil
		}
		if err := f.park(ctx, fault, time.Now().UTC()); err != nil {
			return err
		}
		batch = batch[fault.index+1:]
	}
}
