package logbus_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/logbus"
)

// publisher appends messages to the log, for Watermill's suite: Strata itself
// writes events with the codec.
type publisher struct {
	store  streams.Store
	spread bool // one stream per message instead of one per topic
}

func (p publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		id, err := uuid.Parse(m.UUID)
		if err != nil {
			return err
		}
		key := "all"
		if p.spread {
			key = m.UUID
		}
		_, err = p.store.Append(m.Context(), domain.Stream(topic, key), streams.Any, streams.Proposed{
			ID: id, Type: "test.published.v1", Data: m.Payload, Meta: []byte(fmt.Sprintf(`{"request_id":%q}`, m.Metadata.Get("test")))})
		if err != nil {
			return err
		}
	}
	return nil
}

func (publisher) Close() error { return nil }

// subscriber gives the suite its metadata back.
type subscriber struct{ message.Subscriber }

func restoreMetadata(m *message.Message) {
	var id string
	if _, err := fmt.Sscanf(m.Metadata[logbus.MetaMeta], `{"request_id":%q}`, &id); err == nil {
		m.Metadata.Set("test", id)
	}
}

func openLog(t testing.TB) streams.Store {
	t.Helper()
	log, err := embedded.Open(t.TempDir(), embedded.Options{NoSync: true, SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// TestUniversalSuite runs Watermill's suite for any Pub/Sub, once with one
// stream per topic (order is guaranteed, one message under way) and once with
// one stream per message (many under way). Left out by the features: consumer
// groups, because a subscription of the log is one process's; reconnecting,
// because there is no broker to restart; exactly once, which no log gives.
func TestUniversalSuite(t *testing.T) {
	for name, spread := range map[string]bool{"one stream": false, "many streams": true} {
		t.Run(name, func(t *testing.T) {
			log := openLog(t)
			open := func(t *testing.T) (message.Publisher, message.Subscriber) {
				sub, err := message.MessageTransformSubscriberDecorator(restoreMetadata)(logbus.NewSubscriber(log, logbus.SubscriberConfig{
					Drain: 10 * time.Millisecond, Backoff: func(int) time.Duration { return time.Millisecond }}))
				if err != nil {
					t.Fatal(err)
				}
				return publisher{log, spread}, subscriber{sub}
			}
			var topics atomic.Int64
			tests.TestPubSub(t, tests.Features{
				GuaranteedOrder:                  !spread,
				Persistent:                       true,
				NewSubscriberReceivesOldMessages: true,
				ForceShort:                       testing.Short(),
				GenerateTopicFunc:                func(tests.TestContext) string { return fmt.Sprintf("topic%d", topics.Add(1)) },
			}, open, nil)
		})
	}
}

func openState(t testing.TB, path string) *logbus.State {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "reactors.db")
	}
	s, err := logbus.OpenState(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
