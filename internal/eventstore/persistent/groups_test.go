package persistent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/internal/eventstore/persistent"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; only failures come near it.
const patience = 30 * time.Second

// place is a log with groups, in a directory.
type place struct {
	t      *testing.T
	dir    string
	raw    *embedded.Log
	log    *eslog.Log
	groups *persistent.Groups
	clock  *clock
}

// clock is the time that groups see: the real one, and what a test adds.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func open(t *testing.T) *place {
	p := &place{t: t, dir: t.TempDir(), clock: &clock{}}
	p.start()
	t.Cleanup(p.stop)
	return p
}

func (p *place) start() {
	p.t.Helper()
	raw, err := embedded.Open(p.dir, embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw, p.log = raw, eslog.New(raw)
	if p.groups, err = persistent.Open(context.Background(), p.log, persistent.Options{Clock: p.clock.now}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) stop() {
	p.t.Helper()
	p.groups.Close()
	if err := p.raw.Close(); err != nil {
		p.t.Error(err)
	}
}

func (p *place) append(stream string, n int) {
	p.t.Helper()
	events := make([]eslog.Event, n)
	for i := range events {
		events[i] = eslog.Event{ID: uuid.New(), Type: "happened", ContentType: eslog.ContentJSON, Data: []byte("{}")}
	}
	if _, err := p.log.Append(p.t.Context(), domain.StreamID(stream), streams.Any, events); err != nil {
		p.t.Fatal(err)
	}
}

func settings(change func(*persistent.Settings)) persistent.Settings {
	s := persistent.Settings{
		MessageTimeout: 30 * time.Second, MaxRetryCount: 10, MinCheckpoint: 1, MaxCheckpoint: 1000, CheckpointAfter: time.Hour,
		LiveBufferSize: 500, HistoryBufferSize: 500, ReadBatchSize: 20, Strategy: persistent.RoundRobin,
	}
	if change != nil {
		change(&s)
	}
	return s
}

func (p *place) create(key persistent.Key, s persistent.Settings) {
	p.t.Helper()
	if err := p.groups.Create(p.t.Context(), key, s); err != nil {
		p.t.Fatal(err)
	}
}

// reader is a consumer that keeps what it gets.
type reader struct {
	t *testing.T
	*persistent.Consumer
}

func (p *place) join(key persistent.Key, slots int) *reader {
	p.t.Helper()
	c, err := p.groups.Connect(key, persistent.Connection{From: "test", Slots: slots})
	if err != nil {
		p.t.Fatal(err)
	}
	return &reader{p.t, c}
}

func (r *reader) next() *persistent.Delivery {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	d, err := r.Next(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return &d
}

// ack takes n messages, acknowledges them and returns their revisions.
func (r *reader) ack(n int) (revisions []int64) {
	r.t.Helper()
	for range n {
		d := r.next()
		r.Ack(d.Original().ID)
		revisions = append(revisions, int64(d.Original().Revision))
	}
	return revisions
}

// until waits for something to be true of a group.
func (p *place) until(key persistent.Key, what string, is func(persistent.Info) bool) persistent.Info {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		i, err := p.groups.Info(p.t.Context(), key)
		if err != nil {
			p.t.Fatal(err)
		}
		if is(i) {
			return i
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("never: %s; it is %+v", what, i)
		}
		<-time.After(time.Millisecond)
	}
}

func wants(t *testing.T, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStarts(t *testing.T) {
	p := open(t)
	p.append("s", 10)
	for _, test := range []struct {
		name string
		from int64
		want []int64
	}{
		{"start", 0, []int64{0, 1}}, {"inclusive", 4, []int64{4, 5}}, {"end", persistent.FromEnd, []int64{10, 11}}, {"future", 11, []int64{11}},
	} {
		p.create(persistent.Key{Stream: "s", Group: test.name}, settings(func(s *persistent.Settings) { s.StartFrom = test.from }))
		defer func() {
			got := p.join(persistent.Key{Stream: "s", Group: test.name}, 5).ack(len(test.want))
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: got %v, want %v", test.name, got, test.want)
			}
		}()
	}
	// From the end means: from the creation on, also when the server was restarted
	// before the first consumer came.
	p.append("s", 1)
	p.stop()
	p.start()
	p.append("s", 1)
}

func TestCheckpointsSurviveARestart(t *testing.T) {
	for _, stream := range []string{"s", persistent.All} {
		t.Run(stream, func(t *testing.T) {
			p := open(t)
			key := persistent.Key{Stream: stream, Group: "g"}
			p.append("s", 9)
			p.create(key, settings(func(s *persistent.Settings) {
				s.MaxCheckpoint, s.MessageTimeout = 3, 0 // the clock will jump
				s.Filter = &persistent.Filter{Prefixes: []string{"s"}}
				if stream != persistent.All {
					s.Filter = nil
				}
			}))
			c := p.join(key, 2)
			wants(t, c.ack(4), 0, 1, 2, 3)
			first := p.until(key, "a checkpoint by count", func(i persistent.Info) bool { return i.HasCheckpoint })
			p.clock.add(2 * time.Hour)
			wants(t, c.ack(1), 4)
			p.until(key, "a checkpoint by time", func(i persistent.Info) bool { return i.Checkpoint > first.Checkpoint })
			c.Nack(persistent.Skip, "", c.next().Original().ID)
			p.stop() // writes the last one
			p.start()
			wants(t, p.join(key, 2).ack(3), 6, 7, 8)
		})
	}
}

func TestParkAndReplay(t *testing.T) {
	p := open(t)
	key := persistent.Key{Stream: "s", Group: "g"}
	p.create(key, settings(nil))
	p.append("s", 5)
	c := p.join(key, 10)
	for range 5 {
		d := c.next()
		c.Nack(persistent.Park, "because", d.Original().ID)
	}
	p.until(key, "five are parked", func(i persistent.Info) bool { return i.Parked == 5 && i.Outstanding == 0 })
	for rec, err := range p.log.ReadStream(t.Context(), key.ParkedStream(), eslog.ReadStream{Limit: 1}) {
		if err != nil || rec.Type != eslog.LinkType || string(rec.Data) != "0@s" {
			t.Fatalf("parked as %+v, %v", rec, err)
		}
	}

	replay := func(stopAt int64) {
		t.Helper()
		if err := p.groups.Replay(key, stopAt); err != nil {
			t.Fatal(err)
		}
	}
	replay(2)
	one, two := c.next(), c.next()
	if one.Record.Revision != 0 || two.Record.Revision != 1 || one.Link == nil || one.Retries != 0 {
		t.Errorf("replayed %+v and %+v", one, two)
	}
	c.Ack(two.Original().ID)
	p.until(key, "three are left", func(i persistent.Info) bool { return i.Parked == 3 && i.InFlight == 1 })
	p.stop() // the first was never answered, so it is still parked
	p.start()
	p.until(key, "five again", func(i persistent.Info) bool { return i.Parked == 5 })
	replay(1 << 62)
	c = p.join(key, 10)
	var got []int64
	for range 5 {
		d := c.next()
		got = append(got, int64(d.Record.Revision))
		if d.Record.Revision == 4 {
			c.Nack(persistent.Park, "again", d.Original().ID)
		} else {
			c.Ack(d.Original().ID)
		}
	}
	wants(t, got, 0, 1, 2, 3, 4)
	p.until(key, "one is parked", func(i persistent.Info) bool { return i.Parked == 1 && i.Outstanding == 0 })
	p.stop()
	p.start()
	p.until(key, "it still is", func(i persistent.Info) bool { return i.Parked == 1 })
}

func TestTimeoutsComeByThemselves(t *testing.T) {
	p := open(t)
	key := persistent.Key{Stream: "s", Group: "g"}
	p.create(key, settings(func(s *persistent.Settings) { s.MessageTimeout, s.MaxRetryCount = 20*time.Millisecond, 1 }))
	p.append("s", 1)
	c := p.join(key, 1)
	if d := c.next(); d.Retries != 0 {
		t.Errorf("%d retries", d.Retries)
	}
	if d := c.next(); d.Retries != 1 {
		t.Errorf("%d retries", d.Retries)
	}
	p.until(key, "it is parked", func(i persistent.Info) bool { return i.Parked == 1 })
}

func TestAReplayLargerThanTheBuffer(t *testing.T) {
	p := open(t)
	key := persistent.Key{Stream: "s", Group: "g"}
	p.create(key, settings(func(s *persistent.Settings) { s.HistoryBufferSize, s.ReadBatchSize = 4, 3 }))
	p.append("s", 50)
	c := p.join(key, 3)
	for range 50 {
		c.Nack(persistent.Park, "", c.next().Original().ID)
	}
	p.until(key, "all are parked", func(i persistent.Info) bool { return i.Parked == 50 })
	if err := p.groups.Replay(key, 1<<62); err != nil {
		t.Fatal(err)
	}
	for want := range int64(50) {
		d := c.next()
		if int64(d.Record.Revision) != want {
			t.Fatalf("got %d, want %d", d.Record.Revision, want)
		}
		c.Ack(d.Original().ID)
	}
	p.until(key, "nothing is left", func(i persistent.Info) bool { return i.Parked == 0 && i.InFlight == 0 })
}

func TestLinks(t *testing.T) {
	p := open(t)
	p.append("target", 1)
	link := func(data string) {
		t.Helper()
		_, err := p.log.Append(t.Context(), "links", streams.Any, []eslog.Event{{ID: uuid.New(), Type: eslog.LinkType, Data: []byte(data)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	link("0@target")
	link("7@gone")
	for _, resolve := range []bool{true, false} {
		key := persistent.Key{Stream: "links", Group: fmt.Sprint(resolve)}
		p.create(key, settings(func(s *persistent.Settings) { s.ResolveLinks = resolve }))
		c := p.join(key, 2)
		one, two := c.next(), c.next()
		if resolve && (one.Record.Stream != "target" || one.Link == nil || two.Record != nil || two.Link == nil) {
			t.Errorf("resolved: %+v %+v", one, two)
		}
		if !resolve && (one.Record.Stream != "links" || one.Link != nil) {
			t.Errorf("not resolved: %+v", one)
		}
		c.Ack(one.Original().ID, two.Original().ID)
		p.until(key, "both are settled", func(i persistent.Info) bool { return i.InFlight == 0 })
	}
}

func TestConfiguration(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	a, b := persistent.Key{Stream: "s", Group: "a"}, persistent.Key{Stream: "s", Group: "b"}
	p.create(a, settings(nil))
	p.create(b, settings(nil))
	if err := p.groups.Create(ctx, a, settings(nil)); !errors.Is(err, persistent.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if err := p.groups.Create(ctx, persistent.Key{Stream: "s"}, settings(nil)); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("without a name: %v", err)
	}
	if err := p.groups.Create(ctx, persistent.Key{Stream: "s", Group: "c"}, persistent.Settings{}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("without settings: %v", err)
	}
	p.append("s", 3)
	c := p.join(a, 5)
	c.Nack(persistent.Park, "", c.next().Original().ID)
	p.until(a, "one is parked", func(i persistent.Info) bool { return i.Parked == 1 })
	changed := settings(func(s *persistent.Settings) { s.MaxRetryCount = 77 })
	if err := p.groups.Update(ctx, a, changed); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(ctx); err == nil {
		_, err = c.Next(ctx) // what it had not taken when it was dropped
		for err == nil {
			_, err = c.Next(ctx)
		}
	} else if !errors.Is(err, persistent.ErrDropped) {
		t.Errorf("after an update: %v", err)
	}
	p.stop()
	p.start()
	list, err := p.groups.List(ctx, "s")
	if err != nil || len(list) != 2 || list[0].Settings.MaxRetryCount != 77 || list[0].Parked != 1 {
		t.Fatalf("after a restart: %+v, %v", list, err)
	}
	if err := p.groups.Delete(ctx, a); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{p.groups.Delete(ctx, a), p.groups.Update(ctx, a, changed), p.groups.Replay(a, 0)} {
		if !errors.Is(err, persistent.ErrMissing) {
			t.Errorf("what is deleted: %v", err)
		}
	}
	p.create(a, settings(nil)) // under the same name, but new
	if i := p.until(a, "it answers", func(persistent.Info) bool { return true }); i.Parked != 0 || i.HasCheckpoint {
		t.Errorf("it knows of the old one: %+v", i)
	}
	wants(t, p.join(a, 5).ack(3), 0, 1, 2)
	if err := p.groups.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if list, err = p.groups.List(ctx, ""); err != nil || len(list) != 2 {
		t.Errorf("after a restart of all: %d, %v", len(list), err)
	}
	if _, err = p.groups.List(ctx, "other"); !errors.Is(err, persistent.ErrMissing) {
		t.Errorf("of a stream without: %v", err)
	}
}

func TestStoppingEndsConsumers(t *testing.T) {
	p := open(t)
	key := persistent.Key{Stream: "s", Group: "g"}
	p.create(key, settings(nil))
	c := p.join(key, 5)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Next(context.Background())
		ended <- err
	}()
	p.groups.Close()
	if err := <-ended; !errors.Is(err, persistent.ErrStopped) {
		t.Errorf("got %v", err)
	}
	if _, err := p.groups.Connect(key, persistent.Connection{Slots: 1}); !errors.Is(err, persistent.ErrStopped) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestManyConsumersGetEverythingOnce has consumers that come, answer in several
// ways, and go, while events are written.
func TestManyConsumersGetEverything(t *testing.T) {
	const events, consumers = 400, 4
	for _, strategy := range []string{persistent.RoundRobin, persistent.DispatchToSingle, persistent.Pinned, persistent.PinnedByCorrelation} {
		t.Run(strategy, func(t *testing.T) {
			p := open(t)
			key := persistent.Key{Stream: persistent.All, Group: "g"}
			p.create(key, settings(func(s *persistent.Settings) {
				s.Strategy, s.HistoryBufferSize, s.LiveBufferSize, s.MaxRetryCount = strategy, 30, 30, 1000
				s.Filter = &persistent.Filter{Prefixes: []string{"s-"}}
			}))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var mu sync.Mutex
			acked := map[string]int{}
			var wg sync.WaitGroup
			for w := range consumers {
				wg.Go(func() {
					for round := 0; ctx.Err() == nil; round++ {
						c, err := p.groups.Connect(key, persistent.Connection{Slots: 3})
						if err != nil {
							t.Error(err)
							return
						}
						for n := range 25 {
							d, err := c.Next(ctx)
							if err != nil {
								break
							}
							if (n+w+round)%7 == 0 {
								c.Nack(persistent.Retry, "", d.Original().ID)
								continue
							}
							mu.Lock()
							acked[fmt.Sprint(d.Record.Stream, d.Record.Revision)]++
							if len(acked) == events {
								cancel()
							}
							mu.Unlock()
							c.Ack(d.Original().ID)
						}
						c.Close()
					}
				})
			}
			for i := range events / 2 {
				p.append(fmt.Sprintf("s-%d", i%9), 2)
			}
			wg.Wait()
			if len(acked) != events {
				t.Errorf("%d of %d came", len(acked), events)
			}
			if i := p.until(key, "nothing is on its way", func(i persistent.Info) bool { return i.InFlight == 0 }); i.Parked != 0 {
				t.Errorf("%d are parked", i.Parked)
			}
		})
	}
}
