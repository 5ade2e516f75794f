// Package budgets is the read model of budgets: what they are and what has
// been spent. Its rows are the fold of the budget aggregate itself, so the
// figures cannot differ from the ones decisions are made on.
package budgets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/domain/budget"
	"strata/projections"
	"strata/streams"
)

// Name is the model's name.
const Name = "budgets"

// Model folds budgets.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{budget.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string {
	return `
CREATE TABLE budgets (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL, -- '' for an organization's own
  name         TEXT NOT NULL,
  scope_type   TEXT NOT NULL,
  scope_id     TEXT NOT NULL,
  status       TEXT NOT NULL, -- active or disabled; exceeded depends on the time of asking
  created_at   INTEGER NOT NULL, -- Unix microseconds
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  spent        INTEGER NOT NULL, -- micro-USD in the period that ends at period_end
  tokens       INTEGER NOT NULL,
  max_spent    INTEGER NOT NULL,
  max_tokens   INTEGER NOT NULL, -- 0 = no limit
  period_end   INTEGER NOT NULL, -- Unix microseconds, 0 = never
  state        TEXT NOT NULL -- the folded aggregate
) WITHOUT ROWID;`
}

// Indexes implements projections.Model.
func (Model) Indexes() string {
	return `CREATE INDEX IF NOT EXISTS budgets_tenant ON budgets (organization, workspace, created_at);`
}

// row is a budget between its events.
type row struct {
	id, organization, workspace string
	created, updated            time.Time
	revision                    domain.Revision
	state                       *budget.State
}

// Apply implements projections.Model. A batch with many ledger entries of one
// budget writes its row once.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	rows := map[string]*row{}
	var order []*row
	for _, e := range events {
		id := e.Stream.Key()
		r, ok := rows[id]
		if !ok {
			var err error
			if r, err = load(ctx, tx, id); err != nil {
				return err
			}
			rows[id], order = r, append(order, r)
		}
		if r.created.IsZero() {
			r.organization, r.workspace, r.created = e.Meta.Organization, e.Meta.Workspace, e.Meta.OccurredAt
		}
		budget.Apply(r.state, e)
		r.updated, r.revision = e.Meta.OccurredAt, e.Revision
	}
	for _, r := range order {
		if err := store(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

func load(ctx context.Context, tx projections.Tx, id string) (*row, error) {
	r := &row{id: id, state: &budget.State{ID: id}}
	var created, updated int64
	var state []byte
	err := tx.QueryRow(ctx, `SELECT organization, workspace, created_at, updated_at, revision, state FROM budgets WHERE id = ?`, id).
		Scan(&r.organization, &r.workspace, &created, &updated, &r.revision, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("budget %s: %w", id, err)
	}
	r.created, r.updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if err := json.Unmarshal(state, r.state); err != nil {
		return nil, fmt.Errorf("budget %s: %w", id, err)
	}
	return r, nil
}

func store(ctx context.Context, tx projections.Tx, r *row) error {
	// What is settled or expires after its budget was deleted finds no row, and
	// must not make one.
	if r.state.IsDeleted || !r.state.Exists {
		_, err := tx.Exec(ctx, `DELETE FROM budgets WHERE id = ?`, r.id)
		return err
	}
	state, err := json.Marshal(r.state)
	if err != nil {
		return fmt.Errorf("budget %s: %w", r.id, err)
	}
	status := "active"
	if r.state.Off {
		status = "disabled"
	}
	var end int64
	if e := r.state.Period.End(r.state.PeriodStart); !e.IsZero() {
		end = e.UnixMicro()
	}
	_, err = tx.Exec(ctx, `INSERT INTO budgets (id, organization, workspace, name, scope_type, scope_id, status, created_at, updated_at,
  revision, spent, tokens, max_spent, max_tokens, period_end, state)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, updated_at = excluded.updated_at,
  revision = excluded.revision, spent = excluded.spent, tokens = excluded.tokens, max_spent = excluded.max_spent,
  max_tokens = excluded.max_tokens, period_end = excluded.period_end, state = excluded.state`,
		r.id, r.organization, r.workspace, r.state.Name, r.state.ScopeType, r.state.ScopeID, status,
		r.created.UnixMicro(), r.updated.UnixMicro(), int64(r.revision), int64(r.state.Spent), r.state.Tokens,
		int64(r.state.Limit), r.state.LimitTokens, end, string(state))
	return err
}
