package knowledge

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"strata/domain"
	"strata/domain/knowledge"
	"strata/projections/fold"
	"strata/projections/query"
)

// BaseStatus says how far the documents of a base are.
type BaseStatus string

// The states of a base.
const (
	Empty      BaseStatus = "empty"      // it has no document
	Processing BaseStatus = "processing" // some are not done
	Ready      BaseStatus = "ready"      // all are done, and some can be found
	Failed     BaseStatus = "failed"     // all have failed
)

// BaseStatuses lists the states, for documentation.
func BaseStatuses() []string {
	return []string{string(Empty), string(Processing), string(Ready), string(Failed)}
}

// Base is a knowledge base with what its documents come to.
type Base struct {
	knowledge.Base
	Revision domain.Revision
	Totals
}

// Totals are what documents of a base come to.
type Totals struct {
	Documents, Pending, Processing, Completed, Failed int
	Chunks, Embedded, Tokens                          int
	SizeBytes                                         int64
}

// Status says how far the documents are.
func (t Totals) Status() BaseStatus {
	switch {
	case t.Documents == 0:
		return Empty
	case t.Pending+t.Processing > 0:
		return Processing
	case t.Completed > 0:
		return Ready
	}
	return Failed
}

// Document is a document as it stands.
type Document struct {
	knowledge.Document
	Revision domain.Revision
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db} }

const (
	baseColumns     = `bases.id, bases.name, description, bases.embedding_model, bases.chunk_size, bases.chunk_overlap, query_model, tags, bases.created_at, bases.updated_at, bases.revision`
	documentColumns = `documents.id, documents.base_id, documents.name, metadata, mime_type, size_bytes, checksum, characters, documents.embedding_model, documents.chunk_size,
	documents.chunk_overlap, run, status, chunks, tokens, embedded, error, erased, documents.created_at, documents.updated_at, processed_at, documents.revision`
)

// texts scans a JSON list of texts.
type texts struct{ into *[]string }

// Scan implements sql.Scanner.
func (t texts) Scan(value any) error {
	s, ok := value.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T, not as text", value)
	}
	return json.Unmarshal([]byte(s), t.into)
}

func intoBase(b *knowledge.Base, revision *domain.Revision) []any {
	return []any{&b.ID, &b.Name, &b.Description, &b.EmbeddingModel, &b.ChunkSize, &b.ChunkOverlap, &b.QueryModel, texts{&b.Tags},
		fold.At{Into: &b.CreatedAt}, fold.At{Into: &b.UpdatedAt}, revision}
}

func intoDocument(d *knowledge.Document, revision *domain.Revision) []any {
	return []any{&d.ID, &d.BaseID, &d.Name, fold.Doc{Into: &d.Metadata}, &d.MIMEType, &d.SizeBytes, &d.Checksum, &d.Characters, &d.EmbeddingModel,
		&d.ChunkSize, &d.ChunkOverlap, &d.Run, &d.Status, &d.Chunks, &d.Tokens, &d.Embedded, &d.Error, &d.Erased,
		fold.At{Into: &d.CreatedAt}, fold.At{Into: &d.UpdatedAt}, fold.At{Into: &d.ProcessedAt}, revision}
}

func scanBase(r query.Row) (Base, error) {
	b := Base{Base: knowledge.Base{Exists: true}}
	return b, r.Scan(intoBase(&b.Base, &b.Revision)...)
}

func scanDocument(r query.Row) (Document, error) {
	var d Document
	return d, r.Scan(intoDocument(&d.Document, &d.Revision)...)
}

// SortFields are the fields that lists can be sorted by.
var SortFields = []string{"created_at", "updated_at", "name"}

// Bases reads a page of a workspace's knowledge bases. text narrows it to names
// and descriptions that hold it, status to one of [BaseStatuses].
func (q *Queries) Bases(ctx context.Context, workspace, text, status string, p query.Page) (query.Result[Base], error) {
	where := new(query.Where).Eq("bases.workspace", workspace).And("bases.deleted = 0")
	if text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text) + "%"
		where.And(`(bases.name LIKE ? ESCAPE '\' OR description LIKE ? ESCAPE '\')`, like, like)
	}
	const some = "EXISTS (SELECT 1 FROM documents d WHERE d.base_id = bases.id AND d.status IN "
	switch BaseStatus(status) {
	case Empty:
		where.And("NOT EXISTS (SELECT 1 FROM documents d WHERE d.base_id = bases.id)")
	case Processing:
		where.And(some + "('pending', 'processing'))")
	case Ready:
		where.And("NOT " + some + "('pending', 'processing')) AND " + some + "('completed'))")
	case Failed:
		where.And("NOT " + some + "('pending', 'processing', 'completed')) AND " + some + "('failed'))")
	}
	list := query.List{Columns: baseColumns, From: "bases", Where: where, ID: "bases.id", Default: "created_at",
		Sorts: query.Sorts{"created_at": "bases.created_at", "updated_at": "bases.updated_at", "name": "bases.name"}}
	found, err := query.Run(ctx, q.db, list, p, scanBase)
	if err != nil {
		return found, err
	}
	for i := range found.Items {
		if found.Items[i].Totals, err = q.totals(ctx, found.Items[i].ID); err != nil {
			return found, err
		}
	}
	return found, nil
}

