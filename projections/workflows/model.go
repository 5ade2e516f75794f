// Package workflows is the read model of workflow runs and their steps. It also
// knows which runs are open, for those who perform them.
package workflows

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"strata/domain"
	"strata/domain/workflowrun"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "workflows"

// schema: what is personal of an erased run is gone from its state, and its steps
// have no rows.
const schema = `
CREATE TABLE workflow_runs (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  workflow_id  TEXT NOT NULL,
  status       TEXT NOT NULL,
  trigger      TEXT NOT NULL,
  open         INTEGER NOT NULL, -- whether there is anything left to do
  created_by   TEXT NOT NULL,
  started_at   INTEGER NOT NULL, -- Unix microseconds
  finished_at  INTEGER NOT NULL, -- 0 = not yet
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  state        TEXT NOT NULL     -- workflowrun.State as JSON
);
CREATE TABLE workflow_steps (
  run          TEXT NOT NULL,
  step         TEXT NOT NULL,
  node         TEXT NOT NULL,
  type         TEXT NOT NULL,
  status       TEXT NOT NULL,
  attempt      INTEGER NOT NULL,
  input        TEXT NOT NULL, -- JSON, '' for none
  output       TEXT NOT NULL,
  error        TEXT NOT NULL, -- JSON, '' for none
  awaits       TEXT NOT NULL,
  until        INTEGER NOT NULL,
  child        TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost         INTEGER NOT NULL, -- micro-USD
  started_at   INTEGER NOT NULL,
  finished_at  INTEGER NOT NULL,
  sequence     INTEGER NOT NULL, -- order in which steps were come to
  PRIMARY KEY (run, step)
) WITHOUT ROWID;
-- Small at any time.
CREATE INDEX workflow_runs_open ON workflow_runs (id) WHERE open = 1;`

const indexes = `
CREATE INDEX IF NOT EXISTS workflow_runs_list ON workflow_runs (workspace, started_at, id);
CREATE INDEX IF NOT EXISTS workflow_runs_workflow ON workflow_runs (workspace, workflow_id, started_at, id);`

// Model folds runs. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 2 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{workflowrun.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	if _, err := tx.Exec(ctx, `DELETE FROM workflow_steps WHERE run = ?`, stream.Key()); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM workflow_runs WHERE id = ?`, stream.Key())
	return err
}

// row is a run while a batch is folded into it.
type row struct {
	id, organization, workspace, createdBy string
	revision                               domain.Revision
	updated                                int64
	state                                  *workflowrun.State
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error { return r.apply(ctx, tx, e) },
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	id := e.Stream.Key()
	r := &row{id: id, organization: e.Meta.Organization, workspace: e.Meta.Workspace, createdBy: e.Meta.Actor, state: workflowrun.Aggregate.New(id)}
	if e.Revision == 0 {
		return r, nil
	}
	var state []byte
	err := tx.QueryRow(ctx, `SELECT organization, workspace, created_by, state FROM workflow_runs WHERE id = ?`, id).
		Scan(&r.organization, &r.workspace, &r.createdBy, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(state, r.state)
}

func (r *row) apply(ctx context.Context, tx projections.Tx, e domain.Event) error {
	workflowrun.Aggregate.Apply(r.state, e)
	r.revision, r.updated = e.Revision, fold.Micros(e.Meta.OccurredAt)
	return r.step(ctx, tx, e)
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	s := r.state
	state, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO workflow_runs (id, organization, workspace, workflow_id, status, trigger, open, created_by, started_at,
	finished_at, updated_at, revision, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET workflow_id = excluded.workflow_id, status = excluded.status, trigger = excluded.trigger,
	open = excluded.open, started_at = excluded.started_at, finished_at = excluded.finished_at, updated_at = excluded.updated_at,
	revision = excluded.revision, state = excluded.state`,
		r.id, r.organization, r.workspace, s.WorkflowID, string(s.Status()), s.Trigger, s.Unfinished(), r.createdBy, fold.Micros(s.StartedAt),
		fold.Micros(s.FinishedAt), r.updated, int64(r.revision), string(state))
	return err
}
