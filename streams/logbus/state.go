package logbus

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// State keeps in one SQLite file what reactors must remember: their
// checkpoints and the events they have parked. Unlike read models it cannot be
// rebuilt from the log.
type State struct {
	db *sqlite.DB

	mu      sync.Mutex
	waiting map[queue]int // parked events per reactor and stream
}

// queue is the parked part of a stream.
type queue struct {
	reactor string
	stream  domain.StreamID
}

var _ Checkpoints = (*State)(nil)

// Parked is an event that a reactor could not handle, or one that waits behind
// such an event of its stream.
type Parked struct {
	Reactor  string
	Position domain.Position
	Stream   domain.StreamID
	Type     string
	Error    string    // why it failed; "" when it only waits its turn
	At       time.Time // when it was parked
}

const stateSchema = `
CREATE TABLE IF NOT EXISTS checkpoints (name TEXT PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parked (
  reactor  TEXT NOT NULL,
  position INTEGER NOT NULL,
  stream   TEXT NOT NULL,
  type     TEXT NOT NULL,
  error    TEXT NOT NULL,
  at       INTEGER NOT NULL, -- Unix microseconds
  PRIMARY KEY (reactor, position)
);
CREATE INDEX IF NOT EXISTS parked_stream ON parked (reactor, stream, position);
`

// OpenState opens or makes the file.
func OpenState(ctx context.Context, path string) (*State, error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Readers: 2})
	if err != nil {
		return nil, err
	}
	s := &State{db: db, waiting: map[queue]int{}}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("state of reactors: %w", err), db.Close())
	}
	return s, nil
}

func (s *State) load(ctx context.Context) error {
	if err := s.write(ctx, stateSchema); err != nil {
		return err
	}
	rows, err := s.db.Query(ctx, "SELECT reactor, stream, count(*) FROM parked GROUP BY reactor, stream")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var q queue
		var n int
		if err := rows.Scan(&q.reactor, &q.stream, &n); err != nil {
			return err
		}
		s.waiting[q] = n
	}
	return rows.Err()
}

// Close closes the file.
func (s *State) Close() error { return s.db.Close() }

func (s *State) write(ctx context.Context, statement string, args ...any) error {
	return s.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(ctx, statement, args...)
		return err
	})
}

// Load implements Checkpoints.
func (s *State) Load(ctx context.Context, name string) (domain.Position, error) {
	var at domain.Position
	err := s.db.QueryRow(ctx, "SELECT position FROM checkpoints WHERE name = ?", name).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("load checkpoint %s: %w", name, err)
	}
	return at, nil
}

// Save implements Checkpoints.
func (s *State) Save(ctx context.Context, name string, at domain.Position) error {
	err := s.write(ctx, `INSERT INTO checkpoints (name, position) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET position = excluded.position`, name, int64(at))
	if err != nil {
		return fmt.Errorf("save checkpoint %s: %w", name, err)
	}
	return nil
}

// Forget removes what errors quote of events of some streams, for good: once it
// returns, it is in no byte of the file.
func (s *State) Forget(ctx context.Context, streams map[domain.StreamID]bool) error {
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		for stream := range streams {
			if _, err := tx.Exec(ctx, "UPDATE parked SET error = 'erased with the person it was about' WHERE stream = ? AND error <> ''", string(stream)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget parked events: %w", err)
	}
	return s.db.Scrub(ctx)
}

// park puts an event aside, whether its stream waits already or not.
func (s *State) park(ctx context.Context, reactor string, e streams.Recorded, cause error, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(ctx, reactor, e, cause, now)
}

// join parks an event if its stream has parked events, so that it is handled
// after them, and tells whether it did.
func (s *State) join(ctx context.Context, reactor string, e streams.Recorded, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[queue{reactor, e.Stream}] == 0 {
		return false, nil
	}
	return true, s.add(ctx, reactor, e, nil, now)
}

func (s *State) add(ctx context.Context, reactor string, e streams.Recorded, cause error, now time.Time) error {
	why := ""
	if cause != nil {
		why = cause.Error()
	}
	// An event that is parked already came again after a crash.
	added := int64(0)
	err := s.db.Write(context.WithoutCancel(ctx), func(tx *sqlite.Tx) error {
		r, err := tx.Exec(ctx, `INSERT OR IGNORE INTO parked (reactor, position, stream, type, error, at) VALUES (?, ?, ?, ?, ?, ?)`,
			reactor, int64(e.Position), string(e.Stream), e.Type, why, now.UnixMicro())
		if err == nil {
			added, err = r.RowsAffected()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("park event %d for %s: %w", e.Position, reactor, err)
	}
	s.waiting[queue{reactor, e.Stream}] += int(added)
	return nil
}

// unpark takes an event that was handled off its queue.
func (s *State) unpark(ctx context.Context, p Parked) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(ctx, "DELETE FROM parked WHERE reactor = ? AND position = ?", p.Reactor, int64(p.Position)); err != nil {
		return fmt.Errorf("unpark event %d of %s: %w", p.Position, p.Reactor, err)
	}
	q := queue{p.Reactor, p.Stream}
	if s.waiting[q]--; s.waiting[q] <= 0 {
		delete(s.waiting, q)
	}
	return nil
}

// failedAgain notes why a parked event still fails.
func (s *State) failedAgain(ctx context.Context, p Parked, cause error, now time.Time) error {
	return s.write(ctx, "UPDATE parked SET error = ?, at = ? WHERE reactor = ? AND position = ?",
		cause.Error(), now.UnixMicro(), p.Reactor, int64(p.Position))
}

// ParkedQuery narrows a list of parked events.
type ParkedQuery struct {
	Reactor string          // of one reactor only, unless ""
	Stream  domain.StreamID // of one stream only, unless ""
	After   domain.Position // those behind a position
	Limit   int             // at most so many; 0 is all
}

// Parked lists parked events by reactor and position.
func (s *State) Parked(ctx context.Context, q ParkedQuery) ([]Parked, error) {
	limit := q.Limit
	if limit == 0 {
		limit = -1 // all, to SQLite
	}
	rows, err := s.db.Query(ctx, `SELECT reactor, position, stream, type, error, at FROM parked
		WHERE (?1 = '' OR reactor = ?1) AND (?2 = '' OR stream = ?2) AND position > ?3 ORDER BY reactor, position LIMIT ?4`,
		q.Reactor, string(q.Stream), int64(q.After), limit)
	if err != nil {
		return nil, fmt.Errorf("parked events: %w", err)
	}
	defer rows.Close()
	var all []Parked
	for rows.Next() {
		var p Parked
		var at int64
		if err := rows.Scan(&p.Reactor, &p.Position, &p.Stream, &p.Type, &p.Error, &at); err != nil {
			return nil, fmt.Errorf("parked events: %w", err)
		}
		p.At = time.UnixMicro(at).UTC()
		all = append(all, p)
	}
	return all, rows.Err()
}

// parkedBy counts what a reactor has parked.
func (s *State) parkedBy(reactor string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for q, waiting := range s.waiting {
		if q.reactor == reactor {
			n += waiting
		}
	}
	return n
}
