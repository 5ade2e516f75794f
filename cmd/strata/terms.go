package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/lease"
	"strata/streams/logbus"
)

const (
	// dutyLease names the lease of the duties.
	dutyLease = "duties"
	// handOverEvery is how often the lease notes how far reactors are, for who
	// holds it next.
	handOverEvery = 3 * time.Second
)

// shareDuties does the duties whenever this process holds their lease.
func (a *app) shareDuties(work context.Context) error {
	keeper, err := lease.New(lease.Config{Store: a.store, Name: dutyLease, TTL: a.term, Logger: a.log, Now: a.now})
	if err != nil {
		return err
	}
	a.run(work, "duties", func(ctx context.Context) error { return keeper.Run(ctx, a.serveTerm) })
	return nil
}

// serveTerm does the duties as long as the lease is held.
func (a *app) serveTerm(ctx context.Context, term *lease.Term) error {
	if err := a.takeOver(ctx, term); err != nil {
		return err
	}
	d, err := a.beginDuties(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(handOverEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if err := a.handOver(ctx, d, term); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "how far reactors are cannot be noted; trying again", "error", err)
			}
		}
	}
	return errors.Join(context.Cause(ctx), a.endDuties(d))
}

// takeOver goes on where the holder before has left off. What was done twice
// because its last note is old does no harm: commands are decided again.
func (a *app) takeOver(ctx context.Context, term *lease.Term) error {
	left, err := a.leftOff(ctx, term)
	if err != nil {
		return err
	}
	for name, at := range left.Reactors {
		own, err := a.reactions.Load(ctx, name)
		if err != nil {
			return err
		}
		if own >= at {
			continue
		}
		if err := a.reactions.Save(ctx, name, at); err != nil {
			return err
		}
	}
	return nil
}

// progress is how far reactors are, as the lease carries it.
type progress struct {
	Log      *streams.Mark              `json:"log"` // the positions are of the log that has it
	Reactors map[string]domain.Position `json:"reactors"`
}

// leftOff is what the lease says of reactors in this log. What it says of another
// does not count, so that reactors begin where this node's own file says, or anew:
// they might pass over what stands elsewhere in this one.
func (a *app) leftOff(ctx context.Context, term *lease.Term) (left progress, err error) {
	if state := term.State(); state != nil {
		if err := json.Unmarshal(state, &left); err != nil {
			return left, fmt.Errorf("state of the lease %s: %w", dutyLease, err)
		}
	}
	known := false
	if left.Log != nil {
		if known, err = left.Log.IsIn(ctx, a.store); err != nil {
			return left, err
		}
	}
	if !known {
		if term.State() != nil {
			a.log.WarnContext(ctx, "how far reactors are is of another log; they begin anew", "lease", dutyLease)
		}
		left = progress{Reactors: map[string]domain.Position{}}
	}
	return left, nil
}

// marked is how many of the latest events are looked at for one that marks the log:
// those of leases do not stay.
const marked = 100

// markLog finds an event that marks the log; nil for none.
func (a *app) markLog(ctx context.Context) (*streams.Mark, error) {
	for r, err := range a.store.ReadAll(ctx, streams.ReadAll{Backwards: true, Limit: marked}) {
		if err != nil {
			return nil, err
		}
		if r.Stream.Category() != lease.Category {
			m := streams.MarkOf(&r)
			return &m, nil
		}
	}
	return nil, nil
}

// handOver notes how far reactors are. What one has parked is in this node's file
// only, so one with parked events begins again where it was when it had none.
func (a *app) handOver(ctx context.Context, d *duties, term *lease.Term) error {
	all, err := d.router.Status(ctx)
	if err != nil {
		return err
	}
	return a.saveProgress(ctx, all, term)
}

func (a *app) saveProgress(ctx context.Context, all []logbus.Status, term *lease.Term) error {
	left, err := a.leftOff(ctx, term)
	if err != nil {
		return err
	}
	further := false
	for _, s := range all {
		if !s.Writer && s.Parked == 0 && s.Position > left.Reactors[s.Name] {
			left.Reactors[s.Name], further = s.Position, true
		}
	}
	if !further {
		return nil
	}
	mark, err := a.markLog(ctx)
	if err != nil || mark == nil {
		return err
	}
	left.Log = mark
	text, err := json.Marshal(left)
	if err != nil {
		return err
	}
	return term.Save(ctx, text)
}

// alone runs something while no other process of the installation runs it.
func (a *app) alone(ctx context.Context, name string, f func() error) error {
	if a.local != nil {
		return f()
	}
	keeper, err := lease.New(lease.Config{Store: a.store, Name: name, TTL: a.term, Logger: a.log, Now: a.now})
	if err != nil {
		return err
	}
	term, err := keeper.Acquire(ctx)
	if err != nil {
		return err
	}
	err = f()
	if given := term.Release(context.WithoutCancel(ctx)); given != nil && !errors.Is(given, lease.ErrLost) {
		a.log.WarnContext(ctx, "lease is not released; others wait until it has run out", "lease", name, "error", given)
	}
	return err
}

// beginning makes what a new installation begins with, which nodes that take
// commands see to: one of them, if several are started at once.
func (a *app) beginning(ctx context.Context, show func(key string) error) error {
	if !a.role.has(writing) {
		return nil
	}
	return a.alone(ctx, "beginning", func() error { return bootstrap(ctx, a.store, a.handler, a.cfg.Admin.Key, show) })
}
