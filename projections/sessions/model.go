// Package sessions is the read model of agent sessions and their events.
package sessions

import (
	"context"
	"database/sql"
	"errors"

	"strata/domain"
	"strata/domain/session"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "sessions"

// schema: a session is found by its stream's key, which holds the workspace for
// identifiers that clients chose. What is personal of an erased session is ”.
const schema = `
CREATE TABLE sessions (
  key           TEXT PRIMARY KEY, -- session.StreamKey
  uid           TEXT NOT NULL,
  organization  TEXT NOT NULL,
  workspace     TEXT NOT NULL,
  app_name      TEXT NOT NULL,
  agent_name    TEXT NOT NULL,
  user_id       TEXT NOT NULL,
  status        TEXT NOT NULL,
  event_count   INTEGER NOT NULL,
  last_event_at INTEGER NOT NULL, -- Unix microseconds, 0 = none
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  readable      INTEGER NOT NULL, -- whether any of its events is not erased
  state         TEXT NOT NULL, -- JSON, '' for none
  metadata      TEXT NOT NULL
);
CREATE TABLE session_events (
  session       TEXT NOT NULL, -- sessions.key
  sequence      INTEGER NOT NULL,
  id            TEXT NOT NULL,
  author        TEXT NOT NULL,
  type          TEXT NOT NULL,
  content       TEXT NOT NULL,
  state_delta   TEXT NOT NULL,
  invocation_id TEXT NOT NULL,
  at            INTEGER NOT NULL,
  erased        INTEGER NOT NULL,
  PRIMARY KEY (session, sequence)
);`

const indexes = `
CREATE INDEX IF NOT EXISTS sessions_list ON sessions (workspace, created_at, uid);
CREATE INDEX IF NOT EXISTS sessions_user ON sessions (workspace, user_id, created_at, uid) WHERE user_id <> '';
CREATE INDEX IF NOT EXISTS session_events_id ON session_events (id);`

// Model folds sessions. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{session.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	return drop(ctx, tx, stream.Key())
}

// drop deletes all rows of a session.
func drop(ctx context.Context, tx projections.Tx, key string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM session_events WHERE session = ?`, key); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM sessions WHERE key = ?`, key)
	return err
}

// row is a session while a batch is folded into it.
type row struct {
	key, organization, workspace string
	revision                     domain.Revision
	readable                     bool
	state                        *session.State
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error { return r.apply(ctx, tx, e) },
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	key := e.Stream.Key()
	r := &row{key: key, organization: e.Meta.Organization, workspace: e.Meta.Workspace, state: session.Aggregate.New(key)}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	s := r.state
	err := tx.QueryRow(ctx, `SELECT organization, workspace, readable, `+columns+` FROM sessions WHERE key = ?`, key).
		Scan(append([]any{&r.organization, &r.workspace, &r.readable}, into(s, &r.revision)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	return r, err
}

func (r *row) apply(ctx context.Context, tx projections.Tx, e domain.Event) error {
	session.Aggregate.Apply(r.state, e)
	r.revision = e.Revision
	switch f := e.Fact.(type) {
	case session.EventAdded:
		delta, err := fold.JSON(f.StateDelta)
		if err != nil {
			return err
		}
		r.readable = true
		return r.addEvent(ctx, tx, f, string(f.Content), delta, e, false)
	case domain.Erased:
		return r.erase(ctx, tx, f, e)
	}
	return nil
}

const insertEvent = `INSERT INTO session_events (session, sequence, id, author, type, content, state_delta, invocation_id, at, erased)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func (r *row) addEvent(ctx context.Context, tx projections.Tx, f session.EventAdded, content, delta string, e domain.Event, erased bool) error {
	_, err := tx.Exec(ctx, insertEvent, r.key, f.Sequence, f.ID, f.Author, string(f.Type), content, delta, f.InvocationID,
		fold.Micros(e.Meta.OccurredAt), erased)
	return err
}

// erase takes out what is held of the session's events; of an event that can
// no longer be read, only its place is shown.
func (r *row) erase(ctx context.Context, tx projections.Tx, f domain.Erased, e domain.Event) error {
	if r.readable {
		_, err := tx.Exec(ctx, `UPDATE session_events SET author = '', content = '{}', state_delta = '', invocation_id = '', erased = 1
			WHERE session = ? AND erased = 0`, r.key)
		if err != nil {
			return err
		}
		r.readable = false
	}
	if f.Type != (session.EventAdded{}).EventType() {
		return nil
	}
	place := erasedPlace(e, r.state.EventCount)
	return r.addEvent(ctx, tx, place, string(place.Content), "", e, true)
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	s := r.state
	if s.Deleted {
		return drop(ctx, tx, r.key)
	}
	state, err := fold.JSON(s.State)
	if err != nil {
		return err
	}
	metadata, err := fold.JSON(s.Metadata)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO sessions (key, uid, organization, workspace, app_name, agent_name, user_id, status, event_count,
	last_event_at, created_at, updated_at, revision, readable, state, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET app_name = excluded.app_name, agent_name = excluded.agent_name, user_id = excluded.user_id,
	status = excluded.status, event_count = excluded.event_count, last_event_at = excluded.last_event_at,
	updated_at = excluded.updated_at, revision = excluded.revision, readable = excluded.readable, state = excluded.state, metadata = excluded.metadata`,
		r.key, s.UID, r.organization, r.workspace, s.AppName, s.AgentName, s.UserID, string(s.Status), s.EventCount,
		fold.Micros(s.LastEventAt), fold.Micros(s.CreatedAt), fold.Micros(s.UpdatedAt), int64(r.revision), r.readable, state, metadata)
	return err
}
