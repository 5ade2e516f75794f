// Package resources is the read model of all plain kinds (see domain.Kind): one
// table of documents with the columns every kind has, one of versions, and one
// search index. A new kind needs nothing here.
package resources

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/projections"
	"strata/streams"
)

// Name of the model.
const Name = "resources"

// schema: a resource that was deleted or erased has no row. The search column holds the texts of
// the kind's search fields; scope makes a search look at one kind of one
// workspace only (see Queries.List). Rows keep their rowid, because the search
// index refers to it and because 1 KB documents make a poor B-tree of keys.
const schema = `
CREATE TABLE resources (
  kind         TEXT NOT NULL,
  id           TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  organization TEXT NOT NULL,
  key          TEXT NOT NULL,    -- the kind's unique field, '' for none
  name         TEXT NOT NULL,
  status       TEXT NOT NULL,
  created_at   INTEGER NOT NULL, -- Unix microseconds
  updated_at   INTEGER NOT NULL,
  created_by   TEXT NOT NULL,
  updated_by   TEXT NOT NULL,
  revision     INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  position     INTEGER NOT NULL, -- of the last event
  scope        TEXT NOT NULL,
  search       TEXT NOT NULL,
  doc          TEXT NOT NULL,
  PRIMARY KEY (kind, id)
);
CREATE TABLE resource_versions (
  kind      TEXT NOT NULL,
  id        TEXT NOT NULL,
  number    INTEGER NOT NULL,
  doc       TEXT NOT NULL,
  changelog TEXT NOT NULL,
  at        INTEGER NOT NULL,
  by        TEXT NOT NULL,
  PRIMARY KEY (kind, id, number)
);
`

// indexes: every index costs each write of a document, so there are only the
// ones that the default list, the lookup by key and search need.
const indexes = `
CREATE INDEX IF NOT EXISTS resources_list ON resources (workspace, kind, created_at, id);
CREATE INDEX IF NOT EXISTS resources_key ON resources (workspace, kind, key) WHERE key <> '';
CREATE VIRTUAL TABLE IF NOT EXISTS resources_search USING fts5 (
  scope, search, content='resources', content_rowid='rowid', tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER IF NOT EXISTS resources_search_insert AFTER INSERT ON resources BEGIN
  INSERT INTO resources_search (rowid, scope, search) VALUES (new.rowid, new.scope, new.search);
END;
CREATE TRIGGER IF NOT EXISTS resources_search_delete AFTER DELETE ON resources BEGIN
  INSERT INTO resources_search (resources_search, rowid, scope, search) VALUES ('delete', old.rowid, old.scope, old.search);
END;
CREATE TRIGGER IF NOT EXISTS resources_search_update AFTER UPDATE OF search ON resources WHEN old.search <> new.search BEGIN
  INSERT INTO resources_search (resources_search, rowid, scope, search) VALUES ('delete', old.rowid, old.scope, old.search);
  INSERT INTO resources_search (rowid, scope, search) VALUES (new.rowid, new.scope, new.search);
END;
INSERT INTO resources_search (resources_search) VALUES ('rebuild');
`

// Model folds the events of plain kinds. It implements projections.Model.
type Model struct {
	kinds map[string]kind
	names []string
}

type kind struct {
	spec *domain.KindSpec
	fold *domain.Aggregate[domain.Resource]
}

// New makes the model of some kinds.
func New(specs []*domain.KindSpec) *Model {
	m := &Model{kinds: map[string]kind{}}
	for _, s := range specs {
		m.kinds[s.Name] = kind{s, domain.KindAggregate(s)}
		m.names = append(m.names, s.Name)
	}
	slices.Sort(m.names)
	return m
}

// Name implements projections.Model.
func (m *Model) Name() string { return Name }

// Version implements projections.Model.
func (m *Model) Version() int { return 1 }

// Schema implements projections.Model.
func (m *Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (m *Model) Indexes() string { return indexes }

// Filter implements projections.Model. A kind that is added later is folded
// from its first event: no event of it lies behind the checkpoint.
func (m *Model) Filter() *streams.Filter { return &streams.Filter{Categories: m.names} }

// state is a resource while a batch is folded into it.
type state struct {
	kind         kind
	res          *domain.Resource
	workspace    string
	organization string
	revision     domain.Revision
	position     domain.Position
	stored       bool // has a row
}

// Apply implements projections.Model: each resource is read once, folded over
// all its events of the batch, and written once.
func (m *Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	touched := make(map[domain.StreamID]*state, len(events))
	order := make([]*state, 0, len(events))
	for i := range events {
		e := &events[i]
		s := touched[e.Stream]
		if s == nil {
			var err error
			if s, err = m.load(ctx, tx, e); err != nil {
				return err
			}
			touched[e.Stream] = s
			order = append(order, s)
		}
		if err := s.apply(*e); err != nil {
			return err
		}
	}
	for _, s := range order {
		if err := s.write(ctx, tx); err != nil {
			return fmt.Errorf("%s %s: %w", s.kind.spec.Name, s.res.ID, err)
		}
	}
	return nil
}

// load reads the resource an event belongs to. The first event of a stream
// needs no look: there is nothing yet.
func (m *Model) load(ctx context.Context, tx projections.Tx, e *domain.Event) (*state, error) {
	k, ok := m.kinds[e.Stream.Category()]
	if !ok {
		return nil, fmt.Errorf("event %d: %s is no plain kind", e.Position, e.Stream.Category())
	}
	s := &state{kind: k, res: k.fold.New(e.Stream.Key()), revision: domain.NoRevision}
	if e.Revision == 0 {
		return s, nil
	}
	var doc []byte
	var created, updated int64
	err := tx.QueryRow(ctx, `SELECT workspace, organization, created_at, updated_at, created_by, updated_by, revision, version, position, doc
		FROM resources WHERE kind = ? AND id = ?`, k.spec.Name, s.res.ID).
		Scan(&s.workspace, &s.organization, &created, &updated, &s.res.CreatedBy, &s.res.UpdatedBy, &s.revision, &s.res.Version, &s.position, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.stored, s.res.Exists = true, true
	s.res.CreatedAt, s.res.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if s.res.Doc, err = splitDoc(doc); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Stream, err)
	}
	return s, nil
}

