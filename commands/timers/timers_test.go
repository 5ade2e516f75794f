package timers_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/commands"
	"strata/commands/timers"
	"strata/domain"
	"strata/domain/budget"
	"strata/domain/timer"
	"strata/projections"
	model "strata/projections/timers"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/logbus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue is the real read model.
type queue struct {
	*model.Queries
	runner  *projections.Runner
	changed chan struct{}
}

func (q queue) Changed() <-chan struct{} { return q.changed }

func (q queue) Reach(ctx context.Context, at domain.Position) error {
	_, err := q.runner.Wait(ctx, model.Name, at)
	return err
}

// world is a log with everything that timers need, and a clock that is set.
type world struct {
	t     *testing.T
	dir   string
	codec *streams.Codec
	store *embedded.Log
	h     *commands.Handler
	stop  func()

	mu    sync.Mutex
	now   time.Time
	ticks []chan time.Time // of those that wait for time to pass
}

func newWorld(t *testing.T) *world {
	t.Helper()
	codec, err := streams.NewCodec(append(budget.FactTypes(), timer.Aggregate.Facts...), nil, nil)
	ok(t, err)
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	ok(t, err)
	w := &world{t: t, dir: t.TempDir(), codec: codec, store: store, now: time.Date(2026, 3, 14, 23, 50, 0, 0, time.UTC)}
	w.h = commands.New(commands.Config{Store: store, Codec: codec, Now: w.clock})
	t.Cleanup(func() { ok(t, store.Close()) })
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) after(time.Duration) <-chan time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan time.Time, 1)
	w.ticks = append(w.ticks, c)
	return c
}

// pass lets time pass and wakes whoever waits for it.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	for _, c := range w.ticks {
		c <- w.now
	}
	w.ticks = nil
}

// start runs read model, reactor and service, as a process does.
func (w *world) start() {
	w.t.Helper()
	runner, err := projections.Open(w.t.Context(), projections.Config{Dir: w.dir, Store: w.store, Codec: w.codec, NoSync: true}, model.Model{})
	ok(w.t, err)
	q := queue{runner: runner, changed: make(chan struct{}, 1)}
	db, err := runner.Reader(model.Name)
	ok(w.t, err)
	q.Queries = model.NewQueries(db)
	runner.OnCommit(func(string, []domain.Event) {
		select {
		case q.changed <- struct{}{}:
		default:
		}
	})
	ok(w.t, runner.Start())
	state, err := logbus.OpenState(w.t.Context(), w.dir+"/reactors.db")
	ok(w.t, err)
	router, err := logbus.NewRouter(logbus.Config{Store: w.store, Codec: w.codec, State: state})
	ok(w.t, err)
	ok(w.t, router.AddReactor(timers.NewBudgets(w.h, nil)))
	ok(w.t, router.Start())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := runner.WaitLive(ctx); err == nil {
			_ = timers.New(timers.Config{Handler: w.h, Queue: q, After: w.after}).Run(ctx) // ends with ctx
		}
	})
	w.stop = func() {
		cancel()
		running.Wait()
		ok(w.t, router.Stop())
		ok(w.t, state.Close())
		ok(w.t, runner.Stop())
	}
}

// events are those of the log of one type, as texts for comparing.
func (w *world) events(typ string) (out []domain.Event) {
	w.t.Helper()
	for r, err := range w.store.ReadAll(context.Background(), streams.ReadAll{Filter: &streams.Filter{Types: []string{typ}}}) {
		ok(w.t, err)
		e, err := w.codec.Decode(r)
		ok(w.t, err)
		out = append(out, e)
	}
	return out
}

// await waits until the log has so many events of a type, and lets time pass a
// little again and again: a wait may begin just after the clock was set.
func (w *world) await(typ string, n int) []domain.Event {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if got := w.events(typ); len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d events %s, waiting for %d", len(w.events(typ)), typ, n)
		}
		<-time.After(time.Millisecond)
		w.pass(0)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var ann = domain.Principal{Actor: "user_ann", Organization: "org_1", Workspace: "ws_1", Permissions: map[string]bool{"*": true}}

func (w *world) budget(id string, p budget.Period) {
	w.t.Helper()
	w.run(id, true, budget.Create{Name: id, ScopeType: "workspace", Limit: 1000, Period: p})
}

func (w *world) run(id string, create bool, cmd domain.Decider[budget.State]) {
	w.t.Helper()
	_, err := commands.Run[budget.State, struct{}](context.Background(), w.h, budget.Aggregate, commands.Request{Principal: ann, ID: id, Create: create}, cmd, nil)
	ok(w.t, err)
}

const (
	scheduled = "timer.scheduled.v1"
	fired     = "timer.fired.v1"
	rolled    = "budget.period_rolled.v1"
	released  = "budget.released.v1"
)

