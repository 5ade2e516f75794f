package steps

import (
	"context"
	"slices"

	"strata/domain"
	"strata/domain/timer"
	"strata/streams"
)

// Reactor wakes runs when the log says that something has happened to them.
type Reactor struct{ e *Executor }

// Reactor returns the reactor of an executor. Add the machines before, and let it
// react from before [Executor.Run] lists what is open: then nothing is missed.
func (e *Executor) Reactor() Reactor { return Reactor{e} }

// Name implements logbus.Reactor.
func (Reactor) Name() string { return "steps" }

// Filter implements logbus.Reactor.
func (r Reactor) Filter() *streams.Filter {
	f := &streams.Filter{Categories: []string{timer.Aggregate.Category}, Types: []string{timer.Fired{}.EventType()}}
	for category, m := range r.e.machines {
		f.Categories = append(f.Categories, category)
		f.Types = append(f.Types, m.wakes()...)
	}
	slices.Sort(f.Categories)
	slices.Sort(f.Types)
	return f
}

// Handle implements logbus.Reactor.
func (r Reactor) Handle(_ context.Context, e domain.Event) error {
	ref := Ref{ID: e.Stream.Key(), Organization: e.Meta.Organization, Workspace: e.Meta.Workspace}
	category := e.Stream.Category()
	if f, fired := e.Fact.(timer.Fired); fired {
		ref.ID, category = f.Owner, ""
		for c := range r.e.machines {
			if wakeKind(c) == f.Kind {
				category = c
			}
		}
	}
	r.e.Wake(category, ref)
	return nil
}
