package projections

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"

	"strata/internal/sqlite"
	"strata/projections/query"
)

// Reader reads a model's committed rows. It stays valid when the runner puts
// another file behind it. While the model has not caught up with the log once,
// every query answers SERVICE_UNAVAILABLE: half-built rows are never seen.
type Reader interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) query.Row
}

// handle is where a model's readers meet its database, which may change.
type handle struct {
	current atomic.Pointer[lease]
	ready   func() error // why the model cannot be read; nil when it can
}

// lease keeps a database open while somebody begins to read from it. Rows that
// are still being read do not need it: they outlive the database's Close.
type lease struct {
	mu      sync.RWMutex // held for reading while a query begins
	db      *sqlite.DB
	retired bool
}

// hold returns the current database, locked against being retired.
func (h *handle) hold() *lease {
	for {
		l := h.current.Load()
		l.mu.RLock()
		if !l.retired {
			return l
		}
		l.mu.RUnlock() // another has taken its place
	}
}

// replace puts a database in the place of the one before, which may be closed
// when this returns: nobody begins to read from it any more.
func (h *handle) replace(db *sqlite.DB) {
	old := h.current.Swap(&lease{db: db})
	if old == nil {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	old.retired = true
}

// Query implements Reader.
func (h *handle) Query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if err := h.ready(); err != nil {
		return nil, err
	}
	return h.look(ctx, text, args...)
}

// look is Query for the runner itself, whatever state the model is in.
func (h *handle) look(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	l := h.hold()
	defer l.mu.RUnlock()
	return l.db.Query(ctx, text, args...)
}

// QueryRow implements Reader.
func (h *handle) QueryRow(ctx context.Context, text string, args ...any) query.Row {
	if err := h.ready(); err != nil {
		return refusal{err}
	}
	l := h.hold()
	defer l.mu.RUnlock()
	return l.db.QueryRow(ctx, text, args...)
}

// refusal is the row of a model that cannot be read.
type refusal struct{ err error }

// Scan implements query.Row.
func (r refusal) Scan(...any) error { return r.err }
