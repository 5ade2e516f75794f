//go:build unix

package embedded_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// benchFill is how many events the logs of the other benchmarks hold; 5,000,000
// shows what becomes of a store that is not empty.
var benchFill = flag.Int("events", 500_000, "events in the logs of benchmarks")

// BenchmarkAppend measures durable appends of one event to an empty log, each
// writer on a stream of its own with an exact expectation.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256, 1024} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			benchAppend(b, openBench(b, b.TempDir(), embedded.Options{}), writers, math.MaxInt)
		})
	}
}

// BenchmarkAppendFull is the same on a log that holds -events already.
func BenchmarkAppendFull(b *testing.B) {
	dir := filled(b)
	for _, bench := range []struct {
		name string
		each int // events of one stream
	}{{"streams=long", math.MaxInt}, {"streams=10", 10}, {"streams=1", 1}} {
		b.Run(bench.name, func(b *testing.B) {
			benchAppend(b, openBench(b, dir, embedded.Options{}), 256, bench.each)
		})
	}
}

// benchAppend has writers append b.N events, each to its own stream, and begin
// a new one when the stream has a number of events.
func benchAppend(b *testing.B, l *embedded.Log, writers, each int) {
	latencies := make([][]time.Duration, writers)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	before := cpuTime()
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			stream, expected := domain.Stream("bench", domain.NewID("ses")), streams.NoStream
			for i := 1; left.Add(-1) >= 0; i++ {
				if i%each == 0 {
					stream, expected = domain.Stream("bench", domain.NewID("ses")), streams.NoStream
				}
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
	b.ReportMetric(float64(cpuTime()-before)/1e3/float64(b.N), "cpu-µs/event")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// cpuTime is what the process has used; unlike the clock it does not depend on
// what else the machine does.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filled returns the directory of a closed log with -events.
func filled(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	l := openBench(b, dir, embedded.Options{}) // synced, or the benchmark would pay for it
	fill(b, l, *benchFill)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// fill writes n events, 10 to a stream and interleaved, in batches.
func fill(b *testing.B, l *embedded.Log, n int) {
	b.Helper()
	const open = 50 // streams written at a time
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 128 {
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

func BenchmarkReadAll(b *testing.B) {
	l := openBench(b, filled(b), embedded.Options{NoSync: true})
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
				if bench.name != "nothing" && n != *benchFill {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(*benchFill)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkReadStream reads streams of ten events that are not in the cache.
func BenchmarkReadStream(b *testing.B) {
	l := openBench(b, filled(b), embedded.Options{NoSync: true, HeadCache: 64})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % (*benchFill / 10)
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
	dir := filled(b)
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
