package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/domain/projection"
	"strata/internal/sqlite"
	"strata/streams"
	"strata/streams/discards"
)

// Parked is an event a model could not apply, or one that waits behind such an
// event.
type Parked struct {
	Model    string
	Position domain.Position
	Stream   domain.StreamID
	Type     string
	Error    string    // why it failed; "" when it only waits its turn
	At       time.Time // when it was parked, or failed again
	queue    string
}

// ParkedQuery narrows a list of parked events.
type ParkedQuery struct {
	Stream domain.StreamID // of one stream only, unless ""
	After  domain.Position // those behind a position
	Limit  int             // at most so many; 0 is all
}

// Parked lists what all models have parked, by model and position.
func (r *Runner) Parked(ctx context.Context) ([]Parked, error) {
	var all []Parked
	for _, w := range r.workers {
		some, err := w.listParked(ctx, ParkedQuery{})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// ParkedOf lists what one model has parked, by position. Errors: NOT_FOUND for
// an unknown model.
func (r *Runner) ParkedOf(ctx context.Context, model string, q ParkedQuery) ([]Parked, error) {
	w, err := r.worker(model)
	if err != nil {
		return nil, err
	}
	return w.listParked(ctx, q)
}

func (w *worker) listParked(ctx context.Context, q ParkedQuery) ([]Parked, error) {
	return w.selectParked(ctx, `(?1 = '' OR stream = ?1) AND position > ?2 ORDER BY position LIMIT ?3`,
		string(q.Stream), int64(q.After), limitOf(q.Limit))
}

// limitOf is what SQLite takes for "at most n, 0 is all".
func limitOf(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func (w *worker) selectParked(ctx context.Context, where string, args ...any) ([]Parked, error) {
	rows, err := w.handle.look(ctx, "SELECT position, stream, type, error, at, queue FROM strata_parked WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Parked
	for rows.Next() {
		p := Parked{Model: w.model.Name()}
		var at int64
		if err := rows.Scan(&p.Position, &p.Stream, &p.Type, &p.Error, &at, &p.queue); err != nil {
			return nil, sqlite.Classify(err)
		}
		p.At = time.UnixMicro(at).UTC()
		all = append(all, p)
	}
	return all, sqlite.Classify(rows.Err())
}

// Retried is what came of trying parked events again.
type Retried struct {
	Applied int
	Failed  []Parked // the first of each queue that still fails
}

// Retry applies parked events of one stream again, or all for "", in order. What
// waits together stops at the first that still fails; what was applied stays
// applied. Errors: NOT_FOUND for an unknown model, or when nothing of the stream
// is parked.
func (r *Runner) Retry(ctx context.Context, model string, stream domain.StreamID) (Retried, error) {
	w, err := r.worker(model)
	if err != nil {
		return Retried{}, err
	}
	fronts, err := w.selectParked(ctx, `position IN (SELECT min(position) FROM strata_parked
		WHERE ?1 = '' OR queue IN (SELECT queue FROM strata_parked WHERE stream = ?1) GROUP BY queue) ORDER BY position`, string(stream))
	if err != nil {
		return Retried{}, err
	}
	if len(fronts) == 0 && stream != "" {
		return Retried{}, domain.NotFound("parked stream", string(stream))
	}
	var out Retried
	for _, front := range fronts {
		if err := w.retryQueue(ctx, front.queue, &out); err != nil {
			return out, err
		}
	}
	w.log.InfoContext(ctx, "parked events were tried again", "stream", stream, "applied", out.Applied, "failing", len(out.Failed))
	return out, nil
}

// retryAtOnce is how many parked events are tried while the model waits.
const retryAtOnce = 200

// retryQueue tries what waits together, in portions, so that the model goes on
// in between.
func (w *worker) retryQueue(ctx context.Context, queue string, out *Retried) error {
	for {
		w.mu.Lock()
		more, err := w.retrySome(ctx, queue, out)
		w.mu.Unlock()
		if err != nil || !more {
			return err
		}
	}
}

// retrySome tries one portion; w.mu is held. It tells whether there may be more.
func (w *worker) retrySome(ctx context.Context, queue string, out *Retried) (more bool, err error) {
	some, err := w.selectParked(ctx, "queue = ? ORDER BY position LIMIT ?", queue, retryAtOnce)
	if err != nil {
		return false, err
	}
	for _, p := range some {
		event, there, err := readAt(ctx, w.cfg.Store, p.Position)
		if err != nil {
			return false, err
		}
		applied, fault, err := w.file.unpark(ctx, w.cfg.Codec, event, there, p, w.cfg.Clock.Now())
		w.parked.Store(w.file.waiting.Load())
		if err != nil {
			return false, err
		}
		if fault != nil {
			p.Error = fault.Error()
			out.Failed = append(out.Failed, p)
			return false, nil
		}
		out.Applied += len(applied)
		w.committed(applied)
	}
	return len(some) > 0, nil
}

// readAt reads one event of the log. It answers false when the event is no
// longer there (its stream was truncated or deleted).
func readAt(ctx context.Context, store streams.Store, at domain.Position) (streams.Recorded, bool, error) {
	for e, err := range store.ReadAll(ctx, streams.ReadAll{From: at, Limit: 1}) {
		if err != nil {
			return e, false, fmt.Errorf("read event %d: %w", at, err)
		}
		return e, e.Position == at, nil
	}
	return streams.Recorded{}, false, nil
}

// unpark applies one parked event and takes it off its queue. An event that has
// left the log, or was discarded, has nothing to apply. fault is why the event
// fails still; err is about the file.
func (f *file) unpark(ctx context.Context, codec *streams.Codec, r streams.Recorded, there bool, p Parked, now time.Time) (events []domain.Event, fault, err error) {
	if there && !f.skip.has(p.Position) {
		e, err := decode(f.model, codec, r)
		if err != nil {
			fault = err
		} else {
			events = []domain.Event{e}
		}
	}
	if fault == nil {
		fault = f.db.Write(ctx, func(tx *sqlite.Tx) error {
			if err := applySafely(ctx, f.model, tx, events); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "DELETE FROM strata_parked WHERE position = ?", int64(p.Position))
			return err
		})
	}
	if aboutStorage(fault) {
		return nil, nil, fault
	}
	if fault != nil {
		return nil, fault, f.db.Write(ctx, func(tx *sqlite.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE strata_parked SET error = ?, at = ? WHERE position = ?",
				fault.Error(), now.UnixMicro(), int64(p.Position))
			return err
		})
	}
	if f.parked[p.queue]--; f.parked[p.queue] == 0 {
		delete(f.parked, p.queue)
	}
	f.waiting.Add(-1)
	return events, nil, nil
}

// obey follows the decisions to leave events out until ctx ends.
func (r *Runner) obey(ctx context.Context) {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		from := r.obeyed.get()
		err := discards.Follow(ctx, r.cfg.Store, from, func(d projection.EventDiscarded) error {
			w, ok := r.byName[d.Projection]
			if !ok {
				return nil // of a reactor, or of a model that is no more
			}
			return w.leaveOut(ctx, d.Position)
		}, r.obeyed.set)
		if ctx.Err() != nil {
			return
		}
		if r.obeyed.get() > from {
			attempt = 1
		}
		r.cfg.Logger.ErrorContext(ctx, "decisions about parked events cannot be followed", "error", err, "attempt", attempt)
		select {
		case <-r.cfg.Clock.After(r.cfg.Backoff(attempt)):
		case <-ctx.Done():
		}
	}
}

// Obeyed waits until decisions to leave events out are followed up to a
// position of the log, or ctx ends.
func (r *Runner) Obeyed(ctx context.Context, at domain.Position) error {
	if r.obeyed.wait(ctx, at) < at {
		return ctx.Err()
	}
	return nil
}

// leaveOut takes an event out of the parked ones for good, and tries what waits
// behind it.
func (w *worker) leaveOut(ctx context.Context, at domain.Position) error {
	w.mu.Lock()
	w.skip.add(at)
	w.mu.Unlock()
	return w.dropDiscarded(ctx)
}

// dropDiscarded takes what was discarded out of the queues.
func (w *worker) dropDiscarded(ctx context.Context) error {
	all, err := w.listParked(ctx, ParkedQuery{})
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, p := range all {
		if !w.skip.has(p.Position) {
			continue
		}
		err = errors.Join(err, w.dropOne(ctx, p))
		if err == nil && !done[p.queue] {
			done[p.queue] = true
			err = w.retryQueue(ctx, p.queue, new(Retried))
		}
	}
	return err
}

// dropOne takes a discarded event off its queue, wherever it stands.
func (w *worker) dropOne(ctx context.Context, p Parked) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	still, err := w.selectParked(ctx, "position = ?", int64(p.Position))
	if err != nil || len(still) == 0 {
		return err
	}
	_, _, err = w.file.unpark(ctx, w.cfg.Codec, streams.Recorded{}, false, p, w.cfg.Clock.Now())
	w.parked.Store(w.file.waiting.Load())
	return err
}
