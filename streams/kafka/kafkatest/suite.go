// Package kafkatest is what streams/kafka must pass, whatever the brokers.
package kafkatest

import (
	"fmt"
	"hash/fnv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"strata/streams/kafka"
)

// Suite says against which brokers Watermill's universal suite is run, and how.
type Suite struct {
	Brokers []string
	Short   bool          // fewer messages and members
	Session time.Duration // of members: what one that is lost holds up the others for
}

// TestSuite runs the suite three times: with groups and order by key, with
// groups and no keys, and without groups. Left out by the features: exactly
// once, which no transport gives; and restarts of the brokers, whose test looks
// at what was published without waiting for the last acknowledgements. Outages
// of a real broker, tested beside this suite, ask for more.
func TestSuite(t *testing.T, s Suite) {
	features := tests.Features{ConsumerGroups: true, Persistent: true, GuaranteedOrder: true, ForceShort: s.Short}
	byPayload := kafka.Plain{KeyOf: func(m *message.Message) []byte { return m.Payload }}
	t.Run("in order", func(t *testing.T) { s.run(t, features, byPayload, true) })
	features.GuaranteedOrder = false
	t.Run("in any order", func(t *testing.T) { s.run(t, features, kafka.Plain{}, true) })
	features.ConsumerGroups, features.NewSubscriberReceivesOldMessages = false, true
	t.Run("without groups", func(t *testing.T) { s.run(t, features, kafka.Plain{}, false) })
}

func (s Suite) run(t *testing.T, features tests.Features, marshaler kafka.Marshaler, grouped bool) {
	suite := t
	inGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		return s.open(suite, t, marshaler, group)
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) {
		if !grouped {
			return inGroup(t, "")
		}
		// A group per test: its members share a topic, and no others' rebalances.
		hash := fnv.New64()
		_, _ = hash.Write([]byte(t.Name())) // never fails
		return inGroup(t, fmt.Sprintf("suite-%x", hash.Sum64()))
	}, inGroup)
}

func (s Suite) open(suite, t *testing.T, marshaler kafka.Marshaler, group string) (message.Publisher, message.Subscriber) {
	connection := kafka.Connection{Brokers: s.Brokers, Topics: kafka.Topics{Partitions: 4, Replication: 1}}
	pub, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: connection, Marshaler: marshaler})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: connection, Marshaler: marshaler, Group: group,
		Drain: 20 * time.Millisecond, Heartbeat: 50 * time.Millisecond, Session: s.Session, Rebalance: s.Session,
		Backoff: backoff})
	if err != nil {
		t.Fatal(err)
	}
	suite.Cleanup(func() { _, _ = pub.Close(), sub.Close() }) // not all tests of the suite do
	return pub, sub
}

// backoff is short: one test nacks a single message, which those of its key wait
// behind, three hundred times.
func backoff(attempt int) time.Duration {
	return min(time.Millisecond<<min(attempt, 10), 10*time.Millisecond)
}
