//go:build e2e

package kafka_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
	"strata/projections/analytics/kafkafeed"
	"strata/streams"
	"strata/streams/kafka"
)

// benchMessages makes n messages of 300 bytes, of a hundred keys.
func benchMessages(n int) []*message.Message {
	payload := make([]byte, 300)
	out := make([]*message.Message, n)
	for i := range out {
		out[i] = message.NewMessage(fmt.Sprintf("message-%08d", i), payload)
		out[i].Metadata[kafka.KeyMetadata] = fmt.Sprint("key", i%100)
	}
	return out
}

func benchPublisher(b *testing.B, address string) *kafka.Publisher {
	b.Helper()
	pub, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: kafka.Connection{Brokers: []string{address}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pub.Close() })
	if err := pub.Publish("bench", benchMessages(100)...); err != nil { // makes the topic
		b.Fatal(err)
	}
	return pub
}

// BenchmarkPublish publishes with acknowledgement, 1,000 messages a call as the
// relay does, and one a call from 64 callers.
func BenchmarkPublish(b *testing.B) {
	pub := benchPublisher(b, start(b, false).Address())
	for _, c := range []struct{ callers, batch int }{{1, 1000}, {64, 1}} {
		b.Run(fmt.Sprintf("callers=%d/batch=%d", c.callers, c.batch), func(b *testing.B) {
			var publishing sync.WaitGroup
			b.ResetTimer()
			for range c.callers {
				publishing.Go(func() {
					for sent := 0; sent < b.N/c.callers; sent += c.batch {
						if err := pub.Publish("bench", benchMessages(c.batch)...); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			publishing.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkSubscribe receives and acks, as a member of a group.
func BenchmarkSubscribe(b *testing.B) {
	broker := start(b, false)
	pub := benchPublisher(b, broker.Address())
	for sent := 0; sent < b.N; sent += 1000 {
		if err := pub.Publish("bench", benchMessages(1000)...); err != nil {
			b.Fatal(err)
		}
	}
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: []string{broker.Address()}}, Group: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	(<-messages).Ack()
	b.ResetTimer()
	for range b.N {
		(<-messages).Ack()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.StopTimer()
	if err := sub.Close(); err != nil {
		b.Error(err)
	}
}

// BenchmarkIngest brings calls that are in the topic to ClickHouse: rows and
// rollups, by one process with all partitions.
func BenchmarkIngest(b *testing.B) {
	broker := start(b, false)
	server := clickhousetest.Serve(b, clickhouse.Standalone{})
	db, err := clickhouse.Open(b.Context(), clickhouse.Config{URL: "http://" + server.Address})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Stop(context.Background()) })
	clickhousetest.WaitReady(b, db)
	codec, err := streams.NewCodec(inference.FactTypes(), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	publishCalls(b, broker.Address(), codec, b.N)
	installation := func(context.Context) (string, error) { return "of benchmarks", nil }
	consumer, err := kafka.NewConsumer(kafka.ConsumerConfig{SubscriberConfig: kafka.SubscriberConfig{
		Connection: kafka.Connection{Brokers: []string{broker.Address()}}, Group: writerGroup}},
		kafkafeed.Sink{DB: db, Codec: codec, Owner: analytics.Owner{Installation: installation, Instance: "one"}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	b.ResetTimer()
	running.Go(func() { _ = consumer.Run(ctx, inferences) })
	if err := kafka.CaughtUp(b.Context(), kafka.Connection{Brokers: []string{broker.Address()}}, writerGroup, inferences); err != nil {
		b.Error(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.StopTimer()
	stop()
	running.Wait()
}

// publishCalls publishes n recorded calls of fifty workspaces.
func publishCalls(b *testing.B, address string, codec *streams.Codec, n int) {
	b.Helper()
	pub, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: kafka.Connection{Brokers: []string{address}}, Marshaler: kafkafeed.Marshaler()})
	if err != nil {
		b.Fatal(err)
	}
	defer pub.Close()
	began := time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC)
	var batch []*message.Message
	for i := range n {
		workspace := fmt.Sprint("ws_", i%50)
		call := inference.Recorded{ID: fmt.Sprintf("inf_%08d", i), StartedAt: began.Add(time.Duration(i) * time.Millisecond), Workspace: workspace,
			User: fmt.Sprint("user_", i%1000), Type: "chat", Model: fmt.Sprint("p/m", i%5), Provider: "p", Status: inference.Success, InputTokens: 100, OutputTokens: 20, Cost: 30, LatencyUS: 900_000}
		p, err := codec.Encode(domain.NewEventID(), call, domain.Metadata{Workspace: workspace, OccurredAt: call.StartedAt})
		if err != nil {
			b.Fatal(err)
		}
		m, err := kafkafeed.MessageOf(streams.Recorded{Proposed: p, Stream: inference.StreamOf(workspace, call.StartedAt), Revision: domain.Revision(i / 50),
			Position: domain.Position(i + 1), At: call.StartedAt})
		if err != nil {
			b.Fatal(err)
		}
		if batch = append(batch, m); len(batch) == 1000 || i == n-1 {
			if err := pub.Publish(inferences, batch...); err != nil {
				b.Fatal(err)
			}
			batch = nil
		}
	}
}
