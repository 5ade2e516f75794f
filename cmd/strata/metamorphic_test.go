package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"strata/domain"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/streams"
)

var seedFlag = flag.Uint64("seed", 0, "of the metamorphic test: repeat what a run with this seed did (identifiers differ)")

// metamorphicTime is how long the test goes on making histories.
const metamorphicTime = 5 * time.Second

// Whatever happens on the way to a read model (batches of any size, restarts,
// kills, rebuilds beside it, cancelled ones, events that fail, are parked and
// tried again, people who are erased), its rows are those of one fold of the log.
func TestMetamorphic(t *testing.T) {
	lasting := metamorphicTime
	if text := os.Getenv("STRATA_METAMORPHIC"); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	until := time.Now().Add(lasting)
	rounds := 0
	for ; rounds == 0 || time.Now().Before(until); rounds++ {
		random := rand.New(rand.NewPCG(seed, uint64(rounds)))
		a := newAuthor(t, random)
		a.write(50 + random.IntN(200))
		for _, m := range allModels() {
			newOdyssey(t, random, a, m).run()
			if t.Failed() {
				t.Fatalf("round %d, model %s: go test ./cmd/strata -run Metamorphic -seed %d", rounds, m.Name(), seed)
			}
		}
	}
	t.Logf("%d histories", rounds)
}

// odyssey is the troubled way of one model to the end of a history.
type odyssey struct {
	t       *testing.T
	random  *rand.Rand
	keys    *ring
	codec   *streams.Codec
	history []streams.Recorded
	erased  []erasure            // what is still to be carried out, in order
	log     *projectionstest.Log // what of the history has happened so far
	model   *fickle
	dir     string
	runner  *projections.Runner
	whole   string // file of a fold in one go
}

func newOdyssey(t *testing.T, random *rand.Rand, a *author, m projections.Model) *odyssey {
	o := &odyssey{t: t, random: random, keys: newRing(), erased: a.erased, log: projectionstest.NewLog(),
		model: &fickle{Model: m, fails: map[domain.Position]bool{}}, dir: t.TempDir(), whole: filepath.Join(t.TempDir(), "whole.db")}
	var err error
	if o.codec, err = newCodec(o.keys); err != nil {
		t.Fatal(err)
	}
	for e, err := range a.log.ReadAll(t.Context(), streams.ReadAll{}) {
		if err != nil {
			t.Fatal(err)
		}
		o.history = append(o.history, e)
		if random.IntN(60) == 0 {
			o.model.fails[e.Position] = true
		}
	}
	if _, err := projections.Rebuild(t.Context(), a.log, a.codec, m, o.whole); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *odyssey) run() {
	for left := o.history; len(left) > 0; {
		if o.runner == nil {
			o.start()
		}
		n := min(1+o.random.IntN(40), len(left))
		for _, e := range left[:n] {
			if _, err := o.log.Append(o.t.Context(), e.Stream, streams.Any, e.Proposed); err != nil {
				o.t.Fatal(err)
			}
		}
		left = left[n:]
		o.befall()
		if o.runner != nil && o.random.IntN(2) == 0 {
			o.erase()
		}
	}
	o.arrive()
}

// befall lets something happen.
func (o *odyssey) befall() {
	ctx, name := o.t.Context(), o.model.Name()
	switch o.random.IntN(8) {
	case 0:
		o.stop()
	case 1:
		o.kill()
	case 2, 3:
		o.allow(o.runner.Rebuild(ctx, name, projections.RebuildOptions{EventsPerSecond: o.random.IntN(2) * 1000}))
	case 4:
		o.allow(o.runner.CancelRebuild(ctx, name))
	case 5:
		_, err := o.runner.Retry(ctx, name, "")
		o.allow(err)
	case 6:
		o.model.mend()
	case 7:
		projectionstest.WaitFor(o.t, o.runner, o.log, name)
	}
}

