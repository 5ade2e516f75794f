package memories

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"strata/domain"
	"strata/domain/memory"
	"strata/projections"
	"strata/projections/query"
)

// Meaning is what a search is like, as a model sees it. The zero Meaning is like
// nothing: words count alone.
type Meaning struct {
	Model  string
	Vector []byte  // see memory.Pack
	Least  float64 // cosine that counts; what is below says nothing
}

// maxCompared bounds a search by meaning to the latest memories of its scope. To
// compare as many vectors of 384 numbers takes a fifth of a second of one core
// (BenchmarkSearchByMeaning), most of it for reading rows; an index for vectors would know
// nothing of filters, and scopes are mostly small.
const maxCompared = 50_000

func applyVector(ctx context.Context, tx projections.Tx, e domain.Event) error {
	switch f := e.Fact.(type) {
	case memory.Embedded:
		_, err := tx.Exec(ctx, `INSERT INTO memory_vectors (memory, of, model, numbers, duplicate_of) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (memory) DO UPDATE SET of = excluded.of, model = excluded.model, numbers = excluded.numbers, duplicate_of = excluded.duplicate_of`,
			e.Stream.Key(), f.Of, f.Model, f.Numbers, f.DuplicateOf)
		if err != nil {
			return err
		}
		return dropFailure(ctx, tx, e.Stream.Key())
	case memory.EmbeddingFailed:
		_, err := tx.Exec(ctx, `INSERT OR REPLACE INTO memory_failures (memory, organization, workspace, of, code, reason) VALUES (?, ?, ?, ?, ?, ?)`,
			e.Stream.Key(), e.Meta.Organization, e.Meta.Workspace, f.Of, string(f.Code), f.Reason)
		return err
	case memory.VectorRemoved, domain.Erased:
		return dropVector(ctx, tx, e.Stream.Key())
	}
	return nil
}

func dropVector(ctx context.Context, tx projections.Tx, id string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM memory_vectors WHERE memory = ?`, id); err != nil {
		return err
	}
	return dropFailure(ctx, tx, id)
}

func dropFailure(ctx context.Context, tx projections.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM memory_failures WHERE memory = ?`, id)
	return err
}

// Failing draws memories whose text could not be embedded when that was last tried,
// at most so many of a workspace: others each time.
func (q *Queries) Failing(ctx context.Context, perWorkspace int) ([]memory.Unembedded, error) {
	rows, err := q.db.Query(ctx, `SELECT organization, workspace, id FROM (
	SELECT f.organization, f.workspace, m.id, row_number() OVER (PARTITION BY f.workspace ORDER BY random()) AS n
	FROM memory_failures f JOIN memories m ON m.id = f.memory AND m.said = f.of) WHERE n <= ?`, perWorkspace)
	if err != nil {
		return nil, fmt.Errorf("memories without a vector: %w", err)
	}
	defer rows.Close()
	var all []memory.Unembedded
	for rows.Next() {
		var m memory.Unembedded
		if err := rows.Scan(&m.Organization, &m.Workspace, &m.ID); err != nil {
			return nil, fmt.Errorf("memories without a vector: %w", err)
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// alike finds the memories whose meaning counts, adds them to the candidates and
// returns how much they are alike.
func (q *Queries) alike(ctx context.Context, f Filter, like Meaning, candidates map[string]Memory) (map[string]float64, error) {
	where, err := q.where(f)
	if err != nil || len(like.Vector) == 0 {
		return nil, err
	}
	all, err := q.compare(ctx, where, like)
	if err != nil {
		return nil, err
	}
	near := make(map[string]float64, len(all))
	var missing []string
	for i, n := range all {
		_, there := candidates[n.id]
		if there || i < maxCandidates {
			near[n.id] = n.likeness
		}
		if !there && i < maxCandidates {
			missing = append(missing, n.id)
		}
	}
	for _, id := range missing {
		m, err := q.Get(ctx, f.Workspace, id)
		if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		candidates[id] = m
	}
	return near, nil
}

type neighbour struct {
	id       string
	likeness float64
}

// compare lists what is like a vector, the most alike first.
func (q *Queries) compare(ctx context.Context, where *query.Where, like Meaning) ([]neighbour, error) {
	where.Eq("model", like.Model).And("length(numbers) = ?", len(like.Vector))
	rows, err := q.db.Query(ctx, "SELECT memories.id, numbers FROM memories JOIN memory_vectors ON memory = memories.id AND of = said"+
		where.SQL()+" ORDER BY created_at DESC, memories.id DESC LIMIT ?", append(slices.Clone(where.Args()), maxCompared)...)
	if err != nil {
		return nil, fmt.Errorf("compare memories: %w", err)
	}
	defer rows.Close()
	var all []neighbour
	for rows.Next() {
		var n neighbour
		var numbers sql.RawBytes // not copied: there are very many
		if err := rows.Scan(&n.id, &numbers); err != nil {
			return nil, fmt.Errorf("compare memories: %w", err)
		}
		if n.likeness = memory.Likeness(like.Vector, numbers); n.likeness > 0 && n.likeness >= like.Least {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(b.likeness, a.likeness), cmp.Compare(a.id, b.id))
	})
	return all, rows.Err()
}

// Nearest finds the memory that is most like a vector, beside one and among those
// that belong to exactly the same agent, user, session and app: "" for none. The
// memory it finds is no duplicate itself, so that duplicates name what was said
// first.
func (q *Queries) Nearest(ctx context.Context, workspace string, beside *memory.State, model string, vector []byte) (id string, likeness float64, err error) {
	where, err := q.where(Filter{Workspace: workspace})
	if err != nil {
		return "", 0, err
	}
	where.Eq("agent_id", beside.AgentID).Eq("user_id", beside.UserID).Eq("session_id", beside.SessionID).Eq("app_id", beside.AppID).
		Eq("duplicate_of", "").And("memories.id <> ?", beside.ID)
	all, err := q.compare(ctx, where, Meaning{Model: model, Vector: vector})
	if err != nil || len(all) == 0 {
		return "", 0, err
	}
	return all[0].id, all[0].likeness, nil
}
