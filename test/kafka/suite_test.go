//go:build e2e

// Package kafka_test runs what streams/kafka promises against a real Apache
// Kafka that it starts, kills and pauses itself.
package kafka_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/streams/kafka"
	"strata/streams/kafka/kafkatest"
	"strata/test/kafka/broker"
)

// soon is longer than anything takes that is waited for.
const soon = time.Minute

// start runs a broker that ends with the test.
func start(t testing.TB, secured bool) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Config{Dir: t.TempDir(), Secured: secured})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of the broker's log:\n%s", b.Log())
		}
	})
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUniversalSuite runs Watermill's suite, the whole of it.
func TestUniversalSuite(t *testing.T) {
	b := start(t, false)
	kafkatest.TestSuite(t, kafkatest.Suite{Brokers: []string{b.Address()}, Session: 6 * time.Second})
}

func TestEncryptionAndAuthentication(t *testing.T) {
	b := start(t, true)
	for i, who := range []struct{ mechanism, user string }{{"PLAIN", "ann"}, {"SCRAM-SHA-256", "bob"}, {"SCRAM-SHA-512", "cid"}} {
		topic := fmt.Sprint("topic", i)
		pub, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: b.Secured(who.mechanism, who.user)})
		if err != nil {
			t.Fatal(err)
		}
		if err := pub.Publish(topic, message.NewMessage("u", []byte("x"))); err != nil {
			t.Fatal(err)
		}
		if err := pub.Close(); err != nil {
			t.Error(err)
		}
		sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: b.Secured(who.mechanism, who.user), Group: "g"})
		if err != nil {
			t.Fatal(err)
		}
		messages, err := sub.Subscribe(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-messages:
			m.Ack()
		case <-time.After(soon):
			t.Fatal("no message came")
		}
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		other := b.Secured(who.mechanism, who.user)
		other.SASL.Password = "another"
		other.Timeout = time.Second
		if pub, err = kafka.NewPublisher(kafka.PublisherConfig{Connection: other, Patience: time.Second}); err != nil {
			t.Fatal(err)
		}
		if err := pub.Publish(topic, message.NewMessage("u", []byte("x"))); err == nil {
			t.Errorf("%s: another password was accepted", who.mechanism)
		}
		if err := pub.Close(); err != nil {
			t.Error(err)
		}
	}
}
