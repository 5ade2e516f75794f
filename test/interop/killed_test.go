//go:build e2e

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

const (
	killedEvents    = 400
	killedRounds    = 4
	killedConsumers = 3
	killedLimit     = 2 * time.Minute // only failures come near it
)

// TestPersistentSubscriptionsSurviveKills kills the server with SIGKILL while
// official clients write and consume, and starts it again on the same data. In
// the end every event was acknowledged or is parked.
func TestPersistentSubscriptionsSurviveKills(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), killedLimit)
	defer cancel()
	s := newMortal(t)
	s.start()
	k := &killed{t: t, ctx: ctx, acked: map[uint64]bool{}, moved: make(chan struct{}, 1),
		url: "esdb://" + s.address + "?tls=false&maxDiscoverAttempts=1000000&discoveryInterval=50"}
	settings := esdb.SubscriptionSettingsDefault()
	settings.CheckpointLowerBound, settings.CheckpointUpperBound, settings.CheckpointAfter = 1, 7, 100
	settings.MaxRetryCount, settings.MessageTimeout = 1000, 5000
	err := k.client().CreatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}, Settings: &settings})
	if err != nil {
		t.Fatal(err)
	}
	var writer, consumers sync.WaitGroup
	writes := k.client()
	writer.Go(func() { k.write(writes) })
	done, stop := context.WithCancel(ctx)
	for range killedConsumers {
		c := k.client()
		consumers.Go(func() { k.consume(done, c) })
	}
	for round := range killedRounds {
		k.until(func() bool { return k.count() >= (round+1)*killedEvents/(killedRounds+2) })
		s.kill()
		s.start()
	}
	writer.Wait()
	k.until(k.settled)
	stop()
	consumers.Wait()
	k.replay()
	for n := range uint64(killedEvents) {
		if !k.acked[n] {
			t.Errorf("event %d was lost", n)
		}
	}
}

// mortal is a server that is killed and started again.
type mortal struct {
	t       *testing.T
	address string
	dir     string
	cmd     *exec.Cmd
	log     *bytes.Buffer
	read    sync.WaitGroup
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	address := ""
	for range 100 {
		// Of these ports the system gives none to who asks for any, so that it is
		// still free when the server comes back.
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if err != nil {
			continue // taken
		}
		address = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		break
	}
	if address == "" {
		t.Fatal("no port is free")
	}
	m := &mortal{t: t, address: address, dir: t.TempDir()}
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			t.Logf("the server's last words:\n%s", m.log)
		}
	})
	return m
}

func (m *mortal) start() {
	m.t.Helper()
	m.cmd = exec.Command(binary(m.t), "eventstore", "--listen", m.address, "--data-dir", filepath.Join(m.dir, "data"))
	m.cmd.Dir = m.dir
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.log = &bytes.Buffer{}
	m.cmd.Stderr = m.log
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	if announced(out) == "" {
		m.t.Fatalf("the server did not start: %s", m.log)
	}
	m.read.Go(func() { _, _ = io.Copy(io.Discard, out) })
}

func (m *mortal) kill() {
	_ = m.cmd.Process.Kill() // it may be gone already
	m.read.Wait()
	_ = m.cmd.Wait() // says that it was killed
}

// killed is what clients do meanwhile.
type killed struct {
	t   *testing.T
	ctx context.Context
	url string

	mu    sync.Mutex
	acked map[uint64]bool
	moved chan struct{}
}

func (k *killed) client() *esdb.Client {
	settings, err := esdb.ParseConnectionString(k.url)
	if err != nil {
		k.t.Fatal(err)
	}
	settings.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(settings)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = c.Close() }) // its server may be gone
	return c
}

// write appends events one after another; what was not answered is sent again.
func (k *killed) write(c *esdb.Client) {
	for n := range killedEvents {
		e := esdb.EventData{EventID: uuid.New(), EventType: "happened", ContentType: esdb.ContentTypeJson, Data: fmt.Appendf(nil, "%d", n)}
		for k.ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(k.ctx, 5*time.Second)
			_, err := c.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: before(n)}, e)
			cancel()
			if err == nil {
				break
			}
			k.rest()
		}
	}
}

func before(n int) esdb.ExpectedRevision {
	if n == 0 {
		return esdb.NoStream{}
	}
	return esdb.Revision(uint64(n) - 1) //nolint:gosec // not negative
}

// consume acknowledges events and parks every fiftieth, and subscribes again
// whenever the server is gone.
func (k *killed) consume(ctx context.Context, c *esdb.Client) {
	for ctx.Err() == nil {
		sub, err := c.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 5})
		if err != nil {
			k.rest()
			continue
		}
		for e := sub.Recv(); e.EventAppeared != nil; e = sub.Recv() {
			n := e.EventAppeared.Event.Event.EventNumber
			if n%50 == 0 {
				err = sub.Nack("to be looked at", esdb.NackActionPark, e.EventAppeared.Event)
			} else if err = sub.Ack(e.EventAppeared.Event); err == nil {
				k.ack(n)
			}
			if err != nil {
				break
			}
		}
		_ = sub.Close() // its server may be gone
	}
}

func (k *killed) ack(n uint64) {
	k.mu.Lock()
	k.acked[n] = true
	k.mu.Unlock()
	select {
	case k.moved <- struct{}{}:
	default:
	}
}

func (k *killed) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.acked)
}

// settled tells whether the group has read everything and has nothing under way.
func (k *killed) settled() bool {
	i := k.info()
	return i.Status == "Live" && i.Stats.OutstandingMessagesCount+i.Stats.RetryBufferCount+i.Stats.ReadBufferCount == 0
}

func (k *killed) info() *esdb.PersistentSubscriptionInfo {
	c := k.client()
	defer c.Close()
	info, err := c.GetPersistentSubscriptionInfo(k.ctx, "s", "g", esdb.GetPersistentSubscriptionOptions{})
	if err != nil {
		k.t.Fatal(err)
	}
	return info
}

// replay consumes what is parked.
func (k *killed) replay() {
	c := k.client()
	left := int(k.info().Stats.ParkedMessagesCount)
	if err := c.ReplayParkedMessages(k.ctx, "s", "g", esdb.ReplayParkedMessagesOptions{}); err != nil {
		k.t.Fatal(err)
	}
	sub, err := c.SubscribeToPersistentSubscription(k.ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 5})
	if err != nil {
		k.t.Fatal(err)
	}
	defer sub.Close()
	for range left {
		e := sub.Recv()
		if e.EventAppeared == nil {
			k.t.Fatalf("the replay ended: %v", e.SubscriptionDropped.Error)
		}
		if err := sub.Ack(e.EventAppeared.Event); err != nil {
			k.t.Fatal(err)
		}
		k.ack(e.EventAppeared.Event.Event.EventNumber)
	}
}

// until waits for something to be true.
func (k *killed) until(is func() bool) {
	k.t.Helper()
	for !is() {
		select {
		case <-k.moved:
		case <-time.After(20 * time.Millisecond):
		case <-k.ctx.Done():
			k.t.Fatalf("%d of %d events were acknowledged", k.count(), killedEvents)
		}
	}
}

// rest is a pause between two tries.
func (k *killed) rest() {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-k.ctx.Done():
	}
}
