// Package conversations is the read model of chats: their history, messages,
// feedback, and the turns that are still open.
package conversations

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"strata/domain"
	"strata/domain/conversation"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "conversations"

// schema: what is personal of an erased conversation is ”. A deleted one has
// no rows. A question's status is that of its turn.
const schema = `
CREATE TABLE conversations (
  id            TEXT PRIMARY KEY,
  organization  TEXT NOT NULL,
  workspace     TEXT NOT NULL,
  app_id        TEXT NOT NULL,
  model         TEXT NOT NULL,
  user_id       TEXT NOT NULL,
  session_uid   TEXT NOT NULL,
  title         TEXT NOT NULL,
  message_count INTEGER NOT NULL, -- that there ever were
  replaced      INTEGER NOT NULL, -- of those, that are gone
  settings      TEXT NOT NULL,    -- JSON
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  total_tokens  INTEGER NOT NULL,
  cost          INTEGER NOT NULL, -- micro-USD
  created_at    INTEGER NOT NULL, -- Unix microseconds
  updated_at    INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  readable      INTEGER NOT NULL  -- whether any of its messages is not erased
);
CREATE TABLE messages (
  conversation  TEXT NOT NULL,
  sequence      INTEGER NOT NULL,
  id            TEXT NOT NULL,
  run_id        TEXT NOT NULL,
  role          TEXT NOT NULL, -- system, user, assistant or tool
  name          TEXT NOT NULL,
  tool_call_id  TEXT NOT NULL,
  tool_calls    TEXT NOT NULL, -- JSON, '' for none
  content       TEXT NOT NULL,
  status        TEXT NOT NULL, -- open, done, failed, erased
  finish_reason TEXT NOT NULL,
  error_code    TEXT NOT NULL, -- of a failed turn
  error         TEXT NOT NULL,
  model         TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  total_tokens  INTEGER NOT NULL,
  cost          INTEGER NOT NULL,
  feedback      TEXT NOT NULL, -- the last rating
  at            INTEGER NOT NULL,
  scope         TEXT NOT NULL, -- word that narrows a search to the workspace
  PRIMARY KEY (conversation, sequence)
);
-- Small, and needed while folding: an answer closes its question.
CREATE INDEX messages_open ON messages (conversation, run_id) WHERE status = 'open';
CREATE TABLE feedback (
  conversation  TEXT NOT NULL,
  message_id    TEXT NOT NULL,
  id            TEXT NOT NULL,
  rating        TEXT NOT NULL,
  comment       TEXT NOT NULL,
  at            INTEGER NOT NULL,
  by            TEXT NOT NULL,
  PRIMARY KEY (conversation, message_id)
) WITHOUT ROWID;`

const indexes = `
CREATE INDEX IF NOT EXISTS conversations_list ON conversations (workspace, updated_at, id);
CREATE INDEX IF NOT EXISTS messages_id ON messages (id);
CREATE VIRTUAL TABLE IF NOT EXISTS messages_search USING fts5 (
  scope, content, content='messages', content_rowid='rowid', tokenize='unicode61 remove_diacritics 2');
-- What is deleted leaves the index at once, not when it is merged some day.
INSERT INTO messages_search (messages_search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER IF NOT EXISTS messages_search_insert AFTER INSERT ON messages BEGIN
  INSERT INTO messages_search (rowid, scope, content) VALUES (new.rowid, new.scope, new.content);
END;
CREATE TRIGGER IF NOT EXISTS messages_search_delete AFTER DELETE ON messages BEGIN
  INSERT INTO messages_search (messages_search, rowid, scope, content) VALUES ('delete', old.rowid, old.scope, old.content);
END;
CREATE TRIGGER IF NOT EXISTS messages_search_update AFTER UPDATE OF content ON messages BEGIN
  INSERT INTO messages_search (messages_search, rowid, scope, content) VALUES ('delete', old.rowid, old.scope, old.content);
  INSERT INTO messages_search (rowid, scope, content) VALUES (new.rowid, new.scope, new.content);
END;
INSERT INTO messages_search (messages_search) VALUES ('rebuild');`

// Model folds conversations. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 3 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{conversation.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	return drop(ctx, tx, stream.Key())
}

// drop deletes all rows of a conversation.
func drop(ctx context.Context, tx projections.Tx, id string) error {
	for _, statement := range []string{
		`DELETE FROM messages WHERE conversation = ?`,
		`DELETE FROM feedback WHERE conversation = ?`,
		`DELETE FROM conversations WHERE id = ?`,
	} {
		if _, err := tx.Exec(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}

// row is a conversation while a batch is folded into it. The aggregate's state
// does the counting; its window of messages is not needed here and stays empty
// between batches.
type row struct {
	organization, workspace string
	revision                domain.Revision
	readable                bool
	state                   *conversation.State
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error {
			conversation.Aggregate.Apply(r.state, e)
			r.revision = e.Revision
			return r.apply(ctx, tx, e)
		},
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	r := &row{organization: e.Meta.Organization, workspace: e.Meta.Workspace, state: conversation.Aggregate.New(e.Stream.Key())}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	var c Conversation
	err := tx.QueryRow(ctx, `SELECT organization, workspace, readable, `+columns+` FROM conversations WHERE id = ?`, r.state.ID).
		Scan(append([]any{&r.organization, &r.workspace, &r.readable}, c.into()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	r.state = &conversation.State{
		ID: c.ID, AppID: c.AppID, Model: c.Model, UserID: c.UserID, Title: c.Title, SessionUID: c.SessionUID, MessageCount: c.MessageCount,
		Replaced: c.Replaced, Settings: c.Settings, TokenUsage: c.TokenUsage, Cost: c.Cost, Exists: true, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
	return r, err
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	s := r.state
	if s.Deleted {
		return drop(ctx, tx, s.ID)
	}
	settings, err := json.Marshal(s.Settings)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO conversations (id, organization, workspace, app_id, model, user_id, session_uid, title, message_count,
	replaced, settings, prompt_tokens, completion_tokens, total_tokens, cost, created_at, updated_at, revision, readable)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET app_id = excluded.app_id, model = excluded.model, user_id = excluded.user_id,
	session_uid = excluded.session_uid, title = excluded.title, message_count = excluded.message_count,
	replaced = excluded.replaced, settings = excluded.settings, prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens, total_tokens = excluded.total_tokens,
	cost = excluded.cost, updated_at = excluded.updated_at, revision = excluded.revision, readable = excluded.readable`,
		s.ID, r.organization, r.workspace, s.AppID, s.Model, s.UserID, s.SessionUID, s.Title, s.MessageCount,
		s.Replaced, string(settings), s.TokenUsage.Prompt, s.TokenUsage.Completion, s.TokenUsage.Total, int64(s.Cost),
		fold.Micros(s.CreatedAt), fold.Micros(s.UpdatedAt), int64(r.revision), r.readable)
	return err
}
