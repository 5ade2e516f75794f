//go:build e2e

package crash

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

// backups are made into one directory while the load runs; some are killed.
type backups struct {
	dir   string
	made  int
	kills int

	// Of the round, when its backup was finished:
	finished bool
	reached  uint64 // acknowledged before it began
	failure  error
}

// tools have this long.
const toolTime = 2 * time.Minute

// run makes one backup beside the load; it is killed when it takes longer than
// the limit.
func (b *backups) run(l *load, limit time.Duration) {
	b.finished, b.failure = false, nil
	for _, w := range l.workers {
		b.reached = max(b.reached, w.reached.Load())
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit) // kills the tool
	defer cancel()
	_, err := l.server.Tool(ctx, "backup", "--to", filepath.Join(b.dir, "backup"))
	switch {
	case err == nil:
		b.finished = true
		b.made++
	case limit < toolTime && ctx.Err() != nil:
		b.kills++
	default:
		b.failure = err
	}
}

// check restores the round's backup. One that was killed must have left the one
// before it whole.
func (b *backups) check(t *testing.T, l *load) {
	t.Helper()
	if b.failure != nil {
		t.Errorf("backup under load: %v", b.failure)
	}
	if b.made == 0 {
		return
	}
	from := filepath.Join(b.dir, "backup")
	if !b.finished {
		if out, err := tool(l.server, "backup", "--verify", from); err != nil {
			t.Errorf("the backup before a killed one: %v\n%s", err, out)
		}
		return
	}
	to := filepath.Join(b.dir, "restored")
	if out, err := tool(l.server, "restore", "--from", from, "--data-dir", to); err != nil {
		t.Errorf("restore: %v\n%s", err, out)
		return
	}
	if head := headOf(t, l.server, to); head < b.reached {
		t.Errorf("the backup ends at position %d, %d was acknowledged before it began", head, b.reached)
	}
	if err := os.RemoveAll(to); err != nil {
		t.Error(err)
	}
}

// last makes a backup of the stopped server, restores it, and wants the very
// same log.
func (b *backups) last(t *testing.T, l *load) {
	t.Helper()
	from, to := filepath.Join(b.dir, "backup"), filepath.Join(b.dir, "restored")
	for _, args := range [][]string{{"backup", "--to", from}, {"restore", "--from", from, "--data-dir", to}} {
		if out, err := tool(l.server, args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	mine, theirs := filepath.Join(b.dir, "a.jsonl"), filepath.Join(b.dir, "b.jsonl")
	for dir, file := range map[string]string{l.server.DataDir: mine, to: theirs} {
		if out, err := tool(l.server, "dump", "--data-dir", dir, "--to", file); err != nil {
			t.Fatalf("dump: %v\n%s", err, out)
		}
	}
	same(t, mine, theirs)
	t.Logf("%d backups were finished, %d were killed", b.made, b.kills)
}

// loadKilled kills the loading of a dump again and again; then it is loaded and
// dumps the same.
func loadKilled(t *testing.T, s *kit.Server, random *rand.Rand) {
	t.Helper()
	dir := t.TempDir()
	dump, again, to := filepath.Join(dir, "a.jsonl.gz"), filepath.Join(dir, "b.jsonl.gz"), filepath.Join(dir, "new")
	if out, err := tool(s, "dump", "--to", dump); err != nil {
		t.Fatalf("dump: %v\n%s", err, out)
	}
	begun := time.Now()
	if out, err := tool(s, "load", "--from", dump, "--data-dir", filepath.Join(dir, "timed")); err != nil {
		t.Fatalf("load: %v\n%s", err, out)
	}
	whole := time.Since(begun)
	killed := 0
	for range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Int64N(int64(whole))))
		_, err := s.Tool(ctx, "load", "--from", dump, "--data-dir", to)
		late := ctx.Err() != nil
		cancel()
		switch {
		case err == nil: // it was faster; the next one begins with nothing
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		case late:
			killed++
		default:
			t.Fatalf("load after %d kills: %v", killed, err)
		}
	}
	if out, err := tool(s, "load", "--from", dump, "--data-dir", to); err != nil {
		t.Fatalf("load after %d kills: %v\n%s", killed, err, out)
	}
	if out, err := tool(s, "dump", "--data-dir", to, "--to", again); err != nil {
		t.Fatalf("dump: %v\n%s", err, out)
	}
	same(t, dump, again)
	t.Logf("a dump was loaded after %d kills, and dumps the same", killed)
}

func tool(s *kit.Server, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), toolTime)
	defer cancel()
	return s.Tool(ctx, args...)
}

// headOf verifies the log of a data directory and returns where it ends.
func headOf(t *testing.T, s *kit.Server, dir string) uint64 {
	t.Helper()
	out, err := tool(s, "verify", "--data-dir", dir)
	if err != nil {
		t.Errorf("verify %s: %v", dir, err)
		return 0
	}
	_, rest, _ := strings.Cut(out, "head ")
	digits, _, _ := strings.Cut(rest, ":")
	head, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Errorf("verify says %q: %v", out, err)
	}
	return head
}

func same(t *testing.T, a, b string) {
	t.Helper()
	first, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("%s (%d bytes) and %s (%d bytes) differ", a, len(first), b, len(second))
	}
}
