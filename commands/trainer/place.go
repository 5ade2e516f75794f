package trainer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"strata/commands"
	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/streams"
)

// loadTraining copies a training's state. Its slices are never changed in place.
func loadTraining(ctx context.Context, h *commands.Handler, p domain.Principal, id string) (training.State, error) {
	s, err := commands.Load(ctx, h, training.Aggregate, p, id, func(l *commands.Loaded[training.State]) training.State {
		out := *l.State
		out.Configuration = maps.Clone(out.Configuration)
		out.Metrics, out.Checkpoints, out.Sources = slices.Clone(out.Metrics), slices.Clone(out.Checkpoints), slices.Clone(out.Sources)
		out.BenchmarkIDs = slices.Clone(out.BenchmarkIDs)
		return out
	})
	if err == nil && s.Deleted {
		err = domain.NotFound(training.Aggregate.Noun, id)
	}
	return s, err
}

// wants tells whether a training still is at what the job is about.
func wants(st *training.State, j *job) bool { return st.Attempt == j.Attempt && !st.Status.Ended() }

// place decides who trains: the cluster of the workspace if there is one, else
// the built-in trainer if it can.
func (s *Service) place(ctx context.Context, j *job) error {
	st, err := loadTraining(ctx, s.cfg.Handler, j.principal(), j.ID)
	if err != nil || !wants(&st, j) || st.Status != training.Pending {
		return err
	}
	if s.cfg.Clusters != nil {
		handed, err := s.cfg.Clusters.Dispatch(ctx, j.principal(), Job{ID: st.ID, Attempt: st.Attempt, Name: st.Name, Architecture: st.Architecture,
			DataModelID: st.DataModelID, GPUCount: st.GPUCount, BenchmarkIDs: st.BenchmarkIDs, Configuration: st.Configuration, Connectors: st.Sources},
			fmt.Sprintf("%s-%d", st.ID, st.Attempt))
		if err != nil {
			if passing(err) || ctx.Err() != nil {
				return err
			}
			return fault{training.ClusterError, "the cluster does not take it: " + reason(err)}
		}
		if handed {
			s.cfg.At("trainer.dispatched")
			return s.enqueued(ctx, j)
		}
	}
	if !training.IsBuiltIn(st.Architecture) {
		return fault{training.NeedsCluster, fmt.Sprintf("the architecture %q needs a cluster, and the workspace has none; the built-in trainer knows %s",
			st.Architecture, strings.Join(training.Architectures(), " and "))}
	}
	return s.run(ctx, j, training.Enqueue{Attempt: j.Attempt, Runner: training.BuiltIn})
}

// enqueued records that the cluster has a training. If that is not wanted any
// more by now, the cluster is told.
func (s *Service) enqueued(ctx context.Context, j *job) error {
	ctx = context.WithoutCancel(ctx) // which ends as soon as the training is not wanted
	err := s.run(ctx, j, training.Enqueue{Attempt: j.Attempt, Runner: training.Cluster})
	if !over(err) {
		return err
	}
	st, err := loadTraining(ctx, s.cfg.Handler, j.principal(), j.ID)
	if err == nil && st.Attempt == j.Attempt && (!st.Status.Ended() || st.Runner == training.Cluster) {
		return nil // the cluster was faster and has reported
	}
	if err == nil && st.Attempt != j.Attempt {
		return nil // the next attempt takes its place there
	}
	if err != nil && !over(err) {
		return err
	}
	return s.cfg.Clusters.Withdraw(ctx, j.principal(), j.ID)
}

// fail records why a job cannot be done.
func (s *Service) fail(ctx context.Context, j *job, f fault) error {
	var err error
	if j.slot == scorer {
		_, err = commands.Run[evaluation.State, struct{}](ctx, s.cfg.Handler, evaluation.Aggregate,
			commands.Request{Principal: j.principal(), ID: j.ID}, evaluation.Fail{Code: f.code, Message: f.message}, nil)
	} else {
		err = s.run(ctx, j, training.Fail{Attempt: j.Attempt, Code: f.code, Message: f.message})
	}
	if ctx.Err() != nil || over(err) {
		return nil
	}
	return err
}

// Withdrawals is the reactor that tells clusters of trainings that were
// cancelled, also because they were deleted.
type Withdrawals struct {
	Handler  *commands.Handler
	Clusters Clusters
}

// Name implements logbus.Reactor.
func (Withdrawals) Name() string { return "training-withdrawals" }

// Filter implements logbus.Reactor.
func (Withdrawals) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{training.Aggregate.Category}, Types: []string{training.Stopped{}.EventType()}}
}

// Handle implements logbus.Reactor. A training that was begun anew since is left
// alone: the cluster takes its next attempt in place of the one before. One that
// nobody ran yet may be on its way to the cluster.
func (w Withdrawals) Handle(ctx context.Context, e domain.Event) error {
	stopped, ok := e.Fact.(training.Stopped)
	if !ok {
		return nil
	}
	p := domain.System(e.Meta.Organization, e.Meta.Workspace)
	nothing, err := commands.Load(ctx, w.Handler, training.Aggregate, p, e.Stream.Key(), func(l *commands.Loaded[training.State]) bool {
		return l.State.Attempt != stopped.Attempt || l.State.Runner == training.BuiltIn
	})
	if err != nil || nothing {
		return err
	}
	return w.Clusters.Withdraw(ctx, p, e.Stream.Key())
}
