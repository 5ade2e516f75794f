// Package clickhousetest runs the real embedded engine in tests. The test
// binary is its own child: [Main] turns it into one when it is executed again
// with the hidden subcommand.
package clickhousetest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"strata/internal/clickhouse"
)

var shared struct {
	sync.Mutex
	db  *clickhouse.DB
	dir string
	n   int
}

// Main is the body of TestMain. after runs when all tests are done and the
// shared engine is stopped; it may be nil.
func Main(m *testing.M, after func() error) {
	if len(os.Args) > 1 && os.Args[1] == clickhouse.ChildCommand {
		os.Exit(clickhouse.ChildMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == serverCommand {
		os.Exit(serverMain(os.Args[2]))
	}
	code := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if after != nil && code == 0 {
		if err := after(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func stopShared() error {
	if shared.db == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := shared.db.Stop(ctx)
	if removeErr := os.RemoveAll(shared.dir); err == nil {
		err = removeErr
	}
	return err
}

// Need skips a test when the engine's library is not installed.
func Need(t testing.TB) {
	t.Helper()
	if _, err := clickhouse.FindLibrary("", ""); err != nil {
		t.Skip(err)
	}
}

// Open starts an engine of the test's own, waits until it serves and stops it
// when the test ends.
func Open(t testing.TB, cfg clickhouse.Config) *clickhouse.DB {
	t.Helper()
	Need(t)
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	db, err := clickhouse.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := db.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	WaitReady(t, db)
	return db
}

// Shared returns the engine that the tests of a package share.
func Shared(t testing.TB) *clickhouse.DB {
	t.Helper()
	Need(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.db == nil {
		dir, err := os.MkdirTemp("", "strata-test-")
		if err != nil {
			t.Fatal(err)
		}
		db, err := clickhouse.Open(context.Background(), clickhouse.Config{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		shared.db, shared.dir = db, dir
	}
	WaitReady(t, shared.db)
	return shared.db
}

// Unique returns a name no other test of the process uses.
func Unique(prefix string) string {
	shared.Lock()
	defer shared.Unlock()
	shared.n++
	return fmt.Sprintf("%s_%d", prefix, shared.n)
}

// WaitReady waits until the engine serves.
func WaitReady(t testing.TB, db *clickhouse.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := db.WaitReady(ctx); err != nil {
		t.Fatalf("engine: %v (last error %q)", err, db.Status().Error)
	}
}

// Kill ends the engine's process at once (kill -9) and waits until the
// supervisor has noticed.
func Kill(t testing.TB, db *clickhouse.DB) {
	t.Helper()
	before := db.Status()
	process, err := os.FindProcess(before.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for tick := time.NewTicker(time.Millisecond); ; {
		if db.Status().Restarts > before.Restarts {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the supervisor did not notice that the engine died")
		}
	}
}
