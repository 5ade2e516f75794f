package kafka_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"strata/streams/kafka"
)

// soon is longer than anything here takes, also on a machine that is busy.
const soon = 30 * time.Second

func at(brokers []string) kafka.Connection {
	return kafka.Connection{Brokers: brokers, Topics: kafka.Topics{Partitions: 3, Replication: 1}}
}

func publisher(t testing.TB, cfg kafka.PublisherConfig) *kafka.Publisher {
	t.Helper()
	if cfg.Backoff == nil {
		cfg.Backoff = func(int) time.Duration { return time.Millisecond }
	}
	p, err := kafka.NewPublisher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func subscriber(t testing.TB, cfg kafka.SubscriberConfig) *kafka.Subscriber {
	t.Helper()
	if cfg.Drain == 0 {
		cfg.Drain = 20 * time.Millisecond
	}
	cfg.Heartbeat, cfg.CommitEvery = 20*time.Millisecond, time.Millisecond
	cfg.Backoff = func(int) time.Duration { return time.Millisecond }
	s, err := kafka.NewSubscriber(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func subscribe(t testing.TB, s *kafka.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	out, err := s.Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// numbered makes n messages of a key, "key 0" and so on.
func numbered(key string, n int) []*message.Message {
	out := make([]*message.Message, n)
	for i := range out {
		out[i] = message.NewMessage(fmt.Sprintf("%s %d", key, i), []byte(key))
		out[i].Metadata[kafka.KeyMetadata] = key
	}
	return out
}

func receive(t testing.TB, from <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, open := <-from:
		if !open {
			t.Fatal("the subscription ended")
		}
		return m
	case <-time.After(soon):
		t.Fatal("no message came")
	}
	return nil
}

func publish(t testing.TB, p message.Publisher, topic string, messages ...*message.Message) {
	t.Helper()
	if err := p.Publish(topic, messages...); err != nil {
		t.Fatal(err)
	}
}

// committed reads what a group has committed for a topic, by partition.
func committed(t testing.TB, brokers []string, group, topic string, partitions int) map[int]int64 {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := kafkago.Client{Addr: kafkago.TCP(brokers...), Transport: transport}
	all := make([]int, partitions)
	for i := range all {
		all[i] = i
	}
	answer, err := client.OffsetFetch(t.Context(), &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: all}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]int64{}
	for _, p := range answer.Topics[topic] {
		out[p.Partition] = p.CommittedOffset
	}
	return out
}

// One key that fails holds back its partition's offset and its own later
// messages, and nothing else. When it succeeds everything is committed.
func TestNothingIsCommittedPastAFailure(t *testing.T) {
	brokers := fake(t)
	c := at(brokers)
	c.Topics.Partitions = 1
	pub := publisher(t, kafka.PublisherConfig{Connection: c})
	publish(t, pub, "topic", slices.Concat(numbered("bad", 2), numbered("good", 50))...)
	sub := subscriber(t, kafka.SubscriberConfig{Connection: c, Group: "g"})
	messages := subscribe(t, sub, "topic")
	good, nacks := 0, 0
	for good < 50 || nacks < 20 {
		m := receive(t, messages)
		switch {
		case m.UUID == "bad 1":
			t.Fatal("a message passed the failing one before it")
		case m.UUID == "bad 0":
			nacks++
			m.Nack()
		default:
			if want := fmt.Sprintf("good %d", good); m.UUID != want {
				t.Fatalf("%s came, want %s", m.UUID, want)
			}
			good++
			m.Ack()
		}
	}
	if got := committed(t, brokers, "g", "topic", 1)[0]; got > 0 {
		t.Errorf("offset %d is committed, and 0 is not finished", got)
	}
	for _, want := range []string{"bad 0", "bad 1"} {
		m := receive(t, messages)
		if m.UUID != want {
			t.Fatalf("%s came, want %s", m.UUID, want)
		}
		m.Ack()
	}
	if err := sub.Close(); err != nil { // commits what was acked
		t.Fatal(err)
	}
	if got := committed(t, brokers, "g", "topic", 1)[0]; got != 52 {
		t.Errorf("offset %d is committed, want 52", got)
	}
}

// waitForRebalance waits until a group waits for its members.
func waitForRebalance(t testing.TB, brokers []string, group string) {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := kafkago.Client{Addr: kafkago.TCP(brokers...), Transport: transport}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for {
		answer, err := client.DescribeGroups(ctx, &kafkago.DescribeGroupsRequest{GroupIDs: []string{group}})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Groups[0].GroupState == "PreparingRebalance" {
			return
		}
	}
}

// A member that has to give up partitions lets its handlers finish and commits
// before the next owner begins: nothing comes twice.
func TestRebalanceFinishesWhatIsUnderWay(t *testing.T) {
	brokers := fake(t)
	pub := publisher(t, kafka.PublisherConfig{Connection: at(brokers)})
	var all []*message.Message
	for i := range 30 {
		all = append(all, numbered(fmt.Sprint("key", i), 1)...)
	}
	publish(t, pub, "topic", all...)
	patient := kafka.SubscriberConfig{Connection: at(brokers), Group: "g", Drain: soon - time.Second}
	patient.Session, patient.Rebalance = 2*soon, 2*soon
	first := subscriber(t, patient)
	messages := subscribe(t, first, "topic")
	var underWay []*message.Message
	for range all {
		underWay = append(underWay, receive(t, messages))
	}
	second := subscriber(t, patient)
	others := subscribe(t, second, "topic")
	waitForRebalance(t, brokers, "g")
	seen := map[string]int{}
	for _, m := range underWay {
		seen[m.UUID]++
		if m.Context().Err() != nil {
			t.Error("a message was cancelled while its handler had time")
		}
		m.Ack()
	}
	// The first learns of it with its next heartbeat. Until the second has its
	// share, there are more messages.
	total := len(all)
	for round, ofSecond := 0, 0; ofSecond == 0; round++ {
		var more []*message.Message // for every partition some
		for i := range 10 {
			more = append(more, numbered(fmt.Sprint("key", i, "of", round), 1)...)
		}
		publish(t, pub, "topic", more...)
		total += len(more)
		for range more {
			select {
			case m := <-others:
				seen[m.UUID]++
				m.Ack()
				ofSecond++
			case m := <-messages:
				seen[m.UUID]++
				m.Ack()
			case <-time.After(soon):
				t.Fatal("the last message did not come")
			}
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if len(seen) != total {
		t.Errorf("%d messages came, want %d", len(seen), total)
	}
}

// flaky makes a cluster refuse every produce request that fault says.
func flaky(t *testing.T, fault func(request int) *kerr.Error) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	requests := 0 // handled one at a time
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		requests++
		refused := fault(requests)
		if refused == nil {
			return nil, nil, false
		}
		req := r.(*kmsg.ProduceRequest)
		answer := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.Topics {
			out := kmsg.NewProduceResponseTopic()
			out.Topic = topic.Topic
			for _, p := range topic.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition, part.ErrorCode = p.Partition, refused.Code
				out.Partitions = append(out.Partitions, part)
			}
			answer.Topics = append(answer.Topics, out)
		}
		return answer, nil, true
	})
	return cluster.ListenAddrs()
}

