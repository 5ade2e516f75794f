package lease_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams/lease"
)

// trouble is what happens to a node for a while.
type trouble struct {
	Kind  string // paused, cut (no way there), mute (answers are lost), slow
	From  time.Duration
	Until time.Duration
}

// plan is a history: what the clocks are like and what happens to the nodes.
type plan struct {
	Rates    []float64 // of the nodes' clocks
	Offsets  []time.Duration
	Troubles [][]trouble
	Seed     uint64
}

// The clocks of a plan differ by less than the eighth that is promised.
const (
	slowest = 0.945
	fastest = 1.06
	played  = 15 * ttl
)

func plans() *rapid.Generator[plan] {
	return rapid.Custom(func(t *rapid.T) plan {
		var p plan
		p.Seed = rapid.Uint64().Draw(t, "seed")
		for range rapid.IntRange(2, 4).Draw(t, "nodes") {
			p.Rates = append(p.Rates, rapid.SampledFrom([]float64{slowest, 1, fastest}).Draw(t, "rate"))
			p.Offsets = append(p.Offsets, time.Duration(rapid.IntRange(-1000, 1000).Draw(t, "offset"))*time.Hour)
			var troubles []trouble
			for range rapid.IntRange(0, 6).Draw(t, "troubles") {
				from := time.Duration(rapid.IntRange(0, int(played/time.Millisecond)).Draw(t, "from")) * time.Millisecond
				lasts := time.Duration(rapid.IntRange(1, 4000).Draw(t, "lasts")) * time.Millisecond
				kind := rapid.SampledFrom([]string{"paused", "cut", "mute", "slow"}).Draw(t, "kind")
				troubles = append(troubles, trouble{kind, from, from + lasts})
			}
			p.Troubles = append(p.Troubles, troubles)
		}
		return p
	})
}

// node is one process of a history.
type node struct {
	p        *plan
	i        int
	start    time.Time
	calm     context.Context // ends when no trouble comes any more
	randomly *rand.Rand
	mu       sync.Mutex // of randomly and term
	term     *lease.Term
	saved    []int // what was acknowledged
	timers   sync.WaitGroup
}

// now is what the node's clock shows.
func (n *node) now() time.Time {
	passed := time.Duration(float64(time.Since(n.start)) * n.p.Rates[n.i])
	return n.start.Add(n.p.Offsets[n.i] + passed)
}

// after waits by the node's clock; a process that is paused hears it later.
func (n *node) after(d time.Duration) <-chan time.Time {
	out := make(chan time.Time, 1)
	n.timers.Go(func() {
		time.Sleep(time.Duration(math.Ceil(float64(d)/n.p.Rates[n.i])) + 1)
		n.awake()
		out <- n.now()
	})
	return out
}

// until tells until when the node has a trouble; zero when it has none.
func (n *node) until(kind string) time.Duration {
	now := time.Since(n.start)
	if n.calm.Err() != nil {
		return 0
	}
	for _, t := range n.p.Troubles[n.i] {
		if t.Kind == kind && t.From <= now && now < t.Until {
			return t.Until
		}
	}
	return 0
}

// awake returns when the process is not paused.
func (n *node) awake() {
	for until := n.until("paused"); until != 0; until = n.until("paused") {
		time.Sleep(until - time.Since(n.start))
	}
}

func (n *node) random(most time.Duration) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Duration(n.randomly.Int64N(int64(most)))
}

