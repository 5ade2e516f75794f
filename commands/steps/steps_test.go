package steps_test

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/timer"
)

func sortRefs(refs []steps.Ref) {
	slices.SortFunc(refs, func(a, b steps.Ref) int { return cmp.Compare(a.ID, b.ID) })
}

// Every step of every errand is performed, once.
func TestPerformsEverything(t *testing.T) {
	w := newWorld(t)
	p := w.start(nil)
	for i := range 50 {
		w.begin(p, fmt.Sprint("ws_", i%5), fmt.Sprintf("run_%02d", i), started{Rounds: 3, Wide: 3})
	}
	w.await(50)
	w.checkOnce(50*9, 1)
	w.until(func() bool { return p.e.Status() == steps.Status{} }, "the executor to rest")
}

// checkOnce checks that so many different things have been done, none of them
// more than some times, and each recorded once.
func (w *world) checkOnce(effects, most int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.effects) != effects {
		w.t.Errorf("%d different effects, want %d", len(w.effects), effects)
	}
	for key, n := range w.effects {
		if n > most {
			w.t.Errorf("effect %s happened %d times", key, n)
		}
	}
	for id, events := range w.all() {
		ends := map[string]int{}
		for _, e := range events {
			if f, is := e.Fact.(ended); is {
				if ends[f.Step]++; ends[f.Step] > 1 {
					w.t.Errorf("%s: step %s ended %d times", id, f.Step, ends[f.Step])
				}
			}
		}
	}
}

// Whenever the process is killed, and however often: the errands come to the same
// end, and no effect has a second key.
func TestSurvivesKillsAtAnyPoint(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		rounds, wide := rapid.IntRange(1, 3).Draw(r, "rounds"), rapid.IntRange(1, 3).Draw(r, "wide")
		kills := rapid.SliceOfN(rapid.IntRange(1, 12), 0, 4).Draw(r, "kills")
		setup := w.start(nil)
		setup.stop()
		for i := range 3 {
			w.begin(setup, fmt.Sprint("ws_", i%2), fmt.Sprint("run_", i), started{Rounds: rounds, Wide: wide})
		}
		for _, after := range kills {
			var mu sync.Mutex
			die := make(chan struct{})
			var p *process
			ready := make(chan struct{})
			p = w.start(func(c *steps.Config) {
				c.At = func(string) {
					<-ready
					mu.Lock()
					defer mu.Unlock()
					if after--; after == 0 {
						p.store.dead.Store(true)
						close(die)
					}
				}
			})
			close(ready)
			w.until(func() bool {
				select {
				case <-die:
					return true
				default:
					return w.count(finished{}) == 3
				}
			}, "the process to die or to finish")
			p.kill()
		}
		w.start(nil)
		w.await(3)
		w.checkOnce(3*rounds*wide, 1+len(kills))
	})
}

// Two processes that both believe that they are to perform: one is heard.
func TestTwoProcessesRecordEachStepOnce(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(nil), w.start(nil)
	for i := range 30 {
		w.begin(a, "ws_1", fmt.Sprintf("run_%02d", i), started{Rounds: 3, Wide: 2})
	}
	w.await(30)
	a.stop()
	b.stop()
	w.checkOnce(30*6, 2)
}

