package main

import (
	"context"
	"encoding/json"
	"strings"

	"strata/commands/trainer"
	"strata/domain"
	clusters "strata/internal/cluster"
	"strata/internal/connectors"
	"strata/internal/tabular"
	"strata/projections"
	model "strata/projections/trainings"
)

// trainingQueue lets the trainer find its work by the read model of trainings.
type trainingQueue struct {
	*model.Queries
	changed chan struct{} // holds one token when the model has changed
}

func newTrainingQueue(db projections.Reader) trainingQueue {
	return trainingQueue{model.NewQueries(db), make(chan struct{}, 1)}
}

func (q trainingQueue) change() {
	select {
	case q.changed <- struct{}{}:
	default: // whoever takes the token looks at what there is then
	}
}

// Changed implements trainer.Queue.
func (q trainingQueue) Changed() <-chan struct{} { return q.changed }

// OpenTrainings implements trainer.Queue.
func (q trainingQueue) OpenTrainings(ctx context.Context) ([]trainer.Open, error) {
	return unfinished(q.Queries.OpenTrainings(ctx))
}

// OpenEvaluations implements trainer.Queue.
func (q trainingQueue) OpenEvaluations(ctx context.Context) ([]trainer.Open, error) {
	return unfinished(q.Queries.OpenEvaluations(ctx))
}

func unfinished(list []model.Open, err error) ([]trainer.Open, error) {
	out := make([]trainer.Open, len(list))
	for i, o := range list {
		out[i] = trainer.Open(o)
	}
	return out, err
}

// tables lets the trainer read the files of connectors.
type tables struct{ *connectors.Service }

// listedTables is how many files of a connector are looked at to find the tables
// among them.
const listedTables = 10_000

// Files implements trainer.Tables.
func (t tables) Files(ctx context.Context, p domain.Principal, id string) (keys []string, err error) {
	pages, err := t.Service.Files(ctx, p, id, "", listedTables)
	for _, page := range pages {
		for _, o := range page {
			if _, _, err := tabular.FormatOf(o.Key); err == nil {
				keys = append(keys, o.Key)
			}
		}
	}
	return keys, err
}

// Open implements trainer.Tables.
func (t tables) Open(ctx context.Context, p domain.Principal, id, key string) (tabular.Reader, error) {
	return t.Service.Open(ctx, p, id, key)
}

// clusterTrainings lets the trainer hand trainings over to clusters.
type clusterTrainings struct {
	*clusters.Service
	webhook string // where managers report to; "" when the server does not know its address
}

// Dispatch implements trainer.Clusters.
func (c clusterTrainings) Dispatch(ctx context.Context, p domain.Principal, job trainer.Job, key string) (bool, error) {
	manager, err := c.Manager(ctx, p)
	if err != nil {
		if domain.CodeOf(err) == domain.CodeNotFound {
			return false, nil
		}
		return false, err
	}
	configuration, err := json.Marshal(job.Configuration)
	if err != nil {
		return false, err
	}
	out := clusters.Training{ID: job.ID, Attempt: job.Attempt, Name: job.Name, Architecture: job.Architecture, DataModelID: job.DataModelID, GPUCount: job.GPUCount,
		Configuration: configuration, BenchmarkIDs: job.BenchmarkIDs, Space: p.Workspace, WebhookURL: c.webhook}
	for _, src := range job.Connectors {
		out.Connectors = append(out.Connectors, clusters.Source(src))
	}
	return true, manager.Start(ctx, key, out)
}

// Withdraw implements trainer.Clusters.
func (c clusterTrainings) Withdraw(ctx context.Context, p domain.Principal, id string) error {
	manager, err := c.Manager(ctx, p)
	if err == nil {
		err = manager.Cancel(ctx, id)
	}
	if code := domain.CodeOf(err); err != nil && (code == domain.CodeNotFound || code == domain.CodeConflict) {
		return nil // there is no cluster, or it does not want to hear it: that will not change
	}
	return err
}

// clusterTrainings are those of this installation. Managers report to its public
// URL, if it has one.
func (a *app) clusterTrainings() clusterTrainings {
	out := clusterTrainings{Service: a.clusters}
	if url := a.cfg.Server.PublicURL; url != "" {
		out.webhook = strings.TrimRight(url, "/") + "/v1/webhooks"
	}
	return out
}

// train trains and evaluates, beginning with what another process left undone.
func (a *app) train(ctx context.Context) error {
	if err := a.models.runner.WaitLive(ctx); err != nil {
		return err
	}
	return trainer.New(trainer.Config{Handler: a.handler, Resources: a.resources, Queue: a.models.trainings, Tables: tables{a.connectors}, Clusters: a.clusterTrainings(),
		Logger: a.log, At: a.at}).Run(ctx)
}
