package steps_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/timer"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An errand is a run for tests: rounds of steps that may go on side by side, with
// a wait before each round but the first.
type errand struct {
	started, over bool
	Rounds, Wide  int
	Wait          time.Duration
	executions    map[string]int
	done          map[string]bool
	last          time.Time
}

type (
	started struct {
		Rounds int           `json:"rounds"`
		Wide   int           `json:"wide"`
		Wait   time.Duration `json:"wait"`
	}
	begun struct {
		Step      string `json:"step"`
		Execution int    `json:"execution"`
	}
	ended struct {
		Step      string `json:"step"`
		Execution int    `json:"execution"`
	}
	cancelled struct{}
	finished  struct{}
)

func (started) EventType() string   { return "errand.started.v1" }
func (begun) EventType() string     { return "errand.step_begun.v1" }
func (ended) EventType() string     { return "errand.step_ended.v1" }
func (cancelled) EventType() string { return "errand.cancelled.v1" }
func (finished) EventType() string  { return "errand.finished.v1" }

var errands = &domain.Aggregate[errand]{
	Category: "errand", Prefix: "run", Noun: "errand",
	New: func(string) *errand { return &errand{executions: map[string]int{}, done: map[string]bool{}} },
	Apply: func(s *errand, e domain.Event) {
		switch f := e.Fact.(type) {
		case started:
			s.started, s.Rounds, s.Wide, s.Wait, s.last = true, f.Rounds, f.Wide, f.Wait, e.Meta.OccurredAt
		case begun:
			s.executions[f.Step] = f.Execution
		case ended:
			s.done[f.Step], s.last = true, e.Meta.OccurredAt
		case cancelled, finished:
			s.over = true
		}
	},
	Facts: []domain.FactType{domain.FactOf[started](), domain.FactOf[begun](), domain.FactOf[ended](), domain.FactOf[cancelled](), domain.FactOf[finished]()},
}

// decision is a command of one function.
type decision func(env domain.Env, s *errand) ([]domain.Fact, error)

func (d decision) Decide(env domain.Env, s *errand) ([]domain.Fact, error) { return d(env, s) }

func fact(f domain.Fact) decision {
	return func(domain.Env, *errand) ([]domain.Fact, error) { return []domain.Fact{f}, nil }
}

func (s *errand) begin(step string, execution int) decision {
	return func(_ domain.Env, s *errand) ([]domain.Fact, error) {
		if s.over || s.done[step] || s.executions[step] != execution-1 {
			return nil, domain.Errorf(domain.CodeConflict, "step %s is not to begin", step)
		}
		return []domain.Fact{begun{step, execution}}, nil
	}
}

func (s *errand) end(step string, execution int) decision {
	return func(_ domain.Env, s *errand) ([]domain.Fact, error) {
		if s.over || s.done[step] || s.executions[step] < execution {
			return nil, domain.Errorf(domain.CodeConflict, "step %s is not open", step)
		}
		return []domain.Fact{ended{step, execution}}, nil
	}
}

func (s *errand) plan(now time.Time) steps.Plan[errand] {
	var p steps.Plan[errand]
	if s.over {
		return p
	}
	for round := range s.Rounds {
		for i := range s.Wide {
			if step := fmt.Sprintf("%d.%d", round, i); !s.done[step] {
				p.Steps = append(p.Steps, steps.Step[errand]{ID: step, Begin: s.begin(step, s.executions[step]+1)})
			}
		}
		if len(p.Steps) == 0 {
			continue
		}
		if due := s.last.Add(s.Wait); round > 0 && len(p.Steps) == s.Wide && now.Before(due) {
			return steps.Plan[errand]{Wake: due}
		}
		return p
	}
	p.Advance = decision(func(_ domain.Env, s *errand) ([]domain.Fact, error) {
		if s.over {
			return nil, domain.Errorf(domain.CodeConflict, "it is over")
		}
		return []domain.Fact{finished{}}, nil
	})
	return p
}

// mortal is a log that can be made to take nothing any more, as if the process had
// been killed.
type mortal struct {
	streams.Store
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Append(ctx context.Context, s domain.StreamID, x streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	if m.dead.Load() {
		return streams.Result{}, fmt.Errorf("%w: %w", streams.ErrUnavailable, errDead)
	}
	return m.Store.Append(ctx, s, x, events...)
}

// world is a log, and what happens in the world because of steps.
type world struct {
	t     testing.TB
	store *embedded.Log
	codec *streams.Codec

	mu      sync.Mutex
	now     time.Time        // zero: the real clock
	ticks   []chan time.Time // of those that wait for it
	effects map[string]int   // how often each key came
	during  func(ctx context.Context, run, step string) error
	planned func(s *errand, p *steps.Plan[errand]) // may change plans
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(append(errands.Facts, timer.Aggregate.Facts...), nil, nil)
	ok(t, err)
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 4 << 20, NoSync: true})
	ok(t, err)
	t.Cleanup(func() { ok(t, store.Close()) })
	return &world{t: t, store: store, codec: codec, effects: map[string]int{}}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.IsZero() {
		return time.Now()
	}
	return w.now
}