// Base reads a base by its id, the id of its vector index or its name. NOT_FOUND
// when the workspace has none.
func (q *Queries) Base(ctx context.Context, workspace, name string) (Base, error) {
	id := name
	if domain.HasPrefix(name, IndexPrefix) {
		id = knowledge.Bases.Prefix + strings.TrimPrefix(name, IndexPrefix)
	}
	b, err := scanBase(q.db.QueryRow(ctx, "SELECT "+baseColumns+" FROM bases WHERE workspace = ? AND deleted = 0 AND (id = ? OR name = ?) ORDER BY id = ? DESC LIMIT 1",
		workspace, id, name, id))
	if errors.Is(err, sql.ErrNoRows) {
		return b, domain.NotFound(knowledge.Bases.Noun, name)
	}
	if err == nil {
		b.Totals, err = q.totals(ctx, b.ID)
	}
	if err != nil {
		return b, fmt.Errorf("knowledge base %s: %w", name, err)
	}
	return b, nil
}

// IndexPrefix begins the id of a base's vector index, which is otherwise the base's.
const IndexPrefix = "vix"

// IndexOf is the id of a base's vector index.
func IndexOf(base string) string {
	return IndexPrefix + strings.TrimPrefix(base, knowledge.Bases.Prefix)
}

func (q *Queries) totals(ctx context.Context, base string) (Totals, error) {
	var t Totals
	err := q.db.QueryRow(ctx, `SELECT count(*), coalesce(sum(status = 'pending'), 0), coalesce(sum(status = 'processing'), 0), coalesce(sum(status = 'completed'), 0),
	coalesce(sum(status = 'failed'), 0), coalesce(sum(chunks), 0), coalesce(sum(embedded), 0), coalesce(sum(tokens), 0), coalesce(sum(size_bytes), 0)
	FROM documents WHERE base_id = ?`, base).
		Scan(&t.Documents, &t.Pending, &t.Processing, &t.Completed, &t.Failed, &t.Chunks, &t.Embedded, &t.Tokens, &t.SizeBytes)
	return t, err
}

const living = "documents JOIN bases ON bases.id = documents.base_id AND bases.deleted = 0"

// Documents reads a page of a base's documents, those of one status if it is told.
func (q *Queries) Documents(ctx context.Context, workspace, base, text, status string, p query.Page) (query.Result[Document], error) {
	where := new(query.Where).Eq("documents.base_id", base).Eq("documents.workspace", workspace).EqIf("status", status)
	if text != "" {
		where.And("instr(lower(documents.name), lower(?)) > 0", text)
	}
	list := query.List{Columns: documentColumns, From: living, Where: where, ID: "documents.id", Default: "created_at",
		Sorts: query.Sorts{"created_at": "documents.created_at", "updated_at": "documents.updated_at", "name": "documents.name"}}
	return query.Run(ctx, q.db, list, p, scanDocument)
}

// Document reads one; NOT_FOUND when the workspace has none of the id.
func (q *Queries) Document(ctx context.Context, workspace, id string) (Document, error) {
	d, err := scanDocument(q.db.QueryRow(ctx, "SELECT "+documentColumns+" FROM "+living+" WHERE documents.workspace = ? AND documents.id = ?", workspace, id))
	if errors.Is(err, sql.ErrNoRows) {
		return d, domain.NotFound(knowledge.Documents.Noun, id)
	}
	if err != nil {
		return d, fmt.Errorf("document %s: %w", id, err)
	}
	return d, nil
}

// Open lists documents that are not done, or whose base is gone, after an id, at
// most so many: id, organization and workspace of each.
func (q *Queries) Open(ctx context.Context, after string, limit int) ([][3]string, error) {
	return q.ids(ctx, `SELECT id, organization, workspace FROM documents WHERE status IN ('pending', 'processing') AND id > ? ORDER BY id LIMIT ?`, after, limit)
}

// OfBase lists the documents of a base, also of one that is deleted, after an id.
func (q *Queries) OfBase(ctx context.Context, base, after string, limit int) ([][3]string, error) {
	return q.ids(ctx, `SELECT id, organization, workspace FROM documents WHERE base_id = ? AND id > ? ORDER BY id LIMIT ?`, base, after, limit)
}

func (q *Queries) ids(ctx context.Context, sql string, args ...any) ([][3]string, error) {
	rows, err := q.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	defer rows.Close()
	var all [][3]string
	for rows.Next() {
		var d [3]string
		if err := rows.Scan(&d[0], &d[1], &d[2]); err != nil {
			return nil, fmt.Errorf("list documents: %w", err)
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// modelsOf are the models that made the embeddings of some bases.
func (q *Queries) modelsOf(ctx context.Context, bases []string) ([]string, error) {
	var models []string
	for _, base := range bases {
		rows, err := q.db.Query(ctx, "SELECT DISTINCT embedding_model FROM documents WHERE base_id = ? AND embedded > 0", base)
		if err != nil {
			return nil, fmt.Errorf("models of %s: %w", base, err)
		}
		for rows.Next() {
			var m string
			if err := rows.Scan(&m); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			if !slices.Contains(models, m) {
				models = append(models, m)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("models of %s: %w", base, err)
		}
	}
	slices.Sort(models)
	return models, nil
}