func TestPublisherTriesAgainAndKeepsTheOrder(t *testing.T) {
	brokers := flaky(t, func(n int) *kerr.Error {
		if n%3 != 0 {
			return kerr.NotEnoughReplicas
		}
		return nil
	})
	c := at(brokers)
	pub := publisher(t, kafka.PublisherConfig{Connection: c, BatchSize: 7})
	publish(t, pub, "topic", numbered("key", 40)...)
	messages := subscribe(t, subscriber(t, kafka.SubscriberConfig{Connection: c}), "topic")
	for i := range 40 {
		m := receive(t, messages)
		if want := fmt.Sprintf("key %d", i); m.UUID != want {
			t.Fatalf("%s came, want %s", m.UUID, want)
		}
		m.Ack()
	}
}

// When a request is refused for good, what the same call has behind it is not
// sent: published again, it would come before what was refused.
func TestRefusedMessagesLetNoneOfTheirCallPass(t *testing.T) {
	brokers := flaky(t, func(n int) *kerr.Error {
		if n == 2 {
			return kerr.PolicyViolation
		}
		return nil
	})
	c := at(brokers)
	pub := publisher(t, kafka.PublisherConfig{Connection: c, BatchSize: 10})
	if err := pub.Publish("topic", numbered("key", 40)...); !errors.Is(err, kafkago.PolicyViolation) {
		t.Fatalf("got %v", err)
	}
	publish(t, pub, "topic", numbered("key", 40)...)
	messages := subscribe(t, subscriber(t, kafka.SubscriberConfig{Connection: c}), "topic")
	var got []string
	for range 50 { // the first ten came twice
		m := receive(t, messages)
		got = append(got, m.UUID)
		m.Ack()
	}
	for i, id := range slices.Concat(numbered("key", 10), numbered("key", 40)) {
		if got[i] != id.UUID {
			t.Fatalf("message %d is %s, want %s", i, got[i], id.UUID)
		}
	}
}

