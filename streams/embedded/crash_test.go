package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// TestCrashes stops the machine at a random operation of a random history,
// losing any sector that was not synced. What was acknowledged is there, appends
// are whole, and the log verifies and goes on. This covers every step of making
// and sealing segments.
func TestCrashes(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	base := memoryDir(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "crash")
		if err != nil {
			rt.Fatal(err)
		}
		var acked sync.Map // event id → number of events of its append
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			crashRound(rt, dir, &acked, logger)
		}
		l, err := embedded.Open(dir, embedded.Options{SegmentSize: 4 << 10, NoSync: true})
		if err != nil {
			rt.Fatal(err)
		}
		defer l.Close()
		checkAcked(rt, l, &acked)
	})
}

func crashRound(rt *rapid.T, dir string, acked *sync.Map, logger *slog.Logger) {
	fsys := newErrFS()
	left := rapid.IntRange(1, 60).Draw(rt, "operations")
	var mu sync.Mutex
	fsys.fail = func(op, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if slices.Contains(changes, op) {
			left--
		}
		if left < 0 {
			return errInjected
		}
		return nil
	}
	shorts := rapid.IntRange(0, 2000).Draw(rt, "short write")
	fsys.short = func(n int) int { return min(n, shorts) }
	l, err := embedded.Open(dir, embedded.Options{SegmentSize: 4 << 10, FS: fsys, Logger: logger})
	if err == nil {
		checkAcked(rt, l, acked)
		var wg sync.WaitGroup
		size, batch := rapid.IntRange(1, 900).Draw(rt, "size"), rapid.IntRange(1, 3).Draw(rt, "batch")
		for w := range rapid.IntRange(1, 4).Draw(rt, "writers") {
			wg.Go(func() {
				for i := range 30 {
					list := make([]streams.Proposed, batch)
					for k := range list {
						list[k] = event(i, size)
						list[k].Meta = fmt.Appendf(nil, `{"of":%d}`, batch)
					}
					if _, err := l.Append(context.Background(), domain.Stream("w", fmt.Sprint(w)), streams.Any, list...); err != nil {
						return
					}
					for _, e := range list {
						acked.Store(e.ID, true)
					}
				}
			})
		}
		wg.Wait()
		l.Close()
	} else if !errors.Is(err, errInjected) {
		rt.Fatalf("open: %v", err)
	}
	bits := rapid.SliceOfN(rapid.Bool(), 64, 64).Draw(rt, "lost sectors")
	i := 0
	if err := fsys.crash(func() bool { i++; return bits[i%len(bits)] }); err != nil {
		rt.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil {
		rt.Fatal(err)
	} else if !hasSegment(entries) {
		return
	}
	if rep, err := embedded.Verify(dir); err != nil || rep.Damaged() {
		rt.Fatalf("verify after the crash: %v %v", rep.Faults, err)
	}
}

func hasSegment(entries []os.DirEntry) bool {
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".log") {
			return true
		}
	}
	return false
}

func checkAcked(rt *rapid.T, l *embedded.Log, acked *sync.Map) {
	list, err := collect(l)
	if err != nil {
		rt.Fatal(err)
	}
	there := map[any]bool{}
	revisions := map[domain.StreamID]domain.Revision{}
	for i, e := range list {
		there[e.ID] = true
		if e.Position != domain.Position(i+1) || e.Revision != revisions[e.Stream] {
			rt.Fatalf("event %d has position %d and revision %d", i, e.Position, e.Revision)
		}
		revisions[e.Stream]++
	}
	acked.Range(func(id, _ any) bool {
		if !there[id] {
			rt.Fatalf("acknowledged event %v is lost", id)
		}
		return true
	})
	for i := 0; i < len(list); {
		var n int
		if _, err := fmt.Sscanf(string(list[i].Meta), `{"of":%d}`, &n); err != nil {
			rt.Fatal(err)
		}
		for k := range n {
			if i+k >= len(list) || list[i+k].Stream != list[i].Stream {
				rt.Fatalf("an append of %d events was torn at position %d", n, i+1)
			}
		}
		i += n
	}
}
