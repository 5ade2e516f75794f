//go:build e2e

package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
	"strata/streams/eventstoredb"
)

// long bounds what must happen; only failures come near it.
const long = time.Minute

// writer appends to a stream of its own, each event until it is acknowledged.
type writer struct {
	stream domain.StreamID
	append func(ctx context.Context, e streams.Proposed, n int) error
	done   []uuid.UUID
}

// run writes until stop ends, and then finishes what it has begun.
func (w *writer) run(ctx context.Context, stop <-chan struct{}, acked *atomic.Int64, retries *atomic.Int64) error {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		e := streams.Proposed{ID: domain.NewEventID(), Type: "written.v1", Data: fmt.Appendf(nil, `{"n":%d}`, n), Meta: []byte("{}")}
		for {
			err := w.append(ctx, e, n)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s, event %d: %w", w.stream, n, err)
			}
			retries.Add(1)
		}
		w.done = append(w.done, e.ID)
		acked.Add(1)
	}
}

// viaStore makes a writer over Strata's adapter, with a kind of expectation.
func viaStore(s streams.Store, name string, expect func(n int) streams.Expected) *writer {
	w := &writer{stream: domain.Stream("killed", name)}
	w.append = func(ctx context.Context, e streams.Proposed, n int) error {
		r, err := s.Append(ctx, w.stream, expect(n), e)
		if err == nil && r.Revision != domain.Revision(n) {
			return fmt.Errorf("event %d of %s was acknowledged at revision %d", n, w.stream, r.Revision)
		}
		return err
	}
	return w
}

func exactly(n int) streams.Expected { return streams.At(domain.Revision(n - 1)) }
func anything(int) streams.Expected  { return streams.Any }

// viaOfficial makes a writer over the official client.
func viaOfficial(c *esdb.Client, name string) *writer {
	w := &writer{stream: domain.Stream("killed", name)}
	w.append = func(ctx context.Context, e streams.Proposed, n int) error {
		expected := esdb.ExpectedRevision(esdb.NoStream{})
		if n > 0 {
			expected = esdb.Revision(uint64(n - 1))
		}
		_, err := c.AppendToStream(ctx, string(w.stream), esdb.AppendToStreamOptions{ExpectedRevision: expected},
			esdb.EventData{EventID: e.ID, EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data})
		return err
	}
	return w
}

func openStore(t *testing.T, url string) *eventstoredb.Store {
	t.Helper()
	s, err := eventstoredb.Open(url, eventstoredb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func officialClient(t *testing.T, url string) *esdb.Client {
	t.Helper()
	cfg, err := esdb.ParseConnectionString(url + "&maxDiscoverAttempts=1000000")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // it always answers nil
	return c
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	t.Cleanup(cancel)
	return ctx
}

func TestKilledUnderAppends(t *testing.T) {
	rounds := 5
	if text := os.Getenv("STRATA_EVENTSTORE_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := startServer(t)
	store, official := openStore(t, s.url()), officialClient(t, s.url())
	var writers []*writer
	for n := range 6 {
		writers = append(writers, viaStore(store, fmt.Sprintf("exact%d", n), exactly), viaStore(store, fmt.Sprintf("any%d", n), anything))
	}
	for n := range 4 {
		writers = append(writers, viaOfficial(official, fmt.Sprintf("official%d", n)))
	}
	follower := follow(t, store)

	stop := make(chan struct{})
	var acked, retries atomic.Int64
	var writing sync.WaitGroup
	ctx := within(t)
	for _, w := range writers {
		writing.Go(func() {
			if err := w.run(ctx, stop, &acked, &retries); err != nil {
				t.Error(err)
			}
		})
	}
	for round := range rounds {
		// Each life acknowledges something, however slow the machine.
		waitFor(t, &acked, acked.Load()+int64(50+rand.IntN(400)))
		s.kill()
		t.Logf("round %d: killed with %d appends acknowledged, %d tried again", round+1, acked.Load(), retries.Load())
		s.start()
	}
	waitFor(t, &acked, acked.Load()+50)
	close(stop)
	writing.Wait()
	if t.Failed() {
		t.FailNow()
	}
	order := checkStreams(t, store, writers)
	follower.check(t, order)
}

// waitFor waits until a counter has reached a number.
func waitFor(t *testing.T, counter *atomic.Int64, n int64) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for counter.Load() < n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d appends were acknowledged, waiting for %d", counter.Load(), n)
		}
	}
}

