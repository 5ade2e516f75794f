package secrets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/domain/secret"
	"strata/projections/fold"
	"strata/projections/query"
)

// Secret is a secret as it stands, with its sealed values.
type Secret struct {
	secret.State
	Revision domain.Revision
}

// Version is a version of a secret.
type Version struct {
	Version   int
	CreatedAt time.Time
	CreatedBy string
}

// Access is something that was done with a secret.
type Access struct {
	ID       string
	Action   string // reveal, rotate, update, delete, use
	Version  int    // 0: of none
	Actor    string
	Consumer string // of a use
	Reason   string // of a reveal
	At       time.Time
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct {
	db  query.Reader
	now func() time.Time
}

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader, now func() time.Time) *Queries { return &Queries{db, now} }

func scanSecret(r query.Row) (s Secret, err error) {
	var state []byte
	if err := r.Scan(&s.Revision, &state); err != nil {
		return s, err
	}
	return s, json.Unmarshal(state, &s.State)
}

// Get reads the secret of a name; NOT_FOUND when the workspace has none such.
func (q *Queries) Get(ctx context.Context, workspace, name string) (Secret, error) {
	s, err := scanSecret(q.db.QueryRow(ctx, `SELECT revision, state FROM secrets WHERE id = ?`, secret.ID(workspace, name)))
	if errors.Is(err, sql.ErrNoRows) {
		return s, domain.NotFound(secret.Aggregate.Noun, name)
	}
	if err != nil {
		return s, fmt.Errorf("secret %s: %w", name, err)
	}
	return s, nil
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Workspace string // the caller's; required
	Status    secret.Status
	Tag       string
	Search    string // in the name
}

// SortFields are the fields a list can be sorted by.
var SortFields = []string{"created_at", "updated_at", "name", "last_rotated_at"}

var sorts = query.Sorts{"created_at": "created_at", "updated_at": "updated_at", "name": "name", "last_rotated_at": "rotated_at"}

// List reads a page of a workspace's secrets.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Secret], error) {
	where := new(query.Where).Eq("workspace", f.Workspace)
	now := q.now().UnixMicro()
	const living, fresh = "(expires_at = 0 OR expires_at > ?)", "(due_at = 0 OR due_at > ?)"
	switch f.Status {
	case secret.Expired:
		where.And("expires_at > 0 AND expires_at <= ?", now)
	case secret.RotationDue:
		where.And(living, now).And("due_at > 0 AND due_at <= ?", now)
	case secret.Active:
		where.And(living, now).And(fresh, now)
	}
	if f.Tag != "" {
		where.And("EXISTS (SELECT 1 FROM secret_tags WHERE secret = secrets.id AND tag = ?)", f.Tag)
	}
	if f.Search != "" {
		where.And("instr(lower(name), lower(?)) > 0", f.Search)
	}
	l := query.List{Columns: "revision, state", From: "secrets", Where: where, ID: "id", Sorts: sorts, Default: "created_at"}
	return query.Run(ctx, q.db, l, p, scanSecret)
}

// Versions reads a page of a secret's versions, the latest first. NOT_FOUND when
// the workspace has no such secret.
func (q *Queries) Versions(ctx context.Context, workspace, name string, p query.Page) (s Secret, found query.Result[Version], err error) {
	if s, err = q.Get(ctx, workspace, name); err != nil {
		return s, found, err
	}
	p.Desc = true
	l := query.List{Columns: "version, created_at, created_by", From: "versions", Where: new(query.Where).Eq("secret", s.ID), ID: "id",
		Sorts: query.Sorts{"version": "version"}, Default: "version"}
	found, err = query.Run(ctx, q.db, l, p, func(r query.Row) (v Version, err error) {
		err = r.Scan(&v.Version, fold.At{Into: &v.CreatedAt}, &v.CreatedBy)
		return v, err
	})
	return s, found, err
}

// Accesses reads a page of what was done with a secret, narrowed to an action unless
// that is "". It tells of a secret that was deleted, too. NOT_FOUND when the
// workspace never had such a secret.
func (q *Queries) Accesses(ctx context.Context, workspace, name, action, search string, p query.Page) (found query.Result[Access], err error) {
	id := secret.ID(workspace, name)
	var known bool
	err = q.db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM secrets WHERE id = ?) OR EXISTS (SELECT 1 FROM accesses WHERE secret = ?)`, id, id).Scan(&known)
	if err == nil && !known {
		err = domain.NotFound(secret.Aggregate.Noun, name)
	}
	if err != nil {
		return found, err
	}
	where := new(query.Where).Eq("secret", id).EqIf("action", action)
	if search != "" {
		where.And("instr(lower(actor || ' ' || consumer || ' ' || reason), lower(?)) > 0", search)
	}
	l := query.List{Columns: "id, action, version, actor, consumer, reason, at", From: "accesses", Where: where, ID: "id",
		Sorts: query.Sorts{"timestamp": "at"}, Default: "timestamp"}
	return query.Run(ctx, q.db, l, p, func(r query.Row) (a Access, err error) {
		err = r.Scan(&a.ID, &a.Action, &a.Version, &a.Actor, &a.Consumer, &a.Reason, fold.At{Into: &a.At})
		return a, err
	})
}