// A workspace with many steps leaves room for the others.
func TestIsFairBetweenWorkspaces(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.during = func(ctx context.Context, run, _ string) error {
		if run[:5] == "run_a" {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	p := w.start(func(c *steps.Config) { c.Slots = 4 })
	for i := range 20 {
		w.begin(p, "ws_a", fmt.Sprint("run_a", i), started{Rounds: 1, Wide: 2})
	}
	w.until(func() bool { return p.e.Status().InFlight == 3 }, "three of four slots to be taken, not %+v", p.e.Status())
	w.begin(p, "ws_b", "run_b", started{Rounds: 3, Wide: 1})
	w.await(1)
	close(release)
	w.await(21)
}

func TestCancelEndsStepsInFlight(t *testing.T) {
	w := newWorld(t)
	told := make(chan struct{}, 1)
	w.during = func(ctx context.Context, _, _ string) error {
		<-ctx.Done()
		told <- struct{}{}
		return ctx.Err()
	}
	p := w.start(nil)
	w.begin(p, "ws_1", "run_1", started{Rounds: 1, Wide: 1})
	w.until(func() bool { return p.e.Status().InFlight == 1 }, "the step")
	w.do(p, "ws_1", "run_1", false, fact(cancelled{}))
	<-told
	w.until(func() bool { return p.e.Status() == steps.Status{} }, "the executor to rest")
	if n := w.count(ended{}); n > 0 {
		t.Errorf("%d steps ended", n)
	}
}

// A short wait is kept in memory, a long one is a timer; neither holds a
// goroutine.
func TestWaits(t *testing.T) {
	w := newWorld(t)
	w.now = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	p := w.start(nil)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		w.begin(p, "ws_1", fmt.Sprintf("run_%04d", i), started{Rounds: 2, Wide: 1, Wait: 30 * time.Second})
	}
	w.begin(p, "ws_1", "run_long", started{Rounds: 2, Wide: 1, Wait: time.Hour})
	w.until(func() bool { s := p.e.Status(); return s.Alarms == 1000 && s.InFlight+s.Waiting == 0 }, "1,000 runs to wait")
	w.until(func() bool { return w.count(timer.Scheduled{}) == 1 }, "one timer")
	w.until(func() bool { return runtime.NumGoroutine() <= before+2 }, "goroutines to end")
	w.pass(29 * time.Second)
	if n := w.count(ended{}); n != 1001 {
		t.Errorf("%d steps ended before time", n)
	}
	w.pass(time.Second)
	w.await(1000)
	w.pass(time.Hour)
	req := commands.Request{Principal: domain.System("org_1", "ws_1"), ID: timer.ID("wake-errand", "run_long")}
	_, err := commands.Run[timer.State, struct{}](t.Context(), p.h, timer.Aggregate, req, timer.Fire{}, nil)
	ok(t, err)
	w.await(1001)
}

// A fault of ours is not the step's end: it is tried again, after a pause, and
// other steps go on.
// A look at a run may have planned a step that has landed before it is begun: what it
// was to do then is done, though the step's beginning needs no fact.
func TestAPlanMayBeOfYesterday(t *testing.T) {
	w := newWorld(t)
	late := false
	w.planned = func(s *errand, p *steps.Plan[errand]) {
		for i := range p.Steps {
			p.Steps[i].Begin = nil
		}
		if s.done["0.0"] && !late {
			late = true
			*p = steps.Plan[errand]{Steps: []steps.Step[errand]{{ID: "0.0"}}}
		}
	}
	p := w.start(nil)
	w.begin(p, "ws_1", "run_1", started{Rounds: 1, Wide: 1})
	w.await(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, n := range w.effects {
		if n != 1 {
			t.Errorf("%s was performed %d times", key, n)
		}
	}
	if !late || len(w.effects) != 1 {
		t.Errorf("%d steps were performed; planned late: %t", len(w.effects), late)
	}
}

func TestTriesAgainAfterAFault(t *testing.T) {
	w := newWorld(t)
	w.now = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	faults := 2
	w.during = func(_ context.Context, _, step string) error {
		mu.Lock()
		defer mu.Unlock()
		if step == "0.0" && faults > 0 {
			faults--
			return fmt.Errorf("out of order")
		}
		return nil
	}
	p := w.start(nil)
	w.begin(p, "ws_1", "run_1", started{Rounds: 1, Wide: 2})
	w.until(func() bool {
		s := p.e.Status()
		return w.count(ended{}) == 1 && s.Alarms == 1 && s.InFlight+s.Waiting == 0
	}, "the other step")
	if n := w.count(begun{}); n != 2 {
		t.Errorf("%d steps begun without a pause", n)
	}
	for w.count(finished{}) == 0 {
		w.pass(2 * time.Second)
		<-time.After(time.Millisecond)
	}
}

func BenchmarkSteps(b *testing.B) {
	w := newWorld(b)
	p := w.start(nil)
	const rounds = 10
	runs := max(1, b.N/rounds)
	b.ResetTimer()
	for i := range runs {
		w.begin(p, fmt.Sprint("ws_", i%8), fmt.Sprintf("run_%07d", i), started{Rounds: rounds, Wide: 1})
	}
	w.await(runs)
	b.ReportMetric(float64(runs*rounds)/b.Elapsed().Seconds(), "steps/s")
}
