package streamstest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

func subscribe(t *testing.T, s streams.Store, after domain.Position, filter *streams.Filter) streams.Subscription {
	t.Helper()
	sub, err := s.Subscribe(background(t), after, filter)
	if err != nil {
		t.Fatalf("subscribe after %d: %v", after, err)
	}
	t.Cleanup(func() { sub.Close() })
	return sub
}

// next returns the next batch and checks its shape.
func next(t *testing.T, sub streams.Subscription, max int) streams.Batch {
	t.Helper()
	b, err := sub.Next(background(t), max)
	if err != nil {
		t.Fatalf("next: %v", err)
	}
	if (len(b.Events) == 0) != b.CaughtUp {
		t.Fatalf("a batch has %d events and CaughtUp %v", len(b.Events), b.CaughtUp)
	}
	if max > 0 && len(b.Events) > max {
		t.Fatalf("a batch has %d events, at most %d were asked for", len(b.Events), max)
	}
	if n := len(b.Events); n > 0 && b.Position < b.Events[n-1].Position {
		t.Fatalf("position %d is behind the batch's last event %d", b.Position, b.Events[n-1].Position)
	}
	return b
}

// drain reads until the subscription has caught up, and returns the events'
// positions and where it stands.
func drain(t *testing.T, sub streams.Subscription, max int) (got []domain.Position, at domain.Position) {
	t.Helper()
	for {
		b := next(t, sub, max)
		if b.Position < at {
			t.Fatalf("position went back from %d to %d", at, b.Position)
		}
		at = b.Position
		for _, e := range b.Events {
			got = append(got, e.Position)
		}
		if b.CaughtUp {
			return got, at
		}
	}
}

func testSubscribe(t *testing.T, f Factory) {
	s := f.Open(t)
	start := mustHead(t, s)
	stream := newStream("sub")
	ours := &streams.Filter{Categories: []string{"sub"}}
	var want []domain.Position
	write := func(n int) {
		for i := range n {
			want = append(want, mustAppend(t, s, stream, streams.Any, event("made", i)).Position)
		}
	}
	write(7)
	sub := subscribe(t, s, start, ours)
	got, at := drain(t, sub, 3)
	if !slices.Equal(got, want) || at < want[6] {
		t.Fatalf("caught up at %d with %v, want %v", at, got, want)
	}
	write(4)
	more, _ := drain(t, sub, 100)
	if !slices.Equal(more, want[7:]) {
		t.Fatalf("live: got %v, want %v", more, want[7:])
	}
	t.Run("resumes after a position", func(t *testing.T) {
		if got, _ := drain(t, subscribe(t, s, want[4], ours), 2); !slices.Equal(got, want[5:]) {
			t.Errorf("got %v, want %v", got, want[5:])
		}
	})
	t.Run("from the head, nothing old", func(t *testing.T) {
		if got, at := drain(t, subscribe(t, s, mustHead(t, s), ours), 2); len(got) != 0 || at < want[10] {
			t.Errorf("got %v at %d", got, at)
		}
	})
	t.Run("wakes a waiting reader", func(t *testing.T) {
		sub := subscribe(t, s, mustHead(t, s), ours)
		drain(t, sub, 2)
		arrived := make(chan streams.Batch, 1)
		var wg sync.WaitGroup
		defer wg.Wait()
		ctx := background(t)
		wg.Go(func() {
			b, err := sub.Next(ctx, 10)
			if err != nil {
				t.Error(err)
			}
			arrived <- b
		})
		write(1)
		if b := <-arrived; len(b.Events) != 1 || b.Events[0].Position != want[len(want)-1] {
			t.Errorf("got %+v", b)
		}
	})
}

// testSubscribeFiltered checks that a subscription's position moves past events
// that do not match: whoever waits for a position must see it reached.
func testSubscribeFiltered(t *testing.T, f Factory) {
	s := f.Open(t)
	start := mustHead(t, s)
	wanted, other := newStream("wanted"), newStream("other")
	sub := subscribe(t, s, start, &streams.Filter{Categories: []string{"wanted"}})
	drain(t, sub, 10)
	hit := mustAppend(t, s, wanted, streams.Any, event("made", 1)).Position
	var miss domain.Position
	for i := range 50 {
		miss = mustAppend(t, s, other, streams.Any, event("made", i)).Position
	}
	var got []domain.Position
	at := start
	for at < miss { // one drain may end before the last append is visible
		more, position := drain(t, sub, 10)
		got, at = append(got, more...), position
	}
	if !slices.Equal(got, []domain.Position{hit}) {
		t.Errorf("got %v, want only %d", got, hit)
	}
	miss = mustAppend(t, s, other, streams.Any, event("made", 99)).Position
	if b := next(t, sub, 10); !b.CaughtUp || b.Position < miss {
		t.Errorf("a live event that does not match: got %+v, want a position of %d", b, miss)
	}
}

