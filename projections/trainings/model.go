// Package trainings is the read model of trainings, their checkpoints and the
// evaluations of those. It is also what the trainer finds its work by.
package trainings

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "trainings"

// schema: a row holds the aggregate's state as it was folded, as JSON, and
// beside it what lists and the trainer look for.
const schema = `
CREATE TABLE trainings (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  name         TEXT NOT NULL,
  architecture TEXT NOT NULL,
  status       TEXT NOT NULL,
  runner       TEXT NOT NULL,
  attempt      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL, -- Unix microseconds
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  state        TEXT NOT NULL -- JSON
);
CREATE TABLE checkpoints (
  id           TEXT PRIMARY KEY,
  training     TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  name         TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  state        TEXT NOT NULL -- JSON
);
CREATE TABLE evaluations (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  benchmark    TEXT NOT NULL,
  checkpoint   TEXT NOT NULL,
  training     TEXT NOT NULL,
  status       TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  state        TEXT NOT NULL -- JSON
);`

// The indexes of what is open are small however many have ended.
const indexes = `
CREATE INDEX IF NOT EXISTS trainings_list ON trainings (workspace, created_at, id);
CREATE INDEX IF NOT EXISTS trainings_open ON trainings (id) WHERE status IN ('pending', 'queued', 'running');
CREATE INDEX IF NOT EXISTS checkpoints_list ON checkpoints (workspace, created_at, id);
CREATE INDEX IF NOT EXISTS checkpoints_training ON checkpoints (training);
CREATE INDEX IF NOT EXISTS evaluations_list ON evaluations (workspace, created_at, id);
CREATE INDEX IF NOT EXISTS evaluations_checkpoint ON evaluations (checkpoint);
CREATE INDEX IF NOT EXISTS evaluations_open ON evaluations (id) WHERE status = 'pending';`

// Model folds trainings and evaluations. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{training.Aggregate.Category, evaluation.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// row is a training or an evaluation while a batch is folded into it.
type row struct {
	id, organization, workspace string
	revision                    domain.Revision
	training                    *training.State // one of the two
	evaluation                  *evaluation.State
	checkpoints                 int // of the training, that have a row
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error {
			r.revision = e.Revision
			if r.training != nil {
				training.Aggregate.Apply(r.training, e)
			} else {
				evaluation.Aggregate.Apply(r.evaluation, e)
			}
			return nil
		},
		func(r *row) error {
			if r.training != nil {
				return r.storeTraining(ctx, tx)
			}
			return r.storeEvaluation(ctx, tx)
		})
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	r := &row{id: e.Stream.Key(), organization: e.Meta.Organization, workspace: e.Meta.Workspace}
	table, state := "evaluations", any(nil)
	if e.Stream.Category() == training.Aggregate.Category {
		r.training = training.Aggregate.New(r.id)
		table, state = "trainings", r.training
	} else {
		r.evaluation = evaluation.Aggregate.New(r.id)
		state = r.evaluation
	}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	var text []byte
	err := tx.QueryRow(ctx, "SELECT organization, workspace, state FROM "+table+" WHERE id = ?", r.id).Scan(&r.organization, &r.workspace, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, state)
	}
	if r.training != nil {
		r.checkpoints = len(r.training.Checkpoints)
	}
	return r, err
}

func (r *row) storeTraining(ctx context.Context, tx projections.Tx) error {
	s := r.training
	if s.Deleted || s.Status == "" { // gone, or an event that came after the end
		for _, q := range []string{`DELETE FROM checkpoints WHERE training = ?`, `DELETE FROM trainings WHERE id = ?`} {
			if _, err := tx.Exec(ctx, q, r.id); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO trainings (id, organization, workspace, name, architecture, status, runner, attempt, created_at, updated_at, revision, state)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, architecture = excluded.architecture, status = excluded.status, runner = excluded.runner,
	attempt = excluded.attempt, updated_at = excluded.updated_at, revision = excluded.revision, state = excluded.state`,
		r.id, r.organization, r.workspace, s.Name, s.Architecture, string(s.Status), string(s.Runner), s.Attempt,
		fold.Micros(s.CreatedAt), fold.Micros(s.UpdatedAt), int64(r.revision), string(text))
	for _, c := range s.Checkpoints[min(r.checkpoints, len(s.Checkpoints)):] {
		if err == nil {
			err = r.storeCheckpoint(ctx, tx, c)
		}
	}
	return err
}

func (r *row) storeCheckpoint(ctx context.Context, tx projections.Tx, c training.Checkpoint) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO checkpoints (id, training, workspace, name, created_at, state) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state`, c.ID, r.id, r.workspace, c.Name, fold.Micros(c.CreatedAt), string(text))
	return err
}

func (r *row) storeEvaluation(ctx context.Context, tx projections.Tx) error {
	s := r.evaluation
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO evaluations (id, organization, workspace, benchmark, checkpoint, training, status, created_at, updated_at, revision, state)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at, revision = excluded.revision, state = excluded.state`,
		r.id, r.organization, r.workspace, s.BenchmarkID, s.CheckpointID, s.TrainingID, string(s.Status),
		fold.Micros(s.CreatedAt), fold.Micros(s.UpdatedAt), int64(r.revision), string(text))
	return err
}
