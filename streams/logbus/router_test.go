package logbus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/projection"
	"strata/streams"
	"strata/streams/logbus"
)

type counted struct{ N int }

func (counted) EventType() string { return "counter.counted.v1" }

func newCodec(t testing.TB) *streams.Codec {
	t.Helper()
	c, err := streams.NewCodec([]domain.FactType{domain.FactOf[counted]()}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// recorder is a reactor that remembers what it was given, and fails when told.
type recorder struct {
	name string
	mu   sync.Mutex
	got  map[domain.StreamID][]int
	all  int
	told chan struct{} // a token per event
	fail func(ctx context.Context, e domain.Event, n int) error
}

func newRecorder() *recorder {
	return &recorder{name: "recorder", got: map[domain.StreamID][]int{}, told: make(chan struct{}, 100_000)}
}

func (r *recorder) Name() string            { return r.name }
func (r *recorder) Filter() *streams.Filter { return &streams.Filter{Categories: []string{"counter"}} }

func (r *recorder) Handle(ctx context.Context, e domain.Event) error {
	n := e.Fact.(counted).N
	if r.fail != nil {
		if err := r.fail(ctx, e, n); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.got[e.Stream] = append(r.got[e.Stream], n)
	r.all++
	r.mu.Unlock()
	r.told <- struct{}{}
	return nil
}

func (r *recorder) of(stream domain.StreamID) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got[stream])
}

func (r *recorder) await(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case <-r.told:
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d of %d events came", i, n)
		}
	}
}

type world struct {
	*testing.T
	log   streams.Store
	codec *streams.Codec
	path  string
	state *logbus.State
}

func newWorld(t *testing.T) *world {
	others := goleak.IgnoreCurrent() // Watermill's suite leaves goroutines behind
	t.Cleanup(func() { goleak.VerifyNone(t, others) })
	w := &world{T: t, log: openLog(t), codec: newCodec(t), path: filepath.Join(t.TempDir(), "reactors.db")}
	w.state = openState(t, w.path)
	return w
}

func (w *world) add(stream string, numbers ...int) {
	w.Helper()
	for _, n := range numbers {
		p, err := w.codec.Encode(domain.NewEventID(), counted{n}, domain.Metadata{CorrelationID: "req_1"})
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.log.Append(w.Context(), domain.Stream("counter", stream), streams.Any, p); err != nil {
			w.Fatal(err)
		}
	}
}

