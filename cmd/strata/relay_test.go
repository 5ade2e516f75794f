package main

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"

	"strata/internal/config"
	"strata/streams/kafka"
)

// topicOf follows a topic of a cluster until the test ends.
func topicOf(t *testing.T, brokers []string, topic string) <-chan *message.Message {
	t.Helper()
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: brokers}, Group: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	})
	out, err := sub.Subscribe(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// received waits for the next message of a topic.
func received(t *testing.T, topic <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m := <-topic:
		m.Ack()
		return m
	case <-time.After(time.Minute):
		t.Fatal("no message came")
		return nil
	}
}

func TestServeRelaysToKafka(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	log := shareLog(t)
	writer := join(t, log, writing)
	to := func(c *config.Config) { c.Kafka.Brokers = cluster.ListenAddrs() }
	relays := []*installation{join(t, log, relaying, to), join(t, log, relaying, to)}
	call(t, writer, "POST", "/api/v1/apps", object{"name": "x", "type": "chat"}).must(t, 201)
	uid := writer.addSession(t, testKey)
	writer.addEvent(t, uid, "my secret", testKey)

	app := received(t, topicOf(t, cluster.ListenAddrs(), "strata.app"))
	if app.Metadata["ce_type"] != "app.created.v1" || app.Metadata["ce_source"] != "strata" || len(app.Payload) == 0 || app.Metadata["ce_id"] != app.UUID {
		t.Errorf("got %v %s", app.Metadata, app.Payload)
	}
	sessions := topicOf(t, cluster.ListenAddrs(), "strata.session")
	for _, want := range []string{"session.created.v1", "session.event_added.v1"} {
		m := received(t, sessions)
		if m.Metadata["ce_type"] != want || m.Metadata["ce_subject"] != "session-"+uid {
			t.Errorf("got %v, not %s", m.Metadata, want)
		}
	}
	eventually(t, "one relay is active, the other stands by", func() bool {
		var states []string
		for _, r := range relays {
			states = append(states, r.app.relayStatus(t.Context()).State)
		}
		slices.Sort(states)
		return slices.Equal(states, []string{"active", "standby"})
	})
}

func TestARelayNeedsKafka(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Secrets.MasterKey = base64.StdEncoding.EncodeToString(make([]byte, 32))
	a := newApp(relaying, cfg, slog.New(slog.DiscardHandler), time.Now)
	a.store = shareLog(t)
	if _, err := a.open(t.Context()); !errors.Is(err, errNoKafka) {
		t.Errorf("without a place to publish to it ends with %v", err)
	}
}

func TestWhatIsRelayedByDefault(t *testing.T) {
	all := relayedByDefault()
	for _, category := range []string{"provider", "api_key", "user", "organization", "workspace", "claim", "timer"} {
		if slices.Contains(all, category) {
			t.Errorf("%s is published", category)
		}
	}
	for _, category := range []string{"app", "session", "budget", "inference"} {
		if !slices.Contains(all, category) {
			t.Errorf("%s is not published", category)
		}
	}
	if !slices.Contains(secretFields("provider"), "api_key") || !secretField("api_key", "secret_hash") {
		t.Error("secrets are not known")
	}
}

func TestKafkaFilesMustBeThere(t *testing.T) {
	for _, c := range []config.Kafka{{CAFile: "absent.pem"}, {CertFile: "absent.pem", KeyFile: "absent.pem"}} {
		if _, err := kafkaConnection(c, nil); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	if c, err := kafkaConnection(config.Kafka{TLS: true, SASLMechanism: "PLAIN", User: "u", Password: "p"}, nil); err != nil || c.TLS == nil || c.SASL.User != "u" {
		t.Errorf("got %+v, %v", c, err)
	}
}
