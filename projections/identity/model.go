// Package identity is the read model of organizations, workspaces, users and
// API keys, and the store that API keys are authenticated by.
package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/domain/identity"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "identity"

// schema: each row holds the folded aggregate in state and, as columns, what
// lists and look-ups need of it. Deleted workspaces and removed users keep
// their rows, for keys may still name them; queries leave them out.
const schema = `
CREATE TABLE organizations (
  id TEXT PRIMARY KEY, slug TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL
);
CREATE TABLE workspaces (
  id TEXT PRIMARY KEY, organization TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL
);
CREATE TABLE users (
  id TEXT PRIMARY KEY, organization TEXT NOT NULL, email TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, status TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL
);
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY, organization TEXT NOT NULL, workspace TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
  status TEXT NOT NULL, expires_at INTEGER NOT NULL, prefix TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL
);
-- Keys are looked up while the model catches up, too.
CREATE INDEX api_keys_prefix ON api_keys (prefix);`

const indexes = `
CREATE INDEX IF NOT EXISTS workspaces_list ON workspaces (organization, created_at, id);
CREATE INDEX IF NOT EXISTS users_list ON users (organization, created_at, id);
CREATE INDEX IF NOT EXISTS users_email ON users (organization, email);
CREATE INDEX IF NOT EXISTS api_keys_list ON api_keys (organization, created_at, id);`

// Model folds identity. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 2 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{identity.Organizations.Category, identity.Workspaces.Category,
		identity.Users.Category, identity.APIKeys.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter: only users are about people.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	if stream.Category() != identity.Users.Category {
		return nil
	}
	_, err := tx.Exec(ctx, `DELETE FROM users WHERE id = ?`, stream.Key())
	return err
}

// row is one aggregate while a batch is folded into it.
type row interface {
	apply(e domain.Event)
	store(ctx context.Context, tx projections.Tx) error
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (row, error) {
			switch e.Stream.Category() {
			case identity.Organizations.Category:
				return load(ctx, tx, organizations, e)
			case identity.Workspaces.Category:
				return load(ctx, tx, workspaces, e)
			case identity.Users.Category:
				return load(ctx, tx, users, e)
			case identity.APIKeys.Category:
				return load(ctx, tx, apiKeys, e)
			}
			return nil, fmt.Errorf("%s is no part of identity", e.Stream.Category())
		},
		func(r row, e domain.Event) error { r.apply(e); return nil },
		func(r row) error { return r.store(ctx, tx) })
}

// table says how one aggregate is kept.
type table[S any] struct {
	agg    *domain.Aggregate[S]
	load   string // SELECT of state by id
	insert string // INSERT OR REPLACE; the last four columns are those of every table
	own    func(s *S) (id string, created, updated time.Time, columns []any)
}

var organizations = &table[identity.Organization]{
	agg:    identity.Organizations,
	load:   `SELECT state FROM organizations WHERE id = ?`,
	insert: `INSERT OR REPLACE INTO organizations (id, slug, name, status, created_at, updated_at, revision, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
	own: func(o *identity.Organization) (string, time.Time, time.Time, []any) {
		return o.ID, o.CreatedAt, o.UpdatedAt, []any{o.Slug, o.Name, string(o.Status)}
	},
}

var workspaces = &table[identity.Workspace]{
	agg:  identity.Workspaces,
	load: `SELECT state FROM workspaces WHERE id = ?`,
	insert: `INSERT OR REPLACE INTO workspaces (id, organization, slug, name, status, created_at, updated_at, revision, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	own: func(w *identity.Workspace) (string, time.Time, time.Time, []any) {
		return w.ID, w.CreatedAt, w.UpdatedAt, []any{w.OrganizationID, w.Slug, w.Name, string(w.Status)}
	},
}

var users = &table[identity.User]{
	agg:  identity.Users,
	load: `SELECT state FROM users WHERE id = ?`,
	insert: `INSERT OR REPLACE INTO users (id, organization, email, name, role, status, created_at, updated_at, revision, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	own: func(u *identity.User) (string, time.Time, time.Time, []any) {
		return u.ID, u.CreatedAt, u.UpdatedAt, []any{u.OrganizationID, u.Email, u.Name(), string(u.Role), string(u.Status)}
	},
}

var apiKeys = &table[identity.APIKey]{
	agg:  identity.APIKeys,
	load: `SELECT state FROM api_keys WHERE id = ?`,
	insert: `INSERT OR REPLACE INTO api_keys (id, organization, workspace, owner, name, type, status, expires_at, prefix, created_at, updated_at, revision, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	own: func(k *identity.APIKey) (string, time.Time, time.Time, []any) {
		return k.ID, k.CreatedAt, k.UpdatedAt, []any{k.OrganizationID, k.WorkspaceID, k.OwnerID, k.Name, string(k.Type), string(k.Status),
			fold.Micros(k.ExpiresAt), k.Prefix}
	},
}

// entity is a row of a table.
type entity[S any] struct {
	table    *table[S]
	revision domain.Revision
	state    *S
}

func load[S any](ctx context.Context, tx projections.Tx, t *table[S], e domain.Event) (row, error) {
	r := &entity[S]{table: t, state: t.agg.New(e.Stream.Key())}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	var state []byte
	err := tx.QueryRow(ctx, t.load, e.Stream.Key()).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(state, r.state)
}

func (r *entity[S]) apply(e domain.Event) {
	r.table.agg.Apply(r.state, e)
	r.revision = e.Revision
}

func (r *entity[S]) store(ctx context.Context, tx projections.Tx) error {
	state, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	id, created, updated, columns := r.table.own(r.state)
	args := append([]any{id}, columns...)
	args = append(args, fold.Micros(created), fold.Micros(updated), int64(r.revision), string(state))
	_, err = tx.Exec(ctx, r.table.insert, args...)
	return err
}
