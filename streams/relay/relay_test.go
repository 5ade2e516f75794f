package relay_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/streams"
	"strata/streams/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsThereAndWhatComes(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	for i := range 50 {
		write(t, log, codec, domain.Stream("note", fmt.Sprint(i%3)), noted{N: i})
		write(t, log, codec, "talk-1", said{Text: "not allowed"})
	}
	registry := prometheus.NewRegistry()
	r, _ := start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}, BatchSize: 7, Metrics: registry})
	out.wait(t, "strata.note", 50)
	for i := range 50 {
		write(t, log, codec, domain.Stream("note", fmt.Sprint(i%4)), noted{N: i}, noted{N: i})
	}
	out.wait(t, "strata.note", 150)
	ordered(t, log, out, "note")
	if len(out.firsts("strata.talk")) > 0 {
		t.Error("a category that is not allowed was published")
	}
	eventually(t, func() bool {
		s, err := r.Status(t.Context())
		return err == nil && s.Active && s.Published == 150 && s.Error == ""
	}, r)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprint(families)
	for _, want := range []string{"strata_relay_published_total", "strata_relay_lag", "strata_relay_active", "strata_relay_latency_seconds", "strata_relay_failing", `value:150`} {
		if !strings.Contains(shown, want) {
			t.Errorf("metrics lack %s: %s", want, shown)
		}
	}
}

// eventually waits for something that a relay comes to.
func eventually(t *testing.T, ok func() bool, r *relay.Relay) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			s, err := r.Status(t.Context())
			t.Fatalf("it does not come to it: %+v, %v", s, err)
		}
	}
}

// A clean end leaves nothing to be published twice.
func TestGoesOnWhereItStopped(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	for round := range 3 {
		for i := range 10 {
			write(t, log, codec, "note-1", noted{N: i})
		}
		r, stop := start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}})
		out.wait(t, "strata.note", 10*(round+1))
		eventually(t, func() bool { s, err := r.Status(t.Context()); return err == nil && s.Published == 10 }, r)
		stop()
	}
	if n := len(out.got["strata.note"]); n != 30 {
		t.Errorf("%d messages for 30 events", n)
	}
	ordered(t, log, out, "note")
}

// A category that is allowed later, or again, has no gap, and the others are not repeated.
func TestCategoriesComeAndGo(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	total := map[string]int{}
	for _, allowed := range []string{"note", "note talk", "talk", "talk note", "note talk extra"} {
		for _, category := range []string{"note", "talk", "extra"} {
			for i := range 5 {
				write(t, log, codec, domain.Stream(category, "1"), noted{N: i})
			}
			total[category] += 5
		}
		r, stop := start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: strings.Fields(allowed)})
		for _, category := range strings.Fields(allowed) {
			out.wait(t, "strata."+category, total[category])
		}
		head, err := log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { s, err := r.Status(t.Context()); return err == nil && s.Position >= head }, r)
		stop()
	}
	for category, n := range total {
		ordered(t, log, out, category)
		if got := len(out.got["strata."+category]); got != n {
			t.Errorf("%s: %d messages for %d events", category, got, n)
		}
	}
}

// A checkpoint comes along when a log is loaded into another one, where the same
// events may have other positions. It must not leave out any of them.
func TestACheckpointOfAnotherLogDoesNotCount(t *testing.T) {
	log, other, codec := openLog(t), openLog(t), newCodec(t, nil)
	for i := range 10 {
		write(t, log, codec, "extra-1", noted{N: i}) // so that positions are higher
		write(t, log, codec, "note-1", noted{N: i})
	}
	before := newTopics()
	r, stop := start(t, relay.Config{Store: log, Codec: codec, Publisher: before, Categories: []string{"note"}})
	before.wait(t, "strata.note", 10)
	eventually(t, func() bool { s, err := r.Status(t.Context()); return err == nil && s.Published == 10 }, r)
	stop()
	for e, err := range log.ReadAll(t.Context(), streams.ReadAll{Filter: &streams.Filter{Categories: []string{"note", "lease"}}}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Append(t.Context(), e.Stream, streams.Any, e.Proposed); err != nil {
			t.Fatal(err)
		}
	}
	write(t, other, codec, "note-1", noted{N: 11}) // at a position below the checkpoint's
	after := newTopics()
	start(t, relay.Config{Store: other, Codec: codec, Publisher: after, Categories: []string{"note"}})
	after.wait(t, "strata.note", 11)
	ordered(t, other, after, "note")
}

