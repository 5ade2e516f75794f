package trainer

import (
	"context"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/internal/learn"
)

// Wish is an evaluation that somebody wants.
type Wish struct {
	BenchmarkID  string
	CheckpointID string
	GPUCount     int
}

// Evaluate asks for an evaluation: of a checkpoint whose model is kept here, on
// a benchmark as it is now. An evaluation of the request's id that there is
// already is answered as it is. Errors: VALIDATION_ERROR, naming benchmark_id or
// checkpoint_id when there is no such thing; as commands.Run.
func Evaluate(ctx context.Context, h *commands.Handler, resources *commands.Resources, req commands.Request, w Wish) (commands.Outcome[evaluation.State], error) {
	var none commands.Outcome[evaluation.State]
	if out, repeated, err := commands.Repeat(ctx, h, evaluation.Aggregate, req, showEvaluation); repeated || err != nil {
		return out, err
	}
	ask := evaluation.Ask{BenchmarkID: w.BenchmarkID, CheckpointID: w.CheckpointID, GPUCount: w.GPUCount}
	var faults domain.Faults
	doc, err := resources.Load(ctx, catalogue.Benchmarks, req.Principal, w.BenchmarkID)
	switch code := domain.CodeOf(err); {
	case err != nil && code == domain.CodeNotFound:
		faults.Add(true, "benchmark_id", "names no benchmark of the workspace")
	case err != nil:
		return none, err
	default:
		b, err := domain.Decode[catalogue.Benchmark](doc.Resource.Doc)
		if err != nil {
			return none, err
		}
		ask.Metrics = b.Metrics
		for _, c := range b.Connectors {
			ask.Sources = append(ask.Sources, training.Source(c))
		}
	}
	checkpoint, trainingID, err := Checkpoint(ctx, h, req.Principal, w.CheckpointID)
	switch code := domain.CodeOf(err); {
	case err != nil && code == domain.CodeNotFound:
		faults.Add(true, "checkpoint_id", "names no checkpoint whose model is kept here")
	case err != nil:
		return none, err
	}
	if err := faults.Err(); err != nil {
		return none, err
	}
	ask.TrainingID, ask.CheckpointName = trainingID, checkpoint.Name
	req.Create = true
	return commands.Run(ctx, h, evaluation.Aggregate, req, ask, showEvaluation)
}

// showEvaluation copies a state. What it points to is never changed in place.
func showEvaluation(l *commands.Loaded[evaluation.State]) evaluation.State { return *l.State }

// Checkpoint finds a checkpoint whose model is kept here, with the training it
// is of. Errors: NOT_FOUND, also when the training was deleted.
func Checkpoint(ctx context.Context, h *commands.Handler, p domain.Principal, id string) (training.Checkpoint, string, error) {
	of, err := commands.Load(ctx, h, training.Models, p, id, func(l *commands.Loaded[training.Stored]) string { return l.State.TrainingID })
	if err != nil {
		return training.Checkpoint{}, "", err
	}
	st, err := loadTraining(ctx, h, p, of)
	if err != nil {
		return training.Checkpoint{}, "", err
	}
	c := st.Checkpoint(id)
	if c == nil { // a part of it is all that was written before a crash
		return training.Checkpoint{}, "", domain.NotFound(training.Models.Noun, id)
	}
	return *c, of, nil
}

// Seen is an evaluation at some moment.
type Seen struct {
	evaluation.State
	Revision domain.Revision
	Position domain.Position // of its last event, once it has ended
}

// Await looks at an evaluation until it has ended, or ctx has: then it is
// answered as it is.
func Await(ctx context.Context, h *commands.Handler, p domain.Principal, id string) (Seen, error) {
	const first, most = 5 * time.Millisecond, 250 * time.Millisecond
	timer := time.NewTimer(0)
	defer timer.Stop()
	for pause := first; ; pause = min(2*pause, most) {
		s, err := commands.Load(context.WithoutCancel(ctx), h, evaluation.Aggregate, p, id,
			func(l *commands.Loaded[evaluation.State]) Seen { return Seen{State: *l.State, Revision: l.Revision} })
		if err != nil {
			return s, err
		}
		if s.Status != evaluation.Pending {
			err := commands.Events(context.WithoutCancel(ctx), h, evaluation.Aggregate, p, id, func(e domain.Event) bool {
				s.Position = e.Position
				return true
			})
			return s, err
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return s, nil
		case <-timer.C:
		}
	}
}

// score computes an evaluation.
func (s *Service) score(ctx context.Context, j *job) error {
	p := j.principal()
	ev, err := commands.Load(ctx, s.cfg.Handler, evaluation.Aggregate, p, j.ID, showEvaluation)
	if err != nil || ev.Status != evaluation.Pending {
		return err
	}
	if _, _, err := Checkpoint(ctx, s.cfg.Handler, p, ev.CheckpointID); err != nil {
		if domain.CodeOf(err) == domain.CodeNotFound {
			return fault{training.BadData, "the checkpoint was deleted"}
		}
		return err
	}
	model, err := loadModel(ctx, s.cfg.Handler, p, ev.CheckpointID)
	if err != nil {
		return err
	}
	if model.Options.Task != learn.Classification {
		return fault{training.BadData, "the checkpoint predicts numbers, and the metrics of benchmarks are those of classes"}
	}
	files, err := s.files(ctx, p, ev.Sources)
	if err != nil {
		return err
	}
	targets := map[string]string{}
	for _, src := range ev.Sources {
		targets[src.ConnectorID] = src.Target
	}
	frame, err := s.read(ctx, p, files, model.Columns(), targets)
	if err != nil {
		return err
	}
	e, err := model.Evaluate(frame)
	if err != nil {
		return fault{training.BadData, err.Error()}
	}
	if e.Rows == 0 {
		return fault{training.BadData, "no row has an answer that the model knows: " + quoted(model.Classes)}
	}
	s.cfg.At("trainer.scored")
	_, err = commands.Run[evaluation.State, struct{}](ctx, s.cfg.Handler, evaluation.Aggregate, commands.Request{Principal: p, ID: j.ID},
		evaluation.Score{Result: evaluation.Result{Metrics: e.Metrics, Rows: e.Rows, Skipped: e.Skipped}}, nil)
	return err
}

func quoted(list []string) string {
	out := ""
	for i, s := range slices.Clip(list)[:min(len(list), 10)] {
		if i > 0 {
			out += ", "
		}
		out += `"` + s + `"`
	}
	return out
}
