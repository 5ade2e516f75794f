package trainer

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/training"
	"strata/internal/learn"
)

// flushEvery is how long epochs are gathered before they are recorded: a person
// sees them live, and the log gets a few events a second however fast they pass.
const flushEvery = 250 * time.Millisecond

// fit is one training under way.
type fit struct {
	*Service
	job      *job
	state    training.State
	settings training.Settings
	trainer  *learn.Trainer
	waiting  []training.Epoch // not recorded yet
	flushed  time.Time
}

// train trains from the newest checkpoint, or from the beginning, to the end.
func (s *Service) train(ctx context.Context, j *job) error {
	st, err := loadTraining(ctx, s.cfg.Handler, j.principal(), j.ID)
	if err != nil || !wants(&st, j) {
		return err
	}
	r := &fit{Service: s, job: j, state: st, flushed: time.Now()}
	if r.settings, err = training.SettingsOf(st.Architecture, st.Configuration, st.Sources); err != nil {
		return fault{training.Interrupted, err.Error()}
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	rows, kept := r.trainer.Rows()
	if err := s.run(ctx, j, training.Start{Attempt: j.Attempt, Runner: training.BuiltIn, Epochs: r.settings.Epochs, Rows: rows, Kept: kept}); err != nil {
		return err
	}
	for !r.trainer.Done() {
		if err := r.epoch(ctx); err != nil {
			return err
		}
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	if err := r.evaluate(ctx); err != nil {
		return err
	}
	return s.run(ctx, j, training.Finish{Attempt: j.Attempt})
}

// prepare reads the data and goes on from the newest checkpoint, if it is of
// that data.
func (r *fit) prepare(ctx context.Context) error {
	p := r.job.principal()
	files, err := r.files(ctx, p, r.state.Sources)
	if err != nil {
		return err
	}
	columns, err := r.columnsOf(ctx, p, files[0], &r.settings)
	if err != nil {
		return err
	}
	frame, err := r.read(ctx, p, files, columns, nil)
	if err != nil {
		return err
	}
	from, err := r.newest(ctx)
	if err != nil {
		return err
	}
	options := r.options(columns)
	r.trainer, err = learn.NewTrainer(options, frame, from)
	if errors.Is(err, learn.ErrOtherData) {
		r.cfg.Logger.WarnContext(ctx, "the data has changed since the checkpoint: training begins anew", "training", r.state.ID)
		r.trainer, err = learn.NewTrainer(options, frame, nil)
	}
	if err != nil {
		return fault{training.BadData, err.Error()}
	}
	return nil
}

func (r *fit) newest(ctx context.Context) (*learn.Model, error) {
	c := r.state.Latest()
	if c == nil {
		return nil, nil
	}
	return loadModel(ctx, r.cfg.Handler, r.job.principal(), c.ID)
}

// loadModel puts a checkpoint's model together.
func loadModel(ctx context.Context, h *commands.Handler, p domain.Principal, id string) (*learn.Model, error) {
	var parts training.Assembly
	err := commands.Events(ctx, h, training.Models, p, id, func(e domain.Event) bool {
		if part, ok := e.Fact.(training.PartStored); ok {
			parts.Add(part)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	data, err := parts.Model()
	if err != nil {
		return nil, err
	}
	return learn.Decode(data)
}

func (r *fit) options(columns []learn.Column) learn.Options {
	s, o := &r.settings, learn.Defaults(r.state.Architecture)
	o.Task, o.Target, o.Positive, o.Epochs, o.LearningRate = learn.Task(s.Task), s.Target, s.Positive, s.Epochs, s.LearningRate
	o.L2, o.Validation, o.Seed, o.BatchSize = s.L2, s.Validation, s.Seed, s.BatchSize
	o.MaxDepth, o.MaxBins, o.MinLeaf, o.Subsample, o.MinimumWin = s.MaxDepth, s.MaxBins, s.MinLeaf, s.Subsample, s.MinSplitLoss
	for _, c := range columns[:len(columns)-1] {
		o.Features = append(o.Features, c.Name)
	}
	return o
}

// epoch trains one epoch and records what is due.
func (r *fit) epoch(ctx context.Context) error {
	p, err := r.trainer.Epoch(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fault{training.Interrupted, err.Error()}
	}
	metrics := map[string]float64{"train_loss": p.TrainLoss}
	if p.Metrics != nil {
		metrics["validation_loss"] = p.ValidationLoss
		maps.Copy(metrics, p.Metrics)
	}
	r.waiting = append(r.waiting, training.Epoch{Epoch: p.Epoch, Metrics: metrics})
	due := r.settings.CheckpointAt(p.Epoch) || r.trainer.Done()
	if due || time.Since(r.flushed) >= flushEvery {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	if due {
		return r.checkpoint(ctx, p.Epoch, metrics)
	}
	return nil
}

// flush records the epochs that wait for it.
func (r *fit) flush(ctx context.Context) error {
	if len(r.waiting) > 0 {
		if err := r.run(ctx, r.job, training.RecordEpochs{Attempt: r.job.Attempt, Epochs: r.waiting}); err != nil {
			return err
		}
	}
	r.waiting, r.flushed = nil, time.Now()
	return nil
}

// checkpoint keeps the model. Its id follows from what it is: repeated after a
// crash, it is the same checkpoint.
func (r *fit) checkpoint(ctx context.Context, epoch int, metrics map[string]float64) error {
	model, err := r.trainer.Model()
	if err != nil {
		return err
	}
	data, err := model.Encode()
	if err != nil {
		return err
	}
	st, digest := &r.state, training.Digest(data)
	id := domain.FormatID(training.CheckpointPrefix, domain.DerivedEventID(st.ID, "checkpoint "+digest, "", st.Attempt))
	_, err = commands.Run[training.Stored, struct{}](ctx, r.cfg.Handler, training.Models,
		commands.Request{Principal: r.job.principal(), ID: id, Create: true}, training.Store{TrainingID: st.ID, Data: data}, nil)
	if domain.CodeOf(err) == domain.CodePayloadTooLarge && err != nil {
		return fault{training.Interrupted, err.Error()}
	}
	if err != nil {
		return err
	}
	r.cfg.At("trainer.stored")
	err = r.run(ctx, r.job, training.RecordCheckpoint{Checkpoint: training.Checkpoint{ID: id, Name: training.CheckpointName(st.Name, st.Attempt, epoch),
		Attempt: st.Attempt, Step: epoch, Metrics: metrics, URI: "strata:checkpoint/" + id, Digest: digest, Size: int64(len(data)), Final: r.trainer.Done()}})
	if err == nil {
		r.cfg.At("trainer.checkpoint")
	}
	return err
}

// evaluate asks for evaluations of the final checkpoint on the training's
// benchmarks as they are now.
func (r *fit) evaluate(ctx context.Context) error {
	st, err := loadTraining(ctx, r.cfg.Handler, r.job.principal(), r.job.ID)
	if err != nil {
		return err
	}
	last := st.Latest()
	if last == nil {
		return nil
	}
	for _, benchmark := range st.BenchmarkIDs {
		id := domain.FormatID("eva", domain.DerivedEventID(last.ID, benchmark, "", 0))
		req := commands.Request{Principal: r.job.principal(), ID: id}
		_, err := Evaluate(ctx, r.cfg.Handler, r.cfg.Resources, req, Wish{BenchmarkID: benchmark, CheckpointID: last.ID, GPUCount: st.GPUCount})
		if code := domain.CodeOf(err); err != nil && code != domain.CodeValidation && code != domain.CodeNotFound {
			return err
		}
		if err != nil { // the benchmark was deleted since: the training succeeds without it
			r.cfg.Logger.InfoContext(ctx, "a checkpoint is not evaluated", "training", st.ID, "benchmark", benchmark, "reason", cmp.Or(reason(err), "unknown"))
		}
	}
	return nil
}
