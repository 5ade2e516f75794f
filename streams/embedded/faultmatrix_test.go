package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// busy is a log in everyday use on a file system with faults: appends of one
// and several events, metadata, deletions, reads, a subscription, sealing, a
// scavenge. It notes what was acknowledged.
type busy struct {
	log     *embedded.Log
	acked   map[domain.Position]streams.Proposed
	streams map[domain.Position]domain.StreamID
	hidden  map[domain.StreamID]bool // streams of which a scavenge may remove events
	fault   error                    // what is injected
	stopped bool                     // an append was told that the log takes no more
	refused int
}

// failer is what tests and property tests have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// memoryDir makes a directory that costs no disk, where there is such a thing:
// these tests sync ten thousand times, and mean the order of it, not the disk.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "strata-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// matrixOptions seal every few events. Syncs are asked for, so that they can fail.
func matrixOptions(fsys embedded.FS) embedded.Options {
	return embedded.Options{SegmentSize: 4 << 10, HeadCache: 8, RepeatWindow: 50, FS: fsys}
}

func newBusy(fault error) *busy {
	return &busy{fault: fault, acked: map[domain.Position]streams.Proposed{},
		streams: map[domain.Position]domain.StreamID{}, hidden: map[domain.StreamID]bool{}}
}

// work uses a log. Every error has to be the injected one, and be what it says:
// a full disk, a log that stopped itself, or this one operation that failed.
func (b *busy) work(t failer, dir string, fsys *errFS) {
	l, err := embedded.Open(dir, matrixOptions(fsys))
	if err != nil {
		b.expect(t, "open", err)
		return
	}
	b.log = l
	for i := range 26 {
		stream := domain.Stream("m", fmt.Sprint(i%5))
		list := []streams.Proposed{event(i, 400)}
		if i%4 == 0 {
			list = append(list, event(i, 10), event(i, 10))
		}
		b.append(t, stream, list)
		if i%6 == 0 {
			b.read(t)
		}
	}
	ctx := context.Background()
	b.control(t, "m-0", l.SetStreamMeta(ctx, "m-0", streams.Meta{MaxCount: 2}))
	_, err = l.Delete(ctx, "m-1", streams.Any)
	b.control(t, "m-1", err)
	if _, err := l.Scavenge(ctx, embedded.ScavengeOptions{}); err != nil {
		b.expect(t, "scavenge", err)
	}
	b.append(t, "m-2", []streams.Proposed{event(99, 10)})
	b.read(t)
}

func (b *busy) append(t failer, stream domain.StreamID, list []streams.Proposed) {
	t.Helper()
	r, err := b.log.Append(context.Background(), stream, streams.Any, list...)
	if err != nil {
		b.refused++
		b.expect(t, "append", err)
		return
	}
	if b.stopped {
		t.Fatalf("a log that had stopped itself acknowledged %+v", r)
	}
	for i, e := range list {
		p := r.Position - domain.Position(len(list)-1-i)
		b.acked[p], b.streams[p] = e, stream
	}
}

// control notes a change of metadata, or a deletion, that may or may not have
// been written.
func (b *busy) control(t failer, stream domain.StreamID, err error) {
	t.Helper()
	b.hidden[stream] = true
	if err != nil && !errors.Is(err, streams.ErrStreamNotFound) {
		b.expect(t, "change of metadata", err)
	}
}

func (b *busy) expect(t failer, what string, err error) {
	t.Helper()
	if !errors.Is(err, b.fault) {
		t.Fatalf("%s: got %v, which is not the injected fault", what, err)
	}
	if errors.Is(err, streams.ErrClosed) && what == "append" {
		b.stopped = true
		if !errors.Is(b.log.Err(), b.fault) {
			t.Fatalf("the log stopped itself and says %v", b.log.Err())
		}
	}
	if errors.Is(b.fault, syscall.ENOSPC) && what == "append" && !b.stopped && !errors.Is(err, streams.ErrFull) {
		t.Fatalf("a full disk: %v", err)
	}
}