func (w *world) after(d time.Duration) <-chan time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.IsZero() {
		return time.After(d)
	}
	c := make(chan time.Time, 1)
	w.ticks = append(w.ticks, c)
	return c
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	for _, c := range w.ticks {
		c <- w.now
	}
	w.ticks = nil
}

// process is one process that performs errands.
type process struct {
	w     *world
	store *mortal
	h     *commands.Handler
	e     *steps.Executor
	stop  func()
}

// start starts a process; change may be nil.
func (w *world) start(change func(*steps.Config)) *process {
	w.t.Helper()
	p := &process{w: w, store: &mortal{Store: w.store}}
	p.h = commands.New(commands.Config{Store: p.store, Codec: w.codec, Now: w.clock})
	cfg := steps.Config{Handler: p.h, After: w.after, Grace: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	p.e = steps.New(cfg)
	steps.Add(p.e, steps.Machine[errand, int]{
		Aggregate: errands,
		Plan: func(l *commands.Loaded[errand], now time.Time) steps.Plan[errand] {
			plan := l.State.plan(now)
			if w.planned != nil {
				w.planned(l.State, &plan)
			}
			return plan
		},
		Job: func(l *commands.Loaded[errand], step string) int { return l.State.executions[step] },
		Perform: func(ctx context.Context, run steps.Ref, step string, execution int) (domain.Decider[errand], error) {
			w.mu.Lock()
			during := w.during
			w.effects[steps.Key(run, step, 0)]++
			w.mu.Unlock()
			if during != nil {
				if err := during(ctx, run.ID, step); err != nil {
					return nil, err
				}
			}
			return (&errand{}).end(step, execution), nil
		},
		Open:  w.open,
		Wakes: []string{started{}.EventType(), cancelled{}.EventType()},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = p.e.Run(ctx) }) // ends with ctx
	all.Go(func() { p.react(ctx) })
	p.stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
	})
	w.t.Cleanup(p.stop)
	return p
}

// react hands the log's events to the executor's reactor.
func (p *process) react(ctx context.Context) {
	r := p.e.Reactor()
	sub, err := p.w.store.Subscribe(ctx, 0, r.Filter())
	if err != nil {
		return
	}
	defer func() { _ = sub.Close() }()
	for {
		b, err := sub.Next(ctx, 100)
		if err != nil {
			return
		}
		for _, stored := range b.Events {
			e, err := p.w.codec.Decode(stored)
			if err == nil {
				err = r.Handle(ctx, e)
			}
			if err != nil {
				p.w.t.Error(err)
			}
		}
	}
}

// kill lets nothing of the process reach the log any more.
func (p *process) kill() {
	p.store.dead.Store(true)
	p.stop()
}

// open lists open errands from the log itself.
func (w *world) open(ctx context.Context, after string, limit int) ([]steps.Ref, error) {
	var refs []steps.Ref
	for id, events := range w.all() {
		if last := events[len(events)-1].Fact.EventType(); id > after && last != (finished{}).EventType() && last != (cancelled{}).EventType() {
			refs = append(refs, steps.Ref{ID: id, Organization: "org_1", Workspace: events[0].Meta.Workspace})
		}
	}
	sortRefs(refs)
	return refs[:min(limit, len(refs))], ctx.Err()
}

// all are the events of errands by run.
func (w *world) all() map[string][]domain.Event {
	out := map[string][]domain.Event{}
	for r, err := range w.store.ReadAll(context.Background(), streams.ReadAll{Filter: &streams.Filter{Categories: []string{"errand"}}}) {
		ok(w.t, err)
		e, err := w.codec.Decode(r)
		ok(w.t, err)
		out[r.Stream.Key()] = append(out[r.Stream.Key()], e)
	}
	return out
}

func (w *world) begin(p *process, workspace, id string, s started) {
	w.t.Helper()
	w.do(p, workspace, id, true, fact(s))
}

func (w *world) do(p *process, workspace, id string, create bool, cmd decision) {
	w.t.Helper()
	_, err := commands.Run[errand, struct{}](context.Background(), p.h, errands,
		commands.Request{Principal: domain.System("org_1", workspace), ID: id, Create: create}, cmd, nil)
	ok(w.t, err)
}

// await waits until so many errands have finished.
func (w *world) await(n int) {
	w.t.Helper()
	w.until(func() bool { return w.count(finished{}) >= n }, "%d errands to finish", n)
}

func (w *world) count(f domain.Fact) (n int) {
	for range w.store.ReadAll(context.Background(), streams.ReadAll{Filter: &streams.Filter{Types: []string{f.EventType()}}}) {
		n++
	}
	return n
}

func (w *world) until(done func() bool, format string, args ...any) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for "+format, args...)
		}
		<-time.After(time.Millisecond)
	}
}
