package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

var tiny = embedded.Options{SegmentSize: 4 << 10, RepeatWindow: 1000, HeadCache: 64, NoSync: true}

// newSegmented writes a closed log of many segments: 300 events of 30 streams.
func newSegmented(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	l := mustOpen(t, dir, tiny)
	for i := range 300 {
		mustAppend(t, l, streamNo(i%30), event(i, 40))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func streamNo(i int) domain.StreamID { return domain.Stream([]string{"a", "b"}[i%2], fmt.Sprint(i)) }

// checkSegmented reads a log of newSegmented by every way there is.
func checkSegmented(t testing.TB, l *embedded.Log) {
	t.Helper()
	if n := len(readAll(t, l)); n != 300 {
		t.Fatalf("the log has %d events, want 300", n)
	}
	for i := range 30 {
		n := domain.Revision(0)
		for e, err := range l.ReadStream(context.Background(), streamNo(i), streams.ReadStream{}) {
			if err != nil || e.Revision != n || e.Stream != streamNo(i) {
				t.Fatalf("stream %d: got %s at %d, %v, want revision %d", i, e.Stream, e.Revision, err, n)
			}
			n++
		}
		if n != 10 {
			t.Fatalf("stream %d has %d events, want 10", i, n)
		}
	}
	n := 0
	for _, err := range l.ReadAll(context.Background(), streams.ReadAll{Filter: &streams.Filter{Categories: []string{"b"}}}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 150 {
		t.Fatalf("category b has %d events, want 150", n)
	}
}

func indexFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.idx"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d index files, %v; the test wants more", len(files), err)
	}
	return files
}

