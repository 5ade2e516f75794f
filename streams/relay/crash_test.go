package relay_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
	"strata/streams/relay"
)

// death says at which point a relay's process ends.
type death struct {
	Point string
	Nth   int // the time it is reached
}

// plan is a history: what is written, and how the relays die one after the other.
type plan struct {
	Deaths []death
	Seed   uint64
	Save   time.Duration
	Batch  int
}

func plans() *rapid.Generator[plan] {
	return rapid.Custom(func(t *rapid.T) plan {
		deaths := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) death {
			point := rapid.SampledFrom([]string{"relay.published", "relay.saved", "publish.before", "publish.part", "publish.after", "publish.late", "append.before", "append.after", "stopped"}).Draw(t, "point")
			return death{point, rapid.IntRange(1, 4).Draw(t, "nth")}
		}), 1, 4).Draw(t, "deaths")
		return plan{deaths, rapid.Uint64().Draw(t, "seed"), rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Hour}).Draw(t, "save"),
			rapid.SampledFrom([]int{1, 5, 1000}).Draw(t, "batch")}
	})
}

// life is one process that runs a relay: its way to the log and to the broker.
type life struct {
	streams.Store
	out  *topics
	dies death

	mu       sync.Mutex
	randomly *rand.Rand
	reached  int
	dead     chan struct{} // closed when it dies
	stopping chan struct{} // closed when it is to be stopped, while the broker takes nothing
	late     []func()      // what arrives after the process has ended
}

var errDead = errors.New("the process is no more")

func (l *life) gone() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// at is told of every point.
func (l *life) at(point string) { l.die(point) }

// die tells whether the process ends at this point.
func (l *life) die(point string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if point != l.dies.Point || l.gone() {
		return false
	}
	if l.reached++; l.reached < l.dies.Nth {
		return false
	}
	if point != "stopped" {
		close(l.dead)
	} else if l.reached == l.dies.Nth {
		close(l.stopping)
	}
	return true
}

func (l *life) random(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.randomly.IntN(n)
}

// Append is how the relay saves its checkpoint.
func (l *life) Append(ctx context.Context, s domain.StreamID, e streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	if l.die("append.before") || l.gone() {
		return streams.Result{}, errDead
	}
	r, err := l.Store.Append(ctx, s, e, events...)
	if l.die("append.after") || l.gone() {
		return streams.Result{}, errDead
	}
	return r, err
}

func (l *life) ReadStream(ctx context.Context, s domain.StreamID, r streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	if l.gone() {
		return func(yield func(streams.Recorded, error) bool) { yield(streams.Recorded{}, errDead) }
	}
	return l.Store.ReadStream(ctx, s, r)
}

// Publish implements message.Publisher: it may fail with some of the messages
// accepted, of every key the first ones.
func (l *life) Publish(topic string, messages ...*message.Message) error {
	if l.die("publish.before") || l.gone() {
		return errDead
	}
	if l.die("stopped") {
		return errBroker
	}
	part := messages[:l.random(len(messages)+1)]
	if l.die("publish.late") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.late = append(l.late, func() { _ = l.out.Publish(topic, messages...) }) // topics refuse nothing here
		return errDead
	}
	if l.die("publish.part") || l.random(4) == 0 {
		return errors.Join(errBroker, l.out.Publish(topic, part...))
	}
	err := l.out.Publish(topic, messages...)
	if l.die("publish.after") {
		return errDead
	}
	return err
}

func (*life) Close() error { return nil }

// play runs a history and returns what is wrong in the end.
func play(t *testing.T, p plan) error {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	randomly := rand.New(rand.NewPCG(p.Seed, 1))
	more := func() {
		for range 1 + randomly.IntN(20) {
			stream := domain.Stream([]string{"note", "talk", "other"}[randomly.IntN(3)], fmt.Sprint(randomly.IntN(3)))
			write(t, log, codec, stream, noted{N: randomly.IntN(100)}, noted{N: 1})
		}
	}
	var late []func()
	for i, d := range append(p.Deaths, death{}) { // the last one lives
		more()
		l := &life{Store: log, out: out, dies: d, randomly: rand.New(rand.NewPCG(p.Seed, uint64(i))), dead: make(chan struct{}), stopping: make(chan struct{})}
		r, err := relay.New(relay.Config{Store: l, Codec: codec, Publisher: l, Categories: []string{"note", "talk"}, Sole: true, At: l.at,
			SaveEvery: p.Save, BatchSize: p.Batch, Backoff: func(int) time.Duration { return time.Microsecond }})
		if err != nil {
			return err
		}
		stop := background(t, r.Run)
		more()
		for _, arrives := range late { // while the next one publishes
			arrives()
		}
		late = nil
		settled(t, log, r, l)
		stop()
		late = l.late
	}
	for _, arrives := range late {
		arrives()
	}
	for _, category := range []string{"note", "talk"} {
		if err := compare(t, log, out, category); err != nil {
			return err
		}
	}
	return nil
}

// settled waits until a process is dead, or has published everything.
func settled(t *testing.T, log streams.Store, r *relay.Relay, l *life) {
	t.Helper()
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	late := time.After(patience)
	goal := lastOf(t, log)
	for {
		s, err := r.Status(t.Context())
		if err == nil && s.Position >= goal {
			return
		}
		select {
		case <-tick.C:
		case <-l.dead:
			return
		case <-l.stopping:
			return
		case <-late:
			t.Fatalf("it does not come to position %d: %+v, %v", goal, s, err)
		}
	}
}

// lastOf is the position of the last event that is to be published.
func lastOf(t *testing.T, log streams.Store) domain.Position {
	t.Helper()
	query := streams.ReadAll{Backwards: true, Limit: 1, Filter: &streams.Filter{Categories: []string{"note", "talk"}}}
	for r, err := range log.ReadAll(t.Context(), query) {
		if err != nil {
			t.Fatal(err)
		}
		return r.Position
	}
	return 0
}

// At whatever point processes die, and whatever arrives late: without
// repetitions, the topics are the log.
func TestNoCrashLeavesAGap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		if fault := play(t, plans().Draw(rt, "plan")); fault != nil {
			rt.Fatal(fault)
		}
	})
}
