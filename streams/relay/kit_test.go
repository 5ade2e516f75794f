package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/relay"
)

// patience bounds every wait; only failures come near it.
const patience = time.Minute

// noted is a plain fact.
type noted struct {
	N    int    `json:"n"`
	Pass string `json:"pass,omitempty"`
}

func (noted) EventType() string { return "note.noted.v2" }

// said is personal as a whole.
type said struct {
	Text string `json:"text"`
	Who  string `json:"who,omitempty"`
}

func (said) EventType() string     { return "talk.said.v1" }
func (s said) DataSubject() string { return s.Who }

// words are what is personal of a call.
type words struct {
	Text string `json:"text,omitempty"`
}

// called is personal in part.
type called struct {
	Cost int `json:"cost"`
	words
}

func (called) EventType() string { return "talk.called.v1" }

func (c called) SplitPersonal() (open domain.Fact, personal any, subject string) {
	if c.Text == "" {
		return c, nil, ""
	}
	return called{Cost: c.Cost}, c.words, "alice"
}

// keys seal nothing away: what is tested is who is told.
type keys struct{ gone bool }

func (*keys) Seal(dst []byte, _ streams.Subject, _, data []byte) ([]byte, error) {
	return append(dst, data...), nil
}

func (k *keys) Open(_ streams.Subject, _, sealed []byte) ([]byte, error) {
	if k.gone {
		return nil, streams.ErrErased
	}
	return sealed, nil
}

func newCodec(t testing.TB, k streams.Keys) *streams.Codec {
	t.Helper()
	lift := streams.Upcast{From: "note.noted.v1", To: "note.noted.v2", Change: func(data []byte) ([]byte, error) {
		return bytes.ReplaceAll(data, []byte(`"number"`), []byte(`"n"`)), nil
	}}
	c, err := streams.NewCodec([]domain.FactType{domain.FactOf[noted](), domain.FactOf[said](), domain.FactOf[called]()}, []streams.Upcast{lift}, k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openLog(t testing.TB) *embedded.Log {
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

// write appends facts to a stream.
func write(t testing.TB, log streams.Store, codec *streams.Codec, stream domain.StreamID, facts ...domain.Fact) {
	t.Helper()
	var events []streams.Proposed
	for _, f := range facts {
		p, err := codec.Encode(domain.NewEventID(), f, domain.Metadata{Organization: "org_1", Workspace: "ws_1", CorrelationID: "req_1",
			OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, p)
	}
	if _, err := log.Append(t.Context(), stream, streams.Any, events...); err != nil {
		t.Fatal(err)
	}
}

// topics is a publisher that keeps what it is given, in order.
type topics struct {
	mu    sync.Mutex
	got   map[string][]*message.Message
	grown chan struct{} // closed when something came
	trip  func(topic string, messages []*message.Message) (accept int, err error)
}

func newTopics() *topics {
	return &topics{got: map[string][]*message.Message{}, grown: make(chan struct{})}
}

var errBroker = errors.New("the broker cannot be reached")

// Publish implements message.Publisher.
func (p *topics) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	accept, err := len(messages), error(nil)
	if p.trip != nil {
		accept, err = p.trip(topic, messages)
	}
	p.got[topic] = append(p.got[topic], messages[:accept]...)
	close(p.grown)
	p.grown = make(chan struct{})
	return err
}

func (*topics) Close() error { return nil }

func (p *topics) set(trip func(topic string, messages []*message.Message) (int, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trip = trip
}

// firsts are the messages of a topic without repetitions.
func (p *topics) firsts(topic string) []*message.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*message.Message
	seen := map[string]bool{}
	for _, m := range p.got[topic] {
		if !seen[m.UUID] {
			seen[m.UUID] = true
			out = append(out, m)
		}
	}
	return out
}

// wait returns the messages of a topic when there are n different ones.
func (p *topics) wait(t testing.TB, topic string, n int) []*message.Message {
	t.Helper()
	late := time.After(patience)
	for {
		p.mu.Lock()
		grown := p.grown
		p.mu.Unlock()
		if all := p.firsts(topic); len(all) >= n {
			return all
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("%d of %d messages came to %s", len(p.firsts(topic)), n, topic)
		}
	}
}

// start runs a relay until the test, or what is returned, ends it.
func start(t testing.TB, cfg relay.Config) (*relay.Relay, func()) {
	t.Helper()
	if cfg.TTL == 0 {
		cfg.TTL = time.Hour // no stall of the machine costs a relay its lease, and published events are counted
	}
	if cfg.Backoff == nil {
		cfg.Backoff = func(int) time.Duration { return time.Millisecond }
	}
	r, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r, background(t, r.Run)
}

// background runs something until the test, or what is returned, ends it.
func background(t testing.TB, run func(ctx context.Context) error) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("it does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

// ordered checks that a topic, without repetitions, is the log.
func ordered(t testing.TB, log streams.Store, p *topics, category string) {
	t.Helper()
	if fault := compare(t, log, p, category); fault != nil {
		t.Error(fault)
	}
}

func compare(t testing.TB, log streams.Store, p *topics, category string) error {
	want := map[domain.StreamID][]string{}
	for r, err := range log.ReadAll(t.Context(), streams.ReadAll{Filter: &streams.Filter{Categories: []string{category}}}) {
		if err != nil {
			return err
		}
		want[r.Stream] = append(want[r.Stream], r.ID.String())
	}
	got := map[domain.StreamID][]string{}
	for _, m := range p.firsts("strata." + category) {
		s := domain.StreamID(relay.Key(m))
		got[s] = append(got[s], m.UUID)
	}
	for s := range want {
		if fmt.Sprint(got[s]) != fmt.Sprint(want[s]) {
			return fmt.Errorf("stream %s: published %d events\n%v\nthe log has %d\n%v", s, len(got[s]), got[s], len(want[s]), want[s])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d streams are published, the log has %d", len(got), len(want))
	}
	return nil
}
