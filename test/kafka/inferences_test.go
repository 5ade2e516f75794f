//go:build e2e

package kafka_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics/kafkafeed"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/kafka"
	"strata/streams/relay"
)

// calls records model calls of several workspaces into a log, as gateways do.
type calls struct {
	log   *embedded.Log
	codec *streams.Codec

	mu   sync.Mutex
	n    int
	cost int64
}

func newCalls(t *testing.T) *calls {
	t.Helper()
	log, err := embedded.Open(t.TempDir(), embedded.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	codec, err := streams.NewCodec(inference.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &calls{log: log, codec: codec}
}

// record adds n calls of a workspace.
func (c *calls) record(t *testing.T, workspace string, n int) {
	began := time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)
	for i := range n {
		c.mu.Lock()
		c.n++
		call := inference.Recorded{ID: fmt.Sprintf("inf_%06d", c.n), StartedAt: began.Add(time.Duration(c.n) * time.Second), Workspace: workspace,
			User: fmt.Sprint("user_", i%7), Type: "chat", Model: "p/m", Provider: "p", Status: inference.Success, Cost: domain.Money(c.n % 100), LatencyUS: 1000}
		c.cost += int64(call.Cost)
		c.mu.Unlock()
		var proposed []streams.Proposed
		for _, f := range []domain.Fact{call, inference.PayloadRecorded{ID: call.ID, Subject: call.User, Request: []byte(`{"q":1}`), Response: []byte(`{"a":2}`)}} {
			p, err := c.codec.Encode(domain.NewEventID(), f, domain.Metadata{Workspace: workspace, OccurredAt: call.StartedAt})
			if err != nil {
				t.Error(err)
				return
			}
			proposed = append(proposed, p)
		}
		if _, err := c.log.Append(t.Context(), inference.StreamOf(workspace, call.StartedAt), streams.Any, proposed...); err != nil {
			t.Error(err)
			return
		}
	}
}

// publish runs a relay of a name until the test ends.
func (c *calls) publish(t *testing.T, broker, name string) {
	t.Helper()
	pub, err := kafka.NewPublisher(kafka.PublisherConfig{Marshaler: kafkafeed.Marshaler(), BatchBytes: kafkafeed.MaxMessage,
		Connection: kafka.Connection{Brokers: []string{broker}, Topics: kafka.Topics{Settings: kafkafeed.TopicSettings()}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := relay.New(relay.Config{Store: c.log, Codec: c.codec, Publisher: pub, Name: name, Categories: []string{kafkafeed.Category},
		Topic: func(string) string { return inferences }, Message: kafkafeed.MessageOf, BatchSize: 50})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
		if err := pub.Close(); err != nil {
			t.Error(err)
		}
	})
}

func ask(t *testing.T, db *clickhouse.DB, sql string) uint64 {
	t.Helper()
	var n uint64
	if err := db.Conn().QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// awaitRows waits until the table has at least n calls.
func awaitRows(t *testing.T, db *clickhouse.DB, n int) {
	t.Helper()
	limit := time.After(2 * soon)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		have := ask(t, db, "SELECT count() FROM inferences")
		if have >= uint64(n) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%d of %d calls are in the tables", have, n)
		}
	}
}

// TestInferencesOverKafka records calls, publishes each of them twice (by two
// relays that do not know of each other, as if one had crashed and begun anew),
// and has three processes write them, which are killed and stopped for longer
// than their claims last. Every call is then in the tables once.
func TestInferencesOverKafka(t *testing.T) {
	b := start(t, false)
	server := clickhousetest.Serve(t, clickhouse.Standalone{})
	db, err := clickhouse.Open(t.Context(), clickhouse.Config{URL: "http://" + server.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	clickhousetest.WaitReady(t, db)
	c := newCalls(t)
	c.publish(t, b.Address(), "one")
	c.publish(t, b.Address(), "two")
	writers := make([]*writer, 3)
	for i := range writers {
		writers[i] = startWriter(t, order{Name: fmt.Sprint("writer-", i), Broker: b.Address(), ClickHouse: server.Address})
	}
	load := func() { // of every gateway some
		var gateways sync.WaitGroup
		for g := range 4 {
			gateways.Go(func() {
				for w := range 5 {
					c.record(t, fmt.Sprint("ws_", (g+w)%9), 20)
				}
			})
		}
		gateways.Wait()
	}
	load()
	awaitTables(t, db)
	awaitRows(t, db, c.n)

	writers[0].signal(t, syscall.SIGSTOP)
	load()
	writers[1].kill(t) // its partitions go to the one that is left, when its claims have ended
	load()
	awaitRows(t, db, c.n)
	writers[0].signal(t, syscall.SIGCONT) // it believes to have its partitions still
	writers[1].start(t)
	load()
	writers[2].kill(t)
	writers[2].start(t) // under the same name: it has its claims
	load()
	awaitRows(t, db, c.n)

	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := kafka.CaughtUp(ctx, kafka.Connection{Brokers: []string{b.Address()}}, writerGroup, inferences); err != nil {
		t.Fatal(err)
	}
	n := uint64(c.n)
	for sql, want := range map[string]uint64{
		"SELECT count() FROM inferences":                                 n,
		"SELECT uniqExact(id) FROM inferences":                           n,
		"SELECT toUInt64(sum(cost_micro_usd)) FROM inferences":           uint64(c.cost),
		"SELECT count() FROM inference_payloads":                         n,
		"SELECT uniqExact(id) FROM inference_payloads":                   n,
		"SELECT sum(calls) FROM rollup_minute":                           n,
		"SELECT sum(calls) FROM rollup_hour":                             n,
		"SELECT sum(calls) FROM rollup_day":                              n,
		"SELECT sum(calls) FROM rollup_user":                             n,
		"SELECT toUInt64(sum(cost_micro_usd)) FROM rollup_day":           uint64(c.cost),
		"SELECT toUInt64(uniqExact(lane) > 1) FROM inferences":           1,
		"SELECT toUInt64(uniqExact(instance) > 1) FROM writer_owner":     1,
		"SELECT count() FROM (SELECT id FROM inferences WHERE lane = 0)": 0,
	} {
		if got := ask(t, db, sql); got != want {
			t.Errorf("%s: %d, want %d", sql, got, want)
		}
	}
}

// awaitTables waits until the first writer has made them.
func awaitTables(t *testing.T, db *clickhouse.DB) {
	t.Helper()
	limit := time.After(soon)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ask(t, db, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'writer_progress'") == 0 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("nobody made the tables")
		}
	}
}
