package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"strata/streams/kafka"
)

// gates is a sink that opens and writes when it is let.
type gates struct{ open, write chan error }

func (g gates) Open(ctx context.Context, _ string, _ int) (kafka.Lane, error) {
	select {
	case err := <-g.open:
		return g, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g gates) Write(ctx context.Context, _ []kafka.Record) error {
	select {
	case err := <-g.write:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (gates) Close() error { return nil }

// A consumer tells of every lane what it does, and how far behind it is.
func TestLanesTellTheirState(t *testing.T) {
	c := at(fake(t))
	c.Topics.Partitions = 1
	publish(t, publisher(t, kafka.PublisherConfig{Connection: c}), "topic", numbered("key", 3)...)
	g := gates{make(chan error), make(chan error)}
	consumer, err := kafka.NewConsumer(kafka.ConsumerConfig{BatchWait: time.Millisecond, SubscriberConfig: kafka.SubscriberConfig{Connection: c, Group: "g",
		Drain: 20 * time.Millisecond, Backoff: func(int) time.Duration { return time.Millisecond }}}, g)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = consumer.Run(ctx, "topic") }()
	defer func() { stop(); <-ended }()
	is := func(state string, lag int64, failing bool) {
		t.Helper()
		limit := time.After(soon)
		for {
			s := consumer.Status()
			if len(s) == 1 && s[0].State == state && s[0].Lag() == lag && consumer.Failing() == failing {
				return
			}
			select {
			case <-limit:
				t.Fatalf("lanes are %+v, failing: %v; want %s, %d behind", s, consumer.Failing(), state, lag)
			case <-time.After(time.Millisecond):
			}
		}
	}
	is(kafka.LaneOpening, 0, false)
	g.open <- errors.New("somebody else has it")
	is(kafka.LaneFailing, 0, true)
	g.open <- nil
	is(kafka.LaneCopying, 3, false)
	g.write <- errors.New("the disk is full")
	is(kafka.LaneFailing, 3, true)
	g.write <- nil
	is(kafka.LaneCopying, 0, false)
}
