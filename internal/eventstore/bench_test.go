package eventstore_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"strata/internal/eventstore/eventstoretest"
	"strata/streams/embedded"
)

// synced opens the log as it is used in earnest: every answer means on disk.
func synced() eventstoretest.Option {
	return eventstoretest.WithLog(func(o *embedded.Options) { o.NoSync, o.SegmentSize = false, 64<<20 })
}

func BenchmarkAppend(b *testing.B) {
	for _, k := range []struct{ callers, events int }{{1, 1}, {64, 1}, {64, 10}} {
		b.Run(fmt.Sprintf("callers=%d/events=%d", k.callers, k.events), func(b *testing.B) {
			_, c := start(b, synced())
			ctx := b.Context()
			var n atomic.Int64
			b.SetParallelism(max(1, k.callers/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			if k.callers == 1 {
				for b.Loop() {
					mustAppend(b, c, fmt.Sprintf("bench-%d", n.Add(1)), esdb.Any{}, events("made", k.events)...)
				}
			} else {
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						stream := fmt.Sprintf("bench-%d", n.Add(1))
						if _, err := c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, events("made", k.events)...); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			b.ReportMetric(float64(b.N*k.events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BatchAppend is what the official Node client uses: many appends over one call.
func BenchmarkBatchAppend(b *testing.B) {
	s, _ := start(b, synced())
	call, err := pb.NewStreamsClient(dial(b, s.Addr)).BatchAppend(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	received := make(chan error, 1)
	go func() {
		for range b.N {
			m, err := call.Recv()
			if err == nil && m.GetSuccess() == nil {
				err = errors.New("an append was refused")
			}
			if err != nil {
				received <- err
				return
			}
		}
		received <- nil
	}()
	b.ResetTimer()
	for i := range b.N {
		if err := call.Send(chunk(uuid.New(), fmt.Sprintf("bench-%d", i%1000), true, message(uuid.New(), `{"n":1}`))); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-received; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkRead(b *testing.B) {
	_, c := start(b)
	const size = 20_000
	for range size / 500 {
		mustAppend(b, c, "read-1", esdb.Any{}, events("made", 500)...)
	}
	for name, read := range map[string]func() (*esdb.ReadStream, error){
		"stream": func() (*esdb.ReadStream, error) {
			return c.ReadStream(b.Context(), "read-1", esdb.ReadStreamOptions{}, math.MaxUint64)
		},
		"all": func() (*esdb.ReadStream, error) {
			return c.ReadAll(b.Context(), esdb.ReadAllOptions{}, math.MaxUint64)
		},
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				r, err := read()
				if err != nil {
					b.Fatal(err)
				}
				for {
					if _, err := r.Recv(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
					n++
				}
				r.Close()
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