// checkStreams compares what is in the log with what was acknowledged: neither
// less nor more, in order. It returns the log's order.
func checkStreams(t *testing.T, store streams.Store, writers []*writer) []uuid.UUID {
	t.Helper()
	got := map[domain.StreamID][]uuid.UUID{}
	var order []uuid.UUID
	for e, err := range store.ReadAll(within(t), streams.ReadAll{Filter: &streams.Filter{Categories: []string{"killed"}}}) {
		if err != nil {
			t.Fatal(err)
		}
		got[e.Stream] = append(got[e.Stream], e.ID)
		order = append(order, e.ID)
	}
	for _, w := range writers {
		if !slices.Equal(got[w.stream], w.done) {
			t.Errorf("%s has %d events, %d were acknowledged", w.stream, len(got[w.stream]), len(w.done))
		}
	}
	t.Logf("%d events acknowledged by %d writers, all there, each once", len(order), len(writers))
	return order
}

// follower reads a subscription from before the first kill.
type follower struct {
	ids   chan uuid.UUID
	ended chan error
	stop  context.CancelFunc
}

func follow(t *testing.T, store streams.Store) *follower {
	t.Helper()
	sub, err := store.Subscribe(t.Context(), 0, &streams.Filter{Categories: []string{"killed"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	f := &follower{ids: make(chan uuid.UUID, 1<<16), ended: make(chan error, 1), stop: cancel}
	go func() {
		for {
			b, err := sub.Next(ctx, 100)
			if err != nil {
				f.ended <- errors.Join(err, sub.Close())
				return
			}
			for _, e := range b.Events {
				select {
				case f.ids <- e.ID:
				case <-ctx.Done():
				}
			}
		}
	}()
	return f
}

// check waits until the follower has seen as many events as the log has, and
// compares them.
func (f *follower) check(t *testing.T, want []uuid.UUID) {
	t.Helper()
	ctx := within(t)
	var got []uuid.UUID
	for len(got) < len(want) {
		select {
		case id := <-f.ids:
			got = append(got, id)
		case <-ctx.Done():
			t.Fatalf("the subscription delivered %d events of %d", len(got), len(want))
		}
	}
	if !slices.Equal(got, want) {
		t.Error("the subscription delivered other events than the log has, or in another order")
	}
	f.stop()
	if err := <-f.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the subscription ended with %v", err)
	}
}

// A server that does not answer holds nobody up, and what it was asked meanwhile
// is done once.
func TestPausedServer(t *testing.T) {
	s := startServer(t)
	store := openStore(t, s.url())
	e := streams.Proposed{ID: domain.NewEventID(), Type: "written.v1", Data: []byte("{}")}
	if _, err := store.Append(within(t), "paused-1", streams.NoStream, e); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	e.ID = domain.NewEventID()
	_, err := store.Append(ctx, "paused-1", streams.At(0), e)
	s.signal(syscall.SIGCONT)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, streams.ErrUnavailable) {
		t.Errorf("an append to a paused server ended with %v", err)
	}
	if r, err := store.Append(within(t), "paused-1", streams.At(0), e); err != nil || r.Revision != 1 {
		t.Errorf("the same append again answered %+v, %v", r, err)
	}
	if r, err := store.StreamRevision(within(t), "paused-1"); err != nil || r != 1 {
		t.Errorf("the stream is at revision %d, %v; it should have two events", r, err)
	}
}
