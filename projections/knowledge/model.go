// Package knowledge is the read model of knowledge bases and their documents, and
// [Retriever], which finds pieces of them by meaning and words.
package knowledge

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"strata/domain"
	"strata/domain/knowledge"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "knowledge"

// schema: a base that was deleted keeps its row, so that documents of it that are
// not deleted yet can be found; queries leave it out, and them.
const schema = `
CREATE TABLE bases (
  id              TEXT PRIMARY KEY,
  organization    TEXT NOT NULL,
  workspace       TEXT NOT NULL,
  name            TEXT NOT NULL,
  description     TEXT NOT NULL,
  embedding_model TEXT NOT NULL,
  chunk_size      INTEGER NOT NULL,
  chunk_overlap   INTEGER NOT NULL,
  query_model     TEXT NOT NULL,
  tags            TEXT NOT NULL, -- JSON
  deleted         INTEGER NOT NULL,
  created_at      INTEGER NOT NULL, -- Unix microseconds
  updated_at      INTEGER NOT NULL,
  revision        INTEGER NOT NULL
);
CREATE TABLE documents (
  id              TEXT PRIMARY KEY,
  organization    TEXT NOT NULL,
  workspace       TEXT NOT NULL,
  base_id         TEXT NOT NULL,
  name            TEXT NOT NULL, -- '' when it was erased
  metadata        TEXT NOT NULL, -- JSON, '' for none
  mime_type       TEXT NOT NULL,
  size_bytes      INTEGER NOT NULL,
  checksum        TEXT NOT NULL,
  characters      INTEGER NOT NULL,
  embedding_model TEXT NOT NULL,
  chunk_size      INTEGER NOT NULL,
  chunk_overlap   INTEGER NOT NULL,
  run             INTEGER NOT NULL,
  status          TEXT NOT NULL,
  chunks          INTEGER NOT NULL,
  tokens          INTEGER NOT NULL,
  embedded        INTEGER NOT NULL,
  error           TEXT NOT NULL,
  erased          INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  processed_at    INTEGER NOT NULL,
  revision        INTEGER NOT NULL
);`

const indexes = `
CREATE INDEX IF NOT EXISTS bases_list ON bases (workspace, created_at, id);
CREATE INDEX IF NOT EXISTS bases_name ON bases (workspace, name);
CREATE INDEX IF NOT EXISTS documents_list ON documents (base_id, created_at, id);
CREATE INDEX IF NOT EXISTS documents_count ON documents (base_id, status, embedding_model, chunks, embedded, tokens, size_bytes);
CREATE INDEX IF NOT EXISTS documents_open ON documents (id) WHERE status IN ('pending', 'processing');`

// Model folds bases and documents. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{knowledge.Bases.Category, knowledge.Documents.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	table := "documents"
	if stream.Category() == knowledge.Bases.Category {
		table = "bases"
	}
	_, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE id = ?", stream.Key())
	return err
}

// row is a base or a document while a batch is folded into it.
type row struct {
	organization, workspace string
	revision                domain.Revision
	base                    *knowledge.Base
	document                *knowledge.Document
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error {
			if r.base != nil {
				knowledge.Bases.Apply(r.base, e)
			} else {
				knowledge.Documents.Apply(r.document, e)
			}
			r.revision = e.Revision
			return nil
		},
		func(r *row) error {
			if r.base != nil {
				return r.storeBase(ctx, tx)
			}
			return r.storeDocument(ctx, tx)
		})
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	r := &row{organization: e.Meta.Organization, workspace: e.Meta.Workspace}
	var err error
	if e.Stream.Category() == knowledge.Bases.Category {
		r.base = knowledge.Bases.New(e.Stream.Key())
		if e.Revision > 0 {
			err = tx.QueryRow(ctx, "SELECT organization, workspace, deleted, "+baseColumns+" FROM bases WHERE id = ?", r.base.ID).
				Scan(append([]any{&r.organization, &r.workspace, &r.base.Deleted}, intoBase(r.base, &r.revision)...)...)
			r.base.Exists = err == nil
		}
	} else {
		r.document = knowledge.Documents.New(e.Stream.Key())
		if e.Revision > 0 {
			err = tx.QueryRow(ctx, "SELECT organization, workspace, "+documentColumns+" FROM documents WHERE id = ?", r.document.ID).
				Scan(append([]any{&r.organization, &r.workspace}, intoDocument(r.document, &r.revision)...)...)
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return r, err
}

func (r *row) storeBase(ctx context.Context, tx projections.Tx) error {
	b := r.base
	tags, err := json.Marshal(b.Tags)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO bases (id, organization, workspace, name, description, embedding_model, chunk_size, chunk_overlap, query_model, tags,
	deleted, created_at, updated_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, embedding_model = excluded.embedding_model,
	chunk_size = excluded.chunk_size, chunk_overlap = excluded.chunk_overlap, query_model = excluded.query_model, tags = excluded.tags, deleted = excluded.deleted,
	updated_at = excluded.updated_at, revision = excluded.revision`,
		b.ID, r.organization, r.workspace, b.Name, b.Description, b.EmbeddingModel, b.ChunkSize, b.ChunkOverlap, b.QueryModel, string(tags),
		b.Deleted, fold.Micros(b.CreatedAt), fold.Micros(b.UpdatedAt), int64(r.revision))
	return err
}

func (r *row) storeDocument(ctx context.Context, tx projections.Tx) error {
	d := r.document
	if d.Deleted {
		_, err := tx.Exec(ctx, "DELETE FROM documents WHERE id = ?", d.ID)
		return err
	}
	metadata, err := fold.JSON(d.Metadata)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO documents (id, organization, workspace, base_id, name, metadata, mime_type, size_bytes, checksum, characters,
	embedding_model, chunk_size, chunk_overlap, run, status, chunks, tokens, embedded, error, erased, created_at, updated_at, processed_at, revision)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, metadata = excluded.metadata, embedding_model = excluded.embedding_model,
	chunk_size = excluded.chunk_size, chunk_overlap = excluded.chunk_overlap, run = excluded.run, status = excluded.status,
	chunks = excluded.chunks, tokens = excluded.tokens, embedded = excluded.embedded, error = excluded.error, erased = excluded.erased,
	updated_at = excluded.updated_at, processed_at = excluded.processed_at, revision = excluded.revision`,
		d.ID, r.organization, r.workspace, d.BaseID, d.Name, metadata, d.MIMEType, d.SizeBytes, d.Checksum, d.Characters,
		d.EmbeddingModel, d.ChunkSize, d.ChunkOverlap, d.Run, string(d.Status), d.Chunks, d.Tokens, d.Embedded, d.Error, d.Erased,
		fold.Micros(d.CreatedAt), fold.Micros(d.UpdatedAt), fold.Micros(d.ProcessedAt), int64(r.revision))
	return err
}
