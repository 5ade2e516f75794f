package identity

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
	"strata/domain/identity"
	"strata/projections/query"
)

// Of is an aggregate's state as it stands, with its revision.
type Of[S any] struct {
	State    S
	Revision domain.Revision
}

// What the queries answer. What the states hold of secrets (the hash of a key)
// is not to be shown.
type (
	Organization = Of[identity.Organization]
	Workspace    = Of[identity.Workspace]
	User         = Of[identity.User]
	APIKey       = Of[identity.APIKey]
)

// Queries reads the model. It is safe for concurrent use.
type Queries struct {
	db  query.Reader
	now func() time.Time
}

// NewQueries makes the queries of a model's database. now is the clock that
// keys expire by.
func NewQueries(db query.Reader, now func() time.Time) *Queries { return &Queries{db: db, now: now} }

func scan[S any](r query.Row) (Of[S], error) {
	var o Of[S]
	var state []byte
	if err := r.Scan(&o.Revision, &state); err != nil {
		return o, err
	}
	return o, json.Unmarshal(state, &o.State)
}

// get reads one row, NOT_FOUND when the condition finds none.
func get[S any](ctx context.Context, q *Queries, t *table[S], from string, where *query.Where, id string) (Of[S], error) {
	o, err := scan[S](q.db.QueryRow(ctx, "SELECT revision, state FROM "+from+where.SQL(), where.Args()...))
	if errors.Is(err, sql.ErrNoRows) {
		return o, domain.NotFound(t.agg.Noun, id)
	}
	if err != nil {
		return o, fmt.Errorf("%s %s: %w", t.agg.Noun, id, err)
	}
	return o, nil
}

var sorts = query.Sorts{"created_at": "created_at", "updated_at": "updated_at", "name": "name"}

// SortFields are the fields that each of the lists can be sorted by.
var SortFields = []string{"created_at", "updated_at", "name"}

func list[S any](ctx context.Context, q *Queries, from string, where *query.Where, p query.Page) (query.Result[Of[S]], error) {
	l := query.List{Columns: "revision, state", From: from, Where: where, ID: "id", Sorts: sorts, Default: "created_at"}
	return query.Run(ctx, q.db, l, p, scan[S])
}

// Organization reads a tenant; NOT_FOUND when there is none.
func (q *Queries) Organization(ctx context.Context, id string) (Organization, error) {
	return get(ctx, q, organizations, "organizations", new(query.Where).Eq("id", id), id)
}

// Organizations lists all tenants, for the bootstrap and for tools; a caller
// may only be shown its own.
func (q *Queries) Organizations(ctx context.Context, p query.Page) (query.Result[Organization], error) {
	return list[identity.Organization](ctx, q, "organizations", nil, p)
}

// MemberCount counts the people of an organization that have not been removed.
func (q *Queries) MemberCount(ctx context.Context, organization string) (n int64, err error) {
	err = q.db.QueryRow(ctx, `SELECT count(*) FROM users WHERE organization = ? AND status <> 'removed'`, organization).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("members of %s: %w", organization, err)
	}
	return n, nil
}

// Workspace reads a workspace of an organization; NOT_FOUND when there is none
// or it was deleted.
func (q *Queries) Workspace(ctx context.Context, organization, id string) (Workspace, error) {
	where := new(query.Where).Eq("id", id).Eq("organization", organization).And("status <> 'deleted'")
	return get(ctx, q, workspaces, "workspaces", where, id)
}

// Narrow narrows a list. Empty fields do not.
type Narrow struct {
	Status string
	Role   string // of users
	Search string // part of the name, slug or address
	Email  string // of users: exactly this
}

// Workspaces lists an organization's workspaces.
func (q *Queries) Workspaces(ctx context.Context, organization string, n Narrow, p query.Page) (query.Result[Workspace], error) {
	var f domain.Faults
	oneOf(&f, "status", n.Status, identity.StatusActive, identity.StatusArchived)
	if err := f.Err(); err != nil {
		return query.Result[Workspace]{}, err
	}
	where := new(query.Where).Eq("organization", organization).And("status <> 'deleted'").EqIf("status", n.Status)
	contains(where, n.Search, "name", "slug")
	return list[identity.Workspace](ctx, q, "workspaces", where, p)
}

// User reads a user of an organization; NOT_FOUND when there is none or the
// user was removed.
func (q *Queries) User(ctx context.Context, organization, id string) (User, error) {
	where := new(query.Where).Eq("id", id).Eq("organization", organization).And("status <> 'removed'")
	return get(ctx, q, users, "users", where, id)
}

// UserByEmail finds a user of an organization by address; "" when there is none.
func (q *Queries) UserByEmail(ctx context.Context, organization, email string) (id string, err error) {
	err = q.db.QueryRow(ctx, `SELECT id FROM users WHERE organization = ? AND email = ? AND status <> 'removed' ORDER BY created_at LIMIT 1`,
		organization, identity.NormalEmail(email)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("user by address: %w", err)
	}
	return id, nil
}

// Users lists an organization's users.
func (q *Queries) Users(ctx context.Context, organization string, n Narrow, p query.Page) (query.Result[User], error) {
	var f domain.Faults
	oneOf(&f, "status", n.Status, identity.StatusInvited, identity.StatusActive, identity.StatusSuspended)
	oneOf(&f, "role", n.Role, identity.Roles()...)
	if err := f.Err(); err != nil {
		return query.Result[User]{}, err
	}
	where := new(query.Where).Eq("organization", organization).And("status <> 'removed'").EqIf("status", n.Status).EqIf("role", n.Role)
	where.EqIf("email", identity.NormalEmail(n.Email))
	contains(where, n.Search, "name", "email")
	return list[identity.User](ctx, q, "users", where, p)
}

// oneOf adds a fault for a filter value that can match nothing.
func oneOf[T ~string](f *domain.Faults, field, value string, values ...T) {
	f.Add(value != "" && !slices.Contains(values, T(value)), field, "must be one of %v", values)
}

// contains adds a condition on a part of one of some columns, whatever the case.
func contains(where *query.Where, part string, columns ...string) {
	if part = strings.ToLower(strings.TrimSpace(part)); part == "" {
		return
	}
	conditions := make([]string, len(columns))
	args := make([]any, len(columns))
	for i, c := range columns {
		conditions[i], args[i] = "instr(lower("+c+"), ?) > 0", part
	}
	where.And("("+strings.Join(conditions, " OR ")+")", args...)
}