// read reads the log as a whole and by subscription: everything acknowledged is
// there, or the read ends with the injected fault.
func (b *busy) read(t failer) {
	t.Helper()
	list, err := collect(b.log)
	if err != nil {
		b.expect(t, "read", err)
	}
	b.check(t, list, err != nil)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sub, err := b.log.Subscribe(ctx, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for list = nil; ; {
		batch, err := sub.Next(ctx, 7)
		if err != nil {
			b.expect(t, "subscription", err)
		}
		list = append(list, batch.Events...)
		if err != nil || batch.CaughtUp {
			b.check(t, list, err != nil)
			return
		}
	}
}

// check compares what was read with what was acknowledged; of a read that failed
// only as far as it went.
func (b *busy) check(t failer, list []streams.Recorded, failed bool) {
	t.Helper()
	there := map[domain.Position]bool{}
	var at domain.Position
	for _, e := range list {
		if e.Position <= at {
			t.Fatalf("position %d behind %d", e.Position, at)
		}
		at = e.Position
		there[at] = true
		if want, ok := b.acked[at]; ok && (!reflect.DeepEqual(want, noNil(e.Proposed)) || e.Stream != b.streams[at]) {
			t.Fatalf("position %d: got %+v, want %+v", at, e, want)
		}
	}
	for p := range b.acked {
		if !there[p] && !b.hidden[b.streams[p]] && (!failed || p < at) {
			t.Fatalf("acknowledged position %d of %s is missing", p, b.streams[p])
		}
	}
}

// noNil spells an empty payload as it was proposed.
func noNil(e streams.Proposed) streams.Proposed {
	if len(e.Meta) == 0 {
		e.Meta = nil
	}
	return e
}

// end closes the log, and opens it again on a sound file system: everything
// acknowledged is there, nothing is damaged, and it goes on.
func (b *busy) end(t failer, dir string) {
	t.Helper()
	if b.log != nil {
		if err := b.log.Close(); err != nil {
			b.expect(t, "close", err)
		}
	}
	l, err := embedded.Open(dir, matrixOptions(nil))
	if err != nil {
		t.Fatalf("opening again: %v", err)
	}
	b.log, b.stopped, b.fault = l, false, nil
	b.read(t)
	b.append(t, "m-4", []streams.Proposed{event(100, 10)})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if rep, err := embedded.Verify(dir); err != nil || len(rep.Faults) > 0 {
		t.Fatalf("verify says %v, %v", rep.Faults, err)
	}
	if left := globTmp(t, dir); len(left) > 0 {
		t.Fatalf("unfinished files are left: %v", left)
	}
}

// changes and looks are the operations of a file system.
var (
	changes = []string{"open", "write", "sync", "truncate", "preallocate", "rename", "remove", "syncdir"}
	looks   = []string{"read", "size", "map", "readdir", "lock", "mkdir"}
)

// TestFaultMatrix lets the n-th call of every operation fail, once or from then
// on, with an error of the device and for lack of space, for every n there is.
func TestFaultMatrix(t *testing.T) {
	kinds := []struct {
		name  string
		err   error
		lasts bool
		short int // bytes of a failing write that go through
	}{
		{"device error", &os.PathError{Op: "op", Path: "file", Err: syscall.EIO}, false, 0},
		{"device gone", &os.PathError{Op: "op", Path: "file", Err: syscall.EIO}, true, 100},
		{"no space", &os.PathError{Op: "op", Path: "file", Err: syscall.ENOSPC}, false, 70},
		{"disk full", &os.PathError{Op: "op", Path: "file", Err: syscall.ENOSPC}, true, 0},
	}
	for _, op := range slices.Concat(changes, looks) {
		for _, kind := range kinds {
			t.Run(op+"/"+kind.name, func(t *testing.T) {
				t.Parallel()
				n := 1
				for faultAt(t, op, kind.err, n, kind.lasts, kind.short) {
					n += 1 + n/3
				}
				if n == 1 && op != "remove" { // which is for leftovers only
					t.Errorf("%s is never called", op)
				}
			})
		}
	}
}

// faultAt runs a busy log whose n-th call of an operation fails; it tells
// whether there was one.
func faultAt(t *testing.T, op string, fault error, n int, lasts bool, short int) bool {
	t.Helper()
	dir, fsys := memoryDir(t), newErrFS()
	var mu sync.Mutex
	calls, failed := 0, false
	fsys.fail = func(o, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if o != op {
			return nil
		}
		if calls++; calls == n || lasts && calls > n {
			failed = true
			return fault
		}
		return nil
	}
	fsys.short = func(n int) int { return min(n, short) }
	b := newBusy(fault)
	b.work(t, dir, fsys)
	fsys.set(nil)
	if b.log != nil && !b.stopped { // it recovers by itself
		b.append(t, "m-3", []streams.Proposed{event(98, 10)})
		b.read(t)
	}
	b.end(t, dir)
	mu.Lock()
	defer mu.Unlock()
	if t.Failed() {
		t.Fatalf("with call %d of %s failing", n, op)
	}
	return failed
}

// TestFaultSchedules lets any calls of any operations fail, in any combination.
func TestFaultSchedules(t *testing.T) {
	all := slices.Concat(changes, looks)
	base := memoryDir(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "schedule")
		if err != nil {
			rt.Fatal(err)
		}
		fault := error(&os.PathError{Op: "op", Path: "file", Err: rapid.SampledFrom([]error{syscall.EIO, syscall.ENOSPC}).Draw(rt, "error")})
		schedule := map[string]map[int]bool{}
		for range rapid.IntRange(1, 8).Draw(rt, "faults") {
			op := rapid.SampledFrom(all).Draw(rt, "operation")
			if schedule[op] == nil {
				schedule[op] = map[int]bool{}
			}
			schedule[op][rapid.IntRange(1, 80).Draw(rt, "call")] = true
		}
		fsys := newErrFS()
		var mu sync.Mutex
		calls := map[string]int{}
		fsys.fail = func(op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if calls[op]++; schedule[op][calls[op]] {
				return fault
			}
			return nil
		}
		shorts := rapid.IntRange(0, 500).Draw(rt, "short write")
		fsys.short = func(n int) int { return min(n, shorts) }
		b := newBusy(fault)
		b.work(rt, dir, fsys)
		fsys.set(nil)
		b.end(rt, dir)
	})
}

