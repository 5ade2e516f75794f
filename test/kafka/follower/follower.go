// Package follower reads the topics of a relay as a consumer is told to: it keeps
// the first message of every id, in the order of its coming, stream by stream.
package follower

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams/kafka"
	"strata/streams/relay"
)

// Follower reads topics, from their beginning until Stop.
type Follower struct {
	sub     *kafka.Subscriber
	reading sync.WaitGroup

	mu      sync.Mutex
	seen    map[string]bool
	streams map[domain.StreamID][]string // ids
	twice   int
	grown   chan struct{} // closed and replaced at every new message
}

// Start begins to follow topics at a broker, and makes those that are missing.
func Start(address string, topics ...string) (*Follower, error) {
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: []string{address}, Topics: kafka.Topics{Partitions: 6}}})
	if err != nil {
		return nil, err
	}
	f := &Follower{sub: sub, seen: map[string]bool{}, streams: map[domain.StreamID][]string{}, grown: make(chan struct{})}
	for _, topic := range topics {
		messages, err := sub.Subscribe(context.Background(), topic)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", topic, errors.Join(err, f.Stop()))
		}
		f.reading.Go(func() {
			for m := range messages {
				f.note(m)
				m.Ack()
			}
		})
	}
	return f, nil
}

// Stop ends it. It returns when nothing of it runs any more.
func (f *Follower) Stop() error {
	err := f.sub.Close()
	f.reading.Wait()
	return err
}

func (f *Follower) note(m *message.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, stream := m.Metadata[relay.HeaderID], domain.StreamID(m.Metadata[relay.HeaderSubject])
	if f.seen[id] {
		f.twice++
		return
	}
	f.seen[id] = true
	f.streams[stream] = append(f.streams[stream], id)
	close(f.grown)
	f.grown = make(chan struct{})
}

// Reach waits until n different messages have come.
func (f *Follower) Reach(ctx context.Context, n int) error {
	for {
		f.mu.Lock()
		have, grown := len(f.seen), f.grown
		f.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events came: %w", have, n, ctx.Err())
		}
	}
}

// Count is how many different messages have come, and how many came again.
func (f *Follower) Count() (different, again int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen), f.twice
}

// Streams are the ids of every stream's messages.
func (f *Follower) Streams() map[domain.StreamID][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := maps.Clone(f.streams)
	for stream, ids := range out {
		out[stream] = slices.Clone(ids)
	}
	return out
}
