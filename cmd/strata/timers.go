package main

import (
	"context"

	"strata/commands/timers"
	"strata/domain"
	"strata/projections"
	model "strata/projections/timers"
)

// timerQueue lets timers be fired by the read model of pending ones.
type timerQueue struct {
	*model.Queries
	runner  *projections.Runner
	changed chan struct{} // holds one token when the model has changed
}

func newTimerQueue(db projections.Reader, runner *projections.Runner) timerQueue {
	return timerQueue{model.NewQueries(db), runner, make(chan struct{}, 1)}
}

func (q timerQueue) change() {
	select {
	case q.changed <- struct{}{}:
	default: // whoever takes the token looks at what there is then
	}
}

// Changed implements timers.Queue.
func (q timerQueue) Changed() <-chan struct{} { return q.changed }

// Reach implements timers.Queue.
func (q timerQueue) Reach(ctx context.Context, at domain.Position) error {
	_, err := q.runner.Wait(ctx, model.Name, at)
	return err
}

// fireTimers fires timers, beginning with those that came due while nobody ran.
func (a *app) fireTimers(ctx context.Context) error {
	if err := a.models.runner.WaitLive(ctx); err != nil {
		return err
	}
	return timers.New(timers.Config{Handler: a.handler, Queue: a.models.timers, Logger: a.log, At: a.at}).Run(ctx)
}
