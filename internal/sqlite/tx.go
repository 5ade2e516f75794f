package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Tx is a running write transaction. It is valid only inside Write's function.
type Tx struct{ db *DB }

// Write runs fn in one transaction: it commits when fn returns nil and rolls
// back when fn returns an error or panics. The context decides whether the
// transaction begins; once begun it is not interrupted, because batches are
// short and an interrupted one would have to be folded again.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) (err error) {
	db.write.Lock()
	defer db.write.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := db.writer.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", classify(err))
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// SQLite has already rolled back by itself after some errors (full
		// disk, for one); then this reports "no transaction is active".
		_, rollback := db.writer.ExecContext(ctx, "ROLLBACK")
		if err == nil {
			err = rollback
		}
	}()
	if err := fn(&Tx{db}); err != nil {
		return err
	}
	if _, err := db.writer.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", classify(err))
	}
	committed = true
	return nil
}

// Exec runs a statement, or several without arguments.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := t.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(context.WithoutCancel(ctx), args...)
	return r, classify(err)
}

// Query reads rows as the transaction sees them. The caller closes them.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := t.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(context.WithoutCancel(ctx), args...)
	return rows, classify(err)
}

// QueryRow reads one row as the transaction sees it.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = context.WithoutCancel(ctx)
	s, err := t.statement(ctx, query)
	if err != nil {
		// A *sql.Row cannot be made with an error in it; asking again the plain
		// way makes one that carries the same error.
		return t.db.writer.QueryRowContext(ctx, query, args...)
	}
	return s.QueryRowContext(ctx, args...)
}

// Savepoint runs fn; when it fails or panics, its changes alone are undone and
// the transaction goes on.
func (t *Tx) Savepoint(ctx context.Context, fn func() error) (err error) {
	if _, err := t.Exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			_, undo := t.Exec(ctx, "ROLLBACK TO one")
			_, release := t.Exec(ctx, "RELEASE one")
			err = errors.Join(err, undo, release)
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	done = true
	_, err = t.Exec(ctx, "RELEASE one")
	return err
}

// statement returns the prepared form of a query, which lives as long as the
// database. Scripts, which cannot be prepared, are kept the same way.
func (t *Tx) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := t.db.stmts[query]; ok {
		return s, nil
	}
	s, err := t.db.writer.PrepareContext(ctx, query)
	if err != nil {
		return nil, classify(err)
	}
	if len(t.db.stmts) < maxPrepared {
		t.db.stmts[query] = s
		return s, nil
	}
	for old, stale := range t.db.stmts { // any: the cap is a safety net for generated SQL
		delete(t.db.stmts, old)
		if err := stale.Close(); err != nil {
			return nil, err
		}
		break
	}
	t.db.stmts[query] = s
	return s, nil
}
