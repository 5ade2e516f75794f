package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// TestScavenge removes what streams hide: it is nowhere on disk any more, and
// nothing else has changed, neither for readers nor for writers.
func TestScavenge(t *testing.T) {
	for name, opts := range map[string]embedded.Options{"tiny segments": tiny, "one segment": {NoSync: true, SegmentSize: 4 << 20}} {
		t.Run(name, func(t *testing.T) {
			v := newLived(t, opts)
			n := uint64(0)
			for _, gone := range v.hidden {
				if gone {
					n++
				}
			}
			report := scavenge(t, v.Log)
			if report.Removed != n || report.Rewritten == 0 || report.Freed <= 0 || report.Streams != 7 || report.Looked != report.Segments {
				t.Errorf("%d events were to be removed: %+v", n, report)
			}
			v.check(t, true)
			v.checkRepeats(t)
			if again := scavenge(t, v.Log); again.Removed != 0 || again.Rewritten != 0 || again.Segments != report.Segments {
				t.Errorf("a second scavenge: %+v", again)
			}
			v.reopen(t)
			v.check(t, true)
			v.checkRepeats(t)
			if last, ok, err := v.LastScavenge(); err != nil || !ok || !last.StartedAt.Equal(report.StartedAt) {
				t.Errorf("the last scavenge was %+v, %v, %v", last, ok, err)
			}
			v.checkDisk(t)
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			rep, err := embedded.Verify(v.dir)
			if err != nil || len(rep.Faults) > 0 || rep.Removed != n || rep.Events+rep.Removed != uint64(rep.Head) {
				t.Errorf("verify says %+v, %v", rep, err)
			}
			for _, file := range globbed(t, v.dir, "*.idx") { // they can be made again
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			v.Log = mustOpen(t, v.dir, v.opts)
			v.check(t, true)
		})
	}
}

// checkDisk looks for what was removed in every file of the log.
func (v *lived) checkDisk(t testing.TB) {
	t.Helper()
	for _, file := range globbed(t, v.dir, "*") {
		b := readFile(t, file)
		for _, e := range v.before {
			if there := bytes.Contains(b, []byte(secretText(e.Stream, e.Revision))); there && v.hidden[e.Position] {
				t.Errorf("%s holds %s", file, e.Data)
			}
		}
	}
}

func globbed(t testing.TB, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s in %s: %v, %v", pattern, dir, files, err)
	}
	return files
}

