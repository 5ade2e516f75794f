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

// Parked is an event a model could not apply, or one that waits behind such an
// event of its stream.
type Parked struct {
	Model    string
	Position domain.Position
	Stream   domain.StreamID
	Type     string
	Error    string    // why it failed; "" when it only waits its turn
	At       time.Time // when it was parked
}

// Parked lists what all models have parked, by model and position.
func (r *Runner) Parked(ctx context.Context) ([]Parked, error) {
	var all []Parked
	for _, w := range r.workers {
		some, err := w.file.listParked(ctx, "")
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Retry applies the parked events of one stream again, in order. It stops at
// the first that still fails and returns why; what was applied stays applied.
// When all succeed the stream flows again. A stream with nothing parked is
// NOT_FOUND.
func (r *Runner) Retry(ctx context.Context, model string, stream domain.StreamID) error {
	w, ok := r.byName[model]
	if !ok {
		return domain.NotFound("read model", model)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	queue, err := w.file.listParked(ctx, stream)
	if err != nil {
		return err
	}
	if len(queue) == 0 {
		return domain.NotFound("parked stream", string(stream))
	}
	for _, p := range queue {
		event, there, err := readAt(ctx, r.cfg.Store, p.Position)
		if err != nil {
			return err
		}
		applied, err := w.file.unpark(ctx, r.cfg.Codec, event, there, p, r.cfg.Clock.Now())
		if err != nil {
			return fmt.Errorf("event %d of %s still fails: %w", p.Position, stream, err)
		}
		r.committed(model, applied)
	}
	r.cfg.Logger.InfoContext(ctx, "parked stream applied", "model", model, "stream", stream, "events", len(queue))
	return nil
}

// readAt reads one event of the log. It answers false when the event is no
// longer there (its stream was truncated or deleted).
func readAt(ctx context.Context, store streams.Store, at domain.Position) (streams.Recorded, bool, error) {
	for e, err := range store.ReadAll(ctx, streams.ReadAll{After: at - 1, Limit: 1}) {
		if err != nil {
			return e, false, fmt.Errorf("read event %d: %w", at, err)
		}
		return e, e.Position == at, nil
	}
	return streams.Recorded{}, false, nil
}

// unpark applies one parked event and takes it off its queue. An event that has
// left the log has nothing to apply.
func (f *file) unpark(ctx context.Context, codec *streams.Codec, r streams.Recorded, there bool, p Parked, now time.Time) ([]domain.Event, error) {
	var events []domain.Event
	failed := error(nil)
	if there {
		e, err := codec.Decode(r)
		if err != nil {
			failed = err
		} else {
			events = []domain.Event{e}
		}
	}
	if failed == nil {
		failed = f.handle.db.Load().Write(ctx, func(tx *sqlite.Tx) error {
			if err := applySafely(ctx, f.model, tx, events); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "DELETE FROM strata_parked WHERE position = ?", int64(p.Position))
			return err
		})
	}
	if failed != nil {
		return nil, errors.Join(failed, f.handle.db.Load().Write(ctx, func(tx *sqlite.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE strata_parked SET error = ?, at = ? WHERE position = ?",
				failed.Error(), now.UnixMicro(), int64(p.Position))
			return err
		}))
	}
	if f.parked[p.Stream]--; f.parked[p.Stream] == 0 {
		delete(f.parked, p.Stream)
	}
	f.waiting.Add(-1)
	return events, nil
}

// listParked reads the parked events of a stream, or of all for "".
func (f *file) listParked(ctx context.Context, stream domain.StreamID) ([]Parked, error) {
	rows, err := f.handle.Query(ctx, `SELECT position, stream, type, error, at FROM strata_parked
		WHERE ? = '' OR stream = ? ORDER BY position`, string(stream), string(stream))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Parked
	for rows.Next() {
		p := Parked{Model: f.model.Name()}
		var at int64
		if err := rows.Scan(&p.Position, &p.Stream, &p.Type, &p.Error, &at); err != nil {
			return nil, sqlite.Classify(err)
		}
		p.At = time.UnixMicro(at).UTC()
		all = append(all, p)
	}
	return all, sqlite.Classify(rows.Err())
}
