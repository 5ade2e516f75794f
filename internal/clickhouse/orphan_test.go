package clickhouse_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
)

// parentVariable makes the test binary a parent that opens an engine, prints
// the child's process id, and waits.
const parentVariable = "STRATA_TEST_PARENT_OF"

// TestParent is the body of that process, not a test.
func TestParent(t *testing.T) {
	dir := os.Getenv(parentVariable)
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	db, err := clickhouse.Open(context.Background(), clickhouse.Config{DataDir: dir})
	must(t, err)
	clickhousetest.WaitReady(t, db)
	fmt.Printf("child %d\n", db.Status().PID)
	select {} // until it is killed
}

func TestChildDiesWithItsParent(t *testing.T) {
	clickhousetest.Need(t)
	dir := t.TempDir()
	parent := exec.Command(os.Args[0], "-test.run=^TestParent$", "-test.v")
	parent.Env = append(os.Environ(), parentVariable+"="+dir)
	out, err := parent.StdoutPipe()
	must(t, err)
	must(t, parent.Start())
	var pid int
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "child "); ok {
			_, err := fmt.Sscan(text, &pid)
			must(t, err)
		}
	}
	if pid == 0 {
		t.Fatal("the parent has no child")
	}
	must(t, parent.Process.Kill()) // kill -9: it cannot tidy up
	_ = parent.Wait()

	// The storage directory is free again as soon as the child is gone.
	db, err := clickhouse.Open(t.Context(), clickhouse.Config{DataDir: dir})
	must(t, err)
	clickhousetest.WaitReady(t, db)
	if err := syscall.Kill(pid, 0); err == nil && !isZombie(pid) {
		t.Errorf("child %d outlived its parent", pid)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(t, db.Stop(ctx))
}

// isZombie tells whether a process has ended and only waits to be reaped, by
// whoever adopts orphans here.
func isZombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(state, "Z")
}