// TestScavengedStaysRemoved shows a stream whose metadata hides less than when it
// was scavenged: what is left is found whatever the limit.
func TestScavengedStaysRemoved(t *testing.T) {
	v := newLived(t, tiny)
	scavenge(t, v.Log)
	for _, s := range []domain.StreamID{"cut-1", "counted-1", "hidden-1"} {
		if err := v.SetStreamMeta(context.Background(), s, streams.Meta{}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(s domain.StreamID, r streams.ReadStream) (revs []domain.Revision) {
		for e, err := range v.ReadStream(context.Background(), s, r) {
			if err != nil {
				t.Fatal(err)
			}
			revs = append(revs, e.Revision)
		}
		return revs
	}
	back := streams.ReadStream{From: streams.End, Backwards: true}
	for _, c := range []struct {
		stream domain.StreamID
		read   streams.ReadStream
		want   []domain.Revision
	}{
		{"cut-1", streams.ReadStream{}, []domain.Revision{33, 34, 35, 36, 37, 38, 39}},
		{"cut-1", streams.ReadStream{Limit: 2}, []domain.Revision{33, 34}},
		{"cut-1", streams.ReadStream{From: 36, Limit: 2}, []domain.Revision{36, 37}},
		{"cut-1", back, []domain.Revision{39, 38, 37, 36, 35, 34, 33}},
		{"counted-1", streams.ReadStream{Limit: 1}, []domain.Revision{37}},
		{"hidden-1", streams.ReadStream{Limit: 1}, nil},
		{"hidden-1", back, nil},
	} {
		if got := read(c.stream, c.read); !slices.Equal(got, c.want) {
			t.Errorf("%s %+v: got %v, want %v", c.stream, c.read, got, c.want)
		}
	}
	mustAppend(t, v.Log, "hidden-1", event(1, 5))
	if got := read("hidden-1", streams.ReadStream{}); !slices.Equal(got, []domain.Revision{40}) {
		t.Errorf("got %v", got)
	}
}

// TestScavengeOnline appends, reads and subscribes while the log is scavenged
// over and over: subscribers see every event once and in order, readers never
// miss what their stream shows.
func TestScavengeOnline(t *testing.T) {
	opts := tiny
	opts.SegmentSize = 16 << 10
	l := mustOpen(t, t.TempDir(), opts)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	const keep, total = 5, 400
	names := []domain.StreamID{"kept-0", "short-0", "kept-1", "short-1"}
	for _, s := range names[1:2] {
		if err := l.SetStreamMeta(ctx, s, streams.Meta{MaxCount: keep}); err != nil {
			t.Fatal(err)
		}
	}
	var writing, working sync.WaitGroup
	done := make(chan struct{})
	for _, s := range names {
		writing.Go(func() {
			for i := range total {
				mustAppend(t, l, s, event(i, 100))
			}
		})
		working.Go(func() { readWhile(t, l, s, done) })
	}
	for range 2 {
		working.Go(func() { followWhile(ctx, t, l, len(names)*total) })
	}
	working.Go(func() {
		for {
			if _, err := l.Scavenge(ctx, embedded.ScavengeOptions{}); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writing.Wait()
	close(done)
	working.Wait()
	scavenge(t, l)
	for e, err := range l.ReadAll(ctx, streams.ReadAll{}) {
		if err != nil || e.Stream == "short-0" && e.Revision < total-keep {
			t.Fatalf("%s %d is there, %v", e.Stream, e.Revision, err)
		}
	}
}

// readWhile reads a stream both ways until done: in order, and unless its events
// are being removed all of them.
func readWhile(t *testing.T, l *embedded.Log, s domain.StreamID, done <-chan struct{}) {
	for backwards := false; ; backwards = !backwards {
		at, err := l.StreamRevision(context.Background(), s)
		if err != nil {
			t.Error(err)
			return
		}
		whole := s != "short-0"
		n, last := 0, domain.NoRevision
		for e, err := range l.ReadStream(context.Background(), s, streams.ReadStream{From: map[bool]domain.Revision{true: streams.End}[backwards], Backwards: backwards}) {
			if errors.Is(err, streams.ErrStreamNotFound) {
				break
			}
			step := e.Revision - last
			if backwards {
				step = -step
			}
			if err != nil || n > 0 && (step < 1 || whole && step > 1) {
				t.Errorf("%s: revision %d behind %d, %v", s, e.Revision, last, err)
				return
			}
			last = e.Revision
			n++
		}
		if whole && n < int(at)+1 {
			t.Errorf("%s at %d shows %d events", s, at, n)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// followWhile follows the log to its end: no event twice or out of order, and
// none missing of the streams that keep theirs.
func followWhile(ctx context.Context, t *testing.T, l *embedded.Log, total int) {
	sub, err := l.Subscribe(ctx, 0, nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer sub.Close()
	next := map[domain.StreamID]domain.Revision{}
	var at domain.Position
	for at < domain.Position(total+1) { // one record of metadata
		b, err := sub.Next(ctx, 50)
		if err != nil || b.Position < at {
			t.Errorf("at %d: got %d, %v", at, b.Position, err)
			return
		}
		for _, e := range b.Events {
			short := e.Stream == "short-0"
			if e.Position <= at || e.Revision < next[e.Stream] || !short && e.Revision != next[e.Stream] {
				t.Errorf("%s: revision %d at %d behind position %d, want revision %d", e.Stream, e.Revision, e.Position, at, next[e.Stream])
				return
			}
			at, next[e.Stream] = e.Position, e.Revision+1
		}
		at = max(at, b.Position)
	}
}

// TestScavengeIsOneAtATime starts a second one, cancels the first, and closes the
// log under a third.
func TestScavengeIsOneAtATime(t *testing.T) {
	v := newLived(t, tiny)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reports := 0
	report, err := v.Scavenge(ctx, embedded.ScavengeOptions{Progress: func(r embedded.ScavengeReport) {
		reports++
		if _, err := v.Scavenge(ctx, embedded.ScavengeOptions{}); !errors.Is(err, embedded.ErrScavenging) {
			t.Errorf("a second scavenge at the same time: %v", err)
		}
		if r.Looked == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || reports != 3 || report.Looked != 3 {
		t.Errorf("a cancelled scavenge: %+v, %d reports, %v", report, reports, err)
	}
	v.check(t, false)
	if _, err := v.Scavenge(context.Background(), embedded.ScavengeOptions{BytesPerSecond: -1}); err == nil || !strings.Contains(err.Error(), "BytesPerSecond") {
		t.Errorf("a negative throttle: %v", err)
	}
	// So slow that it would take for ever.
	closed := make(chan error, 1)
	go func() {
		_, err := v.Scavenge(context.Background(), embedded.ScavengeOptions{BytesPerSecond: 1})
		closed <- err
	}()
	for len(globTmp(t, v.dir)) == 0 { // until it has begun
		select {
		case err := <-closed:
			t.Fatalf("a slow scavenge ended with %v", err)
		default:
			runtime.Gosched()
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; !errors.Is(err, streams.ErrClosed) {
		t.Errorf("a scavenge of a log that is closed: %v", err)
	}
	if _, err := v.Scavenge(context.Background(), embedded.ScavengeOptions{}); !errors.Is(err, streams.ErrClosed) {
		t.Errorf("a scavenge of a closed log: %v", err)
	}
	v.Log = mustOpen(t, v.dir, v.opts)
	v.check(t, false)
}

// TestScavengeLeavesDamageAlone: a damaged segment is neither copied nor replaced.
func TestScavengeLeavesDamageAlone(t *testing.T) {
	v := newLived(t, tiny)
	v.reopen(t) // all is sealed then
	file := filepath.Join(v.dir, "000000004.log")
	b := readFile(t, file)
	flip(t, file, int64(len(b)-20))
	damaged := readFile(t, file)
	_, err := v.Scavenge(context.Background(), embedded.ScavengeOptions{})
	var damage *embedded.CorruptError
	if !errors.As(err, &damage) || damage.File != file {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(readFile(t, file), damaged) {
		t.Error("the damaged segment was changed")
	}
	if left := globTmp(t, v.dir); len(left) > 0 {
		t.Errorf("unfinished files are left: %v", left)
	}
}

func globTmp(t failer, dir string) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// TestScavengeCrashes stops the machine at the n-th change that a scavenge makes
// on disk, for every n, losing what was not synced: nothing visible is lost.
func TestScavengeCrashes(t *testing.T) {
	v := newLived(t, tiny)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	base := memoryDir(t)
	scavenged := false
	for n := 1; !scavenged; n += 1 + n/8 {
		dir := filepath.Join(base, strconv.Itoa(n))
		if err := os.CopyFS(dir, os.DirFS(v.dir)); err != nil {
			t.Fatal(err)
		}
		fsys := newErrFS()
		opts := v.opts
		opts.FS, opts.NoSync = fsys, false
		l := mustOpen(t, dir, opts)
		var left atomic.Int64
		left.Store(int64(n))
		fsys.set(func(op, _ string) error {
			if slices.Contains(changes, op) {
				left.Add(-1)
			}
			if left.Load() < 0 {
				return errInjected
			}
			return nil
		})
		_, err := l.Scavenge(context.Background(), embedded.ScavengeOptions{})
		if err != nil && !errors.Is(err, errInjected) {
			t.Fatalf("stopped at change %d: %v", n, err)
		}
		scavenged = err == nil
		stopped := &lived{Log: l, before: v.before, hidden: v.hidden, shown: v.shown}
		if !scavenged { // the process may go on, too
			fsys.set(func(op, _ string) error {
				if slices.Contains(changes, op) {
					return errInjected
				}
				return nil
			})
			stopped.check(t, false)
		}
		l.Close() // cannot note its end
		i := 0
		if err := fsys.crash(func() bool { i++; return i%3 != n%3 }); err != nil {
			t.Fatal(err)
		}
		if rep, err := embedded.Verify(dir); err != nil || rep.Damaged() {
			t.Fatalf("stopped at change %d: verify says %v, %v", n, rep.Faults, err)
		}
		opts.FS, opts.NoSync = nil, true
		stopped.Log = mustOpen(t, dir, opts)
		stopped.check(t, scavenged)
		if t.Failed() {
			t.Fatalf("stopped at change %d", n)
		}
	}
}
