package embedded_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

var (
	benchData = make([]byte, 300)
	benchMeta = make([]byte, 80)
)

func benchEvent() streams.Proposed {
	return streams.Proposed{
		ID: domain.NewEventID(), Type: "session.turn_added.v1", Workspace: "ws_bench", Data: benchData, Meta: benchMeta,
	}
}

func openBench(b *testing.B, dir string, opts embedded.Options) *embedded.Log {
	b.Helper()
	l, err := embedded.Open(dir, opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

// BenchmarkAppend measures durable appends of one event, each writer on a
// stream of its own with an exact expectation.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256, 1024} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l := openBench(b, b.TempDir(), embedded.Options{})
			latencies := make([][]time.Duration, writers)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					stream := domain.Stream("session", fmt.Sprintf("ses_%026d", w))
					expected := streams.NoStream
					for left.Add(-1) >= 0 {
						start := time.Now()
						r, err := l.Append(context.Background(), stream, expected, benchEvent())
						if err != nil {
							b.Error(err)
							return
						}
						expected = streams.At(r.Revision)
						latencies[w] = append(latencies[w], time.Since(start))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			all := slices.Concat(latencies...)
			slices.Sort(all)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// fill writes n events, 10 to a stream and interleaved, in batches.
func fill(b *testing.B, l *embedded.Log, n int) {
	b.Helper()
	const open = 500 // streams written at a time
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wg.Go(func() {
			for {
				group := next.Add(1) - 1
				if int(group)*open*10 >= n {
					return
				}
				for part := range 2 {
					for s := range open {
						stream := domain.Stream("session", fmt.Sprintf("ses_%026d", int(group)*open+s))
						events := make([]streams.Proposed, 5)
						for i := range events {
							events[i] = benchEvent()
						}
						if _, err := l.Append(context.Background(), stream, streams.At(domain.Revision(part*5-1)), events...); err != nil {
							b.Error(err)
							return
						}
					}
				}
			}
		})
	}
	wg.Wait()
}

const benchFill = 500_000

func BenchmarkReadAll(b *testing.B) {
	l := openBench(b, b.TempDir(), embedded.Options{NoSync: true})
	fill(b, l, benchFill)
	for _, bench := range []struct {
		name   string
		filter *streams.Filter
	}{
		{"all", nil},
		{"category", &streams.Filter{Categories: []string{"session"}}},
		{"nothing", &streams.Filter{Categories: []string{"other"}}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range l.ReadAll(context.Background(), streams.ReadAll{Filter: bench.filter}) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if bench.name != "nothing" && n != benchFill {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(benchFill)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkReadStream reads streams of ten events that are not in the cache.
func BenchmarkReadStream(b *testing.B) {
	l := openBench(b, b.TempDir(), embedded.Options{NoSync: true, HeadCache: 64})
	fill(b, l, benchFill)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % (benchFill / 10)
		n := 0
		stream := domain.Stream("session", fmt.Sprintf("ses_%026d", i))
		for _, err := range l.ReadStream(context.Background(), stream, streams.ReadStream{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 10 {
			b.Fatal(n)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := openBench(b, dir, embedded.Options{NoSync: true})
	fill(b, l, benchFill)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l, err := embedded.Open(dir, embedded.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
