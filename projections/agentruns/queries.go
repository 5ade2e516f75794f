package agentruns

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"strata/domain"
	"strata/domain/agentrun"
	"strata/projections/query"
)

// Run is a run as it stands.
type Run struct {
	agentrun.State
	Revision domain.Revision
}

// OpenRun is a run that there is something left to do for.
type OpenRun struct{ ID, Organization, Workspace string }

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Workspace string // the caller's; required
	AgentID   string
	SessionID string
	Status    string
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db} }

const columns = `state, revision, id`

func scan(r query.Row) (Run, error) {
	var out Run
	var state []byte
	var id string
	if err := r.Scan(&state, &out.Revision, &id); err != nil {
		return out, err
	}
	if err := json.Unmarshal(state, &out.State); err != nil {
		return out, fmt.Errorf("stored state of %s: %w", id, err)
	}
	return out, nil
}

// SortFields are the fields that runs can be sorted by.
var SortFields = []string{"started_at", "created_at", "finished_at", "updated_at"}

var sorts = query.Sorts{"started_at": "started_at", "created_at": "started_at", "finished_at": "finished_at", "updated_at": "updated_at"}

// List reads a page of a workspace's runs.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Run], error) {
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("agent_id", f.AgentID).EqIf("session_id", f.SessionID).EqIf("status", f.Status)
	list := query.List{Columns: columns, From: "agent_runs", Where: where, ID: "id", Sorts: sorts, Default: "started_at"}
	return query.Run(ctx, q.db, list, p, scan)
}

// Get reads a run of a workspace. NOT_FOUND when there is none.
func (q *Queries) Get(ctx context.Context, workspace, id string) (Run, error) {
	out, err := scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM agent_runs WHERE id = ? AND workspace = ?", id, workspace))
	if errors.Is(err, sql.ErrNoRows) {
		return out, domain.NotFound(agentrun.Aggregate.Noun, id)
	}
	if err != nil {
		return out, fmt.Errorf("agent run %s: %w", id, err)
	}
	return out, nil
}

// Open lists runs that have not ended, of every workspace, in the order of their
// ids and after one.
func (q *Queries) Open(ctx context.Context, after string, limit int) (out []OpenRun, err error) {
	rows, err := q.db.Query(ctx, `SELECT id, organization, workspace FROM agent_runs WHERE open = 1 AND id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r OpenRun
		if err := rows.Scan(&r.ID, &r.Organization, &r.Workspace); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