// due are the erasures whose keys the log says are gone. It destroys those keys.
func (o *odyssey) due() []erasure {
	head, err := o.log.Head(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	n := 0
	for n < len(o.erased) && o.erased[n].Head <= head {
		o.keys.destroy(o.erased[n].keys)
		n++
	}
	return o.erased[:n]
}

// erase carries out the erasures that are due.
func (o *odyssey) erase() {
	due := o.due()
	for _, e := range due {
		if err := o.forget(o.t.Context(), o.runner, e); err != nil {
			o.t.Fatal(err)
		}
	}
	o.erased = o.erased[len(due):]
}

func (o *odyssey) forget(ctx context.Context, runner *projections.Runner, e erasure) error {
	return runner.Forget(ctx, projections.Traces{Streams: e.Streams, Workspaces: e.Workspaces})
}

// allow takes refusals for what they are: there is nothing to cancel, or two
// rebuilds at once.
func (o *odyssey) allow(err error) {
	o.t.Helper()
	if err != nil && !errors.Is(err, domain.ErrConflict) {
		o.t.Fatal(err)
	}
}

func (o *odyssey) start() {
	var err error
	o.runner, err = projections.Open(o.t.Context(), projections.Config{Dir: o.dir, Store: o.log, Codec: o.codec, Clock: hasty{}, NoSync: true,
		BatchSize: 1 + o.random.IntN(50), Attempts: 1 + o.random.IntN(2)}, o.model.asModel())
	if err == nil {
		err = o.runner.Start()
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *odyssey) stop() {
	if err := o.runner.Stop(); err != nil {
		o.t.Fatal(err)
	}
	o.runner = nil
}

// kill leaves the files as a killed process does: in the middle of a
// transaction, if the model is in one. An erasure that was going on is still to
// be carried out afterwards.
func (o *odyssey) kill() {
	release := o.model.freeze()
	var forgetting sync.WaitGroup
	for _, e := range o.due() {
		runner := o.runner
		forgetting.Go(func() {
			if err := o.forget(context.WithoutCancel(o.t.Context()), runner, e); err != nil {
				o.t.Errorf("forget: %v", err)
			}
		})
	}
	before, next := o.rebuilding(), o.t.TempDir()
	whole := os.CopyFS(next, os.DirFS(o.dir)) == nil && unchanged(o.dir, next)
	release()
	forgetting.Wait()
	// Files that are replaced while they are copied are no picture of one moment.
	if after := o.rebuilding(); !whole || after != before || after == projections.RebuildComparing || after == projections.RebuildIndexing {
		return
	}
	o.stop()
	o.dir = next
}

// unchanged tells whether files are still what was copied of them. If they are,
// the copy is a picture of the moment between copying and comparing; if not, an
// erasure, say, emptied the log of changes in between, and no kill leaves that.
func unchanged(dir, copied string) bool {
	names, err := filepath.Glob(filepath.Join(copied, "*"))
	if err != nil {
		return false
	}
	for _, name := range names {
		was, err := os.ReadFile(name)
		if err != nil {
			return false
		}
		is, err := os.ReadFile(filepath.Join(dir, filepath.Base(name)))
		if err != nil || !bytes.Equal(was, is) {
			return false
		}
	}
	return true
}

// rebuilding is what a rebuild does, "" when there is none.
func (o *odyssey) rebuilding() projections.RebuildState {
	all, err := o.runner.Status(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	if all[0].Rebuild == nil {
		return ""
	}
	return all[0].Rebuild.State
}

// arrive lets everything succeed at last, and compares.
func (o *odyssey) arrive() {
	o.model.mendAll()
	if o.runner == nil {
		o.start()
	}
	name := o.model.Name()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	projectionstest.WaitFor(o.t, o.runner, o.log, name)
	o.erase()
	for {
		if _, err := o.runner.WaitRebuild(ctx, name); err != nil && !errors.Is(err, domain.ErrNotFound) {
			o.t.Fatal(err)
		}
		parked, err := o.runner.Parked(ctx)
		if err != nil {
			o.t.Fatal(err)
		}
		if len(parked) == 0 {
			break
		}
		if done, err := o.runner.Retry(ctx, name, ""); err != nil || done.Applied == 0 {
			o.t.Fatalf("parked events fail still: %+v, %v", done, err)
		}
	}
	o.stop()
	live, err := projections.LiveFile(ctx, o.dir, o.model.asModel())
	if err != nil {
		o.t.Fatal(err)
	}
	diff, err := projections.Compare(ctx, o.whole, live)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, d := range diff {
		o.t.Errorf("%s: %s", name, d)
	}
}

// hasty is a clock on which every wait is over at once.
type hasty struct{}

func (hasty) Now() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func (hasty) After(time.Duration) <-chan time.Time {
	over := make(chan time.Time, 1)
	over <- time.Time{}
	return over
}

// fickle is a model that fails for some events until it is mended, and that can
// be frozen.
type fickle struct {
	projections.Model
	mu     sync.Mutex
	fails  map[domain.Position]bool
	frozen chan struct{} // closed when the model may go on; nil when it is not frozen
}

// asModel is the model with what it can do beside folding.
func (f *fickle) asModel() projections.Model {
	g, groups := f.Model.(projections.Grouper)
	_, envelopes := f.Model.(projections.EnvelopeModel)
	_, forgets := f.Model.(projections.Forgetter)
	switch {
	case groups && envelopes:
		return fickleTrail{fickleGrouper{f, g}}
	case groups && forgets:
		panic("no model groups and forgets; the wrapper does not know such")
	case forgets:
		return fickleForgetter{f}
	case groups:
		return fickleGrouper{f, g}
	case envelopes:
		panic("no model looks at envelopes only and groups nothing; the wrapper does not know such")
	}
	return f
}

type fickleGrouper struct {
	*fickle
	group projections.Grouper
}

func (f fickleGrouper) Group(e *streams.Recorded) string { return f.group.Group(e) }

type fickleForgetter struct{ *fickle }

func (f fickleForgetter) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	return f.Model.(projections.Forgetter).Forget(ctx, tx, stream)
}

type fickleTrail struct{ fickleGrouper }

func (fickleTrail) EnvelopesOnly() {}

// Apply implements projections.Model.
func (f *fickle) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	for i := range events {
		f.mu.Lock()
		frozen, fails := f.frozen, f.fails[events[i].Position]
		f.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if fails {
			return fmt.Errorf("event %d is not for today", events[i].Position)
		}
	}
	return f.Model.Apply(ctx, tx, events)
}

// freeze stops the model at its next event, or where it is, until released.
func (f *fickle) freeze() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	frozen := make(chan struct{})
	f.frozen = frozen
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.frozen = nil
		close(frozen)
	}
}

// mend lets half of the failing events succeed.
func (f *fickle) mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.fails) / 2
	for at := range f.fails {
		if n--; n < 0 {
			break
		}
		delete(f.fails, at)
	}
}

func (f *fickle) mendAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.fails)
}
