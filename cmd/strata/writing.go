package main

import (
	"context"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/argument"
	"strata/domain/insight"
	"strata/projections/states"
)

// stoppedWriting is why something that was asked for never came.
const stoppedWriting = "the server stopped while the model was answering"

// closeWriting fails arguments and insights whose process died while it waited
// for the model.
func (a *app) closeWriting(ctx context.Context, before time.Time) error {
	if err := failOpen(ctx, a, a.models.arguments, before, argument.Aggregate, argument.Fail{Code: domain.CodeUnavailable, Message: stoppedWriting}); err != nil {
		return err
	}
	return failOpen(ctx, a, a.models.insights, before, insight.Aggregate, insight.Fail{Code: domain.CodeUnavailable, Message: stoppedWriting})
}

func failOpen[S any](ctx context.Context, a *app, q *states.Queries[S], before time.Time, agg *domain.Aggregate[S], fail domain.Decider[S]) error {
	open, err := q.Open(ctx, before, turnsAtOnce)
	if err != nil {
		return err
	}
	for _, o := range open {
		req := commands.Request{Principal: domain.System(o.Organization, o.Workspace), ID: o.ID}
		_, err := commands.Run[S, struct{}](ctx, a.handler, agg, req, fail, nil)
		if code := domain.CodeOf(err); err != nil && code != domain.CodeConflict && code != domain.CodeNotFound && code != domain.CodeGone {
			return err
		}
	}
	return nil
}
