package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "a b?.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	exec(t, db, "CREATE TABLE t (n INTEGER PRIMARY KEY, s TEXT); CREATE TABLE u (n INTEGER);")
	return db
}

func exec(t *testing.T, db *DB, query string, args ...any) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec(t.Context(), query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWriteIsAtomic(t *testing.T) {
	db, ctx := open(t), t.Context()
	insert := func(tx *Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO t (s) VALUES (?)", "x")
		return err
	}
	if err := db.Write(ctx, insert); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := db.Write(ctx, func(tx *Tx) error { return errors.Join(insert(tx), boom) })
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Write(ctx, func(tx *Tx) error { _ = insert(tx); panic("boom") })
	}()
	if n := count(t, db, "t"); n != 1 {
		t.Fatalf("%d rows, want the committed one", n)
	}
	if err := db.Write(ctx, insert); err != nil {
		t.Fatalf("after a panic: %v", err)
	}
}

func TestSavepointUndoesOnlyItself(t *testing.T) {
	db, ctx := open(t), t.Context()
	boom := errors.New("boom")
	err := db.Write(ctx, func(tx *Tx) error {
		for i, fail := range []error{nil, boom, nil} {
			err := tx.Savepoint(ctx, func() error {
				_, err := tx.Exec(ctx, "INSERT INTO t (n) VALUES (?)", i)
				return errors.Join(err, fail)
			})
			if !errors.Is(err, fail) {
				return fmt.Errorf("savepoint %d: %w", i, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "t"); n != 2 {
		t.Fatalf("%d rows, want 2", n)
	}
}

func TestReadersSeeCommitsAndCannotWrite(t *testing.T) {
	db, ctx := open(t), t.Context()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if a, b := count(t, db, "t"), count(t, db, "u"); a < 0 || b < a {
					t.Errorf("t has %d rows and u, written with it and read later, %d", a, b)
				}
			}
		})
	}
	for i := range 50 {
		err := db.Write(ctx, func(tx *Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO t (n) VALUES (?)", i)
			_, err2 := tx.Exec(ctx, "INSERT INTO u (n) VALUES (?)", i)
			return errors.Join(err, err2)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if rows, err := db.Query(ctx, "DELETE FROM t RETURNING n"); err == nil {
		for rows.Next() {
		}
		if rows.Err() == nil {
			t.Error("a reader could delete")
		}
		_ = rows.Close()
	}
	if n := count(t, db, "t"); n != 50 {
		t.Fatalf("%d rows, want 50", n)
	}
}

func TestManyDifferentStatements(t *testing.T) {
	db, ctx := open(t), t.Context()
	err := db.Write(ctx, func(tx *Tx) error {
		for i := range 2 * maxPrepared {
			if _, err := tx.Exec(ctx, fmt.Sprintf("INSERT INTO t (n) VALUES (%d)", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxPrepared {
		var n int
		if err := db.QueryRow(ctx, fmt.Sprintf("SELECT n FROM t WHERE n = %d", i)).Scan(&n); err != nil || n != i {
			t.Fatalf("%d: %d, %v", i, n, err)
		}
	}
	if db.prepared > maxPrepared || len(db.stmts) > maxPrepared {
		t.Errorf("%d and %d statements are kept", db.prepared, len(db.stmts))
	}
}

func TestCorruptFile(t *testing.T) {
	t.Run("no database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, []byte("this is certainly no database, just some text in a file"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("got %v", err)
		}
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := Remove(path); err != nil {
			t.Fatalf("removing what is not there: %v", err)
		}
	})
	t.Run("overwritten pages", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db, "CREATE TABLE t (s TEXT)")
		for range 200 {
			exec(t, db, "INSERT INTO t VALUES (hex(randomblob(500)))")
		}
		if err := db.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		junk := make([]byte, 4096)
		for i := range junk {
			junk[i] = 0xa5
		}
		_, err = f.WriteAt(junk, 4096)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if db, err = Open(t.Context(), path, Options{}); err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Check(t.Context()); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestWriteHonoursContextBeforeItBegins(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := db.Write(ctx, func(*Tx) error { t.Error("ran"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func BenchmarkQueryRow(b *testing.B) {
	db, err := Open(b.Context(), filepath.Join(b.TempDir(), "x.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	ctx := b.Context()
	err = db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, "CREATE TABLE t (id TEXT PRIMARY KEY, doc TEXT)"); err != nil {
			return err
		}
		for i := range 10_000 {
			if _, err := tx.Exec(ctx, "INSERT INTO t VALUES (?, hex(randomblob(250)))", fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		var doc string
		if err := db.QueryRow(context.Background(), "SELECT doc FROM t WHERE id = ?", fmt.Sprint(i%10_000)).Scan(&doc); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
