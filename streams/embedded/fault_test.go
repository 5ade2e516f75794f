package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

var small = embedded.Options{SegmentSize: 4 << 10, RepeatWindow: 1000, NoSync: true}

func mustOpen(t testing.TB, dir string, opts embedded.Options) *embedded.Log {
	t.Helper()
	l, err := embedded.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // a log that stopped itself says so here too
	return l
}

func event(n, size int) streams.Proposed {
	return streams.Proposed{
		ID: domain.NewEventID(), Type: "made", Workspace: "ws_1",
		Data: fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, n, strings.Repeat("x", size)),
	}
}

func mustAppend(t testing.TB, l *embedded.Log, stream domain.StreamID, list ...streams.Proposed) streams.Result {
	t.Helper()
	r, err := l.Append(context.Background(), stream, streams.Any, list...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readAll(t testing.TB, l *embedded.Log) []streams.Recorded {
	t.Helper()
	list, err := collect(l)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func collect(l *embedded.Log) (list []streams.Recorded, err error) {
	for e, err := range l.ReadAll(context.Background(), streams.ReadAll{}) {
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
	return list, nil
}

// crashed is a directory with one segment, as a process that was killed leaves it.
type crashed struct {
	segment []byte  // content of the segment
	ends    []int64 // end of the first, second… append in it
}

// newCrashed writes appends of some sizes (events each), then copies the
// segment while the log is still open.
func newCrashed(t *testing.T, counts ...int) crashed {
	t.Helper()
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	var c crashed
	for i, n := range counts {
		list := make([]streams.Proposed, n)
		for k := range list {
			list[k] = event(i, 20)
		}
		mustAppend(t, l, "a-1", list...)
		c.segment = readFile(t, filepath.Join(dir, "000000001.log"))
		c.ends = append(c.ends, int64(len(bytes.TrimRight(c.segment, "\x00"))))
	}
	return c
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// open opens a directory that holds nothing but a segment.
func openSegment(t *testing.T, dir string, segment []byte, opts embedded.Options) (*embedded.Log, error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "000000001.log"), segment, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "head")); err != nil {
		t.Fatal(err)
	}
	return embedded.Open(dir, opts)
}

// TestTornTail cuts, blanks and flips the last append at every one of its
// bytes: what was acknowledged before survives, the append is there as a whole
// or not at all, and the log goes on behind it.
func TestTornTail(t *testing.T) {
	c := newCrashed(t, 2, 1, 2)
	start, end := c.ends[1], c.ends[2]
	dir := t.TempDir()
	for _, harm := range []struct {
		name string
		do   func(b []byte, off int64) []byte
	}{
		{"truncated", func(b []byte, off int64) []byte { return b[:off] }},
		{"blank behind", func(b []byte, off int64) []byte { clear(b[off:]); return b }},
		{"blank before", func(b []byte, off int64) []byte { clear(b[start : off+1]); return b }},
		{"bit flipped", func(b []byte, off int64) []byte { b[off] ^= 1 << (off % 8); return b }},
	} {
		t.Run(harm.name, func(t *testing.T) {
			for off := start; off < end; off++ {
				l, err := openSegment(t, dir, harm.do(bytes.Clone(c.segment), off), small)
				if err != nil {
					t.Fatalf("at %d: %v", off, err)
				}
				if n := len(readAll(t, l)); n != 3 {
					t.Fatalf("at %d: %d events, want the 3 that were acknowledged", off, n)
				}
				if r := mustAppend(t, l, "a-1", event(9, 5)); r.Position != 4 || r.Revision != 3 {
					t.Fatalf("at %d: the next append went to %+v", off, r)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if harm.name != "truncated" && off%16 != 0 {
					continue // opening a third time at every byte takes too long
				}
				if l, err = embedded.Open(dir, small); err != nil {
					t.Fatalf("at %d: opening again: %v", off, err)
				}
				if n := len(readAll(t, l)); n != 4 {
					t.Fatalf("at %d: %d events after opening again, want 4", off, n)
				}
				l.Close()
			}
		})
	}
}

// TestDamageInTheMiddle flips a bit in every byte of appends that had others
// behind them: never skipped, always reported at the record's offset.
func TestDamageInTheMiddle(t *testing.T) {
	c := newCrashed(t, 1, 1, 1)
	dir := t.TempDir()
	starts := []int64{64, c.ends[0]}
	for i, start := range starts {
		for off := start; off < c.ends[i]; off++ {
			b := bytes.Clone(c.segment)
			b[off] ^= 1 << (off % 8)
			l, err := openSegment(t, dir, b, small)
			var damage *embedded.CorruptError
			if !errors.As(err, &damage) {
				if err == nil {
					l.Close()
				}
				t.Fatalf("bit of byte %d flipped: %v", off, err)
			}
			if damage.Offset != start || filepath.Base(damage.File) != "000000001.log" {
				t.Fatalf("bit of byte %d flipped: reported %s at %d, want %d", off, damage.File, damage.Offset, start)
			}
			rep, err := embedded.Verify(dir)
			if err != nil || !rep.Damaged() || rep.Faults[0].Offset != start || rep.Events != 2 {
				t.Fatalf("bit of byte %d flipped: verify says %+v, %v", off, rep, err)
			}
		}
	}
}

// TestDamageToTheLastAppendAfterClose is the one damage that looks like a torn
// write; the head file tells the difference.
func TestDamageToTheLastAppendAfterClose(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	mustAppend(t, l, "a-1", event(1, 5))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, filepath.Join(dir, "000000001.log"), 100)
	var damage *embedded.CorruptError
	if _, err := embedded.Open(dir, small); !errors.As(err, &damage) {
		t.Fatalf("got %v", err)
	}
	if rep, err := embedded.Verify(dir); err != nil || !rep.Damaged() {
		t.Fatalf("verify says %+v, %v", rep, err)
	}
}

func flip(t testing.TB, name string, off int64) {
	t.Helper()
	b := readFile(t, name)
	b[off] ^= 0x10
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTornGroup loses the first append of a group whose second is there.
func TestTornGroup(t *testing.T) {
	fsys := newErrFS()
	dir := t.TempDir()
	opts := embedded.Options{SegmentSize: 16 << 10, FS: fsys}
	l := mustOpen(t, dir, opts)
	mustAppend(t, l, "a-1", event(1, 5))
	// Three appends that wait together become one group.
	release := holdWriter(t, fsys, l)
	var wg sync.WaitGroup
	path := filepath.Join(dir, "000000001.log")
	for i := range 3 {
		wg.Go(func() { mustAppend(t, l, domain.Stream("c", fmt.Sprint(i)), event(3, 5)) })
	}
	embedded.WaitQueued(l, 3)
	before := len(bytes.TrimRight(readFile(t, path), "\x00"))
	release(nil)
	wg.Wait()
	b := readFile(t, path)
	clear(b[before : before+40])
	l2, err := openSegment(t, t.TempDir(), b, small)
	if err != nil {
		t.Fatal(err)
	}
	defer l2.Close()
	if n := len(readAll(t, l2)); n != 2 {
		t.Fatalf("%d events, want 2: the whole group was not acknowledged", n)
	}
}

// holdWriter stops the writer in the sync of an append, so that others gather
// behind it. The function returned lets it go on and sets what fails then.
func holdWriter(t *testing.T, fsys *errFS, l *embedded.Log) (release func(fail func(op, name string) error)) {
	t.Helper()
	held, resume := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fsys.set(func(op, _ string) error {
		if op == "sync" {
			once.Do(func() { close(held); <-resume })
		}
		return nil
	})
	done := make(chan error, 1)
	go func() {
		_, err := l.Append(context.Background(), "held-1", streams.Any, event(0, 5))
		done <- err
	}()
	<-held
	return func(fail func(op, name string) error) {
		fsys.set(fail)
		close(resume)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestNothingIsWrittenAfterAFailure fails the first of two groups that were
// waiting together: the second must not be written, let alone acknowledged.
func TestNothingIsWrittenAfterAFailure(t *testing.T) {
	fsys := newErrFS()
	dir := t.TempDir()
	l := mustOpen(t, dir, embedded.Options{SegmentSize: 4 << 10, FS: fsys})
	release := holdWriter(t, fsys, l)
	results := make(chan error, 2)
	for i := range 2 { // each fills most of a segment
		go func() {
			_, err := l.Append(context.Background(), domain.Stream("a", fmt.Sprint(i)), streams.Any, event(i, 3000))
			results <- err
		}()
	}
	embedded.WaitQueued(l, 2)
	writes, failed := 0, false
	release(func(op, _ string) error {
		switch {
		case op == "write":
			writes++
		case op == "sync" && !failed:
			failed = true
			return errInjected
		}
		return nil
	})
	for range 2 {
		if err := <-results; !errors.Is(err, streams.ErrClosed) || !errors.Is(err, errInjected) {
			t.Errorf("got %v", err)
		}
	}
	fsys.set(nil)
	if writes != 1 {
		t.Errorf("%d writes after the first group failed", writes-1)
	}
	if n := len(readAll(t, l)); n != 1 {
		t.Errorf("reads show %d events, want 1", n)
	}
}

func TestFailedSyncStopsTheLog(t *testing.T) {
	for _, op := range []string{"sync", "write"} {
		t.Run(op, func(t *testing.T) {
			fsys := newErrFS()
			dir := t.TempDir()
			opts := embedded.Options{SegmentSize: 16 << 10, FS: fsys}
			l := mustOpen(t, dir, opts)
			mustAppend(t, l, "a-1", event(1, 5), event(2, 5))
			fsys.set(func(o, name string) error {
				if o == op && strings.HasSuffix(name, ".log") {
					return errInjected
				}
				return nil
			})
			fsys.short = func(n int) int { return n / 2 }
			_, err := l.Append(context.Background(), "a-1", streams.Any, event(3, 5))
			if !errors.Is(err, streams.ErrClosed) || !errors.Is(err, errInjected) {
				t.Fatalf("got %v, want closed with the cause", err)
			}
			fsys.set(nil)
			if _, err := l.Append(context.Background(), "b-1", streams.Any, event(4, 5)); !errors.Is(err, streams.ErrClosed) {
				t.Fatalf("a log that failed took an append: %v", err)
			}
			if err := l.Err(); !errors.Is(err, errInjected) {
				t.Fatalf("the log says of itself: %v", err)
			}
			if n := len(readAll(t, l)); n != 2 {
				t.Fatalf("reads show %d events, want 2", n)
			}
			if err := l.Close(); !errors.Is(err, errInjected) {
				t.Fatalf("close: %v", err)
			}
			again := mustOpen(t, dir, opts)
			if n := len(readAll(t, again)); n != 2 && n != 3 {
				t.Fatalf("%d events after opening again", n)
			}
			mustAppend(t, again, "b-1", event(4, 5))
		})
	}
}

// TestNoSpace fails writes, and the making of segments, for lack of space: the
// append is refused, and goes through when there is space again.
func TestNoSpace(t *testing.T) {
	for _, op := range []string{"write", "preallocate"} {
		t.Run(op, func(t *testing.T) {
			fsys := newErrFS()
			dir := t.TempDir()
			opts := embedded.Options{SegmentSize: 4 << 10, FS: fsys}
			l := mustOpen(t, dir, opts)
			fsys.short = func(n int) int { return n - 1 }
			full := func(o, name string) error {
				if o == op && strings.Contains(name, ".log") {
					return &os.PathError{Op: op, Path: name, Err: syscall.ENOSPC}
				}
				return nil
			}
			refused := 0
			for i := range 40 {
				fsys.set(full)
				e := event(i, 300)
				_, err := l.Append(context.Background(), "a-1", streams.At(domain.Revision(i-1)), e)
				if err != nil {
					refused++
					if !errors.Is(err, streams.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
						t.Fatalf("append %d: %v", i, err)
					}
					if n := len(readAll(t, l)); n != i {
						t.Fatalf("%d events can be read, want %d", n, i)
					}
					fsys.set(nil)
					if r, err := l.Append(context.Background(), "a-1", streams.At(domain.Revision(i-1)), e); err != nil || r.Repeated {
						t.Fatalf("append %d with space again: %+v, %v", i, r, err)
					}
				}
			}
			if refused < 3 {
				t.Fatalf("only %d appends were refused", refused)
			}
			fsys.set(nil)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if rep, err := embedded.Verify(dir); err != nil || rep.Damaged() || rep.Events != 40 {
				t.Fatalf("verify says %+v, %v", rep, err)
			}
			if n := len(readAll(t, mustOpen(t, dir, opts))); n != 40 {
				t.Fatalf("%d events after opening again", n)
			}
		})
	}
}
