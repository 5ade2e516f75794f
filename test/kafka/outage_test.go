//go:build e2e

package kafka_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/streams/kafka"
	"strata/test/kafka/broker"
)

// received is what members of a group got: the numbers of every key, in order
// of their first coming.
type received struct {
	mu     sync.Mutex
	seen   map[string]bool
	orders map[string][]int
	twice  int
	told   chan struct{} // closed and replaced at every message
}

func (r *received) note(m *message.Message) error {
	key, number, _ := strings.Cut(m.UUID, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[m.UUID] {
		r.twice++
		return nil
	}
	r.seen[m.UUID] = true
	r.orders[key] = append(r.orders[key], n)
	close(r.told)
	r.told = make(chan struct{})
	return nil
}

// await waits until n different messages have come.
func (r *received) await(t testing.TB, n int) {
	t.Helper()
	limit := time.After(soon)
	for {
		r.mu.Lock()
		have, told := len(r.seen), r.told
		r.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-told:
		case <-limit:
			t.Fatalf("%d of %d messages came", have, n)
		}
	}
}

// member receives and acks until the test ends.
func (r *received) member(t testing.TB, b *broker.Broker) {
	t.Helper()
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: []string{b.Address()}, Timeout: 2 * time.Second},
		Group: "readers", Session: 6 * time.Second, Heartbeat: 200 * time.Millisecond, Drain: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), "events")
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			for m := range messages {
				if err := r.note(m); err != nil {
					t.Error(err)
				}
				m.Ack()
			}
		})
	}
	t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		reading.Wait()
	})
}

// load publishes numbered messages of some keys until stop, each call again
// until it succeeds, as the relay does. It returns how many were acknowledged
// of every key.
func load(t testing.TB, b *broker.Broker, keys int, stop <-chan struct{}, progress func()) func() map[string]int {
	t.Helper()
	pub, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: kafka.Connection{Brokers: []string{b.Address()}, Timeout: 2 * time.Second}, Patience: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Close() })
	var mu sync.Mutex
	acked := map[string]int{}
	var publishing sync.WaitGroup
	for k := range keys {
		publishing.Go(func() {
			key := fmt.Sprint("key", k)
			for n := 0; ; n += 5 {
				batch := make([]*message.Message, 5)
				for i := range batch {
					batch[i] = message.NewMessage(fmt.Sprint(key, " ", n+i), []byte("x"))
					batch[i].Metadata[kafka.KeyMetadata] = key
				}
				for pub.Publish("events", batch...) != nil {
					continue // it waits by itself
				}
				mu.Lock()
				acked[key] = n + 5
				mu.Unlock()
				progress()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	return func() map[string]int { publishing.Wait(); return acked }
}

// TestOutages kills and pauses the broker while messages are published and
// received. Afterwards everything that was acknowledged has come, every key's
// messages in order; more than once, perhaps.
func TestOutages(t *testing.T) {
	b := start(t, false)
	r := &received{seen: map[string]bool{}, orders: map[string][]int{}, told: make(chan struct{})}
	r.member(t, b)
	r.member(t, b)
	stop := make(chan struct{})
	steps := make(chan struct{}, 1)
	finish := load(t, b, 8, stop, func() {
		select {
		case steps <- struct{}{}:
		default:
		}
	})
	flow := func(calls int) {
		t.Helper()
		limit := time.After(soon)
		for range calls {
			select {
			case <-steps:
			case <-limit:
				t.Fatal("nothing can be published")
			}
		}
	}
	flow(100)
	for round := range 2 {
		if err := b.Pause(); err != nil {
			t.Fatal(err)
		}
		// Longer than a request may take: what is on its way is sent again, and
		// the paused broker will find both.
		<-time.After(3 * time.Second)
		if err := b.Resume(); err != nil {
			t.Fatal(err)
		}
		flow(100)
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := b.Start(); err != nil {
			t.Fatal(err)
		}
		flow(100)
		if round == 0 {
			r.member(t, b) // and a rebalance
		}
	}
	close(stop)
	acked, total := finish(), 0
	for _, n := range acked {
		total += n
	}
	r.await(t, total)
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, n := range acked {
		if len(r.orders[key]) != n {
			t.Errorf("%s: %d messages came, and %d were acknowledged", key, len(r.orders[key]), n)
		}
		for i, got := range r.orders[key] {
			if got != i {
				t.Fatalf("%s: message %d came where %d should", key, got, i)
			}
		}
	}
	t.Logf("%d messages were acknowledged; %d came again", total, r.twice)
}
