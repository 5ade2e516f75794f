package knowledge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"strata/domain"
	"strata/domain/knowledge"
	"strata/projections/vectors"
)

// Embedder turns texts into vectors on somebody's account. Errors are the
// gateway's.
type Embedder interface {
	Embed(ctx context.Context, p domain.Principal, model string, texts []string) ([][]float32, error)
}

// Retriever finds pieces of documents.
type Retriever struct {
	Queries  *Queries
	Vectors  *vectors.Queries
	Embedder Embedder
}

// ChunkID names a piece of a document.
func ChunkID(document string, ordinal int) string { return fmt.Sprintf("%s.%d", document, ordinal) }

// Find answers with the pieces that fit best, the best first. Errors: NOT_FOUND for
// a base that the caller's workspace has not, validation, the embedder's, and
// SERVICE_UNAVAILABLE while the engine is away.
func (r *Retriever) Find(ctx context.Context, p domain.Principal, q knowledge.Question) ([]knowledge.Found, error) {
	filter, err := vectors.ParseFilter(cmp.Or(q.FilterField, "filter"), q.Filter)
	if err != nil {
		return nil, err
	}
	var bases []string
	for _, name := range q.Bases {
		b, err := r.Queries.Base(ctx, p.Workspace, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(bases, b.ID) {
			bases = append(bases, b.ID)
		}
	}
	search := vectors.Query{Workspace: p.Workspace, Indexes: bases, Filter: filter, MinScore: q.MinScore, Limit: q.Limit, VectorWeight: q.VectorWeight}
	if q.Mode != knowledge.ByVector {
		search.Words = q.Query
	}
	if q.Mode == knowledge.ByWords {
		matches, err := r.Vectors.Search(ctx, search)
		if err != nil {
			return nil, err
		}
		return r.living(ctx, p.Workspace, matches)
	}
	models, err := r.Queries.modelsOf(ctx, bases)
	if err != nil {
		return nil, err
	}
	var matches []vectors.Match
	for _, model := range models { // vectors of different models cannot be compared, their scores can
		embedded, err := r.Embedder.Embed(ctx, p, model, []string{q.Query})
		if err != nil {
			return nil, err
		}
		search.Model, search.Vector = model, embedded[0]
		found, err := r.Vectors.Search(ctx, search)
		if err != nil {
			return nil, err
		}
		matches = append(matches, found...)
	}
	slices.SortStableFunc(matches, func(a, b vectors.Match) int { return cmp.Compare(b.Score, a.Score) })
	if q.Limit > 0 && len(matches) > q.Limit {
		matches = matches[:q.Limit]
	}
	return r.living(ctx, p.Workspace, matches)
}

// living leaves out what belongs to documents that are gone: the table may learn of
// it a moment later.
func (r *Retriever) living(ctx context.Context, workspace string, matches []vectors.Match) ([]knowledge.Found, error) {
	there := map[string]bool{}
	found := []knowledge.Found{}
	for _, m := range matches {
		alive, known := there[m.Item]
		if !known {
			_, err := r.Queries.Document(ctx, workspace, m.Item)
			if err != nil && !errors.Is(err, domain.ErrNotFound) {
				return nil, err
			}
			alive = err == nil
			there[m.Item] = alive
		}
		if alive {
			found = append(found, foundOf(m))
		}
	}
	return found, nil
}

func foundOf(m vectors.Match) knowledge.Found {
	f := knowledge.Found{DocumentID: m.Item, BaseID: m.Index, ChunkID: ChunkID(m.Item, m.Ordinal), Ordinal: m.Ordinal, Text: m.Text, Score: m.Score, Metadata: vectors.Own(m.Metadata)}
	for field, into := range map[string]any{vectors.FieldName: &f.Name, vectors.FieldPage: &f.Page, vectors.FieldHeadings: &f.Headings} {
		if text, ok := m.Metadata[field]; ok {
			_ = json.Unmarshal(text, into) // the writer's own; a row that says otherwise says less
		}
	}
	return f
}
