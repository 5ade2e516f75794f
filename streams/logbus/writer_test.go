package logbus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/logbus"
)

// table is a batch writer over a slice, with a position as a real table has it.
type table struct {
	mu      sync.Mutex
	rows    []domain.Position
	sizes   []int
	fail    func(call int) error
	resumes int
	noStart int // resumes that fail
	calls   int
	written chan struct{}
}

func newTable() *table { return &table{written: make(chan struct{}, 100_000)} }

func (w *table) Name() string            { return "table" }
func (w *table) Filter() *streams.Filter { return &streams.Filter{Categories: []string{"counter"}} }

func (w *table) Resume(context.Context) (domain.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.resumes++; w.resumes <= w.noStart {
		return 0, errors.New("still starting")
	}
	if len(w.rows) == 0 {
		return 0, nil
	}
	return w.rows[len(w.rows)-1], nil
}

func (w *table) Write(_ context.Context, events []domain.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.fail != nil {
		if err := w.fail(w.calls); err != nil {
			return err
		}
	}
	for _, e := range events {
		w.rows = append(w.rows, e.Position)
		w.written <- struct{}{}
	}
	w.sizes = append(w.sizes, len(events))
	return nil
}

func (w *table) await(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case <-w.written:
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d of %d rows came", i, n)
		}
	}
}

// positions 1 to n, without the left out ones.
func upTo(n int, without ...domain.Position) []domain.Position {
	var all []domain.Position
	for p := domain.Position(1); p <= domain.Position(n); p++ {
		if !slices.Contains(without, p) {
			all = append(all, p)
		}
	}
	return all
}

func TestWriterGetsAllInOrderInBatches(t *testing.T) {
	w, rows := newWorld(t), newTable()
	for i := range 100 {
		w.add(fmt.Sprint(i%3), i)
	}
	_, stop := w.run(rows)
	rows.await(t, 100)
	w.add("a", 1)
	rows.await(t, 1)
	stop()
	if !slices.Equal(rows.rows, upTo(101)) {
		t.Errorf("rows %v", rows.rows)
	}
	if slices.Max(rows.sizes) > 13 { // 7 asked for; a read of 7 may join 6 that wait
		t.Errorf("batches of %v", rows.sizes)
	}
	w.add("a", 2)
	w.run(rows)
	rows.await(t, 1)
	if !slices.Equal(rows.rows, upTo(102)) {
		t.Errorf("after a restart %v", rows.rows)
	}
}

func TestWriterIsAskedAgainUntilItSucceeds(t *testing.T) {
	w, rows := newWorld(t), newTable()
	rows.noStart = 1
	rows.fail = func(call int) error {
		if call == 2 {
			panic("full")
		}
		if call%2 == 0 {
			return errors.New("full")
		}
		return nil
	}
	for i := range 30 {
		w.add("a", i)
	}
	router, _ := w.run(rows)
	rows.await(t, 30)
	rows.mu.Lock()
	defer rows.mu.Unlock()
	if !slices.Equal(rows.rows, upTo(30)) {
		t.Errorf("rows %v", rows.rows)
	}
	if parked, err := router.Parked(t.Context()); err != nil || len(parked) > 0 {
		t.Errorf("parked %v, %v", parked, err)
	}
}

func TestWriterGoesOnPastWhatCannotBeDecoded(t *testing.T) {
	w, rows := newWorld(t), newTable()
	w.add("a", 1)
	_, err := w.log.Append(t.Context(), "counter-a", streams.Any,
		streams.Proposed{ID: domain.NewEventID(), Type: "counter.unheard_of.v1", Data: []byte("{}"), Meta: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	w.add("a", 2)
	router, _ := w.run(rows)
	rows.await(t, 2)
	rows.mu.Lock()
	defer rows.mu.Unlock()
	if !slices.Equal(rows.rows, upTo(3, 2)) {
		t.Errorf("rows %v", rows.rows)
	}
	parked, err := router.Parked(t.Context())
	if err != nil || len(parked) != 1 || parked[0].Reactor != "table" || parked[0].Position != 2 {
		t.Errorf("parked %v, %v", parked, err)
	}
}

func TestWriterAndReactorStopUnderLoad(t *testing.T) {
	w, rows, r := newWorld(t), newTable(), newRecorder()
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range 500 {
			w.add(fmt.Sprint(i%7), i)
		}
	}()
	for range 5 {
		_, stop := w.run(rows, r)
		stop()
	}
	<-written
	w.run(rows, r)
	rows.await(t, 500)
	for s := range 7 {
		stream := domain.StreamID(fmt.Sprintf("counter-%d", s))
		for last := -1; last < 493+s%3; { // until the stream's last number has come
			got := r.of(stream)
			if len(got) > 0 {
				last = got[len(got)-1]
			}
			if last >= 493 {
				break
			}
			r.await(t, 1)
		}
	}
	rows.mu.Lock()
	defer rows.mu.Unlock()
	if !slices.Equal(rows.rows, upTo(500)) {
		t.Errorf("%d rows", len(rows.rows))
	}
}

func fill(b *testing.B, log streams.Store, codec *streams.Codec, n int) {
	b.Helper()
	for i := 0; i < n; i += 100 {
		var batch []streams.Proposed
		for j := range 100 {
			p, err := codec.Encode(domain.NewEventID(), counted{i + j}, domain.Metadata{Workspace: "ws_1", OccurredAt: time.Now()})
			if err != nil {
				b.Fatal(err)
			}
			batch = append(batch, p)
		}
		if _, err := log.Append(b.Context(), domain.Stream("counter", fmt.Sprint(i)), streams.Any, batch...); err != nil {
			b.Fatal(err)
		}
	}
}

type countingReactor struct {
	left chan struct{}
}

func (countingReactor) Name() string            { return "counting" }
func (countingReactor) Filter() *streams.Filter { return nil }
func (c countingReactor) Handle(context.Context, domain.Event) error {
	c.left <- struct{}{}
	return nil
}

type countingWriter struct{ counts chan int }

func (countingWriter) Name() string                                    { return "counting" }
func (countingWriter) Filter() *streams.Filter                         { return nil }
func (countingWriter) Resume(context.Context) (domain.Position, error) { return 0, nil }
func (c countingWriter) Write(_ context.Context, e []domain.Event) error {
	c.counts <- len(e)
	return nil
}

// BenchmarkRouter is the cost of the machinery: handlers do nothing.
func BenchmarkRouter(b *testing.B) {
	const n = 100_000
	codec, log := newCodec(b), openLog(b)
	fill(b, log, codec, n)
	measure := func(b *testing.B, add func(*logbus.Router) error, done func()) {
		b.ReportAllocs()
		for b.Loop() {
			r, err := logbus.NewRouter(logbus.Config{Store: log, Codec: codec, State: openState(b, "")})
			if err != nil {
				b.Fatal(err)
			}
			if err := add(r); err != nil {
				b.Fatal(err)
			}
			if err := r.Start(); err != nil {
				b.Fatal(err)
			}
			done()
			if err := r.Stop(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("reactor", func(b *testing.B) {
		c := countingReactor{make(chan struct{}, 1024)}
		measure(b, func(r *logbus.Router) error { return r.AddReactor(c) }, func() {
			for range n {
				<-c.left
			}
		})
	})
	b.Run("writer", func(b *testing.B) {
		c := countingWriter{make(chan int)}
		measure(b, func(r *logbus.Router) error { return r.AddWriter(c) }, func() {
			for left := n; left > 0; {
				left -= <-c.counts
			}
		})
	})
}