// apply folds one event, with the same rules as the command side.
func (s *state) apply(e domain.Event) error {
	if e.Revision <= s.revision {
		return nil
	}
	s.kind.fold.Apply(s.res, e)
	if !s.res.Exists && s.kind.spec.Personal { // erased earlier, so there is no row
		s.res.Exists, s.res.Erased = true, true
	}
	if !s.res.Exists {
		return fmt.Errorf("event %d (%s) is about a %s that was never created", e.Position, e.Fact.EventType(), s.kind.spec.Name)
	}
	if s.revision == domain.NoRevision {
		s.workspace, s.organization = e.Meta.Workspace, e.Meta.Organization
	}
	s.revision, s.position = e.Revision, e.Position
	return nil
}

const (
	insertRow = `INSERT INTO resources (workspace, organization, key, name, status, created_at, updated_at, created_by, updated_by,
		revision, version, position, scope, search, doc, kind, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updateRow = `UPDATE resources SET workspace = ?, organization = ?, key = ?, name = ?, status = ?, created_at = ?, updated_at = ?,
		created_by = ?, updated_by = ?, revision = ?, version = ?, position = ?, scope = ?, search = ?, doc = ? WHERE kind = ? AND id = ?`
)

// write brings the tables to the state.
func (s *state) write(ctx context.Context, tx projections.Tx) error {
	r, spec := s.res, s.kind.spec
	if r.Deleted || r.Erased {
		return s.remove(ctx, tx)
	}
	statement := insertRow
	if s.stored {
		statement = updateRow
	}
	key := ""
	if spec.Key != "" {
		key = textOf(r.Doc, spec.Key)
	}
	_, err := tx.Exec(ctx, statement, s.workspace, s.organization, key, textOf(r.Doc, "name"), textOf(r.Doc, "status"),
		r.CreatedAt.UnixMicro(), r.UpdatedAt.UnixMicro(), r.CreatedBy, r.UpdatedBy,
		int64(s.revision), r.Version, int64(s.position), scope(spec.Name, s.workspace), searchText(spec, r.Doc), string(appendDoc(nil, r.Doc)),
		spec.Name, r.ID)
	if err != nil {
		return err
	}
	for _, v := range r.History { // those of this batch: load leaves it empty
		if err := s.writeVersion(ctx, tx, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) writeVersion(ctx context.Context, tx projections.Tx, v domain.Version) error {
	_, err := tx.Exec(ctx, "INSERT INTO resource_versions (kind, id, number, doc, changelog, at, by) VALUES (?, ?, ?, ?, ?, ?, ?)",
		s.kind.spec.Name, s.res.ID, v.Number, string(appendDoc(nil, v.Doc)), v.Changelog, v.At.UnixMicro(), v.By)
	return err
}

func (s *state) remove(ctx context.Context, tx projections.Tx) error {
	if !s.stored { // created and deleted within the batch
		return nil
	}
	return remove(ctx, tx, s.kind.spec.Name, s.res.ID)
}

func remove(ctx context.Context, tx projections.Tx, kind, id string) error {
	for _, statement := range []string{
		"DELETE FROM resources WHERE kind = ? AND id = ?",
		"DELETE FROM resource_versions WHERE kind = ? AND id = ?",
	} {
		if _, err := tx.Exec(ctx, statement, kind, id); err != nil {
			return err
		}
	}
	return nil
}

// Forget implements projections.Forgetter: resources of personal kinds are about people.
func (m *Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	k, ok := m.kinds[stream.Category()]
	if !ok || !k.spec.Personal {
		return nil
	}
	return remove(ctx, tx, k.spec.Name, stream.Key())
}

// searchText joins the texts that a search of the kind looks into.
func searchText(spec *domain.KindSpec, d domain.Doc) string {
	var b strings.Builder
	for _, field := range spec.Search {
		text := textOf(d, field)
		if text == "" {
			text = listText(d[field])
		}
		if text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(text)
	}
	return b.String()
}

// listText joins a list of texts (tags); anything else has no text.
func listText(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '[' {
		return ""
	}
	var words []string
	if json.Unmarshal(raw, &words) != nil {
		return "" // not a list of texts: nothing to search in
	}
	return strings.Join(words, " ")
}

// scope is one word of the search index that names a kind and a workspace.
func scope(kind, workspace string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return -1
	}, "k"+kind+"w"+workspace)
}
