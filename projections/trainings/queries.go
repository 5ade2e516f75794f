package trainings

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/projections/query"
)

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db: db} }

// Training is a training as it stands.
type Training struct {
	training.State
	Revision domain.Revision
}

// Checkpoint is a checkpoint of a training that was not deleted.
type Checkpoint struct {
	training.Checkpoint
	TrainingID string
}

// Evaluation is an evaluation as it stands.
type Evaluation struct {
	evaluation.State
	Revision domain.Revision
}

// column scans a column of JSON.
type column struct{ into any }

var _ sql.Scanner = column{}

// Scan implements sql.Scanner.
func (c column) Scan(value any) error {
	switch v := value.(type) {
	case string:
		return json.Unmarshal([]byte(v), c.into)
	case []byte:
		return json.Unmarshal(v, c.into)
	}
	return fmt.Errorf("a state is stored as %T, not as text", value)
}

func scanTraining(r query.Row) (t Training, err error) {
	return t, r.Scan(column{&t.State}, &t.Revision)
}

func scanCheckpoint(r query.Row) (c Checkpoint, err error) {
	return c, r.Scan(column{&c.Checkpoint}, &c.TrainingID)
}

func scanEvaluation(r query.Row) (e Evaluation, err error) {
	return e, r.Scan(column{&e.State}, &e.Revision)
}

// SortFields are the fields that trainings can be sorted by.
var SortFields = []string{"created_at", "updated_at", "name"}

var (
	sorts  = query.Sorts{"created_at": "created_at", "updated_at": "updated_at", "name": "name"}
	byTime = query.Sorts{"created_at": "created_at"}
)

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Workspace    string // the caller's; required
	Status       string // one, or several with commas between
	Architecture string // of trainings
	Training     string // of checkpoints and evaluations
	Benchmark    string // of evaluations
	Checkpoint   string // of evaluations
}

func (f *Filter) statuses(where *query.Where) {
	if f.Status != "" {
		where.In("status", strings.Split(f.Status, ","))
	}
}

// List reads a page of a workspace's trainings, and says how many there are.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Training], int, error) {
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("architecture", f.Architecture)
	f.statuses(where)
	total := 0
	if err := q.db.QueryRow(ctx, "SELECT count(*) FROM trainings"+where.SQL(), where.Args()...).Scan(&total); err != nil {
		return query.Result[Training]{}, 0, fmt.Errorf("count trainings: %w", err)
	}
	found, err := query.Run(ctx, q.db, query.List{Columns: "state, revision", From: "trainings", Where: where, ID: "id", Sorts: sorts, Default: "created_at"}, p, scanTraining)
	return found, total, err
}

// Get reads one training; NOT_FOUND when there is none in the workspace.
func (q *Queries) Get(ctx context.Context, workspace, id string) (Training, error) {
	t, err := scanTraining(q.db.QueryRow(ctx, "SELECT state, revision FROM trainings WHERE id = ? AND workspace = ?", id, workspace))
	return t, found(err, training.Aggregate.Noun, id)
}

// Checkpoints reads a page of a workspace's checkpoints.
func (q *Queries) Checkpoints(ctx context.Context, f Filter, p query.Page) (query.Result[Checkpoint], error) {
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("training", f.Training)
	return query.Run(ctx, q.db, query.List{Columns: "state, training", From: "checkpoints", Where: where, ID: "id", Sorts: byTime, Default: "created_at"}, p, scanCheckpoint)
}

// Checkpoint reads one checkpoint; NOT_FOUND when there is none in the workspace.
func (q *Queries) Checkpoint(ctx context.Context, workspace, id string) (Checkpoint, error) {
	c, err := scanCheckpoint(q.db.QueryRow(ctx, "SELECT state, training FROM checkpoints WHERE id = ? AND workspace = ?", id, workspace))
	return c, found(err, training.Models.Noun, id)
}

// Evaluations reads a page of a workspace's evaluations.
func (q *Queries) Evaluations(ctx context.Context, f Filter, p query.Page) (query.Result[Evaluation], error) {
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("training", f.Training).EqIf("benchmark", f.Benchmark).EqIf("checkpoint", f.Checkpoint)
	f.statuses(where)
	return query.Run(ctx, q.db, query.List{Columns: "state, revision", From: "evaluations", Where: where, ID: "id", Sorts: byTime, Default: "created_at"}, p, scanEvaluation)
}

// Evaluation reads one evaluation; NOT_FOUND when there is none in the workspace.
func (q *Queries) Evaluation(ctx context.Context, workspace, id string) (Evaluation, error) {
	e, err := scanEvaluation(q.db.QueryRow(ctx, "SELECT state, revision FROM evaluations WHERE id = ? AND workspace = ?", id, workspace))
	return e, found(err, evaluation.Aggregate.Noun, id)
}

func found(err error, noun, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return domain.NotFound(noun, id)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", noun, id, err)
	}
	return nil
}

// Open is a training or an evaluation that has not ended.
type Open struct {
	ID, Organization, Workspace string
	Status                      training.Status
	Runner                      training.Runner
	Attempt                     int
}

// OpenTrainings lists every tenant's trainings that have not ended, the oldest
// first: ids are in the order of time.
func (q *Queries) OpenTrainings(ctx context.Context) ([]Open, error) {
	return q.open(ctx, `SELECT id, organization, workspace, status, runner, attempt FROM trainings
		WHERE status IN ('pending', 'queued', 'running') ORDER BY id`)
}

// OpenEvaluations lists every tenant's evaluations that have not ended, the
// oldest first.
func (q *Queries) OpenEvaluations(ctx context.Context) ([]Open, error) {
	return q.open(ctx, `SELECT id, organization, workspace, status, '', 0 FROM evaluations WHERE status = 'pending' ORDER BY id`)
}

func (q *Queries) open(ctx context.Context, text string) (list []Open, err error) {
	rows, err := q.db.Query(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("open work: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var o Open
		if err := rows.Scan(&o.ID, &o.Organization, &o.Workspace, &o.Status, &o.Runner, &o.Attempt); err != nil {
			return nil, fmt.Errorf("open work: %w", err)
		}
		list = append(list, o)
	}
	return list, rows.Err()
}
