package persistent_test

import (
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/internal/eventstore/persistent"
	"strata/streams"
	"strata/streams/embedded"
)

// BenchmarkDelivery is what a message costs from the log to its acknowledgement,
// without the network.
func BenchmarkDelivery(b *testing.B) {
	for _, strategy := range []string{persistent.RoundRobin, persistent.Pinned} {
		b.Run(strategy, func(b *testing.B) { delivery(b, strategy) })
	}
}

func delivery(b *testing.B, strategy string) {
	raw, err := embedded.Open(b.TempDir(), embedded.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	log := eslog.New(raw)
	groups, err := persistent.Open(b.Context(), log, persistent.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer groups.Close()
	batch := make([]eslog.Event, 1000)
	for n := 0; n < b.N; n += len(batch) {
		for i := range batch {
			batch[i] = eslog.Event{ID: uuid.New(), Type: "happened", ContentType: eslog.ContentJSON, Data: []byte(`{"some":"thing"}`)}
		}
		if _, err := log.Append(b.Context(), domain.StreamID("s"), streams.Any, batch); err != nil {
			b.Fatal(err)
		}
	}
	key := persistent.Key{Stream: "s", Group: "g"}
	if err := groups.Create(b.Context(), key, settings(func(s *persistent.Settings) {
		s.Strategy, s.CheckpointAfter = strategy, 2*time.Second
	})); err != nil {
		b.Fatal(err)
	}
	c, err := groups.Connect(key, persistent.Connection{Slots: 100})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		d, err := c.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		c.Ack(d.Original().ID)
	}
}

// BenchmarkOfficialClient is what a message costs with the official client in the
// same process, over loopback.
func BenchmarkOfficialClient(b *testing.B) {
	_, c := serve(b)
	for n := 0; n < b.N; n += 1000 {
		write(b, c, "s", 1000)
	}
	s := esdb.SubscriptionSettingsDefault()
	s.ReadBatchSize = 200
	err := c.CreatePersistentSubscription(bounded(b), "s", "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}, Settings: &s})
	if err != nil {
		b.Fatal(err)
	}
	sub, err := c.SubscribeToPersistentSubscription(b.Context(), "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 500})
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Close()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		e := sub.Recv()
		if e.EventAppeared == nil {
			b.Fatal(e.SubscriptionDropped.Error)
		}
		if err := sub.Ack(e.EventAppeared.Event); err != nil {
			b.Fatal(err)
		}
	}
}