// run starts a router and returns what stops it.
func (w *world) run(members ...any) (*logbus.Router, func()) {
	w.Helper()
	r, err := logbus.NewRouter(logbus.Config{Store: w.log, Codec: w.codec, State: w.state, Retries: 2, RetryAfter: time.Millisecond,
		Window: 16, BatchSize: 7, BatchWait: time.Millisecond, Drain: 100 * time.Millisecond})
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range members {
		switch m := m.(type) {
		case logbus.Reactor:
			err = r.AddReactor(m)
		case logbus.BatchWriter:
			err = r.AddWriter(m)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	if err := r.Start(); err != nil {
		w.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		if err := r.Stop(); err != nil {
			w.Errorf("stop: %v", err)
		}
	})
	w.Cleanup(stop)
	return r, stop
}

func TestReactorGetsEachStreamInOrderAndGoesOn(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	for run := range 3 {
		_, stop := w.run(r)
		for i := range 40 {
			w.add(fmt.Sprint(i%5), run*100+i)
		}
		r.await(t, 40)
		stop()
	}
	for s := range 5 {
		got := r.of(domain.StreamID(fmt.Sprintf("counter-%d", s)))
		if len(got) != 24 || !slices.IsSorted(got) {
			t.Errorf("stream %d: %v", s, got)
		}
	}
	at, err := w.state.Load(t.Context(), "recorder")
	if head, herr := w.log.Head(t.Context()); err != nil || herr != nil || at != head {
		t.Errorf("checkpoint %d, head %d, %v", at, head, errors.Join(err, herr))
	}
}

func TestOneStreamIsHandledOneAtATimeOthersMeanwhile(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	release := make(chan struct{})
	var slow atomic.Int64
	r.fail = func(_ context.Context, e domain.Event, _ int) error {
		if e.Stream == "counter-slow" {
			if slow.Add(1) > 1 {
				t.Error("two events of one stream at the same time")
			}
			<-release
			slow.Add(-1)
		}
		return nil
	}
	w.run(r)
	w.add("slow", 1, 2, 3)
	w.add("a", 1)
	w.add("b", 1, 2)
	r.await(t, 3)
	if got := r.of("counter-slow"); len(got) > 0 {
		t.Errorf("the slow stream is done: %v", got)
	}
	close(release)
	r.await(t, 3)
	if got := r.of("counter-slow"); !slices.Equal(got, []int{1, 2, 3}) {
		t.Error(got)
	}
}

func TestAFailingEventIsRetriedThenItsStreamParked(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			w, r := newWorld(t), newRecorder()
			var tries atomic.Int64
			var mended atomic.Bool
			r.fail = func(_ context.Context, e domain.Event, n int) error {
				if e.Stream == "counter-a" && n == 2 && !mended.Load() {
					tries.Add(1)
					if how == "panic" {
						panic("two")
					}
					return errors.New("two")
				}
				return nil
			}
			router, stop := w.run(r)
			w.add("a", 1, 2, 3)
			w.add("b", 1)
			r.await(t, 2)
			awaitParked(t, router, 2)
			if tries.Load() != 3 {
				t.Errorf("%d tries, want 3", tries.Load())
			}
			stop()
			if err := w.state.Close(); err != nil {
				t.Fatal(err)
			}
			w.state = openState(t, w.path)
			w.add("a", 4)
			w.add("b", 2)
			router, _ = w.run(r)
			r.await(t, 1)
			parked := awaitParked(t, router, 3)
			if parked[0].Error == "" || parked[1].Error != "" || parked[0].Stream != "counter-a" || parked[0].Type != "counter.counted.v1" {
				t.Errorf("%+v", parked)
			}
			if got, err := router.Retry(t.Context(), "recorder", "counter-a"); err != nil || len(got.Failed) != 1 {
				t.Error("it cannot succeed yet")
			}
			mended.Store(true)
			if got, err := router.Retry(t.Context(), "recorder", "counter-a"); err != nil || len(got.Failed) > 0 {
				t.Fatal(err)
			}
			w.add("a", 5)
			r.await(t, 4)
			if got := r.of("counter-a"); !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
				t.Errorf("handled %v", got)
			}
			awaitParked(t, router, 0)
			for _, name := range []string{"recorder", "nobody"} {
				if _, err := router.Retry(t.Context(), name, "counter-a"); !errors.Is(err, domain.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
}

// awaitParked waits until n events are parked; events are parked just after
// their last try, with nothing else to wait on.
func awaitParked(t *testing.T, r *logbus.Router, n int) []logbus.Parked {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		all, err := r.Parked(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == n {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("parked %+v, want %d", all, n)
		}
	}
}

func TestEventsThatComeAgainAreParkedOnce(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	r.fail = func(_ context.Context, e domain.Event, n int) error {
		if e.Stream == "counter-a" {
			return errors.New("no")
		}
		return nil
	}
	router, stop := w.run(r)
	w.add("a", 1, 2)
	w.add("b", 1)
	r.await(t, 1)
	awaitParked(t, router, 2)
	stop()
	if err := w.state.Save(t.Context(), "recorder", 0); err != nil { // as if it had crashed before saving
		t.Fatal(err)
	}
	router, _ = w.run(r)
	w.add("b", 2)
	r.await(t, 2)
	awaitParked(t, router, 2)
}

func TestStopLetsHandlersFinishAndCancelsThoseThatDoNot(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	begun, release := make(chan struct{}, 2), make(chan struct{})
	var again atomic.Bool
	r.fail = func(ctx context.Context, e domain.Event, _ int) error {
		if again.Load() {
			return nil
		}
		begun <- struct{}{}
		if e.Stream == "counter-stuck" {
			<-ctx.Done()
			return ctx.Err()
		}
		<-release
		return nil
	}
	_, stop := w.run(r)
	w.add("stuck", 1)
	w.add("slow", 1)
	<-begun
	<-begun
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	close(release)
	r.await(t, 1)
	<-stopped
	if got := r.of("counter-slow"); len(got) != 1 {
		t.Errorf("the slow handler did not finish: %v", got)
	}
	again.Store(true)
	router, _ := w.run(r)
	for len(r.of("counter-stuck")) == 0 {
		r.await(t, 1)
	}
	if parked, err := router.Parked(t.Context()); err != nil || len(parked) > 0 {
		t.Errorf("parked %v by a shutdown, %v", parked, err)
	}
}

type curious struct{ *recorder }

func (curious) Filter() *streams.Filter { return nil }

func TestReactorWithoutFilterGetsEverything(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	w.run(curious{r})
	w.add("a", 1)
	r.await(t, 1)
}

func TestStatus(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	release := make(chan struct{})
	r.fail = func(context.Context, domain.Event, int) error { <-release; return nil }
	router, _ := w.run(r)
	w.add("a", 1, 2)
	status := func() logbus.Status {
		all, err := router.Status(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	deadline := time.Now().Add(20 * time.Second)
	for status().UnderWay != 2 && time.Now().Before(deadline) {
	}
	if s := status(); s.Name != "recorder" || s.Lag != 2 || s.UnderWay != 2 {
		t.Errorf("%+v", s)
	}
	close(release)
	r.await(t, 2)
	for status().Lag > 0 && time.Now().Before(deadline) {
	}
	if s := status(); s.Lag != 0 || s.Position != 2 || s.UnderWay != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRouterRefusesWhatCannotWork(t *testing.T) {
	w := newWorld(t)
	if _, err := logbus.NewRouter(logbus.Config{}); err == nil {
		t.Error("a router of nothing")
	}
	router, stop := w.run(newRecorder())
	late := newRecorder()
	late.name = "late"
	if router.AddReactor(late) == nil {
		t.Error("a reactor after the start")
	}
	if router.Start() == nil {
		t.Error("a second start")
	}
	stop()
	again, err := logbus.NewRouter(logbus.Config{Store: w.log, Codec: w.codec, State: w.state})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.AddReactor(late); err != nil {
		t.Fatal(err)
	}
	if again.AddReactor(late) == nil {
		t.Error("two of one name")
	}
	if err := again.Stop(); err != nil {
		t.Errorf("stopping what never ran: %v", err)
	}
}

// choosy skips numbers with a 1 in them without having them decoded.
type choosy struct{ *recorder }

func (choosy) Skip(e streams.Recorded) bool { return bytes.Contains(e.Data, []byte(`1`)) }

func TestSkippedEventsPassTheReactor(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	_, stop := w.run(choosy{r})
	w.add("a", 1, 2, 11, 3, 1)
	r.await(t, 2)
	stop()
	if got := r.of("counter-a"); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("handled %v", got)
	}
	w.add("a", 4)
	w.run(choosy{r})
	r.await(t, 1)
	if got := r.of("counter-a"); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("after a restart: %v", got)
	}
}

// discard records the decision to leave an event of the recorder out.
func (w *world) discard(at domain.Position) domain.Position {
	w.Helper()
	codec, err := streams.NewCodec(projection.Aggregate.Facts, nil, nil)
	if err != nil {
		w.Fatal(err)
	}
	p, err := codec.Encode(domain.NewEventID(), projection.EventDiscarded{Projection: "recorder", Position: at}, domain.Metadata{})
	if err != nil {
		w.Fatal(err)
	}
	done, err := w.log.Append(w.Context(), projection.Aggregate.Stream("recorder"), streams.Any, p)
	if err != nil {
		w.Fatal(err)
	}
	return done.Position
}

func TestADiscardedEventIsLeftOutForGood(t *testing.T) {
	w, r := newWorld(t), newRecorder()
	r.fail = func(_ context.Context, _ domain.Event, n int) error {
		if n%2 == 0 {
			return errors.New("not even")
		}
		return nil
	}
	router, stop := w.run(r)
	w.add("a", 1, 2, 3, 4, 5)
	r.await(t, 1)
	parked := awaitParked(t, router, 4)
	if err := router.Obeyed(t.Context(), w.discard(parked[0].Position)); err != nil {
		t.Fatal(err)
	}
	r.await(t, 1) // 3 has waited behind it; 4 fails
	second := awaitParked(t, router, 2)
	if second[0].Error == "" || second[0].Position != parked[2].Position {
		t.Errorf("parked %+v", second)
	}
	if list, err := router.ParkedOf(t.Context(), "recorder", logbus.ParkedQuery{After: second[0].Position, Limit: 1}); err != nil || len(list) != 1 || list[0] != second[1] {
		t.Errorf("%+v, %v", list, err)
	}
	stop()
	w.discard(second[0].Position) // decided, and the process died before it was done
	router, _ = w.run(r)
	r.await(t, 1)
	awaitParked(t, router, 0)
	w.add("a", 7)
	r.await(t, 1)
	if got := r.of("counter-a"); !slices.Equal(got, []int{1, 3, 5, 7}) {
		t.Errorf("handled %v", got)
	}
}
