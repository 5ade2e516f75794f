package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/projections/analytics/kafkafeed"
	"strata/streams/kafka"
	"strata/streams/relay"
)

// Recorded calls on their way to ClickHouse over Kafka.
const (
	callRelay = "inferences"        // name of the relay's lease
	callGroup = "strata-clickhouse" // those who write to ClickHouse
	callPoll  = 100 * time.Millisecond
	// callSession is how long the others wait for a writer that died; its claims
	// on the tables last a little longer.
	callSession = 10 * time.Second
)

// callTopic is the topic that recorded calls go over. It holds what the log
// holds, sealed where that is; the category's own topic is for everybody.
func (a *app) callTopic() string { return a.cfg.Relay.TopicPrefix + "inferences" }

// callConnection is a connection whose topics take the largest calls.
func (a *app) callConnection() (kafka.Connection, error) {
	c, err := kafkaConnection(a.cfg.Kafka, a.log)
	c.Topics.Settings = kafkafeed.TopicSettings()
	return c, err
}

// startCalls takes this process's part in bringing recorded calls to ClickHouse
// over Kafka: publishing them, which one process does, and writing them, which
// all do that may.
func (a *app) startCalls(work context.Context) error {
	if err := a.metrics.Register(newLaneMetrics(a)); err != nil {
		return fmt.Errorf("metrics of lanes: %w", err)
	}
	if !a.cfg.ClickHouse.OverKafka {
		return nil
	}
	connection, err := a.callConnection()
	if err != nil {
		return err
	}
	if a.role.has(relaying) {
		if err := a.publishCalls(work, connection); err != nil {
			return err
		}
	}
	if !a.role.has(projecting) {
		return nil
	}
	consumer, err := kafka.NewConsumer(kafka.ConsumerConfig{
		SubscriberConfig: kafka.SubscriberConfig{Connection: connection, Group: callGroup, Session: callSession},
		BatchSize:        a.cfg.ClickHouse.FlushRows, BatchWait: a.cfg.ClickHouse.FlushInterval,
	}, kafkafeed.Sink{DB: a.click, Codec: a.codec, Owner: a.tablesOwner(), Logger: a.log})
	if err != nil {
		return err
	}
	a.lanes = consumer
	a.run(work, "calls to ClickHouse", func(ctx context.Context) error { return consumer.Run(ctx, a.callTopic()) })
	return nil
}

func (a *app) publishCalls(work context.Context, connection kafka.Connection) error {
	to, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: connection, Marshaler: kafkafeed.Marshaler(), BatchBytes: kafkafeed.MaxMessage,
		Compression: a.cfg.Kafka.Compression, Patience: publishPatience})
	if err != nil {
		return err
	}
	r, err := relay.New(relay.Config{Store: a.store, Codec: a.codec, Publisher: to, Name: callRelay, Categories: []string{kafkafeed.Category},
		Topic: func(string) string { return a.callTopic() }, Message: kafkafeed.MessageOf,
		TTL: a.term, Sole: a.local != nil, Now: a.now, Logger: a.log, Metrics: a.metrics, At: a.reached})
	if err != nil {
		return errors.Join(err, to.Close())
	}
	a.run(work, "calls to Kafka", func(ctx context.Context) error { return errors.Join(r.Run(ctx), to.Close()) })
	return nil
}

// awaitCalls returns when everything that was recorded up to a position is in
// ClickHouse, whoever brought it there.
func (a *app) awaitCalls(ctx context.Context, head domain.Position) error {
	tick := time.NewTicker(callPoll)
	defer tick.Stop()
	for {
		at, err := relay.Published(ctx, a.store, callRelay)
		if err != nil {
			return err
		}
		if at >= head {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("calls are published up to %d of %d: %w", at, head, ctx.Err())
		}
	}
	connection, err := a.callConnection()
	if err != nil {
		return err
	}
	return kafka.CaughtUp(ctx, connection, callGroup, a.callTopic())
}
