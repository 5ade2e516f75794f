// Package agentruns is the read model of the runs of agents. It also knows which
// runs are open, for those who perform them.
package agentruns

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"strata/domain"
	"strata/domain/agentrun"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "agent_runs"

// schema: of an erased run, what is personal is gone from its state.
const schema = `
CREATE TABLE agent_runs (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  agent_id     TEXT NOT NULL,
  session_id   TEXT NOT NULL,
  status       TEXT NOT NULL,
  open         INTEGER NOT NULL, -- whether there is anything left to do
  started_at   INTEGER NOT NULL, -- Unix microseconds
  finished_at  INTEGER NOT NULL, -- 0 = not yet
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  state        TEXT NOT NULL     -- agentrun.State as JSON
);
-- Small at any time.
CREATE INDEX agent_runs_open ON agent_runs (id) WHERE open = 1;`

const indexes = `
CREATE INDEX IF NOT EXISTS agent_runs_list ON agent_runs (workspace, started_at, id);
CREATE INDEX IF NOT EXISTS agent_runs_agent ON agent_runs (workspace, agent_id, started_at, id);`

// Model folds runs. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{agentrun.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	_, err := tx.Exec(ctx, `DELETE FROM agent_runs WHERE id = ?`, stream.Key())
	return err
}

// row is a run while a batch is folded into it.
type row struct {
	id, organization, workspace string
	revision                    domain.Revision
	updated                     int64
	state                       *agentrun.State
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error {
			agentrun.Aggregate.Apply(r.state, e)
			r.revision, r.updated = e.Revision, fold.Micros(e.Meta.OccurredAt)
			return nil
		},
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	id := e.Stream.Key()
	r := &row{id: id, organization: e.Meta.Organization, workspace: e.Meta.Workspace, state: agentrun.Aggregate.New(id)}
	if e.Revision == 0 {
		return r, nil
	}
	var state []byte
	err := tx.QueryRow(ctx, `SELECT organization, workspace, state FROM agent_runs WHERE id = ?`, id).Scan(&r.organization, &r.workspace, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(state, r.state)
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	s := r.state
	state, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO agent_runs (id, organization, workspace, agent_id, session_id, status, open, started_at, finished_at, updated_at, revision, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET agent_id = excluded.agent_id, session_id = excluded.session_id, status = excluded.status, open = excluded.open,
	started_at = excluded.started_at, finished_at = excluded.finished_at, updated_at = excluded.updated_at, revision = excluded.revision, state = excluded.state`,
		r.id, r.organization, r.workspace, s.Agent.ID, s.SessionID, string(s.Status), s.Unfinished(), fold.Micros(s.StartedAt), fold.Micros(s.FinishedAt),
		r.updated, int64(r.revision), string(state))
	return err
}
