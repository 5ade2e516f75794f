// Package personas is the read model that tells which personas have a name and
// birthdate, so that uploads find the ones that are there already. What else is
// known of a persona is in the read model of plain kinds.
package personas

import (
	"context"
	"encoding/json"
	"fmt"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/projections"
	"strata/projections/query"
	"strata/streams"
)

// Name is the model's name.
const Name = "personas"

// Model keeps the keys of personas.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{catalogue.Personas.Name}}
}

// Schema implements projections.Model.
func (Model) Schema() string {
	return `
CREATE TABLE personas (
  id         TEXT PRIMARY KEY,
  workspace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  birthdate  TEXT NOT NULL,
  created_at INTEGER NOT NULL -- Unix microseconds
) WITHOUT ROWID;`
}

// Indexes implements projections.Model.
func (Model) Indexes() string {
	return `CREATE INDEX IF NOT EXISTS personas_key ON personas (workspace, birthdate, name);`
}

// Apply implements projections.Model.
func (m Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	for _, e := range events {
		if err := m.apply(ctx, tx, e); err != nil {
			return fmt.Errorf("%s: %w", e.Stream, err)
		}
	}
	return nil
}

func (m Model) apply(ctx context.Context, tx projections.Tx, e domain.Event) error {
	f, ok := e.Fact.(domain.KindFact)
	if !ok { // erased
		return m.Forget(ctx, tx, e.Stream)
	}
	id := e.Stream.Key()
	var err error
	switch f.Verb {
	case domain.VerbCreated, domain.VerbCloned:
		_, err = tx.Exec(ctx, `INSERT OR REPLACE INTO personas (id, workspace, name, birthdate, created_at) VALUES (?, ?, ?, ?, ?)`,
			id, e.Meta.Workspace, f.Doc.String("name"), f.Doc.String("birthdate"), e.Meta.OccurredAt.UnixMicro())
	case domain.VerbDeleted:
		return m.Forget(ctx, tx, e.Stream)
	default:
		for field, set := range map[string]string{"name": `UPDATE personas SET name = ? WHERE id = ?`, "birthdate": `UPDATE personas SET birthdate = ? WHERE id = ?`} {
			if _, changed := f.Doc[field]; changed && err == nil {
				_, err = tx.Exec(ctx, set, f.Doc.String(field), id)
			}
		}
	}
	return err
}

// Forget implements projections.Forgetter.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	_, err := tx.Exec(ctx, `DELETE FROM personas WHERE id = ?`, stream.Key())
	return err
}

// Queries reads the model.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db} }

// Find returns the ids of the personas of a workspace with a name and
// birthdate, for each pair of them that is asked for, the oldest first.
func (q *Queries) Find(ctx context.Context, workspace string, pairs [][2]string) (map[[2]string][]string, error) {
	asked, err := json.Marshal(pairs)
	if err != nil {
		return nil, err
	}
	// The pairs are gone through in the outer loop, each a look-up in the index.
	rows, err := q.db.Query(ctx, `
SELECT DISTINCT p.name, p.birthdate, p.id, p.created_at FROM json_each(?) k CROSS JOIN personas p
ON p.workspace = ? AND p.name = k.value ->> 0 AND p.birthdate = k.value ->> 1 ORDER BY p.created_at, p.id`, string(asked), workspace)
	if err != nil {
		return nil, fmt.Errorf("personas: %w", err)
	}
	defer rows.Close()
	out := map[[2]string][]string{}
	for rows.Next() {
		var pair [2]string
		var id string
		var created int64
		if err := rows.Scan(&pair[0], &pair[1], &id, &created); err != nil {
			return nil, fmt.Errorf("personas: %w", err)
		}
		out[pair] = append(out[pair], id)
	}
	return out, rows.Err()
}
