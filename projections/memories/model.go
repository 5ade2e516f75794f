// Package memories is the read model of memories: lists with filters, and
// search by words and by meaning.
package memories

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"

	"strata/domain"
	"strata/domain/memory"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "memories"

// schema: what is personal of an erased memory is ”. A forgotten memory has no
// row; an expired one has, and queries leave it out.
const schema = `
CREATE TABLE memories (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  provider     TEXT NOT NULL,
  content      TEXT NOT NULL,
  type         TEXT NOT NULL,
  agent_id     TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  session_id   TEXT NOT NULL,
  app_id       TEXT NOT NULL,
  metadata     TEXT NOT NULL,    -- JSON, '' for none
  importance   REAL,
  expires_at   INTEGER NOT NULL, -- Unix microseconds, 0 = never
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  scope        TEXT NOT NULL,    -- words that narrow a search, see scopeOf
  said         TEXT NOT NULL     -- fingerprint of the content, '' for none
);
-- What was embedded. A vector counts as long as its memory says what it is of. Rows
-- this long lie better in a table with rowids: a page holds two of them, and the way
-- to one leads through small pages.
CREATE TABLE memory_vectors (
  memory       TEXT PRIMARY KEY,
  of           TEXT NOT NULL,
  model        TEXT NOT NULL,
  duplicate_of TEXT NOT NULL,
  numbers      BLOB NOT NULL
);
-- Why a text has no vector: the last try of those that failed.
CREATE TABLE memory_failures (
  memory       TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  of           TEXT NOT NULL,
  code         TEXT NOT NULL,
  reason       TEXT NOT NULL
) WITHOUT ROWID;`

const indexes = `
CREATE INDEX IF NOT EXISTS memories_list ON memories (workspace, created_at, id);
CREATE INDEX IF NOT EXISTS memories_user ON memories (workspace, user_id, created_at, id) WHERE user_id <> '';
CREATE VIRTUAL TABLE IF NOT EXISTS memories_search USING fts5 (
  scope, content, content='memories', content_rowid='rowid', tokenize='unicode61 remove_diacritics 2');
-- What is deleted leaves the index at once, not when it is merged some day.
INSERT INTO memories_search (memories_search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER IF NOT EXISTS memories_search_insert AFTER INSERT ON memories BEGIN
  INSERT INTO memories_search (rowid, scope, content) VALUES (new.rowid, new.scope, new.content);
END;
CREATE TRIGGER IF NOT EXISTS memories_search_delete AFTER DELETE ON memories BEGIN
  INSERT INTO memories_search (memories_search, rowid, scope, content) VALUES ('delete', old.rowid, old.scope, old.content);
END;
CREATE TRIGGER IF NOT EXISTS memories_search_update AFTER UPDATE ON memories WHEN old.content <> new.content OR old.scope <> new.scope BEGIN
  INSERT INTO memories_search (memories_search, rowid, scope, content) VALUES ('delete', old.rowid, old.scope, old.content);
  INSERT INTO memories_search (rowid, scope, content) VALUES (new.rowid, new.scope, new.content);
END;
INSERT INTO memories_search (memories_search) VALUES ('rebuild');`

// Model folds memories. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 5 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{memory.Aggregate.Category, memory.Vectors.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	if stream.Category() == memory.Vectors.Category {
		return dropVector(ctx, tx, stream.Key())
	}
	return drop(ctx, tx, stream.Key())
}

func drop(ctx context.Context, tx projections.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM memories WHERE id = ?`, id)
	return err
}

// row is a memory while a batch is folded into it.
type row struct {
	organization, workspace string
	revision                domain.Revision
	state                   *memory.State
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	said := make([]domain.Event, 0, len(events))
	for _, e := range events {
		if e.Stream.Category() != memory.Vectors.Category {
			said = append(said, e)
		} else if err := applyVector(ctx, tx, e); err != nil {
			return err
		}
	}
	return fold.Streams(said,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error {
			memory.Aggregate.Apply(r.state, e)
			r.revision = e.Revision
			return nil
		},
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	r := &row{organization: e.Meta.Organization, workspace: e.Meta.Workspace, state: memory.Aggregate.New(e.Stream.Key())}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	err := tx.QueryRow(ctx, `SELECT organization, workspace, `+columns+` FROM memories WHERE id = ?`, r.state.ID).
		Scan(append([]any{&r.organization, &r.workspace}, into(r.state, &r.revision)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	r.state.Exists = true
	return r, err
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	s := r.state
	if s.Deleted {
		return drop(ctx, tx, s.ID)
	}
	metadata, err := fold.JSON(s.Metadata)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO memories (id, organization, workspace, provider, content, type, agent_id, user_id, session_id, app_id,
	metadata, importance, expires_at, created_at, updated_at, revision, scope, said) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, content = excluded.content, type = excluded.type,
	agent_id = excluded.agent_id, user_id = excluded.user_id, session_id = excluded.session_id, app_id = excluded.app_id,
	metadata = excluded.metadata, importance = excluded.importance, expires_at = excluded.expires_at,
	updated_at = excluded.updated_at, revision = excluded.revision, scope = excluded.scope, said = excluded.said`,
		s.ID, r.organization, r.workspace, s.Provider, s.Content, string(s.Type), s.AgentID, s.UserID, s.SessionID, s.AppID,
		metadata, s.Importance, fold.Micros(s.ExpiresAt), fold.Micros(s.CreatedAt), fold.Micros(s.UpdatedAt), int64(r.revision),
		scopeOf(r.workspace, s.AgentID, s.UserID, s.SessionID), saidBy(s))
	return err
}

// saidBy tells what a memory says; what was erased says nothing.
func saidBy(s *memory.State) string {
	if s.Content == "" {
		return ""
	}
	return memory.Fingerprint(s.Content)
}

// scopeOf makes a word of each of a memory's belongings, so that the search
// index itself narrows a search to them: a tenant's search never walks through
// the memories of others. Absent ones have no word.
func scopeOf(workspace, agentID, userID, sessionID string) string {
	var words []string
	for _, part := range []struct{ kind, id string }{{"w", workspace}, {"a", agentID}, {"u", userID}, {"s", sessionID}} {
		if part.id != "" || part.kind == "w" {
			sum := sha256.Sum256([]byte(part.id))
			words = append(words, part.kind+hex.EncodeToString(sum[:8]))
		}
	}
	return strings.Join(words, " ")
}
