package budgets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"strata/domain"
	"strata/domain/budget"
	"strata/projections/query"
)

// Budget is a budget as it stands at the time of asking.
type Budget struct {
	State     budget.State
	Figures   budget.Figures
	Revision  domain.Revision
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Organization, Workspace string // the caller's tenant; required
	ScopeType, ScopeID      string
	Status                  string // active, exceeded, disabled
	Search                  string // part of the name
}

// Queries reads the model. now is the clock that periods are judged by.
type Queries struct {
	db  query.Reader
	now func() time.Time

	mu    sync.RWMutex
	epoch uint64
	refs  map[[2]string][]budget.Ref // by tenant; dropped when budgets come, go or move
}

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader, now func() time.Time) *Queries {
	return &Queries{db: db, now: now, refs: map[[2]string][]budget.Ref{}}
}

const columns = "b.created_at, b.updated_at, b.revision, b.state"

var sorts = query.Sorts{"created_at": "b.created_at", "updated_at": "b.updated_at", "name": "b.name", "limit_usd": "b.max_spent"}

// SortFields are the fields a list can be sorted by.
var SortFields = []string{"created_at", "updated_at", "name", "limit_usd"}

// tenant selects what a workspace may see: its own budgets and its organization's.
func tenant(organization, workspace string) *query.Where {
	return new(query.Where).And("b.organization = ?", organization).And("b.workspace IN (?, '')", workspace)
}

// List reads a page of budgets.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Budget], error) {
	where := tenant(f.Organization, f.Workspace).EqIf("b.scope_type", f.ScopeType).EqIf("b.scope_id", f.ScopeID)
	now := q.now()
	const exceeded = "(b.period_end = 0 OR b.period_end > ?) AND (b.spent >= b.max_spent OR b.max_tokens > 0 AND b.tokens >= b.max_tokens)"
	// A limit of zero is reached before anything is spent, in every period.
	const never = "b.max_spent = 0"
	switch f.Status {
	case "":
	case "disabled":
		where.And("b.status = 'disabled'")
	case "exceeded":
		where.And("b.status = 'active' AND (("+exceeded+") OR "+never+")", now.UnixMicro())
	case "active":
		where.And("b.status = 'active' AND NOT (("+exceeded+") OR "+never+")", now.UnixMicro())
	default:
		var faults domain.Faults
		faults.Add(true, "status", "must be one of active, exceeded, disabled")
		return query.Result[Budget]{}, faults.Err()
	}
	if f.Search != "" {
		where.And("instr(lower(b.name), ?) > 0", strings.ToLower(f.Search))
	}
	list := query.List{Columns: columns, From: "budgets b", Where: where, ID: "b.id", Sorts: sorts, Default: "created_at"}
	return query.Run(ctx, q.db, list, p, func(r query.Row) (Budget, error) { return scan(r, now) })
}

// Get reads one budget. Errors: NOT_FOUND, also for another tenant's.
func (q *Queries) Get(ctx context.Context, organization, workspace, id string) (Budget, error) {
	where := tenant(organization, workspace).Eq("b.id", id)
	b, err := scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM budgets b"+where.SQL(), where.Args()...), q.now())
	if errors.Is(err, sql.ErrNoRows) {
		return b, domain.NotFound("budget", id)
	}
	return b, err
}

func scan(r query.Row, now time.Time) (Budget, error) {
	var b Budget
	var created, updated int64
	var state []byte
	if err := r.Scan(&created, &updated, &b.Revision, &state); err != nil {
		return b, err
	}
	if err := json.Unmarshal(state, &b.State); err != nil {
		return b, fmt.Errorf("budget: %w", err)
	}
	b.CreatedAt, b.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	b.Figures = b.State.At(now)
	return b, nil
}

// BudgetsOf lists the budgets that calls of a workspace may have to respect.
// It answers from memory; [Queries.Committed] keeps that memory honest.
func (q *Queries) BudgetsOf(ctx context.Context, organization, workspace string) ([]budget.Ref, error) {
	key := [2]string{organization, workspace}
	q.mu.RLock()
	refs, ok := q.refs[key]
	epoch := q.epoch
	q.mu.RUnlock()
	if ok {
		return refs, nil
	}
	refs, err := q.readRefs(ctx, organization, workspace)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	if q.epoch == epoch { // else something was committed while we read
		q.refs[key] = refs
	}
	q.mu.Unlock()
	return refs, nil
}

func (q *Queries) readRefs(ctx context.Context, organization, workspace string) ([]budget.Ref, error) {
	where := tenant(organization, workspace).And("b.status = 'active'")
	rows, err := q.db.Query(ctx, "SELECT b.id, b.scope_type, b.scope_id FROM budgets b"+where.SQL()+" ORDER BY b.id", where.Args()...)
	if err != nil {
		return nil, fmt.Errorf("budgets of %s: %w", workspace, err)
	}
	defer rows.Close()
	refs := []budget.Ref{}
	for rows.Next() {
		var r budget.Ref
		if err := rows.Scan(&r.ID, &r.ScopeType, &r.ScopeID); err != nil {
			return nil, fmt.Errorf("budgets of %s: %w", workspace, err)
		}
		refs = append(refs, r)
	}
	return refs, rows.Err()
}

// Expiring lists budgets with open reservations that expire by a time.
func (q *Queries) Expiring(ctx context.Context, until time.Time) ([]string, error) {
	rows, err := q.db.Query(ctx, `SELECT b.id FROM budgets b WHERE EXISTS (
  SELECT 1 FROM json_each(b.state, '$.open') o WHERE julianday(json_extract(o.value, '$.expires_at')) <= julianday(?))`,
		domain.FormatTime(until))
	if err != nil {
		return nil, fmt.Errorf("expiring reservations: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("expiring reservations: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Replaced is to be called when other rows have taken the place of the model's.
func (q *Queries) Replaced() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.epoch++
	clear(q.refs)
}

// Committed is to be called with the events of every commit of the model.
func (q *Queries) Committed(events []domain.Event) {
	for _, e := range events {
		switch e.Fact.(type) {
		case budget.Reserved, budget.Settled, budget.Released, budget.PeriodRolled: // which budgets there are stays the same
		default:
			q.mu.Lock()
			q.epoch++
			clear(q.refs)
			q.mu.Unlock()
			return
		}
	}
}
