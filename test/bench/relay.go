package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/kafka"
	"strata/streams/relay"
	"strata/test/kafka/broker"
)

const (
	relayBacklog = 200_000 // events that are there when the relay begins
	relayBatch   = 500     // events of one append that fills the backlog
	relayStreams = 1000
	relayRate    = 1000 // events a second while latency is measured
)

// benchRelay measures publishing the log to a real Kafka: how fast a backlog
// goes, and how late an event is that is appended while all is published.
func benchRelay(ctx context.Context, s settings, t *table) (err error) {
	dir, err := os.MkdirTemp("", "strata-bench-relay")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := broker.New(broker.Config{Dir: dir})
	if errors.Is(err, broker.ErrNoJars) {
		t.add("relay", "backlog", "not measured", err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Stop()) }()
	to, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: kafka.Connection{Brokers: []string{b.Address()}}, Marshaler: kafka.Plain{KeyOf: relay.Key}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	log, err := embedded.Open(dir+"/log", embedded.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := fillRelay(ctx, log); err != nil {
		return err
	}
	watch := &watched{Publisher: to, acked: make(chan struct{}, 1)}
	rate, each, err := publishBare(to)
	if err != nil {
		return err
	}
	return runRelay(ctx, log, watch, func(ctx context.Context) error {
		if err := watch.backlog(ctx, t, rate, each); err != nil {
			return err
		}
		return watch.latency(ctx, log, b, s.duration, t)
	})
}

// runRelay runs a relay beside something.
func runRelay(ctx context.Context, log streams.Store, to message.Publisher, beside func(context.Context) error) error {
	codec, err := streams.NewCodec(catalogue.FactTypes(), nil, nil)
	if err != nil {
		return err
	}
	r, err := relay.New(relay.Config{Store: log, Codec: codec, Publisher: to, Categories: []string{"app"}, Sole: true})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	err = beside(ctx)
	stop()
	if run := <-ended; !errors.Is(run, context.Canceled) {
		err = errors.Join(err, run)
	}
	return err
}

// relayEvent proposes an event as large as those of the log's benchmark.
func relayEvent() streams.Proposed {
	return streams.Proposed{ID: domain.NewEventID(), Type: "app.created.v1", Workspace: "ws_bench", Data: fmt.Appendf(nil, `{"name":"an app","type":"chat","description":%q}`, filler),
		Meta: []byte(`{"correlation_id":"req_01jk2m3n4p5q6r7s8t9v0w1x2y","organization":"org_bench","workspace":"ws_bench","occurred_at":"2026-01-02T03:04:05.000006Z"}`)}
}

const filler = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. " +
	"Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat."

func fillRelay(ctx context.Context, log streams.Store) error {
	for n := range relayBacklog / relayBatch {
		events := make([]streams.Proposed, relayBatch)
		for i := range events {
			events[i] = relayEvent()
		}
		if _, err := log.Append(ctx, domain.Stream("app", fmt.Sprint("app_", n%relayStreams)), streams.Any, events...); err != nil {
			return err
		}
	}
	return nil
}

// publishBare publishes as much, with as many headers, without a relay, and
// answers the rate and what one costs.
func publishBare(to message.Publisher) (rate, each float64, err error) {
	event := relayEvent()
	batch := make([]*message.Message, 1000)
	for i := range batch {
		batch[i] = message.NewMessage(event.ID.String(), event.Data)
		for _, header := range []string{relay.HeaderSpecVersion, relay.HeaderID, relay.HeaderSource, relay.HeaderType, relay.HeaderTime, relay.HeaderContentType,
			relay.HeaderPartitionKey, relay.HeaderRevision, relay.HeaderPosition, relay.HeaderOrganization, relay.HeaderWorkspace, relay.HeaderCorrelationID} {
			batch[i].Metadata[header] = "of the size of an id"
		}
		batch[i].Metadata[relay.HeaderSubject] = fmt.Sprint("app-app_", i)
	}
	if err := to.Publish("bare", batch...); err != nil { // makes the topic
		return 0, 0, err
	}
	began, before := time.Now(), processorTime()
	for range relayBacklog / len(batch) {
		if err := to.Publish("bare", batch...); err != nil {
			return 0, 0, err
		}
	}
	return relayBacklog / time.Since(began).Seconds(), microseconds(before), nil
}

// watched counts what a publisher acknowledges, and when.
type watched struct {
	message.Publisher
	mu    sync.Mutex
	count int
	first time.Time
	times map[string]time.Time // when events were acknowledged; nil: not wanted
	acked chan struct{}        // holds a token after an acknowledgement
}

// Publish implements message.Publisher.
func (w *watched) Publish(topic string, messages ...*message.Message) error {
	w.mu.Lock()
	if w.first.IsZero() {
		w.first = time.Now()
	}
	w.mu.Unlock()
	if err := w.Publisher.Publish(topic, messages...); err != nil {
		return err
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count += len(messages)
	if w.times != nil {
		for _, m := range messages {
			w.times[m.UUID] = now
		}
	}
	select {
	case w.acked <- struct{}{}:
	default:
	}
	return nil
}

// await waits until n messages are acknowledged.
func (w *watched) await(ctx context.Context, n int) error {
	for {
		w.mu.Lock()
		count := w.count
		w.mu.Unlock()
		if count >= n {
			return nil
		}
		select {
		case <-w.acked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *watched) backlog(ctx context.Context, t *table, bare, bareEach float64) error {
	before := processorTime()
	if err := w.await(ctx, relayBacklog); err != nil {
		return err
	}
	elapsed := time.Since(w.first)
	each := microseconds(before)
	rate := relayBacklog / elapsed.Seconds()
	t.add("relay", "publish a backlog to Kafka", fmt.Sprintf("%s events/s", count(rate)),
		fmt.Sprintf("%.1f µs CPU each; the publisher alone: %s /s, %.1f µs", each, count(bare), bareEach))
	return nil
}

// latency appends at a steady rate.
func (w *watched) latency(ctx context.Context, log streams.Store, b *broker.Broker, length time.Duration, t *table) error {
	received, stop, err := receive(ctx, b)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.times = map[string]time.Time{}
	w.mu.Unlock()
	sent := map[string]time.Time{}
	tick := time.NewTicker(time.Second / relayRate)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < length; <-tick.C {
		e := relayEvent()
		sent[e.ID.String()] = time.Now()
		if _, err := log.Append(ctx, domain.Stream("app", fmt.Sprint("app_", len(sent)%relayStreams)), streams.Any, e); err != nil {
			return errors.Join(err, stop())
		}
	}
	if err := errors.Join(w.await(ctx, relayBacklog+len(sent)), received.await(ctx, sent), stop()); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t.add("relay", fmt.Sprintf("append to acknowledged by Kafka, %s events/s", count(float64(len(sent))/length.Seconds())), spread(sent, w.times), "the append's own sync included")
	t.add("relay", "append to received by a consumer", spread(sent, received.times), "")
	return nil
}

// spread tells the quantiles of what lies between two times.
func spread(from, to map[string]time.Time) string {
	var all []time.Duration
	for id, at := range from {
		all = append(all, to[id].Sub(at))
	}
	slices.Sort(all)
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", quantile(all, .5).Seconds()*1e3, quantile(all, .99).Seconds()*1e3)
}

// receipts is when messages came.
type receipts struct {
	mu    sync.Mutex
	times map[string]time.Time
	came  chan struct{} // holds a token after an arrival
}

// await waits until all of some messages have come.
func (a *receipts) await(ctx context.Context, all map[string]time.Time) error {
	for {
		a.mu.Lock()
		missing := 0
		for id := range all {
			if _, ok := a.times[id]; !ok {
				missing++
			}
		}
		a.mu.Unlock()
		if missing == 0 {
			return nil
		}
		select {
		case <-a.came:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receive consumes the topic; it returns when the backlog has come.
func receive(ctx context.Context, b *broker.Broker) (*receipts, func() error, error) {
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: []string{b.Address()}}, Group: "bench"})
	if err != nil {
		return nil, nil, err
	}
	messages, err := sub.Subscribe(ctx, "strata.app")
	if err != nil {
		return nil, nil, errors.Join(err, sub.Close())
	}
	a := &receipts{times: map[string]time.Time{}, came: make(chan struct{}, 1)}
	caughtUp := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		n := 0
		for m := range messages {
			if n++; n > relayBacklog {
				a.mu.Lock()
				a.times[m.UUID] = time.Now()
				a.mu.Unlock()
				select {
				case a.came <- struct{}{}:
				default:
				}
			}
			m.Ack()
			if n == relayBacklog {
				close(caughtUp)
			}
		}
	})
	stop := func() error {
		err := sub.Close()
		reading.Wait()
		return err
	}
	select {
	case <-caughtUp:
		return a, stop, nil
	case <-ctx.Done():
		return nil, nil, errors.Join(ctx.Err(), stop())
	}
}

// microseconds of the processor is what each event of a backlog took since a time.
func microseconds(before time.Duration) float64 {
	return (processorTime() - before).Seconds() * 1e6 / relayBacklog
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
