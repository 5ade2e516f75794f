package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// copyLog copies all segments as a backup does, into a directory that is a log.
func copyLog(t *testing.T, from, to string) domain.Position {
	t.Helper()
	list, err := embedded.SegmentFiles(from)
	if err != nil {
		t.Fatal(err)
	}
	next := domain.Position(1)
	for _, s := range list {
		c, err := embedded.CopySegment(t.Context(), s, filepath.Join(to, filepath.Base(s.Path)))
		if err != nil {
			t.Fatal(err)
		}
		if c.First != next {
			t.Fatalf("segment %d begins at %d, the one before ended at %d", s.Number, c.First, next-1)
		}
		next = c.Next
	}
	return next - 1
}

// A log is copied again and again while writers append: each copy opens and
// holds everything that had been acknowledged before it was begun.
func TestCopyWhileWriting(t *testing.T) {
	dir := t.TempDir()
	opts := embedded.Options{SegmentSize: 64 << 10, NoSync: true}
	l := mustOpen(t, dir, opts)
	for range 8 {
		acknowledged, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var writing sync.WaitGroup
		for w := range 4 {
			writing.Go(func() {
				for i := range 100 {
					batch := []streams.Proposed{event(i, 100), event(i, i*9)}
					if _, err := l.Append(t.Context(), domain.StreamID(fmt.Sprint("a-", w)), streams.Any, batch...); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		to := t.TempDir()
		head := copyLog(t, dir, to)
		writing.Wait()
		if head < acknowledged {
			t.Fatalf("the copy ends at %d, %d was acknowledged before it", head, acknowledged)
		}
		copied := mustOpen(t, to, opts)
		if got, err := copied.Head(t.Context()); err != nil || got != head {
			t.Fatalf("the copy opens at %d, %v; want %d", got, err, head)
		}
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
		if rep, err := embedded.Verify(to); err != nil || len(rep.Faults) > 0 || rep.Head != head || rep.Events != uint64(head) {
			t.Fatalf("verify: %+v, %v; want head %d", rep, err, head)
		}
	}
}

// What is damaged is not copied in silence, wherever it is.
func TestCopyRefusesDamage(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	for i := range 100 {
		mustAppend(t, l, "a-1", event(i, 50))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := embedded.SegmentFiles(dir)
	if err != nil || len(list) < 3 {
		t.Fatalf("%d segments, %v", len(list), err)
	}
	for _, s := range []embedded.SegmentFile{list[0], list[len(list)-1]} {
		whole := readFile(t, s.Path)
		broken := append([]byte(nil), whole...)
		broken[200] ^= 1
		if err := os.WriteFile(s.Path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.CopySegment(t.Context(), s, filepath.Join(t.TempDir(), "copy"))
		if !isCorrupt(err, s.Path) {
			t.Errorf("segment %d with a flipped bit is copied: %v", s.Number, err)
		}
		if err := os.WriteFile(s.Path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(list[1].Path); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.SegmentFiles(dir); !isCorrupt(err, list[1].Path) {
		t.Errorf("a log with a hole is listed: %v", err)
	}
}

// What a crash tore off the end is left behind, and nothing else.
func TestCopyOfATornLog(t *testing.T) {
	c := newCrashed(t, 1, 3, 2)
	for size := c.ends[1]; size < c.ends[2]; size++ {
		dir, to := t.TempDir(), t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "000000001.log"), c.segment[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if head := copyLog(t, dir, to); head != 4 {
			t.Fatalf("cut at %d, the copy ends at position %d, want 4", size, head)
		}
		if got := int64(len(readFile(t, filepath.Join(to, "000000001.log")))); got != c.ends[1] {
			t.Fatalf("cut at %d, the copy has %d bytes, want %d", size, got, c.ends[1])
		}
	}
}

func isCorrupt(err error, path string) bool {
	damage, ok := errors.AsType[*embedded.CorruptError](err)
	return ok && damage.File == path
}

// What a scavenge leaves is copied as it is.
func TestCopyOfAScavengedLog(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	l := mustOpen(t, dir, small)
	for i := range 100 {
		mustAppend(t, l, domain.StreamID(fmt.Sprint("a-", i%2)), event(i, 50))
	}
	if _, err := l.Delete(t.Context(), "a-0", streams.Any); err != nil {
		t.Fatal(err)
	}
	if done, err := l.Scavenge(t.Context(), embedded.ScavengeOptions{}); err != nil || done.Removed != 50 {
		t.Fatalf("%+v, %v", done, err)
	}
	head := copyLog(t, dir, to)
	copied := mustOpen(t, to, small)
	if got, want := readAll(t, copied), readAll(t, l); len(got) != len(want) || len(got) != 50 || got[49].ID != want[49].ID || head != 101 {
		t.Errorf("%d events up to %d, want %d", len(got), head, len(want))
	}
	if err := copied.Close(); err != nil {
		t.Fatal(err)
	}
	if rep, err := embedded.Verify(to); err != nil || len(rep.Faults) > 0 || rep.Removed != 50 {
		t.Errorf("%+v, %v", rep, err)
	}
}