// travel is the way to the log or back.
func (n *node) travel(ctx context.Context) error {
	n.awake()
	if n.until("slow") != 0 {
		select {
		case <-time.After(n.random(ttl)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if until := n.until("cut"); until != 0 {
		if n.random(2) == 0 {
			return errCut
		}
		select { // a connection that hangs
		case <-time.After(until - time.Since(n.start)):
		case <-ctx.Done():
		}
		return errCut
	}
	return ctx.Err()
}

func (n *node) answer() error {
	n.awake()
	if n.until("slow") != 0 {
		time.Sleep(n.random(ttl))
		n.awake()
	}
	if n.until("mute") != 0 && n.random(3) > 0 {
		return errCut
	}
	return nil
}

// holds tells whether the node would act now.
func (n *node) holds() bool {
	n.mu.Lock()
	term := n.term
	n.mu.Unlock()
	return term != nil && n.until("paused") == 0 && term.Err() == nil
}

// work counts, each step on what was saved before.
func (n *node) work(ctx context.Context, term *lease.Term) error {
	n.mu.Lock()
	n.term = term
	n.mu.Unlock()
	count := 0
	if s := term.State(); s != nil {
		if err := json.Unmarshal(s, &count); err != nil {
			return err
		}
	}
	for {
		select {
		case <-n.after(ttl / 7):
		case <-ctx.Done():
			return ctx.Err()
		}
		err := term.Save(ctx, json.RawMessage(fmt.Sprint(count+1)))
		if errors.Is(err, lease.ErrLost) || ctx.Err() != nil {
			return err
		}
		if err == nil {
			count++
			n.mu.Lock()
			n.saved = append(n.saved, count)
			n.mu.Unlock()
		}
	}
}

// play runs a history and returns what is wrong with it.
func play(t *testing.T, p plan) error {
	log := newMemory()
	ctx, stop := context.WithCancel(t.Context())
	calm, calmed := context.WithCancel(t.Context())
	defer calmed()
	var running sync.WaitGroup
	nodes := make([]*node, len(p.Rates))
	for i := range nodes {
		n := &node{p: &p, i: i, start: time.Now(), calm: calm, randomly: rand.New(rand.NewPCG(p.Seed, uint64(i)))}
		nodes[i] = n
		k := newKeeper(t, lease.Config{Holder: fmt.Sprint(i), Store: &link{Store: log, before: n.travel, after: n.answer}, Now: n.now, After: n.after})
		running.Go(func() { _ = k.Run(ctx, n.work) })
	}
	var fault error
	for range int(played / (5 * time.Millisecond)) {
		time.Sleep(5 * time.Millisecond)
		var holders []int
		for i, n := range nodes {
			if n.holds() {
				holders = append(holders, i)
			}
		}
		if len(holders) > 1 && fault == nil {
			fault = fmt.Errorf("after %v nodes %v hold the lease", time.Since(nodes[0].start), holders)
		}
	}
	calmed()
	before := len(log.history())
	time.Sleep(6 * ttl) // a pause or a hanging call ends at most 4 s later
	if grown := len(log.history()) - before; grown < 3 && fault == nil {
		fault = fmt.Errorf("nobody works though nothing is in the way: %d records", grown)
	}
	stop()
	running.Wait()
	for _, n := range nodes {
		n.timers.Wait()
	}
	if fault == nil {
		fault = check(log, nodes)
	}
	return fault
}

// check looks at everything that was ever written.
func check(log *memory, nodes []*node) error {
	holder, count, stored := "", 0, map[string]bool{}
	token := domain.NoRevision
	for _, e := range log.history() {
		var data struct {
			Holder string
			State  int
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return err
		}
		if e.Type == "lease.acquired.v1" {
			if e.Revision <= token {
				return fmt.Errorf("token %d after %d", e.Revision, token)
			}
			holder, token = data.Holder, e.Revision
		}
		if data.Holder != holder {
			return fmt.Errorf("%s writes revision %d, %s holds the lease", data.Holder, e.Revision, holder)
		}
		if data.State != count && data.State != count+1 {
			return fmt.Errorf("revision %d says %d after %d", e.Revision, data.State, count)
		}
		count = data.State
		stored[fmt.Sprint(data.Holder, " ", count)] = true
	}
	for _, n := range nodes {
		for _, s := range n.saved {
			if !stored[fmt.Sprint(n.i, " ", s)] {
				return fmt.Errorf("node %d was told that %d is saved; it is not", n.i, s)
			}
		}
	}
	return nil
}

// Whatever happens to nodes and their ways to the log, no two hold the lease at
// one moment, no state is lost, and somebody works in the end.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := plans().Draw(rt, "plan")
		var fault error
		synctest.Test(t, func(t *testing.T) { fault = play(t, p) })
		if fault != nil {
			rt.Fatal(fault)
		}
	})
}

// Clocks that differ by more than what is allowed break the one promise that
// rests on them, which shows that the histories can tell.
func TestTheLimitOfClocksIsReal(t *testing.T) {
	p := plan{Rates: []float64{0.8, 1.2}, Offsets: make([]time.Duration, 2), Troubles: make([][]trouble, 2)}
	for at, i := ttl, 0; at < played; at, i = at+4*ttl, 1-i { // so that each is cut off while it holds the lease
		p.Troubles[i] = append(p.Troubles[i], trouble{"cut", at, at + 3*ttl})
	}
	var fault error
	synctest.Test(t, func(t *testing.T) { fault = play(t, p) })
	if fault == nil {
		t.Error("two clocks of which one runs half as fast again were not noticed")
	}
}
