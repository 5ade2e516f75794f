// Package erasures is the read model of erasures: whose data was erased, when,
// and what is still to be done. It holds nothing of what was erased.
package erasures

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"strata/domain"
	"strata/domain/privacy"
	"strata/projections"
	"strata/projections/fold"
	"strata/projections/query"
	"strata/streams"
)

// Name of the model.
const Name = "erasures"

// schema: each row holds the folded aggregate in state and, as columns, what
// lists need of it. shown_in is the workspace whose keys may see it.
const schema = `
CREATE TABLE erasures (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  shown_in     TEXT NOT NULL,
  subject      TEXT NOT NULL,
  status       TEXT NOT NULL,
  created_at   INTEGER NOT NULL, -- Unix microseconds
  revision     INTEGER NOT NULL,
  state        TEXT NOT NULL
);`

const indexes = `
CREATE INDEX IF NOT EXISTS erasures_list ON erasures (shown_in, created_at, id);`

// Model folds erasures. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{privacy.Erasures.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// row is an erasure while a batch is folded into it.
type row struct {
	organization, workspace string
	revision                domain.Revision
	state                   *privacy.Erasure
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error {
			privacy.Erasures.Apply(r.state, e)
			r.revision = e.Revision
			return nil
		},
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	r := &row{organization: e.Meta.Organization, workspace: e.Meta.Workspace, state: privacy.Erasures.New(e.Stream.Key())}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	var state []byte
	err := tx.QueryRow(ctx, `SELECT organization, shown_in, state FROM erasures WHERE id = ?`, r.state.ID).Scan(&r.organization, &r.workspace, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(state, r.state)
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	state, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO erasures (id, organization, shown_in, subject, status, created_at, revision, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, revision = excluded.revision, state = excluded.state`,
		r.state.ID, r.organization, r.workspace, r.state.Subject, string(r.state.Status()), fold.Micros(r.state.RequestedAt), int64(r.revision), string(state))
	return err
}

// Erasure is an erasure as it stands, with its revision.
type Erasure struct {
	privacy.Erasure
	Revision domain.Revision
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db} }

func scan(r query.Row) (e Erasure, err error) {
	var state []byte
	if err := r.Scan(&e.Revision, &state); err != nil {
		return e, err
	}
	return e, json.Unmarshal(state, &e.Erasure)
}

// Get reads an erasure that was asked for in a workspace; NOT_FOUND when there
// is none.
func (q *Queries) Get(ctx context.Context, organization, workspace, id string) (Erasure, error) {
	e, err := scan(q.db.QueryRow(ctx, `SELECT revision, state FROM erasures WHERE id = ? AND organization = ? AND shown_in = ?`, id, organization, workspace))
	if errors.Is(err, sql.ErrNoRows) {
		return e, domain.NotFound(privacy.Erasures.Noun, id)
	}
	if err != nil {
		return e, fmt.Errorf("erasure %s: %w", id, err)
	}
	return e, nil
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Organization, Workspace string // the caller's; required
	Subject                 string
	Status                  string // pending or completed
}

// List lists the erasures that were asked for in a workspace.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Erasure], error) {
	where := new(query.Where).Eq("organization", f.Organization).Eq("shown_in", f.Workspace).EqIf("subject", f.Subject).EqIf("status", f.Status)
	l := query.List{Columns: "revision, state", From: "erasures", Where: where, ID: "id", Sorts: query.Sorts{"created_at": "created_at"}, Default: "created_at"}
	return query.Run(ctx, q.db, l, p, scan)
}
