//go:build e2e

package kafka_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
	"strata/streams/eventstoredb"
	"strata/streams/kafka"
	"strata/test/kafka/broker"
	"strata/test/kit"
)

// process is a strata that is killed, paused and started again.
type process struct {
	t      testing.TB
	args   []string
	env    []string
	log    string
	cmd    *exec.Cmd
	exited chan struct{}
}

func startProcess(t testing.TB, name string, env []string, args ...string) *process {
	t.Helper()
	data := t.TempDir()
	p := &process{t: t, log: filepath.Join(t.TempDir(), name+".log"), env: env, args: append(args, "--data-dir", data)}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if text, err := os.ReadFile(p.log); err == nil && t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	binary, err := kit.Binary()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close() // the process has its own descriptor
	p.cmd = exec.Command(binary, p.args...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, p.env...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = out, out, filepath.Dir(p.log) // no strata.yaml there
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan struct{})
	p.exited = exited
	go func(cmd *exec.Cmd) {
		defer close(exited)
		_ = cmd.Wait() // killed, mostly
	}(p.cmd)
}

func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) } // gone already: nothing to tell

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// relayed is what came to a topic, without repetitions.
type relayed struct {
	mu      sync.Mutex
	seen    map[string]bool
	streams map[domain.StreamID][]string // ids in order of their first coming
	twice   int
	grown   chan struct{} // closed and replaced at every new message
}

func (r *relayed) note(m *message.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, stream := m.Metadata["ce_id"], domain.StreamID(m.Metadata["ce_subject"])
	if r.seen[id] {
		r.twice++
		return
	}
	r.seen[id] = true
	r.streams[stream] = append(r.streams[stream], id)
	close(r.grown)
	r.grown = make(chan struct{})
}

// reach waits until n different messages have come.
func (r *relayed) reach(t testing.TB, n int) {
	t.Helper()
	limit := time.After(soon)
	for {
		r.mu.Lock()
		have, grown := len(r.seen), r.grown
		r.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-grown:
		case <-limit:
			t.Fatalf("%d of %d events came", have, n)
		}
	}
}

func (r *relayed) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// follow reads a topic until the test ends.
func follow(t testing.TB, b *broker.Broker, topic string) *relayed {
	t.Helper()
	r := &relayed{seen: map[string]bool{}, streams: map[domain.StreamID][]string{}, grown: make(chan struct{})}
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: []string{b.Address()}}, Group: "followers"})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for m := range messages {
			r.note(m)
			m.Ack()
		}
	})
	t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		reading.Wait()
	})
	return r
}

// appendLoad appends to some streams until stop; what it returns waits for its
// end and tells the ids of every stream's events.
func appendLoad(t testing.TB, log streams.Store, stop <-chan struct{}) func() map[domain.StreamID][]string {
	t.Helper()
	var mu sync.Mutex
	written := map[domain.StreamID][]string{}
	var writing sync.WaitGroup
	for w := range 6 {
		stream := domain.Stream("app", fmt.Sprint("app_", w))
		writing.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond) // a load, not a benchmark
			defer tick.Stop()
			for n := 1; ; n++ {
				var events []streams.Proposed
				for range 1 + n%3 {
					events = append(events, streams.Proposed{ID: domain.NewEventID(), Type: "app.created.v1", Data: []byte(`{"name":"x"}`), Meta: []byte(`{}`)})
				}
				if _, err := log.Append(context.Background(), stream, streams.Any, events...); err != nil {
					t.Errorf("append: %v", err)
					return
				}
				mu.Lock()
				for _, e := range events {
					written[stream] = append(written[stream], e.ID.String())
				}
				mu.Unlock()
				select {
				case <-tick.C:
				case <-stop:
					return
				}
			}
		})
	}
	return func() map[domain.StreamID][]string { writing.Wait(); return written }
}

// TestRelaysAreKilled kills and pauses relays at random while events are
// appended. Afterwards the topic, without repetitions, is the log, stream by
// stream and in order.
func TestRelaysAreKilled(t *testing.T) {
	b := start(t, false)
	server, address := startEventStore(t)
	defer server.kill()
	log, err := eventstoredb.Open("esdb://"+address+"?tls=false", eventstoredb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	env := []string{"STRATA_EVENTSTORE_URL=esdb://" + address + "?tls=false", "STRATA_KAFKA_BROKERS=" + b.Address(),
		"STRATA_RELAY_CATEGORIES=app", "STRATA_MASTER_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32))}
	var relays []*process
	for i := range 2 {
		relays = append(relays, startProcess(t, fmt.Sprint("relay", i), env, "relay", "--listen", "127.0.0.1:0"))
	}
	stop := make(chan struct{})
	finish := appendLoad(t, log, stop)
	stopLoad := sync.OnceFunc(func() { close(stop) })
	t.Cleanup(func() { stopLoad(); finish() })
	topic := follow(t, b, "strata.app")
	topic.reach(t, 100)
	for round := range 6 {
		victim := relays[round%2]
		began := time.Now()
		if round%3 == 2 {
			victim.signal(syscall.SIGSTOP)
			topic.reach(t, topic.count()+500+rand.IntN(500)) // by the other one, if this one has published so far
			victim.signal(syscall.SIGCONT)
		} else {
			victim.kill()
			victim.start()
		}
		topic.reach(t, topic.count()+500+rand.IntN(500))
		t.Logf("round %d: 500 more events %v after the fault", round, time.Since(began).Round(time.Millisecond))
	}
	stopLoad()
	written, total := finish(), 0
	for _, ids := range written {
		total += len(ids)
	}
	topic.reach(t, total)
	topic.mu.Lock()
	defer topic.mu.Unlock()
	for stream, ids := range written {
		if got := topic.streams[stream]; !slices.Equal(got, ids) {
			t.Errorf("%s: the log has %d events, the topic %d, or in another order", stream, len(ids), len(got))
		}
	}
	t.Logf("%d events, %d of them came again", total, topic.twice)
}

// startEventStore serves a log over EventStoreDB's protocol.
func startEventStore(t testing.TB) (p *process, address string) {
	t.Helper()
	p = startProcess(t, "eventstore", nil, "eventstore", "--listen", "127.0.0.1:0")
	limit := time.After(soon)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, found := strings.Cut(string(text), "Event store: esdb://"); found {
			if address, _, found := strings.Cut(rest, "?"); found {
				return p, address
			}
		}
		select {
		case <-tick.C:
		case <-p.exited:
			t.Fatal("the event store ended at once")
		case <-limit:
			t.Fatal("the event store does not announce itself")
		}
	}
}
