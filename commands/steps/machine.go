package steps

import (
	"context"
	"fmt"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
)

// Ref names a run and whom it belongs to.
type Ref struct{ ID, Organization, Workspace string }

// Machine is a kind of run: S is the state of its aggregate, J what performing a
// step needs to know. Every field must be set.
type Machine[S, J any] struct {
	Aggregate *domain.Aggregate[S]
	// Plan says what a run needs now. It is pure, and quick: it is called whenever
	// something has happened to the run.
	Plan func(l *commands.Loaded[S], now time.Time) Plan[S]
	// Job is what Perform needs to know of the run, as of the step's beginning. It
	// must not point into the state.
	Job func(l *commands.Loaded[S], step string) J
	// Perform does a step and returns the command that records what came of it,
	// success or failure. An error means that there is nothing to record: the step
	// stays open and is performed again later. That is for when ctx has ended, which
	// says that the run does not want the step any more or that the process stops,
	// and for faults of our own.
	Perform func(ctx context.Context, run Ref, step string, job J) (end domain.Decider[S], err error)
	// Open lists runs that have not ended, in the order of their ids and after one,
	// at most so many. It must know of every run that the log had when it was asked.
	Open func(ctx context.Context, after string, limit int) ([]Ref, error)
	// Wakes are the types of the facts after which a run may have something to do,
	// other than those that the executor itself has recorded: started, cancelled …
	Wakes []string
}

// Plan is what a run needs.
type Plan[S any] struct {
	// Advance records what follows without any effect: that the run has ended, for
	// one. Steps are not looked at before nothing of this is left. It must lead to
	// facts.
	Advance domain.Decider[S]
	// Steps are all that ought to be performed at this moment. Those that are being
	// performed and are not listed are told to stop.
	Steps []Step[S]
	// Wake is when to look again though nothing has happened; zero: never.
	Wake time.Time
}

// wants tells whether a step is to be performed whose beginning is not recorded.
func (p *Plan[S]) wants(step string) bool {
	return p.Advance == nil && slices.ContainsFunc(p.Steps, func(s Step[S]) bool { return s.ID == step && s.Begin == nil })
}

// Step is one thing to do.
type Step[S any] struct {
	ID string // unique in the run
	// Begin records that the step begins (again). Nil: the step has no effects and
	// may be repeated, so that its beginning is not worth a fact.
	Begin domain.Decider[S]
}

// Key is what the effects of a step go by: the same however often the step is
// performed again because its end is unknown. generation counts the times that
// somebody has decided to try anew.
func Key(run Ref, step string, generation int) string {
	return domain.DerivedEventID(run.Workspace, run.ID, step, generation).String()
}

// machine is a Machine whatever its types.
type machine interface {
	category() string
	wakes() []string
	open(ctx context.Context, after string, limit int) ([]Ref, error)
	// look brings a run as far as it can be without performing a step, then begins
	// one that is not in flight, if there is any.
	look(ctx context.Context, e *Executor, r *run) (found, error)
}

// found is what a look at a run has found.
type found struct {
	flight  *flight                                   // the step that began; nil: none
	perform func(ctx context.Context) (ending, error) // performs it
	more    bool                                      // there are further steps to begin
	wake    time.Time
}

// ending records what came of a step.
type ending func(ctx context.Context) error

// bound is a machine with its types.
type bound[S, J any] struct{ Machine[S, J] }

func (b bound[S, J]) category() string { return b.Aggregate.Category }
func (b bound[S, J]) wakes() []string  { return b.Wakes }

func (b bound[S, J]) open(ctx context.Context, after string, limit int) ([]Ref, error) {
	return b.Open(ctx, after, limit)
}

// mostAdvances bounds how often a run may go on by itself in one look: a plan
// that never comes to rest must not take the executor with it.
const mostAdvances = 10_000

func (b bound[S, J]) look(ctx context.Context, e *Executor, r *run) (found, error) {
	h := e.cfg.Handler
	for range mostAdvances {
		plan, err := commands.Load(ctx, h, b.Aggregate, r.principal(), r.ref.ID,
			func(l *commands.Loaded[S]) Plan[S] { return b.Plan(l, h.Now()) })
		if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
			e.keepOnly(r, nil)
			return found{}, nil
		}
		if err != nil {
			return found{}, err
		}
		if plan.Advance != nil {
			if err := b.advance(ctx, h, r, plan.Advance); err != nil {
				return found{}, err
			}
			continue
		}
		wanted := make([]string, len(plan.Steps))
		for i := range plan.Steps {
			wanted[i] = plan.Steps[i].ID
		}
		at, more := e.keepOnly(r, wanted)
		if at < 0 {
			return found{wake: plan.Wake}, nil
		}
		f, err := b.begin(ctx, e, r, plan.Steps[at])
		if err != nil {
			return found{}, err
		}
		if f.flight == nil { // the run has moved on in between
			continue
		}
		f.more, f.wake = more, plan.Wake
		return f, nil
	}
	return found{}, fmt.Errorf("run %s does not come to rest", r.ref.ID)
}

func (b bound[S, J]) advance(ctx context.Context, h *commands.Handler, r *run, cmd domain.Decider[S]) error {
	out, err := commands.Run[S, struct{}](ctx, h, b.Aggregate, r.request(), cmd, nil)
	if overtaken(err) {
		return nil
	}
	if err == nil && len(out.Facts) == 0 {
		return fmt.Errorf("run %s is to advance by %T, which leads to nothing", r.ref.ID, cmd)
	}
	return err
}

// begin records the beginning of a step and notes that it is in flight.
func (b bound[S, J]) begin(ctx context.Context, e *Executor, r *run, step Step[S]) (found, error) {
	h := e.cfg.Handler
	f := e.takeOff(r, step.ID)
	see := func(l *commands.Loaded[S]) J { return b.Job(l, step.ID) }
	var job J
	var err error
	if step.Begin == nil {
		// A flight of the same step may have landed since the plan was made: what it
		// has recorded can make of the step something that is not wanted yet.
		wanted := false
		job, err = commands.Load(ctx, h, b.Aggregate, r.principal(), r.ref.ID, func(l *commands.Loaded[S]) J {
			plan := b.Plan(l, h.Now())
			wanted = plan.wants(step.ID)
			return see(l)
		})
		if err == nil && !wanted {
			e.land(r, f)
			return found{}, nil
		}
	} else {
		var out commands.Outcome[J]
		out, err = commands.Run(ctx, h, b.Aggregate, r.request(), step.Begin, see)
		job = out.View
		e.reached("step.begun")
	}
	if err != nil {
		e.land(r, f)
		if overtaken(err) {
			return found{}, nil
		}
		return found{}, err
	}
	return found{flight: f, perform: func(ctx context.Context) (ending, error) {
		end, err := b.Perform(ctx, r.ref, step.ID, job)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			_, err := commands.Run[S, struct{}](ctx, h, b.Aggregate, r.request(), end, nil)
			return err
		}, nil
	}}, nil
}

// overtaken tells that a command was refused because the run is not any more
// what it was decided on.
func overtaken(err error) bool {
	code := domain.CodeOf(err)
	return err != nil && (code == domain.CodeConflict || code == domain.CodeNotFound || code == domain.CodeGone)
}