// TestEveryBitCounts flips bits all over the files of a closed log. Whatever it
// hits: the log shows every event as it was, or says which file is damaged.
// Nothing is left out in silence, nothing made up.
func TestEveryBitCounts(t *testing.T) {
	dir := memoryDir(t)
	l := mustOpen(t, dir, tiny)
	for i := range 300 {
		mustAppend(t, l, streamNo(i%30), event(i, 120))
	}
	want := readAll(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	last := len(globbed(t, dir, "*.log"))
	for _, name := range []string{"000000002.log", fmt.Sprintf("%09d.log", last), "000000002.idx", "000000016.flt", "head"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name)
			sound := readFile(t, file)
			loud := 0
			for off := 0; off < len(sound); off += 1 + off/12 {
				damaged := slices.Clone(sound)
				damaged[off] ^= 1 << (off % 8)
				if err := os.WriteFile(file, damaged, 0o644); err != nil {
					t.Fatal(err)
				}
				err := readDamaged(t, dir, want)
				var damage *embedded.CorruptError
				switch {
				case err == nil:
				case !errors.As(err, &damage) || damage.File != file:
					t.Fatalf("bit of byte %d flipped: %v", off, err)
				case !strings.HasSuffix(name, ".log"):
					t.Fatalf("bit of byte %d flipped, of what can be made again: %v", off, err)
				default:
					loud++
					if rep, err := embedded.Verify(dir); err != nil || !rep.Damaged() {
						t.Fatalf("bit of byte %d flipped: verify says %+v, %v", off, rep, err)
					}
				}
				restore(t, dir, file, sound)
			}
			if strings.HasPrefix(name, "000000002.l") && loud == 0 {
				t.Error("no damage was noticed")
			}
		})
	}
}