// testSubscribeUnderLoad follows the log with several readers while many
// write: no gap, nothing twice, in order, and in the end the same for all.
func testSubscribeUnderLoad(t *testing.T, f Factory) {
	s := f.Open(t)
	start := mustHead(t, s)
	const writers, each, readers = 8, 40, 4
	filters := []*streams.Filter{nil, {Categories: []string{"load"}}, {Types: []string{"even"}}, {TypePrefixes: []string{"o"}}}
	var mu sync.Mutex
	written := map[string][]uuid.UUID{}
	var writing, reading sync.WaitGroup
	var last atomic.Uint64 // position to read up to, 0 until it is known
	for r := range readers {
		sub := subscribe(t, s, start, filters[r])
		reading.Go(func() {
			got := map[uuid.UUID]bool{}
			at := start
			for end := domain.Position(0); end == 0 || at < end; end = domain.Position(last.Load()) {
				b, err := sub.Next(background(t), 7+r)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range b.Events {
					if e.Position <= at {
						t.Errorf("reader %d: position %d after %d", r, e.Position, at)
						return
					}
					at = e.Position
					if e.Stream.Category() == "load" {
						got[e.ID] = true
					}
				}
				at = max(at, b.Position)
			}
			mu.Lock()
			defer mu.Unlock()
			want := 0
			for typ, ids := range written {
				e := streams.Recorded{Proposed: streams.Proposed{Type: typ}, Stream: "load-1"}
				if !filters[r].Matches(&e) {
					continue
				}
				want += len(ids)
				for _, id := range ids {
					if !got[id] {
						t.Errorf("reader %d missed %s", r, id)
						return
					}
				}
			}
			if len(got) != want {
				t.Errorf("reader %d saw %d events, want %d", r, len(got), want)
			}
		})
	}
	for w := range writers {
		stream := newStream("load")
		writing.Go(func() {
			for i := range each {
				typ := [...]string{"even", "odd"}[(w+i)%2]
				pair := []streams.Proposed{event(typ, i), event(typ, i)}
				if _, err := s.Append(background(t), stream, streams.Any, pair...); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				written[typ] = append(written[typ], pair[0].ID, pair[1].ID)
				mu.Unlock()
			}
		})
	}
	writing.Wait()
	// A last event that every filter sees past, so that the readers end.
	end := mustAppend(t, s, newStream("end"), streams.Any, event("end", 1)).Position
	last.Store(uint64(end))
	mustAppend(t, s, newStream("end"), streams.Any, event("end", 2))
	reading.Wait()
}

func testSubscriptionEnds(t *testing.T, f Factory) {
	s := f.Open(t)
	t.Run("with its context", func(t *testing.T) {
		sub := subscribe(t, s, mustHead(t, s), nil)
		drain(t, sub, 1)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := sub.Next(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		// The subscription itself goes on.
		mustAppend(t, s, newStream("sub"), streams.Any, event("made", 1))
		if b := next(t, sub, 1); len(b.Events) != 1 {
			t.Errorf("got %+v", b)
		}
	})
	t.Run("when closed", func(t *testing.T) {
		sub := subscribe(t, s, mustHead(t, s), nil)
		drain(t, sub, 1)
		ended := make(chan error, 1)
		ctx := background(t)
		go func() {
			_, err := sub.Next(ctx, 1)
			ended <- err
		}()
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, streams.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := sub.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	})
}

func testContexts(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("ctx")
	mustAppend(t, s, stream, streams.NoStream, events("made", 3)...)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Append(ctx, stream, streams.Any, event("made", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if _, err := collect(s.ReadStream(ctx, stream, streams.ReadStream{})); !errors.Is(err, context.Canceled) {
		t.Errorf("read stream: %v", err)
	}
	if _, err := collect(s.ReadAll(ctx, streams.ReadAll{})); !errors.Is(err, context.Canceled) {
		t.Errorf("read all: %v", err)
	}
	if got := len(mustRead(t, s, stream, streams.ReadStream{})); got != 3 {
		t.Errorf("the stream has %d events, want 3", got)
	}
}

func testClosing(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("close")
	mustAppend(t, s, stream, streams.NoStream, events("made", 3)...)
	sub := subscribe(t, s, mustHead(t, s), nil)
	drain(t, sub, 1)
	ended := make(chan error, 1)
	ctx := background(t)
	go func() {
		_, err := sub.Next(ctx, 1)
		ended <- err
	}()
	// Appends that race with Close are answered or refused, never left hanging.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				if _, err := s.Append(ctx, newStream("close"), streams.Any, event("made", 1)); err != nil {
					if !errors.Is(err, streams.ErrClosed) {
						t.Errorf("append while closing: %v", err)
					}
					return
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	err := <-ended
	for err == nil { // it was delivered an event
		_, err = sub.Next(ctx, 1)
	}
	if !errors.Is(err, streams.ErrClosed) {
		t.Errorf("the subscription ended with %v", err)
	}
	if _, err := s.Append(ctx, stream, streams.Any, event("made", 1)); !errors.Is(err, streams.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := read(t, s, stream, streams.ReadStream{}); !errors.Is(err, streams.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if _, err := s.Subscribe(ctx, 0, nil); !errors.Is(err, streams.ErrClosed) {
		t.Errorf("subscribe: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
