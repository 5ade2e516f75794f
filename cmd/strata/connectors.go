package main

import (
	"context"
	"fmt"

	"strata/domain"
	"strata/internal/bucket"
	"strata/internal/connectors"
	"strata/internal/outbound"
	"strata/internal/vault"
	"strata/projections"
	model "strata/projections/connectors"
	"strata/projections/query"
)

// openConnectors makes what works with connectors.
func (a *app) openConnectors(context.Context) error {
	guard, err := outbound.New(a.cfg.Outbound.Private)
	if err != nil {
		return fmt.Errorf("outbound.private: %w", err)
	}
	client := bucket.NewClient(guard)
	a.connectors = &connectors.Service{Handler: a.handler, Sealer: a.sealer, Client: client, Secrets: a.vault, Logger: a.log}
	a.onClose(func() error {
		client.CloseIdleConnections()
		return nil
	})
	return nil
}

// connectorsUsing lists the places of a workspace's connectors that refer to a secret.
func (a *app) connectorsUsing(ctx context.Context, workspace, name string) ([]vault.Reference, error) {
	var out []vault.Reference
	page := query.Page{Limit: query.MaxLimit}
	for {
		found, err := a.models.connectors.List(ctx, model.Filter{Workspace: workspace}, page)
		if err != nil {
			return nil, err
		}
		for i := range found.Items {
			refs, err := a.connectors.References(name, &found.Items[i].State)
			if err != nil {
				return nil, err
			}
			out = append(out, refs...)
		}
		if page.Cursor = found.Next; !found.HasMore {
			return out, nil
		}
	}
}

// scanQueue lets files be scanned by the read model of connectors.
type scanQueue struct {
	*model.Queries
	runner  *projections.Runner
	changed chan struct{} // holds one token when the model has changed
}

func newScanQueue(db projections.Reader, runner *projections.Runner) scanQueue {
	return scanQueue{model.NewQueries(db), runner, make(chan struct{}, 1)}
}

func (q scanQueue) change() {
	select {
	case q.changed <- struct{}{}:
	default: // whoever takes the token looks at what there is then
	}
}

// Changed implements connectors.Queue.
func (q scanQueue) Changed() <-chan struct{} { return q.changed }

// Reach implements connectors.Queue.
func (q scanQueue) Reach(ctx context.Context, at domain.Position) error {
	_, err := q.runner.Wait(ctx, model.Name, at)
	return err
}

// Open implements connectors.Queue.
func (q scanQueue) Open(ctx context.Context, limit int) ([]connectors.Job, error) {
	return jobs(q.Queries.Open(ctx, limit))
}

// Untried implements connectors.Queue.
func (q scanQueue) Untried(ctx context.Context) ([]connectors.Job, error) {
	return jobs(q.Queries.Untried(ctx))
}

func jobs(places []model.Place, err error) ([]connectors.Job, error) {
	out := make([]connectors.Job, 0, len(places))
	for _, p := range places {
		out = append(out, connectors.Job(p))
	}
	return out, err
}

// scanFiles looks into files of connectors, beginning with what another process
// left undone.
func (a *app) scanFiles(ctx context.Context) error {
	if err := a.models.runner.WaitLive(ctx); err != nil {
		return err
	}
	return a.connectors.Work(ctx, a.models.connectors)
}
