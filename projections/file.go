package projections

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// bookkeeping is kept in every model's file beside the model's own tables, so
// that it commits with them. Its tables begin with "strata_": Compare leaves
// them out.
const bookkeeping = `
CREATE TABLE strata_checkpoint (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  position INTEGER NOT NULL, -- every event up to here is in the rows, or parked
  indexed  INTEGER NOT NULL  -- whether the file has caught up once and Indexes has been run
);
INSERT INTO strata_checkpoint VALUES (1, 0, 0);
CREATE TABLE strata_parked (
  position INTEGER PRIMARY KEY,
  stream   TEXT NOT NULL,
  type     TEXT NOT NULL,
  error    TEXT NOT NULL, -- '' for an event that only waits behind a failing one
  at       INTEGER NOT NULL, -- when it was parked, Unix microseconds
  queue    TEXT NOT NULL -- what waits together: the stream, unless the model says otherwise
);
CREATE INDEX strata_parked_queue ON strata_parked (queue, position);
CREATE TABLE strata_rebuild (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  building INTEGER NOT NULL, -- the file is the shadow of a living one
  report   TEXT NOT NULL     -- the rebuild that made the file, as JSON
);
`

// file is a model's database with its bookkeeping read into memory. Its owner
// serialises everything.
type file struct {
	model    Model
	path     string
	options  sqlite.Options
	db       *sqlite.DB
	skip     *leftOut        // discarded for good
	saved    domain.Position // checkpoint in the database
	reached  domain.Position // saved, or further when the events since did not match
	indexed  bool            // Indexes has been run
	building bool            // a shadow
	rebuilt  Rebuilding      // how the file was made, if by a rebuild
	parked   map[string]int  // parked events per queue
	waiting  atomic.Int64    // sum of parked, for status
}

// role says what a file is made as, when it is not there.
type role int

const (
	existing role = iota // it is not made: errUnmade
	living
	shadow
)

// errUnmade: the file has no tables. Its process died while making it.
var errUnmade = errors.New("read model file has no tables")

// openFile opens a model's file, making it when it is not there.
func openFile(ctx context.Context, path string, o sqlite.Options, m Model, skip *leftOut, as role) (*file, error) {
	db, err := sqlite.Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	f := &file{model: m, path: path, options: o, db: db, skip: skip}
	if err := f.prepare(ctx, as); err != nil {
		return nil, errors.Join(fmt.Errorf("read model %s: %w", m.Name(), err), db.Close())
	}
	return f, nil
}

// prepare makes the tables of an empty file and reads the bookkeeping.
func (f *file) prepare(ctx context.Context, as role) error {
	var made, current bool
	err := f.db.QueryRow(ctx, `SELECT count(*) FILTER (WHERE name = 'strata_checkpoint'), count(*) FILTER (WHERE name = 'strata_rebuild')
		FROM sqlite_master`).Scan(&made, &current)
	if err != nil {
		return sqlite.Classify(err)
	}
	if made && !current {
		// Written before there were rebuilds beside the living model: folding it
		// again is simpler than to know every form there ever was.
		return fmt.Errorf("%w: its bookkeeping is of an older form", sqlite.ErrCorrupt)
	}
	if !made && as == existing {
		return errUnmade
	}
	if !made {
		err := f.db.Write(ctx, func(tx *sqlite.Tx) error {
			if _, err := tx.Exec(ctx, f.model.Schema()); err != nil {
				return fmt.Errorf("schema: %w", err)
			}
			if _, err := tx.Exec(ctx, bookkeeping); err != nil {
				return err
			}
			// With the tables: a shadow must never be taken for a living file.
			_, err := tx.Exec(ctx, "INSERT INTO strata_rebuild VALUES (1, ?, '{}')", as == shadow)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := f.db.QueryRow(ctx, "SELECT position, indexed FROM strata_checkpoint").Scan(&f.saved, &f.indexed); err != nil {
		return fmt.Errorf("checkpoint: %w", sqlite.Classify(err))
	}
	f.reached = f.saved
	return errors.Join(f.loadParked(ctx), f.loadReport(ctx))
}

func (f *file) loadParked(ctx context.Context) error {
	f.parked = map[string]int{}
	f.waiting.Store(0)
	rows, err := f.db.Query(ctx, "SELECT queue, count(*) FROM strata_parked GROUP BY queue")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var queue string
		var n int
		if err := rows.Scan(&queue, &n); err != nil {
			return sqlite.Classify(err)
		}
		f.parked[queue] = n
		f.waiting.Add(int64(n))
	}
	return sqlite.Classify(rows.Err())
}

// queueOf is what an event waits with when something before it failed.
func (f *file) queueOf(e *streams.Recorded) string {
	if g, ok := f.model.(Grouper); ok {
		return g.Group(e)
	}
	return string(e.Stream)
}

// buildIndexes runs the DDL that was put off during the first catch-up.
func (f *file) buildIndexes(ctx context.Context) error {
	err := f.db.Write(ctx, func(tx *sqlite.Tx) error {
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
	err := f.db.Write(ctx, func(tx *sqlite.Tx) error {
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

func (f *file) close() error { return f.db.Close() }

// remove closes the file and deletes it.
func (f *file) remove() error {
	if err := f.close(); err != nil && !errors.Is(err, sqlite.ErrCorrupt) {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	return sqlite.Remove(f.path)
}

// durable brings everything that was committed to the disk.
func (f *file) durable(ctx context.Context) error {
	return f.db.Checkpoint(ctx)
}

// Rebuilding is what there is to tell of a rebuild: of the one that runs, or of
// the last one.
type Rebuilding struct {
	State           RebuildState    `json:"state"`
	Position        domain.Position `json:"position"` // the new rows reflect the log up to here
	Target          domain.Position `json:"target"`   // where the living model is
	EventsPerSecond int             `json:"events_per_second,omitempty"`
	StartedAt       time.Time       `json:"started_at"`
	FinishedAt      time.Time       `json:"finished_at,omitzero"`
	ComparedAt      domain.Position `json:"compared_at,omitempty"` // where old and new rows were compared
	Differences     []Difference    `json:"differences,omitempty"` // between the old rows (A) and the new ones (B)
	Parked          int             `json:"parked"`                // events set aside by the new model
	LeftOut         int             `json:"left_out"`              // events discarded before it began
	Error           string          `json:"error,omitempty"`       // why it failed, or what is being tried again
}

// RebuildState is how far a rebuild is.
type RebuildState string

// The states of a rebuild.
const (
	RebuildFilling   RebuildState = "filling"   // folding the log
	RebuildIndexing  RebuildState = "indexing"  // building indexes
	RebuildComparing RebuildState = "comparing" // with the living rows
	RebuildDone      RebuildState = "done"      // the new rows are the living ones
	RebuildCancelled RebuildState = "cancelled"
	RebuildFailed    RebuildState = "failed" // the living rows stay
)

// Ended tells whether nothing more happens.
func (s RebuildState) Ended() bool {
	return s == RebuildDone || s == RebuildCancelled || s == RebuildFailed
}
