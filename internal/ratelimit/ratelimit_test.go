package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/internal/ratelimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func limiter(c *clock, tiers map[string]ratelimit.Limits) *ratelimit.Limiter {
	return ratelimit.New(ratelimit.Config{Now: c.Now, Tiers: tiers})
}

// drain takes until it is refused and returns how many it got.
func drain(l *ratelimit.Limiter, key, workspace, tier string) int {
	for n := 0; ; n++ {
		if !l.Take(key, workspace, tier).OK {
			return n
		}
	}
}

func TestTiers(t *testing.T) {
	for tier, want := range map[string]int{ratelimit.Free: 100, ratelimit.Pro: 1000, "unheard of": 100} {
		if got := drain(limiter(newClock(), nil), "k", "w", tier); got != want {
			t.Errorf("%s: %d requests, want %d", tier, got, want)
		}
	}
}

func TestDecisionTellsTheTighterBucket(t *testing.T) {
	c := newClock()
	l := limiter(c, map[string]ratelimit.Limits{"free": {Key: 60, Workspace: 90}})
	d := l.Take("a", "w", "free")
	if !d.OK || d.Limit != 60 || d.Remaining != 59 || !d.Reset.Equal(c.Now().Add(time.Second)) {
		t.Errorf("first: %+v", d)
	}
	if got := drain(l, "a", "w", "free"); got != 59 {
		t.Errorf("the key had %d left", got)
	}
	if got := drain(l, "b", "w", "free"); got != 30 {
		t.Errorf("the workspace had %d left for another key", got)
	}
	d = l.Take("b", "w", "free")
	if d.OK || d.Limit != 90 || d.Remaining != 0 || d.RetryAfter != time.Minute/90+1 && d.RetryAfter != time.Minute/90 {
		t.Errorf("refused by the workspace: %+v", d)
	}
	// A refusal by the workspace costs the key nothing.
	c.Add(time.Minute)
	if got := drain(l, "b", "other", "free"); got != 60 {
		t.Errorf("key b got %d in another workspace", got)
	}
}

func TestRefillIsEven(t *testing.T) {
	c := newClock()
	l := limiter(c, map[string]ratelimit.Limits{"free": {Key: 60, Workspace: 60}})
	drain(l, "k", "", "free")
	for range 10 {
		c.Add(time.Second)
		if got := drain(l, "k", "", "free"); got != 1 {
			t.Fatalf("%d requests in a second, want 1", got)
		}
	}
	c.Add(-time.Hour) // a clock set back must neither pay nor cost
	if l.Take("k", "", "free").OK {
		t.Error("going back in time gave a token")
	}
}

func TestUnlimitedShowsALargeLimit(t *testing.T) {
	d := limiter(newClock(), nil).Take("k", "w", ratelimit.Enterprise)
	if !d.OK || d.Limit != ratelimit.Unlimited || d.Remaining != ratelimit.Unlimited-1 {
		t.Errorf("%+v", d)
	}
}

func TestNeverMoreThanTheLimitAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 100).Draw(t, "limit")
		c := newClock()
		l := limiter(c, map[string]ratelimit.Limits{"free": {Key: limit, Workspace: limit}})
		start, taken := c.Now(), 0
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			c.Add(time.Duration(rapid.IntRange(0, int(time.Second)).Draw(t, "pause")))
			if l.Take("k", "w", "free").OK {
				taken++
			}
		}
		allowed := float64(limit) + c.Now().Sub(start).Minutes()*float64(limit)
		if float64(taken) > allowed+1e-6 {
			t.Fatalf("%d taken, %v allowed", taken, allowed)
		}
	})
}

func TestConcurrentTakersShareABucket(t *testing.T) {
	l := limiter(newClock(), nil)
	var wg sync.WaitGroup
	got := make([]int, 8)
	for i := range got {
		wg.Go(func() { got[i] = drain(l, "k", "w", ratelimit.Pro) })
	}
	wg.Wait()
	sum := 0
	for _, n := range got {
		sum += n
	}
	if sum != 1000 {
		t.Errorf("%d taken of 1000", sum)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := ratelimit.New(ratelimit.Config{Now: newClock().Now, MaxBuckets: 640})
	for i := range 20_000 {
		l.Take(fmt.Sprint(i), "", "free")
	}
	if n := len(l.State().Buckets); n > 640 {
		t.Errorf("%d buckets", n)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	c := newClock()
	store := ratelimit.FileStore(filepath.Join(t.TempDir(), "limits.json"))
	before := limiter(c, nil)
	drain(before, "k", "w", ratelimit.Free)
	before.Take("other", "", ratelimit.Free)
	ctx, stop := context.WithCancel(t.Context())
	stop() // stopped at once: it saves all the same
	if err := (&ratelimit.Keeper{Limiter: before, Store: store}).Run(ctx); err != nil {
		t.Fatal(err)
	}

	c.Add(6 * time.Second) // a tenth of a minute: ten tokens
	after := limiter(c, nil)
	if err := (&ratelimit.Keeper{Limiter: after, Store: store}).Restore(); err != nil {
		t.Fatal(err)
	}
	if got := drain(after, "k", "w", ratelimit.Free); got != 10 {
		t.Errorf("%d requests after the restart, want 10", got)
	}
	c.Add(time.Hour)
	if n := len(after.State().Buckets); n != 0 {
		t.Errorf("%d full buckets are kept", n)
	}
}

// memory is a store that may fail.
type memory struct {
	saved chan []byte
	state []byte
	err   error
}

func (m *memory) Load() ([]byte, error) { return m.state, m.err }

func (m *memory) Save(state []byte) error {
	if m.saved != nil {
		select {
		case m.saved <- state:
		default:
		}
	}
	return m.err
}

func TestKeeperSavesNowAndThen(t *testing.T) {
	m := &memory{saved: make(chan []byte, 1)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	k := &ratelimit.Keeper{Limiter: limiter(newClock(), nil), Store: m, Every: time.Millisecond}
	go func() { done <- k.Run(ctx) }()
	<-m.saved
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestKeeperReportsItsStore(t *testing.T) {
	broken := errors.New("disk on fire")
	k := &ratelimit.Keeper{Limiter: limiter(newClock(), nil), Store: &memory{err: broken}}
	if err := k.Restore(); !errors.Is(err, broken) {
		t.Errorf("restore: %v", err)
	}
	if err := k.Save(); !errors.Is(err, broken) {
		t.Errorf("save: %v", err)
	}
	k.Store = &memory{state: []byte("{")}
	if err := k.Restore(); err == nil {
		t.Error("a torn state was loaded")
	}
	k.Store = &memory{}
	if err := k.Restore(); err != nil {
		t.Errorf("nothing saved yet: %v", err)
	}
}

func BenchmarkTake(b *testing.B) {
	l := ratelimit.New(ratelimit.Config{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Take("key", "workspace", ratelimit.Enterprise)
		}
	})
}
