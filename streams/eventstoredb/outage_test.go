package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/eventstoredb"
)

// long bounds what must happen; only failures come near it.
const long = 30 * time.Second

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func made(n int) streams.Proposed {
	return streams.Proposed{ID: domain.NewEventID(), Type: "made", Workspace: "ws_1", Data: fmt.Appendf(nil, `{"n":%d}`, n), Meta: []byte(`{"workspace":"ws_1"}`)}
}

func mustAppend(t *testing.T, s streams.Store, stream domain.StreamID, e streams.Expected, list ...streams.Proposed) streams.Result {
	t.Helper()
	r, err := s.Append(within(t, long), stream, e, list...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// everyCall makes every call of a store, and returns their errors.
func everyCall(t *testing.T, s streams.Store, ctx func() context.Context) map[string]error {
	first := func(seq func(func(streams.Recorded, error) bool)) (err error) {
		for _, err = range seq {
			break
		}
		return err
	}
	calls := map[string]func() error{
		"append":      func() error { _, err := s.Append(ctx(), "calls-1", streams.Any, made(1)); return err },
		"read stream": func() error { return first(s.ReadStream(ctx(), "calls-1", streams.ReadStream{})) },
		"read all":    func() error { return first(s.ReadAll(ctx(), streams.ReadAll{})) },
		"read back":   func() error { return first(s.ReadAll(ctx(), streams.ReadAll{Backwards: true})) },
		"head":        func() error { _, err := s.Head(ctx()); return err },
		"revision":    func() error { _, err := s.StreamRevision(ctx(), "calls-1"); return err },
		"meta":        func() error { _, err := s.StreamMeta(ctx(), "calls-1"); return err },
		"set meta":    func() error { return s.SetStreamMeta(ctx(), "calls-1", streams.Meta{MaxCount: 1}) },
		"delete":      func() error { _, err := s.Delete(ctx(), "calls-1", streams.Any); return err },
		"tombstone":   func() error { _, err := s.Tombstone(ctx(), "calls-1", streams.Any); return err },
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := map[string]error{}
	for name, call := range calls {
		wg.Go(func() {
			err := call()
			mu.Lock()
			defer mu.Unlock()
			out[name] = err
		})
	}
	wg.Wait()
	return out
}

// Whatever ails the server, a call ends with its context, or when the store has
// no patience left, and says what happened.
func TestCallsEndInTime(t *testing.T) {
	server := eventstoretest.Start(t)
	w := newWire(t, server.Addr)
	patient := open(t, w.url(), eventstoredb.Options{Patience: long})
	hasty := open(t, w.url(), eventstoredb.Options{Patience: 50 * time.Millisecond})
	mustAppend(t, patient, "calls-1", streams.Any, made(0))
	if _, err := patient.Head(within(t, long)); err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		for call, err := range everyCall(t, patient, func() context.Context { return within(t, 50*time.Millisecond) }) {
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, streams.ErrUnavailable) {
				t.Errorf("%s, %s with a deadline: %v", what, call, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		for call, err := range everyCall(t, patient, func() context.Context { return ctx }) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s that is cancelled: %v", what, call, err)
			}
		}
		for call, err := range everyCall(t, hasty, t.Context) {
			if !errors.Is(err, streams.ErrUnavailable) {
				t.Errorf("%s, %s without a deadline: %v", what, call, err)
			}
		}
	}
	w.pause()
	check("paused")
	w.resume()
	if _, err := patient.Head(within(t, long)); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	check("stopped")
	if err := patient.Err(); !errors.Is(err, streams.ErrUnavailable) {
		t.Errorf("the store says of itself %v", err)
	}
	server.Restart()
	if _, err := patient.Head(within(t, long)); err != nil {
		t.Error(err)
	}
	if err := patient.Err(); err != nil {
		t.Errorf("connected again, the store says of itself %v", err)
	}
}

// An append whose answer is lost is sent again, and done once.
func TestLostAnswers(t *testing.T) {
	server := eventstoretest.Start(t)
	w := newWire(t, server.Addr)
	s := open(t, w.url(), eventstoredb.Options{Patience: long})
	for i, expected := range []streams.Expected{streams.NoStream, streams.Any, streams.At(1), streams.Any} {
		mustAppend(t, s, "other-1", streams.Any, made(i)) // the store is connected, and knows how far the log goes
		before, err := server.Log().Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.hold()
		type answer struct {
			r   streams.Result
			err error
		}
		answered := make(chan answer, 1)
		ctx := within(t, long)
		go func() {
			r, err := s.Append(ctx, "lost-1", expected, made(i))
			answered <- answer{r, err}
		}()
		arrives(t, server, before)
		w.cut()
		if a := <-answered; a.err != nil || a.r.Revision != domain.Revision(i) || a.r.Repeated {
			t.Fatalf("append %d: %+v, %v", i, a.r, a.err)
		}
	}
	n := 0
	for _, err := range s.ReadStream(within(t, long), "lost-1", streams.ReadStream{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 4 {
		t.Errorf("the stream has %d events, want 4", n)
	}
}

// arrives waits until the server's log goes beyond a position.
func arrives(t *testing.T, server *eventstoretest.Server, before domain.Position) {
	t.Helper()
	sub, err := server.Log().Subscribe(t.Context(), before, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for ctx := within(t, long); ; {
		b, err := sub.Next(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Events) > 0 {
			return
		}
	}
}

// Through any number of breaks, everything that was acknowledged is there once,
// and subscriptions see everything once, in order.
func TestThroughOutages(t *testing.T) {
	server := eventstoretest.Start(t)
	w := newWire(t, server.Addr)
	s := open(t, w.url(), eventstoredb.Options{Patience: long, KeptEvents: 64})
	const writers, each = 4, 40
	followers := make([]*follower, 2)
	for i := range followers {
		followers[i] = follow(t, s, writers*each)
	}
	var writing sync.WaitGroup
	for n := range writers {
		stream := domain.Stream("outage", fmt.Sprint(n))
		ctx := within(t, long)
		writing.Go(func() {
			for i := range each {
				r, err := s.Append(ctx, stream, streams.At(domain.Revision(i-1)), made(i))
				if err != nil || r.Revision != domain.Revision(i) {
					t.Errorf("%s, append %d: %+v, %v", stream, i, r, err)
					return
				}
			}
		})
	}
	for i := range 4 {
		followers[0].reached(t, (i+1)*each/2)
		switch i {
		case 0, 2:
			w.cut()
		case 1:
			server.Restart()
		case 3:
			w.pause()
			w.cut()
		}
	}
	writing.Wait()
	var written []domain.Position
	for e, err := range s.ReadAll(within(t, long), streams.ReadAll{Filter: &streams.Filter{Categories: []string{"outage"}}}) {
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, e.Position)
	}
	if len(written) != writers*each {
		t.Errorf("the log has %d events, want %d", len(written), writers*each)
	}
	for i, f := range followers {
		if got := f.all(t); !slices.Equal(got, written) {
			t.Errorf("follower %d saw %v, the log has %v", i, got, written)
		}
	}
}

// follower reads a subscription until it has seen a number of events.
type follower struct {
	seen  chan domain.Position
	ended chan error
	got   []domain.Position
}

func follow(t *testing.T, s streams.Store, n int) *follower {
	t.Helper()
	sub, err := s.Subscribe(t.Context(), 0, &streams.Filter{Categories: []string{"outage"}})
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{seen: make(chan domain.Position, n+100), ended: make(chan error, 1)}
	ctx := within(t, long)
	var reading sync.WaitGroup
	reading.Go(func() {
		for left := n; left > 0; {
			b, err := sub.Next(ctx, 7)
			if err != nil {
				f.ended <- err
				return
			}
			for _, e := range b.Events {
				f.seen <- e.Position
			}
			left -= len(b.Events)
		}
		f.ended <- nil
	})
	t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		reading.Wait()
	})
	return f
}

// reached waits until n events were seen.
func (f *follower) reached(t *testing.T, n int) {
	t.Helper()
	ctx := within(t, long)
	for len(f.got) < n {
		select {
		case p := <-f.seen:
			f.got = append(f.got, p)
		case <-ctx.Done():
			t.Fatalf("%d events were seen, waiting for %d", len(f.got), n)
		}
	}
}

// all returns everything that was seen.
func (f *follower) all(t *testing.T) []domain.Position {
	t.Helper()
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
	close(f.seen)
	for p := range f.seen {
		f.got = append(f.got, p)
	}
	return f.got
}

// A store that knows several addresses finds the server at any of them.
func TestServerMoves(t *testing.T) {
	server := eventstoretest.Start(t)
	other, reserved := freeAddress(t)
	s := open(t, "esdb://"+server.Addr+","+other+"?tls=false", eventstoredb.Options{Patience: long})
	mustAppend(t, s, "moves-1", streams.NoStream, made(0))
	server.Stop()
	if err := reserved.Close(); err != nil {
		t.Fatal(err)
	}
	server.Addr = other
	server.Restart()
	if r := mustAppend(t, s, "moves-1", streams.At(0), made(1)); r.Revision != 1 {
		t.Errorf("got %+v", r)
	}
}

// freeAddress takes a port that the system gives to nobody who asks for any.
func freeAddress(t *testing.T) (string, net.Listener) {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if err == nil {
			return l.Addr().String(), l
		}
	}
	t.Fatal("no port is free")
	return "", nil
}
