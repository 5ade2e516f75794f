package steps

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/timer"
)

// run is a run that the executor has to do with at the moment. Its fields are
// guarded by the executor's lock.
type run struct {
	key     string // its stream
	machine machine
	ref     Ref

	queued  bool // it waits to be looked at
	looking bool // one worker looks at it
	again   bool // and should do so once more

	flights map[string]*flight // steps that are being performed
	paused  map[string]pause   // steps that are left alone for a while
	alarm   time.Time          // when it is to be looked at; zero: never
	faults  int                // looks that failed in a row
}

// flight is a step that is being performed.
type flight struct {
	step   string
	ctx    context.Context // ends when the step is not wanted any more
	cancel context.CancelFunc
}

// pause is how long a step is left alone after a fault of ours.
type pause struct {
	until  time.Time
	faults int
}

func (r *run) principal() domain.Principal { return domain.System(r.ref.Organization, r.ref.Workspace) }

func (r *run) request() commands.Request {
	return commands.Request{Principal: r.principal(), ID: r.ref.ID}
}

// serve looks at a run, and performs a step of it if there is one to begin.
func (e *Executor) serve(r *run) {
	ctx := e.base
	f, err := r.machine.look(ctx, e, r)
	e.looked(ctx, r, f, err)
	if f.flight == nil {
		return
	}
	defer e.landed(r, f.flight)
	end, err := f.perform(f.flight.ctx)
	if err == nil {
		e.reached("step.performed")
		err = e.record(ctx, r, f.flight.step, end)
		e.reached("step.ended")
	}
	if err != nil && f.flight.ctx.Err() == nil {
		e.cfg.Logger.ErrorContext(ctx, "a step could not be performed; it will be tried again", "run", r.ref.ID, "step", f.flight.step, "error", err)
		e.leaveAlone(r, f.flight.step)
	}
}

// record records the end of a step, and waits for the log when it cannot take it:
// what has been done may have cost somebody money.
func (e *Executor) record(ctx context.Context, r *run, step string, end ending) error {
	for faults := 1; ; faults++ {
		err := end(context.WithoutCancel(ctx))
		if err == nil || overtaken(err) {
			return nil
		}
		if code := domain.CodeOf(err); ctx.Err() != nil || code != domain.CodeUnavailable && code != domain.CodeTimeout {
			return err
		}
		e.cfg.Logger.WarnContext(ctx, "the end of a step could not be recorded; trying again", "run", r.ref.ID, "step", step, "error", err)
		e.pause(ctx, patience(faults))
	}
}

// looked notes what a look at a run has led to.
func (e *Executor) looked(ctx context.Context, r *run, f found, err error) {
	if err == nil {
		err = e.sleep(ctx, r, f.wake)
	}
	if err != nil && ctx.Err() == nil {
		e.cfg.Logger.ErrorContext(ctx, "a run could not be looked at; trying again", "run", r.ref.ID, "error", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r.looking = false
	again := r.again || f.more
	r.again = false
	if err != nil {
		r.faults++
		e.setAlarm(r, e.cfg.Handler.Now().Add(patience(r.faults)))
		return
	}
	r.faults = 0
	if again {
		e.wake(r)
	}
	e.forget(r)
}

// land notes that a step is not in flight any more.
func (e *Executor) land(r *run, f *flight) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f.cancel()
	delete(r.flights, f.step)
}

// landed is land, and has the run looked at.
func (e *Executor) landed(r *run, f *flight) {
	e.land(r, f)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wake(r)
}

// takeOff notes that a step is in flight.
func (e *Executor) takeOff(r *run, step string) *flight {
	f := &flight{step: step}
	f.ctx, f.cancel = context.WithCancel(e.base)
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.flights == nil {
		r.flights = map[string]*flight{}
	}
	r.flights[step] = f
	return f
}

// leaveAlone keeps a step from being performed for a while.
func (e *Executor) leaveAlone(r *run, step string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.paused == nil {
		r.paused = map[string]pause{}
	}
	p := r.paused[step]
	p.faults++
	p.until = e.cfg.Handler.Now().Add(patience(p.faults))
	r.paused[step] = p
	e.setAlarm(r, p.until)
}

// keepOnly stops the steps in flight that are not wanted. It returns the index of
// the first wanted step that is neither in flight nor left alone, or -1, and
// whether there are more of them.
func (e *Executor) keepOnly(r *run, wanted []string) (first int, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, f := range r.flights {
		if !slices.Contains(wanted, id) {
			f.cancel()
		}
	}
	for id := range r.paused {
		if !slices.Contains(wanted, id) {
			delete(r.paused, id)
		}
	}
	now := e.cfg.Handler.Now()
	first = -1
	for i, id := range wanted {
		if r.flights[id] != nil || now.Before(r.paused[id].until) {
			continue
		}
		if first >= 0 {
			return first, true
		}
		first = i
	}
	return first, false
}

// shortSleep is the longest wait that is kept in memory. A timer costs two events.
const shortSleep = time.Minute

// leastSleep keeps a plan that asks to be woken in the past from being asked all
// the time.
const leastSleep = time.Millisecond

// wakeKind is the kind of the timers of a category of runs.
func wakeKind(category string) string { return "wake-" + category }

// sleep has a run looked at at a time.
func (e *Executor) sleep(ctx context.Context, r *run, until time.Time) error {
	if until.IsZero() {
		return nil
	}
	now := e.cfg.Handler.Now()
	if until.Sub(now) <= shortSleep {
		e.mu.Lock()
		defer e.mu.Unlock()
		if soonest := now.Add(leastSleep); until.Before(soonest) {
			until = soonest
		}
		e.setAlarm(r, until)
		return nil
	}
	kind := wakeKind(r.machine.category())
	req := r.request()
	req.ID, req.Create = timer.ID(kind, r.ref.ID), true
	cmd := timer.Schedule{Kind: kind, Owner: r.ref.ID, Due: until}
	_, err := commands.Run[timer.State, struct{}](ctx, e.cfg.Handler, timer.Aggregate, req, cmd, nil)
	return err
}

// setAlarm has a run looked at at a time, unless that is so already or earlier.
// The caller holds the lock.
func (e *Executor) setAlarm(r *run, at time.Time) {
	if !r.alarm.IsZero() && !at.Before(r.alarm) {
		return
	}
	r.alarm = at
	e.runs[r.key] = r
	heap.Push(&e.alarms, alarm{due: at, run: r})
	signal(e.alarmed)
}

// forget drops a run that there is nothing to do for. The caller holds the lock.
func (e *Executor) forget(r *run) {
	if !r.queued && !r.looking && len(r.flights) == 0 && r.alarm.IsZero() {
		delete(e.runs, r.key)
	}
}

// ring wakes runs whose alarm is due, until ctx ends.
func (e *Executor) ring(ctx context.Context) {
	for ctx.Err() == nil {
		var due <-chan time.Time
		if wait, pending := e.ringDue(); pending {
			due = e.cfg.After(wait)
		}
		select {
		case <-due:
		case <-e.alarmed:
		case <-ctx.Done():
		}
	}
}

// ringDue wakes the runs that are due and tells how long it is to the next.
func (e *Executor) ringDue() (wait time.Duration, pending bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Handler.Now()
	for {
		next, pending := e.alarms.next()
		if !pending || next.due.After(now) {
			return next.due.Sub(now), pending
		}
		heap.Pop(&e.alarms)
		next.run.alarm = time.Time{}
		e.wake(next.run)
	}
}
