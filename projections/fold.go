package projections

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// failure is an event that could not be applied.
type failure struct {
	index int // in the batch it came with
	event streams.Recorded
	err   error
}

// fold applies a batch in one transaction with the checkpoint, which moves to
// upTo. Events at or below the checkpoint are skipped: they are re-deliveries.
// Events behind parked ones join their queue, discarded ones are left out.
//
// When an event fails, what comes before it is committed and the failure is
// returned; the caller retries or parks it and folds the rest. The events that
// were applied and committed are returned in every case.
func (f *file) fold(ctx context.Context, codec *streams.Codec, batch []streams.Recorded, upTo domain.Position, now time.Time) ([]domain.Event, *failure, error) {
	start := 0
	for start < len(batch) && batch[start].Position <= f.saved {
		start++
	}
	fresh, upTo := batch[start:], max(upTo, f.reached)
	events, fault := f.decode(codec, fresh)
	if fault == nil {
		err := f.write(ctx, upTo, func(tx *sqlite.Tx) error {
			if len(events) < len(fresh) {
				if err := f.queue(ctx, tx, fresh, now); err != nil {
					return err
				}
			}
			return applySafely(ctx, f.model, tx, events)
		})
		if err == nil {
			f.countParked(fresh)
			return events, nil, nil
		}
		if aboutStorage(err) {
			return nil, nil, err
		}
	}
	events, fault, err := f.foldSingly(ctx, codec, fresh, upTo, now)
	if fault != nil {
		fault.index += start
	}
	return events, fault, err
}

// decode reads the events that are to be applied now.
func (f *file) decode(codec *streams.Codec, batch []streams.Recorded) ([]domain.Event, *failure) {
	events := make([]domain.Event, 0, len(batch))
	for i := range batch {
		if f.fateOf(&batch[i]) != fateApply {
			continue
		}
		e, err := decode(f.model, codec, batch[i])
		if err != nil {
			return nil, &failure{index: i, event: batch[i], err: err}
		}
		events = append(events, e)
	}
	return events, nil
}

// foldSingly applies events one by one, each in a savepoint, up to the first
// that fails.
func (f *file) foldSingly(ctx context.Context, codec *streams.Codec, batch []streams.Recorded, upTo domain.Position, now time.Time) ([]domain.Event, *failure, error) {
	var applied []domain.Event
	var fault *failure
	done := batch
	to := upTo
	err := f.db.Write(ctx, func(tx *sqlite.Tx) error {
		for i := range batch {
			if f.fateOf(&batch[i]) != fateApply {
				continue
			}
			e, err := decode(f.model, codec, batch[i])
			if err == nil {
				err = tx.Savepoint(ctx, func() error { return applySafely(ctx, f.model, tx, []domain.Event{e}) })
			}
			if aboutStorage(err) {
				return err
			}
			if err != nil {
				fault = &failure{index: i, event: batch[i], err: err}
				done = batch[:i]
				to = f.reached // when the very first event fails
				if i > 0 {
					to = batch[i-1].Position
				}
				break
			}
			applied = append(applied, e)
		}
		if err := f.queue(ctx, tx, done, now); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE strata_checkpoint SET position = ?", int64(to))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	f.saved, f.reached = to, to
	f.countParked(done)
	return applied, fault, nil
}

// applySafely turns a panic in a model into an error: it is that event's fault
// and must not take the process down.
func applySafely(ctx context.Context, m Model, tx Tx, events []domain.Event) (err error) {
	if len(events) == 0 {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read model %s panicked: %v\n%s", m.Name(), p, debug.Stack())
		}
	}()
	return m.Apply(ctx, tx, events)
}

// aboutStorage tells errors of the database file and of shutting down from
// errors of an event. Only the latter may park anything.
func aboutStorage(err error) bool {
	err = sqlite.Classify(err) // models scan rows themselves
	return errors.Is(err, sqlite.ErrStorage) || errors.Is(err, sqlite.ErrCorrupt) || errors.Is(err, context.Canceled)
}

// queue puts the events of a batch that wait behind parked ones into their queues.
func (f *file) queue(ctx context.Context, tx *sqlite.Tx, batch []streams.Recorded, now time.Time) error {
	if len(f.parked) == 0 {
		return nil
	}
	for i := range batch {
		if f.fateOf(&batch[i]) != fateWait {
			continue
		}
		if err := f.insertParked(ctx, tx, &batch[i], "", now); err != nil {
			return err
		}
	}
	return nil
}

// countParked does in memory what queue did in the committed transaction.
func (f *file) countParked(batch []streams.Recorded) {
	if len(f.parked) == 0 {
		return
	}
	for i := range batch {
		if f.fateOf(&batch[i]) == fateWait {
			f.parked[f.queueOf(&batch[i])]++
			f.waiting.Add(1)
		}
	}
}

// fate is what becomes of an event.
type fate int

const (
	fateApply fate = iota
	fateWait       // it joins the queue of those before it
	fateSkip       // somebody decided to leave it out
)

func (f *file) fateOf(e *streams.Recorded) fate {
	switch {
	case f.skip.has(e.Position):
		return fateSkip
	case len(f.parked) > 0 && f.parked[f.queueOf(e)] > 0:
		return fateWait
	}
	return fateApply
}

// park sets a failing event aside; what comes behind it waits from now on.
func (f *file) park(ctx context.Context, fault *failure, now time.Time) error {
	err := f.write(ctx, fault.event.Position, func(tx *sqlite.Tx) error {
		return f.insertParked(ctx, tx, &fault.event, fault.err.Error(), now)
	})
	if err != nil {
		return fmt.Errorf("park event %d: %w", fault.event.Position, err)
	}
	f.parked[f.queueOf(&fault.event)]++
	f.waiting.Add(1)
	return nil
}

func (f *file) insertParked(ctx context.Context, tx *sqlite.Tx, e *streams.Recorded, cause string, now time.Time) error {
	_, err := tx.Exec(ctx, "INSERT INTO strata_parked (position, stream, type, error, at, queue) VALUES (?, ?, ?, ?, ?, ?)",
		int64(e.Position), string(e.Stream), e.Type, cause, now.UnixMicro(), f.queueOf(e))
	return err
}
