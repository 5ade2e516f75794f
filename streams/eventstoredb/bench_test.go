package eventstoredb_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"strata/domain"
	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/eventstoredb"
)

// benchServer starts a durable server; it shares the processors with its client.
func benchServer(b *testing.B) *eventstoretest.Server {
	b.Helper()
	return eventstoretest.Start(b, eventstoretest.WithLog(func(o *embedded.Options) { o.NoSync, o.SegmentSize = false, 64<<20 }))
}

func benchStore(b *testing.B, server *eventstoretest.Server) *eventstoredb.Store {
	b.Helper()
	s, err := eventstoredb.Open(server.URL(), eventstoredb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func benchEvent(n int) streams.Proposed {
	e := made(n)
	e.Data = fmt.Appendf(nil, `{"text":"%0280d"}`, n)
	return e
}

// BenchmarkAppend measures durable appends of one event: through batches as the
// store sends them, one by one, and with the official client.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("batches/writers=%d", writers), func(b *testing.B) {
			benchAppend(b, writers, storeAppends(benchStore(b, benchServer(b))))
		})
		b.Run(fmt.Sprintf("singly/writers=%d", writers), func(b *testing.B) {
			s := benchStore(b, benchServer(b))
			if err := eventstoredb.AppendSingly(b.Context(), s); err != nil {
				b.Fatal(err)
			}
			benchAppend(b, writers, storeAppends(s))
		})
		b.Run(fmt.Sprintf("official/writers=%d", writers), func(b *testing.B) {
			benchAppend(b, writers, officialAppends(b, benchServer(b)))
		})
	}
}

// appendOne appends the n-th event of a stream.
type appendOne func(stream domain.StreamID, n int) error

func storeAppends(s *eventstoredb.Store) appendOne {
	return func(stream domain.StreamID, n int) error {
		_, err := s.Append(context.Background(), stream, streams.At(domain.Revision(n-1)), benchEvent(n))
		return err
	}
}

func officialAppends(b *testing.B, server *eventstoretest.Server) appendOne {
	cfg, err := esdb.ParseConnectionString(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	cfg.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return func(stream domain.StreamID, n int) error {
		expected := esdb.ExpectedRevision(esdb.NoStream{})
		if n > 0 {
			expected = esdb.Revision(uint64(n - 1))
		}
		e := benchEvent(n)
		_, err := client.AppendToStream(context.Background(), string(stream), esdb.AppendToStreamOptions{ExpectedRevision: expected},
			esdb.EventData{EventID: e.ID, EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data, Metadata: e.Meta})
		return err
	}
}

func benchAppend(b *testing.B, writers int, one appendOne) {
	latencies := make([][]time.Duration, writers)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			stream := domain.Stream("bench", domain.NewID("ses"))
			for n := 0; left.Add(-1) >= 0; n++ {
				start := time.Now()
				if err := one(stream, n); err != nil {
					b.Error(err)
					return
				}
				latencies[w] = append(latencies[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(latencies...)
	slices.Sort(all)
	if len(all) > 0 {
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// filled starts a server whose log holds b.N events.
func filled(b *testing.B) *eventstoretest.Server {
	b.Helper()
	server := benchServer(b)
	const streamsOf = 10
	for done := 0; done < b.N; {
		n := min(streamsOf, b.N-done)
		list := make([]streams.Proposed, n)
		for i := range list {
			list[i] = benchEvent(i)
		}
		if _, err := server.Log().Append(b.Context(), domain.Stream("bench", domain.NewID("ses")), streams.NoStream, list...); err != nil {
			b.Fatal(err)
		}
		done += n
	}
	return server
}

// BenchmarkReadAll reads the whole log.
func BenchmarkReadAll(b *testing.B) {
	s := benchStore(b, filled(b))
	b.ResetTimer()
	for _, err := range s.ReadAll(b.Context(), streams.ReadAll{}) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSubscribe catches up with the whole log.
func BenchmarkSubscribe(b *testing.B) {
	s := benchStore(b, filled(b))
	sub, err := s.Subscribe(b.Context(), 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for caughtUp := false; !caughtUp; {
		batch, err := sub.Next(b.Context(), 500)
		if err != nil {
			b.Fatal(err)
		}
		caughtUp = batch.CaughtUp
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkReadStream reads a stream of ten events.
func BenchmarkReadStream(b *testing.B) {
	s := benchStore(b, benchServer(b))
	for n := range 10 {
		if _, err := s.Append(b.Context(), "bench-1", streams.Any, benchEvent(n)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for _, err := range s.ReadStream(b.Context(), "bench-1", streams.ReadStream{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkLive measures how long it takes from an append to its delivery to a
// subscription.
func BenchmarkLive(b *testing.B) {
	s := benchStore(b, benchServer(b))
	sub, err := s.Subscribe(b.Context(), 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	var all []time.Duration
	for n := 0; b.Loop(); n++ {
		start := time.Now()
		r, err := s.Append(b.Context(), "bench-1", streams.Any, benchEvent(n))
		if err != nil {
			b.Fatal(err)
		}
		for at := domain.Position(0); at < r.Position; {
			batch, err := sub.Next(b.Context(), 1)
			if err != nil {
				b.Fatal(err)
			}
			at = batch.Position
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}
