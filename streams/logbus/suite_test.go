package logbus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		key := "all"
		if p.spread {
			key = m.UUID
		}
		// The suite publishes one message on several topics; an event happens once.
		id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(topic+m.UUID))
		_, err := p.store.Append(m.Context(), domain.Stream(category(topic), key), streams.Any, streams.Proposed{
			ID: id, Type: "test.published.v1", Data: m.Payload, Meta: fmt.Appendf(nil, `{"request_id":%q,"actor":%q}`, m.Metadata.Get("test"), m.UUID)})
		if err != nil {
			return err
		}
	}
	return nil
}

// category makes a topic's name one of a category, which has no dash.
func category(topic string) string { return strings.ReplaceAll(topic, "-", "_") }

func (publisher) Close() error { return nil }

// subscriber gives the suite its topics back.
type subscriber struct {
	message.Subscriber
	passing sync.WaitGroup
}

func (s *subscriber) Close() error {
	defer s.passing.Wait()
	return s.Subscriber.Close()
}

func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := s.Subscriber.Subscribe(ctx, category(topic))
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	s.passing.Go(func() {
		defer close(out)
		for m := range in {
			restore(m)
			select {
			case out <- m:
			case <-m.Context().Done(): // the suite closes with messages unread
			}
		}
	})
	return out, nil
}

// restore gives the suite its message ids and metadata back.
func restore(m *message.Message) {
	var meta domain.Metadata
	if json.Unmarshal([]byte(m.Metadata[logbus.MetaMeta]), &meta) == nil {
		m.UUID = meta.Actor
		m.Metadata.Set("test", meta.RequestID)
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
			suite, log := t, openLog(t)
			open := func(t *testing.T) (message.Publisher, message.Subscriber) {
				sub := &subscriber{Subscriber: logbus.NewSubscriber(log, logbus.SubscriberConfig{
					Drain: 10 * time.Millisecond, Backoff: func(int) time.Duration { return time.Millisecond }})}
				suite.Cleanup(func() { _ = sub.Close() }) // not all tests of the suite do
				return publisher{log, spread}, sub
			}
			tests.TestPubSub(t, tests.Features{
				GuaranteedOrder:                  !spread,
				Persistent:                       true,
				NewSubscriberReceivesOldMessages: true,
				ForceShort:                       os.Getenv("STRATA_TEST_LONG") == "",
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