func TestIndexFilesAreOnlyACache(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, file string){
		"missing": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
		"empty": func(t *testing.T, file string) {
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"cut short": func(t *testing.T, file string) {
			if err := os.WriteFile(file, readFile(t, file)[:200], 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"header damaged":       func(t *testing.T, file string) { flip(t, file, 20) },
		"filter damaged":       func(t *testing.T, file string) { flip(t, file, 70) },
		"stream table damaged": func(t *testing.T, file string) { flip(t, file, 64+64+10) },
		"columns damaged":      func(t *testing.T, file string) { flip(t, file, int64(len(readFile(t, file))-1)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := newSegmented(t)
			for _, file := range indexFiles(t, dir) {
				harm(t, file)
			}
			rep, err := embedded.Verify(dir)
			if err != nil || len(rep.Faults) != len(indexFilesOrGone(t, dir, rep)) || rep.Damaged() {
				t.Fatalf("verify says %v, %v", rep.Faults, err)
			}
			l := mustOpen(t, dir, tiny)
			checkSegmented(t, l)
			for i := range 30 { // heads come from the indexes too
				if r := mustAppend(t, l, streamNo(i), event(i, 40)); r.Revision != 10 {
					t.Fatalf("stream %d went on at %d", i, r.Revision)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if rep, err := embedded.Verify(dir); err != nil || len(rep.Faults) > 0 {
				t.Fatalf("after opening, verify says %v, %v", rep.Faults, err)
			}
		})
	}
}

// indexFilesOrGone lists the sealed segments.
func indexFilesOrGone(t *testing.T, dir string, rep embedded.Report) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) != rep.Segments {
		t.Fatalf("%d segments, %v, verify counted %d", len(files), err, rep.Segments)
	}
	return files[:len(files)-1]
}

func TestVerifyReportsEveryFault(t *testing.T) {
	dir := newSegmented(t)
	rep, err := embedded.Verify(dir)
	if err != nil || len(rep.Faults) > 0 || rep.Events != 300 || rep.Head != 300 || rep.Streams != 30 {
		t.Fatalf("a sound log: %+v, %v", rep, err)
	}
	files := indexFiles(t, dir)
	damaged := []string{files[1], files[3], files[4]}
	for _, file := range damaged {
		segment := strings.TrimSuffix(file, ".idx") + ".log"
		b := readFile(t, segment)
		flip(t, segment, int64(len(b)/2))
	}
	rep, err = embedded.Verify(dir)
	if err != nil || !rep.Damaged() {
		t.Fatalf("got %+v, %v", rep, err)
	}
	for _, file := range damaged {
		segment := strings.TrimSuffix(file, ".idx") + ".log"
		if !slices.ContainsFunc(rep.Faults, func(f embedded.Fault) bool {
			return f.File == segment && strings.Contains(f.Problem, "checksum") && f.Offset > 64
		}) {
			t.Errorf("no fault in %s was reported: %v", segment, rep.Faults)
		}
	}
	if rep.Events != 297 {
		t.Errorf("%d events could be read, want all but 3", rep.Events)
	}
	// The log opens, for its indexes are good, but the read ends at the damage.
	l := mustOpen(t, dir, tiny)
	_, err = collect(l)
	var damage *embedded.CorruptError
	if !errors.As(err, &damage) || damage.File != rep.Faults[0].File || damage.Offset != rep.Faults[0].Offset {
		t.Errorf("the read ended with %v, verify reports %v first", err, rep.Faults[0])
	}
}

func TestVerifyMissingSegment(t *testing.T) {
	dir := newSegmented(t)
	if err := os.Remove(filepath.Join(dir, "000000003.log")); err != nil {
		t.Fatal(err)
	}
	rep, err := embedded.Verify(dir)
	if err != nil || !rep.Damaged() || rep.Faults[0].Problem != "segment is missing" {
		t.Fatalf("got %+v, %v", rep, err)
	}
	var damage *embedded.CorruptError
	if _, err := embedded.Open(dir, tiny); !errors.As(err, &damage) || filepath.Base(damage.File) != "000000003.log" {
		t.Fatalf("open: %v", err)
	}
}

func TestOneProcessOwnsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	_, err := embedded.Open(dir, small)
	if !errors.Is(err, embedded.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open: %v", err)
	}
	if _, err := embedded.Verify(dir); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("verify: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir, small)
	if _, err := embedded.Verify(t.TempDir()); err == nil {
		t.Error("verify of an empty directory says nothing")
	}
}

func TestOptions(t *testing.T) {
	_, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1, MaxEventSize: -1, RepeatWindow: -1})
	for _, field := range []string{"SegmentSize", "MaxEventSize", "RepeatWindow"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	l := mustOpen(t, t.TempDir(), embedded.Options{SegmentSize: 4 << 10, MaxEventSize: 9000, MaxAppendSize: 12000, NoSync: true})
	// Larger than a segment, but within the limits.
	mustAppend(t, l, "a-1", event(1, 8000))
	mustAppend(t, l, "a-1", event(2, 100))
	mustAppend(t, l, "a-1", event(3, 8000))
	for _, list := range [][]streams.Proposed{{event(4, 9000)}, {event(4, 6000), event(5, 6000)}} {
		if _, err := l.Append(context.Background(), "a-1", streams.Any, list...); !errors.Is(err, streams.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
	}
	if n := len(readAll(t, l)); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// TestMaxAge hides events when the clock says so.
func TestMaxAge(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	opts := small
	opts.Clock = func() time.Time { return now }
	l := mustOpen(t, t.TempDir(), opts)
	for i := range 5 {
		mustAppend(t, l, "a-1", event(i, 5))
		now = now.Add(time.Minute)
	}
	if err := l.SetStreamMeta(context.Background(), "a-1", streams.Meta{MaxAge: 150 * time.Second}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		read streams.ReadStream
		want []domain.Revision
	}{
		{streams.ReadStream{}, []domain.Revision{3, 4}},
		{streams.ReadStream{Limit: 1}, []domain.Revision{3}},
		{streams.ReadStream{From: streams.End, Backwards: true}, []domain.Revision{4, 3}},
		{streams.ReadStream{From: streams.End, Backwards: true, Limit: 1}, []domain.Revision{4}},
	} {
		var got []domain.Revision
		for e, err := range l.ReadStream(context.Background(), "a-1", test.read) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Revision)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: got %v, want %v", test.read, got, test.want)
		}
	}
	// Times in the log never go back, even when the clock does.
	now = now.Add(-time.Hour)
	mustAppend(t, l, "a-2", event(9, 5))
	list := readAll(t, l)
	for i := 1; i < len(list); i++ {
		if list[i].At.Before(list[i-1].At) {
			t.Errorf("event %d was recorded before the one before it", i)
		}
	}
}

// TestRepeatWindow: an append with Any that is out of the window may be written
// again; one with a revision is recognised for ever.
func TestRepeatWindow(t *testing.T) {
	opts := tiny
	opts.RepeatWindow = 50
	dir := t.TempDir()
	l := mustOpen(t, dir, opts)
	first, recent := event(1, 5), event(2, 5)
	mustAppend(t, l, "a-1", first)
	for i := range 200 {
		mustAppend(t, l, "b-1", event(i, 5))
	}
	mustAppend(t, l, "a-1", recent)
	for i := range 48 {
		mustAppend(t, l, "b-1", event(i, 5))
	}
	for _, when := range []string{"at once", "after opening again"} {
		if r := mustAppend(t, l, "a-1", recent); !r.Repeated || r.Revision != 1 {
			t.Errorf("%s: a repeat within the window answered %+v", when, r)
		}
		if r, err := l.Append(context.Background(), "a-1", streams.NoStream, first); err != nil || !r.Repeated || r.Position != 1 {
			t.Errorf("%s: a repeat with NoStream answered %+v, %v", when, r, err)
		}
		l.Close()
		l = mustOpen(t, dir, opts)
	}
}

// TestHeadsAreBounded writes and reads many more streams than the cache holds:
// memory stays flat, and every stream is found again.
func TestHeadsAreBounded(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, tiny)
	const n = 2000
	name := func(i int) domain.StreamID { return domain.Stream("s", fmt.Sprint(i)) }
	for i := range n {
		mustAppend(t, l, name(i), event(i, 5))
	}
	for round := range 2 {
		for i := range n {
			rev, err := l.StreamRevision(context.Background(), name(i))
			if err != nil || rev != 0 {
				t.Fatalf("round %d: stream %d is at %d, %v", round, i, rev, err)
			}
		}
		// The streams of the segments not yet sealed may come on top.
		if got, most := embedded.CachedHeads(l), tiny.HeadCache*5/4+n/4; got > most {
			t.Errorf("round %d: %d heads are cached, want at most %d", round, got, most)
		}
		if round == 0 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, dir, tiny)
		}
	}
	for i := range n {
		if r := mustAppend(t, l, name(i), event(i, 5)); r.Revision != 1 {
			t.Fatalf("stream %d went on at %d", i, r.Revision)
		}
	}
}

// TestManySubscribers wakes thousands with one append.
func TestManySubscribers(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	const n = 2000
	ready, got := make(chan error, n), make(chan error, n)
	for range n {
		sub, err := l.Subscribe(ctx, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			b, err := sub.Next(ctx, 10)
			if err == nil && !b.CaughtUp {
				err = fmt.Errorf("not caught up on an empty log: %+v", b)
			}
			ready <- err
			b, err = sub.Next(ctx, 10)
			if err == nil && (len(b.Events) != 1 || b.Position != 1) {
				err = fmt.Errorf("got %+v", b)
			}
			got <- err
		}()
	}
	for range n {
		if err := <-ready; err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, l, "a-1", event(1, 5))
	for range n {
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
}
