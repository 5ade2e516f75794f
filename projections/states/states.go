// Package states is a read model for aggregates whose whole state is what is
// shown of them: a row holds the state as JSON, with columns for what lists are
// narrowed by and for work that waits for its end. An aggregate that needs
// search, or parts of its own, has a model of its own.
package states

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata/domain"
	"strata/projections"
	"strata/projections/fold"
	"strata/projections/query"
	"strata/streams"
)

// Spec says what a model keeps.
type Spec[S any] struct {
	Name      string // of the model
	Version   int    // grows with every change of Filters, of Show, or of the state's meaning
	Aggregate *domain.Aggregate[S]
	Filters   []Filter[S]
	// Show tells what a row is made of; nothing is kept of what is Gone.
	Show func(*S) Shown
}

// Filter is a column that lists are narrowed by. Its name is the API's.
type Filter[S any] struct {
	Name string
	Of   func(*S) string
}

// Shown is what every row has beside its state.
type Shown struct {
	Gone                 bool // deleted: there is no row
	Open                 bool // work that waits for its end
	CreatedAt, UpdatedAt time.Time
}

// Model folds an aggregate. It implements projections.Model and
// projections.Forgetter.
type Model[S any] struct{ Spec[S] }

// Name implements projections.Model.
func (m Model[S]) Name() string { return m.Spec.Name }

// Version implements projections.Model.
func (m Model[S]) Version() int { return m.Spec.Version }

// Filter implements projections.Model.
func (m Model[S]) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{m.Aggregate.Category}}
}

// Schema implements projections.Model.
func (m Model[S]) Schema() string {
	var columns strings.Builder
	for _, f := range m.Filters {
		fmt.Fprintf(&columns, "  f_%s TEXT NOT NULL,\n", f.Name)
	}
	return `CREATE TABLE states (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
` + columns.String() + `  state        TEXT NOT NULL,    -- JSON
  open         INTEGER NOT NULL, -- waits for its end
  created_at   INTEGER NOT NULL, -- Unix microseconds
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL
);
-- Small: little is open at a time.
CREATE INDEX states_open ON states (created_at) WHERE open = 1;`
}

// Indexes implements projections.Model.
func (m Model[S]) Indexes() string {
	var out strings.Builder
	out.WriteString("CREATE INDEX IF NOT EXISTS states_list ON states (workspace, created_at, id);")
	for _, f := range m.Filters {
		fmt.Fprintf(&out, "\nCREATE INDEX IF NOT EXISTS states_%s ON states (workspace, f_%[1]s, created_at, id);", f.Name)
	}
	return out.String()
}

// Forget implements projections.Forgetter.
func (m Model[S]) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	return drop(ctx, tx, stream.Key())
}

func drop(ctx context.Context, tx projections.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM states WHERE id = ?`, id)
	return err
}

// row is an aggregate while a batch is folded into it.
type row[S any] struct {
	id, organization, workspace string
	revision                    domain.Revision
	state                       *S
}

// Apply implements projections.Model.
func (m Model[S]) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row[S], error) { return m.load(ctx, tx, e) },
		func(r *row[S], e domain.Event) error {
			m.Aggregate.Apply(r.state, e)
			r.revision = e.Revision
			return nil
		},
		func(r *row[S]) error { return m.store(ctx, tx, r) })
}

func (m Model[S]) load(ctx context.Context, tx projections.Tx, e domain.Event) (*row[S], error) {
	id := e.Stream.Key()
	r := &row[S]{id: id, organization: e.Meta.Organization, workspace: e.Meta.Workspace, state: m.Aggregate.New(id)}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	var text string
	err := tx.QueryRow(ctx, `SELECT organization, workspace, state FROM states WHERE id = ?`, id).Scan(&r.organization, &r.workspace, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(text), r.state)
}

func (m Model[S]) store(ctx context.Context, tx projections.Tx, r *row[S]) error {
	shown := m.Show(r.state)
	if shown.Gone {
		return drop(ctx, tx, r.id)
	}
	state, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	columns, args := []string{"id", "organization", "workspace"}, []any{r.id, r.organization, r.workspace}
	for _, f := range m.Filters {
		columns, args = append(columns, "f_"+f.Name), append(args, f.Of(r.state))
	}
	columns = append(columns, "state", "open", "created_at", "updated_at", "revision")
	args = append(args, string(state), shown.Open, fold.Micros(shown.CreatedAt), fold.Micros(shown.UpdatedAt), int64(r.revision))
	_, err = tx.Exec(ctx, `INSERT OR REPLACE INTO states (`+strings.Join(columns, ", ")+`) VALUES (?`+strings.Repeat(", ?", len(args)-1)+`)`, args...)
	return err
}

// Row is an aggregate as the model has it.
type Row[S any] struct {
	ID        string
	Workspace string
	State     *S
	Revision  domain.Revision
}

// Queries reads a model. It is safe for concurrent use.
type Queries[S any] struct {
	spec Spec[S]
	db   query.Reader
}

// NewQueries makes the queries of a model's database.
func NewQueries[S any](spec Spec[S], db query.Reader) *Queries[S] { return &Queries[S]{spec, db} }

const columns = "id, workspace, state, revision"

func (q *Queries[S]) scan(r query.Row) (Row[S], error) {
	var out Row[S]
	var text string
	if err := r.Scan(&out.ID, &out.Workspace, &text, &out.Revision); err != nil {
		return out, err
	}
	out.State = q.spec.Aggregate.New(out.ID)
	return out, json.Unmarshal([]byte(text), out.State)
}

// Get reads one; NOT_FOUND when there is none in the workspace.
func (q *Queries[S]) Get(ctx context.Context, workspace, id string) (Row[S], error) {
	out, err := q.scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM states WHERE id = ? AND workspace = ?", id, workspace))
	if errors.Is(err, sql.ErrNoRows) {
		return out, domain.NotFound(q.spec.Aggregate.Noun, id)
	}
	if err != nil {
		return out, fmt.Errorf("%s %s: %w", q.spec.Aggregate.Noun, id, err)
	}
	return out, nil
}

// List reads a page of a workspace's, narrowed by filters; those that are "" do
// not. Faults of the page are VALIDATION_ERRORs.
func (q *Queries[S]) List(ctx context.Context, workspace string, filters map[string]string, p query.Page) (query.Result[Row[S]], error) {
	where := new(query.Where).Eq("workspace", workspace)
	for _, f := range q.spec.Filters {
		where.EqIf("f_"+f.Name, filters[f.Name])
	}
	list := query.List{Columns: columns, From: "states", Where: where, ID: "id",
		Sorts: query.Sorts{"created_at": "created_at", "updated_at": "updated_at"}, Default: "created_at"}
	return query.Run(ctx, q.db, list, p, q.scan)
}

// Open is work that waits for its end.
type Open struct{ Organization, Workspace, ID string }

// Open lists what of all tenants was begun before a time and still is open, the
// oldest first: what a crash has left behind.
func (q *Queries[S]) Open(ctx context.Context, before time.Time, limit int) ([]Open, error) {
	rows, err := q.db.Query(ctx, `SELECT organization, workspace, id FROM states WHERE open = 1 AND created_at < ? ORDER BY created_at LIMIT ?`,
		fold.Micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("open of %s: %w", q.spec.Name, err)
	}
	defer rows.Close()
	var out []Open
	for rows.Next() {
		var o Open
		if err := rows.Scan(&o.Organization, &o.Workspace, &o.ID); err != nil {
			return nil, fmt.Errorf("open of %s: %w", q.spec.Name, err)
		}
		out = append(out, o)
	}
	return out, rows.Err()
}