func TestPublisherGivesUp(t *testing.T) {
	nobody := kafka.Connection{Brokers: []string{"127.0.0.1:1"}, Timeout: 100 * time.Millisecond}
	pub := publisher(t, kafka.PublisherConfig{Connection: nobody, Patience: 50 * time.Millisecond})
	if err := pub.Publish("topic", numbered("key", 1)...); err == nil {
		t.Error("published to nobody")
	}
	pub = publisher(t, kafka.PublisherConfig{Connection: nobody, Patience: soon})
	ctx, cancel := context.WithCancel(t.Context())
	m := numbered("key", 1)[0]
	m.SetContext(ctx)
	cancel()
	if err := pub.Publish("topic", m); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var calls sync.WaitGroup
	calls.Go(func() {
		if err := pub.Publish("topic", numbered("key", 1)...); !errors.Is(err, kafka.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
	if err := pub.Close(); err != nil {
		t.Error(err)
	}
	calls.Wait()
	large := publisher(t, kafka.PublisherConfig{Connection: at(fake(t)), BatchBytes: 1000})
	if err := large.Publish("topic", message.NewMessage("u", make([]byte, 1000))); !errors.Is(err, kafkago.MessageSizeTooLarge) {
		t.Errorf("got %v", err)
	}
}

// With TLS and each way to authenticate, messages go round; without, or with
// another password, they do not.
func TestEncryptionAndAuthentication(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Certificate())
	brokers := fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "secret 1"),
		kfake.Superuser("SCRAM-SHA-256", "bob", "secret 2"), kfake.Superuser("SCRAM-SHA-512", "cid", "secret 3"),
		kfake.TLS(&tls.Config{Certificates: certificate.TLS.Certificates}))
	for i, s := range []kafka.SASL{{"PLAIN", "ann", "secret 1"}, {"SCRAM-SHA-256", "bob", "secret 2"}, {"SCRAM-SHA-512", "cid", "secret 3"}} {
		c := at(brokers)
		c.TLS, c.SASL, c.Timeout = &tls.Config{RootCAs: roots}, s, soon
		topic := fmt.Sprint("topic", i)
		publish(t, publisher(t, kafka.PublisherConfig{Connection: c}), topic, numbered("key", 1)...)
		for _, group := range []string{"", "group"} {
			receive(t, subscribe(t, subscriber(t, kafka.SubscriberConfig{Connection: c, Group: group}), topic)).Ack()
		}
		for what, spoil := range map[string]func(*kafka.Connection){
			"another password":  func(c *kafka.Connection) { c.SASL.Password = "another" },
			"no authentication": func(c *kafka.Connection) { c.SASL = kafka.SASL{} },
			"unknown authority": func(c *kafka.Connection) { c.TLS = &tls.Config{} },
		} {
			bad := c
			spoil(&bad)
			bad.Timeout = 500 * time.Millisecond
			pub := publisher(t, kafka.PublisherConfig{Connection: bad, Patience: time.Millisecond})
			if err := pub.Publish(topic, numbered("key", 1)...); err == nil {
				t.Errorf("%s: %s was accepted", s.Mechanism, what)
			}
		}
	}
}

func TestFaultsOfConfigurationsAreNamed(t *testing.T) {
	good := kafka.Connection{Brokers: []string{"a:1"}}
	for want, c := range map[string]kafka.SubscriberConfig{
		"there is none":         {},
		`"a" is not host:port`:  {Connection: kafka.Connection{Brokers: []string{"a"}}},
		"there is a mechanism":  {Connection: kafka.Connection{Brokers: good.Brokers, SASL: kafka.SASL{Mechanism: "PLAIN"}}},
		`mechanism "GSSAPI"`:    {Connection: kafka.Connection{Brokers: good.Brokers, SASL: kafka.SASL{Mechanism: "GSSAPI", User: "x"}}},
		"-1 partitions":         {Connection: kafka.Connection{Brokers: good.Brokers, Topics: kafka.Topics{Partitions: -1}}},
		"must be shorter":       {Connection: good, Drain: time.Hour},
		"a duration is -1ns":    {Connection: good, Watch: -1},
		"window and size":       {Connection: good, Window: -1},
		"timeout: -1ns is nega": {Connection: kafka.Connection{Brokers: good.Brokers, Timeout: -1}},
	} {
		if _, err := kafka.NewSubscriber(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: good, Compression: "rar"}); err == nil {
		t.Error("an unknown compression was accepted")
	}
}