// A day ends, nobody calls: the budget's period rolls, once, and the next end is
// waited for; a budget without periods has no timer.
func TestPeriodsRollByThemselves(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.budget("bud_day", budget.Daily)
	w.budget("bud_total", budget.Total)
	w.run("bud_day", false, budget.Reserve{ID: "res_1", Amount: 100, TTL: time.Minute})
	w.run("bud_day", false, budget.Settle{ID: "res_1", Amount: 70})
	w.await(scheduled, 2) // the period and the sweep
	w.pass(10 * time.Minute)
	roll := w.await(rolled, 1)[0]
	if f := roll.Fact.(budget.PeriodRolled); f.Spent != 70 || !f.PeriodStart.Equal(time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)) || roll.Meta.Workspace != "ws_1" {
		t.Errorf("%+v %+v", f, roll.Meta)
	}
	var next time.Time
	for _, e := range w.await(scheduled, 3) {
		if f := e.Fact.(timer.Scheduled); f.Kind == timers.BudgetPeriod {
			next = f.Due
		}
	}
	if !next.Equal(time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the next end is waited for at %s", next)
	}
	w.stop()
}

// Time goes by while nothing runs: everything due fires at the start, late and
// once, and a start after that fires nothing.
func TestLateOnceAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.start()
	for i := range 200 {
		w.budget(fmt.Sprint("bud_", i), budget.Daily)
	}
	w.await(scheduled, 200)
	w.stop()
	w.pass(72 * time.Hour) // three ends of a day
	w.start()
	w.await(rolled, 200)
	w.await(scheduled, 400)
	w.stop()
	w.start()
	w.budget("bud_last", budget.Daily) // when its timer is set, the reactor has seen all before
	w.await(scheduled, 401)
	w.stop()
	if n := len(w.events(fired)); n != 200 {
		t.Errorf("%d timers fired, want 200", n)
	}
	if n := len(w.events(rolled)); n != 200 {
		t.Errorf("%d periods rolled, want 200", n)
	}
}

// After a crash the reactor sees an event again whose timer has fired since: the
// timer is not set a second time.
func TestWhatSetATimerDoesNotSetItAgain(t *testing.T) {
	w := newWorld(t)
	w.budget("bud_day", budget.Daily)
	created := w.events(budget.Created{}.EventType())[0]
	clock := timers.NewBudgets(w.h, nil)
	ok(t, clock.Handle(t.Context(), created))
	w.pass(24 * time.Hour)
	id := timer.ID(timers.BudgetPeriod, "bud_day")
	_, err := commands.Run[timer.State, struct{}](t.Context(), w.h, timer.Aggregate, commands.Request{Principal: domain.System("", ""), ID: id}, timer.Fire{}, nil)
	ok(t, err)
	ok(t, clock.Handle(t.Context(), created))
	if f, s := len(w.events(fired)), len(w.events(scheduled)); f != 1 || s != 1 {
		t.Errorf("set %d times, fired %d times, want once each", s, f)
	}
}

// A reservation that nobody settles is released when it expires, and many of
// them cost one timer.
func TestReservationsExpire(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.budget("bud_1", budget.Total)
	for i := range 50 {
		w.run("bud_1", false, budget.Reserve{ID: fmt.Sprint("res_", i), Amount: 1, TTL: 30 * time.Minute})
	}
	w.await(scheduled, 1)
	w.pass(10 * time.Minute)
	w.run("bud_1", false, budget.Reserve{ID: "res_late", Amount: 1, TTL: 30 * time.Minute})
	w.pass(20 * time.Minute)
	w.await(released, 50)
	w.await(scheduled, 2) // for the late one
	w.pass(10 * time.Minute)
	w.await(released, 51)
	w.await(fired, 2)
	w.stop()
	s, err := commands.Load(context.Background(), w.h, budget.Aggregate, ann, "bud_1", func(l *commands.Loaded[budget.State]) budget.State { return *l.State })
	ok(t, err)
	if s.Reserved != 0 || len(s.Open) != 0 || len(w.events(scheduled)) != 2 {
		t.Errorf("reserved %d, %d timers set", s.Reserved, len(w.events(scheduled)))
	}
}

// A budget that is deleted leaves no timer behind.
func TestDeletedBudgetsHaveNoTimers(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.budget("bud_1", budget.Monthly)
	w.run("bud_1", false, budget.Reserve{ID: "res_1", Amount: 1, TTL: 30 * time.Minute})
	w.await(scheduled, 2)
	w.run("bud_1", false, budget.Delete{})
	w.await("timer.cancelled.v1", 2)
	w.pass(31 * 24 * time.Hour)
	w.budget("bud_2", budget.Daily)
	w.await(scheduled, 3)
	w.stop()
	if n := len(w.events(fired)); n != 0 {
		t.Errorf("%d timers fired", n)
	}
}
