package workflows

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/workflowrun"
	"strata/projections/fold"
	"strata/projections/query"
)

// Run is a run as it stands.
type Run struct {
	workflowrun.State
	CreatedBy string
	Revision  domain.Revision
}

// Step is a step of a run.
type Step struct {
	Run, ID, Node, Type, Status string
	Attempt                     int
	Input, Output               json.RawMessage
	Error                       *workflowrun.Failure
	Awaits, Child               string
	Until                       time.Time
	Usage                       workflowrun.Usage
	Cost                        domain.Money
	StartedAt, FinishedAt       time.Time
}

// OpenRun is a run that there is something left to do for.
type OpenRun struct{ ID, Organization, Workspace string }

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Workspace  string // the caller's; required
	WorkflowID string
	Status     string
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db} }

const columns = `state, created_by, revision, id`

func scan(r query.Row) (Run, error) {
	var out Run
	var state []byte
	var id string
	if err := r.Scan(&state, &out.CreatedBy, &out.Revision, &id); err != nil {
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

// Statuses are what runs can be filtered by.
var Statuses = []string{"queued", "running", "paused", "completed", "failed", "cancelled"}

// List reads a page of a workspace's runs.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Run], error) {
	if f.Status != "" && !slices.Contains(Statuses, f.Status) {
		var faults domain.Faults
		faults.Add(true, "status", "must be one of %s", strings.Join(Statuses, ", "))
		return query.Result[Run]{}, faults.Err()
	}
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("workflow_id", f.WorkflowID).EqIf("status", f.Status)
	list := query.List{Columns: columns, From: "workflow_runs", Where: where, ID: "id", Sorts: sorts, Default: "started_at"}
	return query.Run(ctx, q.db, list, p, scan)
}

// Get reads a run of a workspace, of a workflow unless that is "". NOT_FOUND when
// there is none.
func (q *Queries) Get(ctx context.Context, workspace, workflow, id string) (Run, error) {
	out, err := scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM workflow_runs WHERE id = ? AND workspace = ?", id, workspace))
	if errors.Is(err, sql.ErrNoRows) || err == nil && workflow != "" && out.WorkflowID != workflow && !out.Erased {
		return out, domain.NotFound(workflowrun.Aggregate.Noun, id)
	}
	if err != nil {
		return out, fmt.Errorf("workflow run %s: %w", id, err)
	}
	return out, nil
}

// Latest is the id of the run of a workflow that was started last; "" when there
// is none.
func (q *Queries) Latest(ctx context.Context, workspace, workflow string) (string, error) {
	var id string
	err := q.db.QueryRow(ctx, `SELECT id FROM workflow_runs WHERE workspace = ? AND workflow_id = ? ORDER BY started_at DESC, id DESC LIMIT 1`, workspace, workflow).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// Open lists runs of every tenant that there is something left to do for, by id
// and after one, at most so many.
func (q *Queries) Open(ctx context.Context, after string, limit int) ([]OpenRun, error) {
	rows, err := q.db.Query(ctx, `SELECT id, organization, workspace FROM workflow_runs WHERE open = 1 AND id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("open workflow runs: %w", err)
	}
	defer rows.Close()
	var out []OpenRun
	for rows.Next() {
		var r OpenRun
		if err := rows.Scan(&r.ID, &r.Organization, &r.Workspace); err != nil {
			return nil, fmt.Errorf("open workflow runs: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

const stepColumns = `run, step, node, type, status, attempt, input, output, error, awaits, child, until, prompt_tokens, completion_tokens, cost, started_at, finished_at`

func scanStep(r query.Row) (Step, error) {
	var s Step
	var input, output, why string
	err := r.Scan(&s.Run, &s.ID, &s.Node, &s.Type, &s.Status, &s.Attempt, &input, &output, &why, &s.Awaits, &s.Child, fold.At{Into: &s.Until},
		&s.Usage.Prompt, &s.Usage.Completion, &s.Cost, fold.At{Into: &s.StartedAt}, fold.At{Into: &s.FinishedAt})
	if err != nil {
		return s, err
	}
	s.Input, s.Output = message(input), message(output)
	if why != "" {
		s.Error = &workflowrun.Failure{}
		err = json.Unmarshal([]byte(why), s.Error)
	}
	return s, err
}

func message(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// Steps reads a page of a run's steps in the order in which they were come to.
// The run must be known to be the caller's.
func (q *Queries) Steps(ctx context.Context, run, status string, p query.Page) (query.Result[Step], error) {
	where := new(query.Where).Eq("run", run).EqIf("status", status)
	list := query.List{Columns: stepColumns, From: "workflow_steps", Where: where, ID: "step", Sorts: query.Sorts{"sequence": "sequence"}, Default: "sequence"}
	p.Sort, p.Desc = "", false
	return query.Run(ctx, q.db, list, p, scanStep)
}
