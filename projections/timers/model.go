// Package timers is the read model of timers: those that are pending, by when
// they are due. It is what lets the process that fires them look at the next
// one only, however many there are.
package timers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/domain/timer"
	"strata/projections"
	"strata/projections/query"
	"strata/streams"
)

// Name is the model's name.
const Name = "timers"

// Model keeps pending timers.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{timer.Aggregate.Category}}
}

// Schema implements projections.Model. The index is part of it: there are few
// rows at any time, whatever the length of the log.
func (Model) Schema() string {
	return `
CREATE TABLE timers (
  id  TEXT PRIMARY KEY,
  due INTEGER NOT NULL -- Unix microseconds
) WITHOUT ROWID;
CREATE INDEX timers_due ON timers (due);`
}

// Indexes implements projections.Model.
func (Model) Indexes() string { return "" }

// Apply implements projections.Model. Of a timer's events in the batch the
// last says what becomes of it.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	last := map[domain.StreamID]domain.Fact{}
	var order []domain.StreamID
	for _, e := range events {
		if _, seen := last[e.Stream]; !seen {
			order = append(order, e.Stream)
		}
		last[e.Stream] = e.Fact
	}
	for _, stream := range order {
		var err error
		switch f := last[stream].(type) {
		case timer.Scheduled:
			_, err = tx.Exec(ctx, `INSERT INTO timers (id, due) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET due = excluded.due`,
				stream.Key(), f.Due.UnixMicro())
		default:
			_, err = tx.Exec(ctx, `DELETE FROM timers WHERE id = ?`, stream.Key())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", stream, err)
		}
	}
	return nil
}

// Queries reads the model.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db} }

// Due lists the timers that are due at a time, the earliest first, at most so many.
func (q *Queries) Due(ctx context.Context, at time.Time, limit int) ([]string, error) {
	rows, err := q.db.Query(ctx, `SELECT t.id FROM timers t WHERE t.due <= ? ORDER BY t.due LIMIT ?`, at.UnixMicro(), limit)
	if err != nil {
		return nil, fmt.Errorf("due timers: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("due timers: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Next is when the earliest pending timer is due; the zero time when there is none.
func (q *Queries) Next(ctx context.Context) (time.Time, error) {
	var due int64
	err := q.db.QueryRow(ctx, `SELECT t.due FROM timers t ORDER BY t.due LIMIT 1`).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("next timer: %w", err)
	}
	return time.UnixMicro(due).UTC(), nil
}
