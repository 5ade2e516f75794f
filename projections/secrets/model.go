// Package secrets is the read model of secrets: what they are, their versions, and
// who has accessed them. A row holds the folded aggregate, sealed values included,
// for those who use them; nothing is kept of a deleted secret but its log of
// accesses.
package secrets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"strata/domain"
	"strata/domain/secret"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name is the model's name.
const Name = "secrets"

// Model folds secrets. It implements projections.Model and projections.Forgetter.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{secret.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string {
	return `
CREATE TABLE secrets (
  id            TEXT PRIMARY KEY,
  workspace     TEXT NOT NULL,
  name          TEXT NOT NULL,
  expires_at    INTEGER NOT NULL, -- Unix microseconds, 0 = never
  due_at        INTEGER NOT NULL, -- when it should be rotated, 0 = never
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  rotated_at    INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  state         TEXT NOT NULL     -- the folded aggregate
) WITHOUT ROWID;
CREATE TABLE secret_tags (
  secret TEXT NOT NULL,
  tag    TEXT NOT NULL,
  PRIMARY KEY (secret, tag)
) WITHOUT ROWID;
CREATE TABLE versions (
  secret     TEXT NOT NULL,
  version    INTEGER NOT NULL,
  id         TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (secret, version)
) WITHOUT ROWID;
CREATE TABLE accesses (
  id       TEXT PRIMARY KEY,
  secret   TEXT NOT NULL,
  action   TEXT NOT NULL,    -- reveal, rotate, update, delete, use
  version  INTEGER NOT NULL, -- 0 = of none
  actor    TEXT NOT NULL,
  consumer TEXT NOT NULL,    -- what used it
  reason   TEXT NOT NULL,    -- why it was revealed
  at       INTEGER NOT NULL
) WITHOUT ROWID;`
}

// Indexes implements projections.Model.
func (Model) Indexes() string {
	return `
CREATE INDEX IF NOT EXISTS secrets_list ON secrets (workspace, created_at, id);
CREATE INDEX IF NOT EXISTS accesses_list ON accesses (secret, at, id);`
}

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	if err := drop(ctx, tx, stream.Key()); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM accesses WHERE secret = ?`, stream.Key())
	return err
}

// drop deletes a secret, but not what is known of accesses to it.
func drop(ctx context.Context, tx projections.Tx, id string) error {
	for _, statement := range []string{`DELETE FROM versions WHERE secret = ?`, `DELETE FROM secret_tags WHERE secret = ?`, `DELETE FROM secrets WHERE id = ?`} {
		if _, err := tx.Exec(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}

// row is a secret while a batch is folded into it.
type row struct {
	workspace string
	revision  domain.Revision
	state     *secret.State
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error { return r.apply(ctx, tx, e) },
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	r := &row{workspace: e.Meta.Workspace, state: secret.Aggregate.New(e.Stream.Key())}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	var state []byte
	err := tx.QueryRow(ctx, `SELECT state FROM secrets WHERE id = ?`, r.state.ID).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(state, r.state)
}

func (r *row) apply(ctx context.Context, tx projections.Tx, e domain.Event) error {
	secret.Aggregate.Apply(r.state, e)
	r.revision = e.Revision
	switch f := e.Fact.(type) {
	case secret.Created:
		if err := drop(ctx, tx, r.state.ID); err != nil { // of one that was deleted in the same batch
			return err
		}
		return r.version(ctx, tx, e, 1)
	case secret.Rotated:
		if err := r.version(ctx, tx, e, f.Version); err != nil {
			return err
		}
		return r.access(ctx, tx, e, "rotate", f.Version, "", "")
	case secret.Updated:
		return r.access(ctx, tx, e, "update", 0, "", "")
	case secret.Revealed:
		return r.access(ctx, tx, e, "reveal", f.Version, "", f.Reason)
	case secret.Used:
		return r.access(ctx, tx, e, "use", f.Version, f.Consumer, "")
	case secret.Deleted:
		return r.access(ctx, tx, e, "delete", 0, "", "")
	}
	return nil
}

func (r *row) version(ctx context.Context, tx projections.Tx, e domain.Event, version int) error {
	_, err := tx.Exec(ctx, `INSERT OR REPLACE INTO versions (secret, version, id, created_at, created_by) VALUES (?, ?, ?, ?, ?)`,
		r.state.ID, version, e.ID.String(), fold.Micros(e.Meta.OccurredAt), e.Meta.Actor)
	return err
}

func (r *row) access(ctx context.Context, tx projections.Tx, e domain.Event, action string, version int, consumer, reason string) error {
	_, err := tx.Exec(ctx, `INSERT OR REPLACE INTO accesses (id, secret, action, version, actor, consumer, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		domain.FormatID("sacc", e.ID), r.state.ID, action, version, e.Meta.Actor, consumer, reason, fold.Micros(e.Meta.OccurredAt))
	return err
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	s := r.state
	if !s.Exists {
		return drop(ctx, tx, s.ID)
	}
	state, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, `INSERT OR REPLACE INTO secrets (id, workspace, name, expires_at, due_at, created_at, updated_at, rotated_at, revision, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, s.ID, r.workspace, s.Name, fold.Micros(s.ExpiresAt), fold.Micros(s.RotationDueAt()),
		fold.Micros(s.CreatedAt), fold.Micros(s.UpdatedAt), fold.Micros(s.LastRotatedAt), int64(r.revision), string(state)); err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, `DELETE FROM secret_tags WHERE secret = ?`, s.ID); err != nil {
		return err
	}
	for _, tag := range s.Tags {
		if _, err = tx.Exec(ctx, `INSERT OR IGNORE INTO secret_tags (secret, tag) VALUES (?, ?)`, s.ID, tag); err != nil {
			return err
		}
	}
	return nil
}
