package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/projections/audit"
	"strata/projections/query"
)

// Stats counts entries of the trail.
type Stats struct {
	Total    int
	ByAction map[string]int
	ByActor  map[string]int // the most active ones, at most 1,000
}

// maxActors bounds the answer of Stats.
const maxActors = 1000

// Stats counts the entries that a query selects. Its page is ignored.
func (r *Reader) Stats(ctx context.Context, q Query) (Stats, error) {
	s := Stats{ByAction: map[string]int{}, ByActor: map[string]int{}}
	where := r.where(&q)
	err := r.counts(ctx, "type", where, -1, func(typ string, n int) {
		s.ByAction[audit.Unversioned(typ)] += n
		s.Total += n
	})
	if err == nil {
		err = r.counts(ctx, "actor", where, maxActors, func(actor string, n int) { s.ByActor[actor] = n })
	}
	return s, err
}

func (r *Reader) counts(ctx context.Context, column string, where *query.Where, limit int, add func(value string, n int)) error {
	rows, err := r.db.Query(ctx, "SELECT "+column+", count(*) FROM events"+where.SQL()+" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?", append(where.Args(), limit)...)
	if err != nil {
		return fmt.Errorf("count events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		var n int
		if err := rows.Scan(&value, &n); err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		add(value, n)
	}
	return rows.Err()
}

// Entry returns one entry of a chain, without data; NOT_FOUND when the chain
// has none of that id.
func (r *Reader) Entry(ctx context.Context, chain, id string) (*Event, error) {
	e, err := scan(r.db.QueryRow(ctx, "SELECT "+columns+" FROM events WHERE id = ? AND chain = ?", id, chain))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, domain.NotFound("audit log entry", id)
	}
	if err != nil {
		return nil, fmt.Errorf("audit log entry %s: %w", id, err)
	}
	return e, nil
}

// End is where a chain ended at some moment.
type End struct {
	Chain    string
	Head     audit.Hash
	Entries  int
	Position domain.Position // of the last entry
}

// EndOf returns where a chain ends now.
func (r *Reader) EndOf(ctx context.Context, chain string) (End, error) {
	e, err := r.endOf(ctx, chain)
	return End{Chain: chain, Head: e.hash, Entries: e.events, Position: e.position}, err
}

// Count returns how many entries Each would show.
func (r *Reader) Count(ctx context.Context, end End, q Query) (n int, err error) {
	where, err := r.upTo(ctx, end, &q)
	if err != nil {
		return 0, err
	}
	err = r.db.QueryRow(ctx, "SELECT count(*) FROM events"+where.SQL(), where.Args()...).Scan(&n)
	return n, err
}

// Each shows the entries of a chain up to its end that a query selects, in the
// order of the chain. Its times cut one piece out of the chain, without gaps:
// from the first entry not before the one to the last entry before the other.
// Its page is ignored; memory is that of a thousand entries.
func (r *Reader) Each(ctx context.Context, end End, q Query, see func(*Event) error) error {
	where, err := r.upTo(ctx, end, &q)
	if err != nil {
		return err
	}
	for after := domain.Position(0); ; {
		page, err := r.page(ctx, where, after)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := see(e); err != nil {
				return err
			}
			after = e.Position
		}
		if len(page) < pageOfRows {
			return nil
		}
	}
}

func (r *Reader) upTo(ctx context.Context, end End, q *Query) (*query.Where, error) {
	from, to, err := r.between(ctx, end.Chain, q.Since, q.Until, end.Position)
	if err != nil {
		return nil, err
	}
	narrowed := *q
	narrowed.Scope, narrowed.Since, narrowed.Until = Scope{Workspace: end.Chain}, time.Time{}, time.Time{}
	return r.where(&narrowed).And("position BETWEEN ? AND ?", int64(from), int64(to)), nil
}

func (r *Reader) page(ctx context.Context, where *query.Where, after domain.Position) ([]*Event, error) {
	rows, err := r.db.Query(ctx, "SELECT "+columns+" FROM events"+where.SQL()+" AND position > ? ORDER BY position LIMIT ?",
		append(where.Args(), int64(after), pageOfRows)...)
	if err != nil {
		return nil, fmt.Errorf("events after %d: %w", after, err)
	}
	defer rows.Close()
	var out []*Event
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("events after %d: %w", after, err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
