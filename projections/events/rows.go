package events

import (
	"context"
	"fmt"
	"iter"
	"time"

	"strata/domain"
	"strata/projections/audit"
)

// checkedRow is a row as it is read to be checked. Whatever somebody wrote into
// a column can be read; what does not fit the column's type is noted.
type checkedRow struct {
	audit.Entry
	subject string
	unfit   string // a column with a value of another type
}

const checkedColumns = `position, id, type, stream, subject, revision, workspace, organization, actor, request_id, correlation_id,
	occurred_at, content, prev_hash, hash`

// pageOfRows is how many rows are read at a time: a check may take minutes, and
// an open read keeps the database from reusing space.
const pageOfRows = 1000

// rows yields the rows of the chain in order.
func (v *verifier) rows(ctx context.Context, from, to domain.Position) iter.Seq2[*checkedRow, error] {
	return func(yield func(*checkedRow, error) bool) {
		for at := from; ; {
			page, err := v.readRows(ctx, at, to)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
				at = row.Position + 1
			}
			if len(page) < pageOfRows {
				return
			}
		}
	}
}

func (v *verifier) readRows(ctx context.Context, from, to domain.Position) ([]*checkedRow, error) {
	rows, err := v.db.Query(ctx, "SELECT "+checkedColumns+" FROM events WHERE chain = ? AND position BETWEEN ? AND ? ORDER BY position LIMIT ?",
		v.chain, int64(from), int64(to), pageOfRows)
	if err != nil {
		return nil, fmt.Errorf("entries after %d: %w", from, err)
	}
	defer rows.Close()
	var page []*checkedRow
	for rows.Next() {
		c := &checkedRow{}
		text := func(name string, into *string) any { return loose[string]{c, name, into} }
		number := func(name string, into *int64) any { return loose[int64]{c, name, into} }
		var stream string
		var revision, at int64
		if err := rows.Scan(&c.Position, text("id", &c.ID), text("type", &c.Type), text("stream", &stream), text("subject", &c.subject),
			number("revision", &revision), text("workspace", &c.Workspace), text("organization", &c.Organization), text("actor", &c.Actor),
			text("request_id", &c.RequestID), text("correlation_id", &c.CorrelationID), number("occurred_at", &at),
			hashColumn{&c.Content}, hashColumn{&c.Prev}, hashColumn{&c.Hash}); err != nil {
			return nil, fmt.Errorf("entries after %d: %w", from, err)
		}
		c.Stream, c.Revision, c.OccurredAt = domain.StreamID(stream), domain.Revision(revision), time.UnixMicro(at).UTC()
		page = append(page, c)
	}
	return page, rows.Err()
}

// differs names the first column that is not what the event says, "" for none.
func (c *checkedRow) differs(e *audit.Entry) string {
	switch {
	case c.unfit != "":
		return c.unfit
	case c.ID != e.ID:
		return "id"
	case c.Type != e.Type:
		return "type"
	case c.Stream != e.Stream:
		return "stream"
	case c.subject != e.Stream.Key():
		return "subject"
	case c.Revision != e.Revision:
		return "revision"
	case c.Workspace != e.Workspace:
		return "workspace"
	case c.Organization != e.Organization:
		return "organization"
	case c.Actor != e.Actor:
		return "actor"
	case c.RequestID != e.RequestID:
		return "request_id"
	case c.CorrelationID != e.CorrelationID:
		return "correlation_id"
	case !c.OccurredAt.Equal(e.OccurredAt):
		return "occurred_at"
	case c.Content != e.Content:
		return "content"
	}
	return ""
}

// loose scans a column that somebody may have tampered with.
type loose[T string | int64] struct {
	row    *checkedRow
	column string
	into   *T
}

// Scan implements sql.Scanner.
func (l loose[T]) Scan(value any) error {
	v, ok := value.(T)
	if !ok {
		l.row.unfit = l.column
	}
	*l.into = v
	return nil
}