func TestAFailureIsTriedForEverAndTold(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	out.set(func(topic string, m []*message.Message) (int, error) {
		if topic == "strata.note" {
			return len(m) / 2, errBroker
		}
		return len(m), nil
	})
	for i := range 20 {
		write(t, log, codec, "note-1", noted{N: i})
		write(t, log, codec, "talk-1", noted{N: i})
	}
	r, _ := start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note", "talk"}})
	eventually(t, func() bool {
		s, err := r.Status(t.Context())
		return err == nil && s.Active && strings.Contains(s.Error, errBroker.Error()) && s.Lag > 0
	}, r)
	out.set(nil)
	out.wait(t, "strata.note", 20)
	out.wait(t, "strata.talk", 20)
	eventually(t, func() bool { s, err := r.Status(t.Context()); return err == nil && s.Error == "" && s.Published == 40 }, r)
	ordered(t, log, out, "note")
	ordered(t, log, out, "talk")
}

// An event that cannot be read stops the relay; what lies before it is published.
func TestAnEventThatCannotBeReadIsNotSkipped(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	write(t, log, codec, "note-1", noted{N: 1}, noted{N: 2})
	bad := streams.Proposed{ID: domain.NewEventID(), Type: "note.of_tomorrow.v1", Data: []byte(`{}`), Meta: []byte(`{}`)}
	if _, err := log.Append(t.Context(), "note-1", streams.Any, bad); err != nil {
		t.Fatal(err)
	}
	write(t, log, codec, "note-1", noted{N: 3})
	r, _ := start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}})
	out.wait(t, "strata.note", 2)
	eventually(t, func() bool {
		s, err := r.Status(t.Context())
		return err == nil && s.Position == 2 && strings.Contains(s.Error, "note.of_tomorrow.v1")
	}, r)
	if n := len(out.firsts("strata.note")); n != 2 {
		t.Errorf("%d events are published", n)
	}
}

// While the publisher is slow, little is read ahead.
func TestBackPressure(t *testing.T) {
	log, codec := openLog(t), newCodec(t, nil)
	var events []domain.Fact
	for i := range 5000 {
		events = append(events, noted{N: i})
	}
	write(t, log, codec, "note-1", events...)
	out := newTopics()
	largest := 0
	out.set(func(_ string, m []*message.Message) (int, error) {
		largest = max(largest, len(m))
		return len(m), nil
	})
	start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}, BatchSize: 100})
	out.wait(t, "strata.note", 5000)
	if largest > 100+256 {
		t.Errorf("a batch of %d", largest)
	}
}

// When the relay that publishes stops, another goes on.
func TestSeveralRelays(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	running := map[*relay.Relay]func(){}
	for i := range 3 {
		r, stop := start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}, Holder: fmt.Sprint(i), TTL: relay.DefaultTTL})
		running[r] = stop
	}
	for n := 1; len(running) > 0; n++ {
		write(t, log, codec, "note-1", noted{N: n})
		out.wait(t, "strata.note", n)
		var active *relay.Relay
		for r := range running {
			if s, err := r.Status(t.Context()); err == nil && s.Active {
				active = r
			}
		}
		if active != nil { // else it has lost the lease just now
			running[active]()
			delete(running, active)
		}
	}
	ordered(t, log, out, "note")
}

func TestConfig(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	for _, c := range []relay.Config{
		{},
		{Store: log, Codec: codec, Publisher: out},
		{Store: log, Codec: codec, Publisher: out, Categories: []string{"a"}, Personal: []string{"b"}},
		{Store: log, Codec: codec, Publisher: out, Categories: []string{"a"}, TTL: time.Nanosecond},
	} {
		if _, err := relay.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// An end before anything is done ends at once.
func TestEndsWhileItWaits(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}, Holder: "first"})
	_, stop := start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}, Holder: "second"})
	stop()
	r, err := relay.New(relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err == nil {
		t.Error("it ended without a reason")
	}
}
