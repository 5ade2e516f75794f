package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"

	"strata/domain"
	"strata/internal/sqlite"
)

// Reader reads a model's committed rows. It stays valid when the runner has to
// replace the file behind it.
type Reader interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// bookkeeping is kept in every model's file beside the model's own tables, so
// that it commits with them. Its tables begin with "strata_": Compare leaves
// them out.
const bookkeeping = `
CREATE TABLE strata_checkpoint (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  position INTEGER NOT NULL, -- every event up to here is in the rows, or parked
  indexed  INTEGER NOT NULL  -- whether Indexes has been run
);
INSERT INTO strata_checkpoint VALUES (1, 0, 0);
CREATE TABLE strata_parked (
  position INTEGER PRIMARY KEY,
  stream   TEXT NOT NULL,
  type     TEXT NOT NULL,
  error    TEXT NOT NULL, -- '' for an event that only waits behind a failing one
  at       INTEGER NOT NULL -- when it was parked, Unix microseconds
);
CREATE INDEX strata_parked_stream ON strata_parked (stream, position);
`

// file is a model's database with its bookkeeping read into memory. Its owner
// serialises everything but reads.
type file struct {
	model   Model
	path    string
	options sqlite.Options
	handle  handle
	saved   domain.Position         // checkpoint in the database
	reached domain.Position         // saved, or further when the events since did not match
	indexed bool                    // Indexes has been run
	parked  map[domain.StreamID]int // parked events per stream
	waiting atomic.Int64            // sum of parked, for status
}

// handle lets the database be replaced under its readers.
type handle struct{ db atomic.Pointer[sqlite.DB] }

func (h *handle) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return h.db.Load().Query(ctx, query, args...)
}

func (h *handle) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return h.db.Load().QueryRow(ctx, query, args...)
}

// fileName names a model's file. The version is part of it, so that an older
// binary finds its own file again.
// FileName is the name of the file that a runner keeps a model in.
func FileName(m Model) string { return fmt.Sprintf("%s-v%d.db", m.Name(), m.Version()) }

// openFile opens a model's file, making it when it is not there.
func openFile(ctx context.Context, path string, o sqlite.Options, m Model) (*file, error) {
	f := &file{model: m, path: path, options: o}
	db, err := sqlite.Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	f.handle.db.Store(db)
	if err := f.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read model %s: %w", m.Name(), err), db.Close())
	}
	return f, nil
}

// prepare makes the tables of an empty file and reads the bookkeeping.
func (f *file) prepare(ctx context.Context) error {
	db := f.handle.db.Load()
	var made int
	if err := db.QueryRow(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'strata_checkpoint'").Scan(&made); err != nil {
		return sqlite.Classify(err)
	}
	if made == 0 {
		err := db.Write(ctx, func(tx *sqlite.Tx) error {
			if _, err := tx.Exec(ctx, f.model.Schema()); err != nil {
				return fmt.Errorf("schema: %w", err)
			}
			_, err := tx.Exec(ctx, bookkeeping)
			return err
		})
		if err != nil {
			return err
		}
	}
	err := db.QueryRow(ctx, "SELECT position, indexed FROM strata_checkpoint").Scan(&f.saved, &f.indexed)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", sqlite.Classify(err))
	}
	f.reached = f.saved
	return f.loadParked(ctx)
}

func (f *file) loadParked(ctx context.Context) error {
	f.parked = map[domain.StreamID]int{}
	f.waiting.Store(0)
	rows, err := f.handle.Query(ctx, "SELECT stream, count(*) FROM strata_parked GROUP BY stream")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var stream domain.StreamID
		var n int
		if err := rows.Scan(&stream, &n); err != nil {
			return sqlite.Classify(err)
		}
		f.parked[stream] = n
		f.waiting.Add(int64(n))
	}
	return sqlite.Classify(rows.Err())
}

// reset replaces the file with an empty one: everything is folded again.
func (f *file) reset(ctx context.Context) error {
	if err := f.handle.db.Load().Close(); err != nil && !errors.Is(err, sqlite.ErrCorrupt) {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	if err := sqlite.Remove(f.path); err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, f.path, f.options)
	if err != nil {
		return err
	}
	f.handle.db.Store(db)
	return f.prepare(ctx)
}

// buildIndexes runs the DDL that was put off during the first catch-up.
func (f *file) buildIndexes(ctx context.Context) error {
	err := f.handle.db.Load().Write(ctx, func(tx *sqlite.Tx) error {
		if ddl := f.model.Indexes(); strings.TrimSpace(ddl) != "" {
			if _, err := tx.Exec(ctx, ddl); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "UPDATE strata_checkpoint SET indexed = 1")
		return err
	})
	if err != nil {
		return fmt.Errorf("build indexes: %w", err)
	}
	f.indexed = true
	return nil
}

// save writes a checkpoint that moved without any row changing.
func (f *file) save(ctx context.Context) error {
	if f.reached == f.saved {
		return nil
	}
	return f.write(ctx, f.reached, func(*sqlite.Tx) error { return nil })
}

// write runs fn and moves the checkpoint in one transaction.
func (f *file) write(ctx context.Context, to domain.Position, fn func(tx *sqlite.Tx) error) error {
	err := f.handle.db.Load().Write(ctx, func(tx *sqlite.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE strata_checkpoint SET position = ?", int64(to))
		return err
	})
	if err != nil {
		return err
	}
	f.saved, f.reached = to, to
	return nil
}

func (f *file) close() error { return f.handle.db.Load().Close() }

// removeOlder deletes the files of other versions of the model.
func (f *file) removeOlder() error {
	others, err := filepath.Glob(filepath.Join(filepath.Dir(f.path), f.model.Name()+"-v*.db"))
	if err != nil {
		return err
	}
	var errs []error
	for _, other := range others {
		if filepath.Base(other) != filepath.Base(f.path) {
			errs = append(errs, sqlite.Remove(other))
		}
	}
	return errors.Join(errs...)
}