// readDamaged opens and reads a log with a damaged file.
func readDamaged(t *testing.T, dir string, want []streams.Recorded) error {
	t.Helper()
	l, err := embedded.Open(dir, tiny)
	if err != nil {
		return err
	}
	defer l.Close()
	list, err := collect(l)
	if err == nil && len(list) != len(want) || !reflect.DeepEqual(list, want[:len(list)]) {
		t.Fatalf("read %d events of %d, or not as they were written, %v", len(list), len(want), err)
	}
	for i := range 30 {
		n := 0
		for _, serr := range l.ReadStream(context.Background(), streamNo(i), streams.ReadStream{}) {
			if err = errors.Join(err, serr); serr == nil {
				n++
			}
		}
		if err == nil && n != 10 {
			t.Fatalf("stream %d has %d events", i, n)
		}
	}
	return err
}

// restore puts a file back, and lets what was made again be made from it.
func restore(t *testing.T, dir, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "head.tmp")); err != nil {
		t.Fatal(err)
	}
}

// TestMissingEnds removes and cuts whole segments: a closed log that lost one, or
// a part of one, does not open.
func TestMissingEnds(t *testing.T) {
	dir := newSegmented(t)
	files := globbed(t, dir, "*.log")
	for _, at := range []int{0, 1, len(files) - 2, len(files) - 1} {
		for _, size := range []int64{-1, 0, 10, 64, 65, 1000} {
			sound := readFile(t, files[at])
			if size < 0 {
				if err := os.Remove(files[at]); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(files[at], sound[:size], 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := embedded.Open(dir, tiny)
			var damage *embedded.CorruptError
			if !errors.As(err, &damage) || damage.File != files[at] {
				t.Errorf("%s cut to %d: %v", filepath.Base(files[at]), size, err)
			}
			if rep, err := embedded.Verify(dir); err != nil || !rep.Damaged() {
				t.Errorf("%s cut to %d: verify says %+v, %v", filepath.Base(files[at]), size, rep, err)
			}
			restore(t, dir, files[at], sound)
		}
	}
	// Also when nobody had closed it.
	if err := os.Remove(filepath.Join(dir, "head")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files[len(files)-1]); err != nil {
		t.Fatal(err)
	}
	var damage *embedded.CorruptError
	if _, err := embedded.Open(dir, tiny); !errors.As(err, &damage) || damage.File != files[len(files)-1] {
		t.Errorf("without the last segment: %v", err)
	}
}

// TestSlowDisk holds up a sync: what is on disk can be read meanwhile, what is
// not cannot, and those who wait may give up as long as they are not begun.
func TestSlowDisk(t *testing.T) {
	fsys := newErrFS()
	l := mustOpen(t, t.TempDir(), embedded.Options{SegmentSize: 16 << 10, FS: fsys})
	mustAppend(t, l, "a-1", event(1, 5))
	release := holdWriter(t, fsys, l)
	if n := len(readAll(t, l)); n != 1 {
		t.Errorf("%d events can be read while the second is being synced", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := l.Append(ctx, "b-1", streams.Any, event(2, 5))
		gaveUp <- err
	}()
	embedded.WaitQueued(l, 1)
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("an append that was withdrawn: %v", err)
	}
	release(nil)
	if n := len(readAll(t, l)); n != 2 {
		t.Errorf("%d events after the sync, want 2", n)
	}
}
