package resources

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata/domain"
	"strata/projections/query"
)

// Document is a resource as it stands.
type Document struct {
	ID           string
	Kind         string
	Workspace    string
	Organization string
	Key          string // value of the kind's unique field; "" when it has none
	Name         string
	Status       string
	Revision     domain.Revision
	Version      int // counts the changes of versioned fields; 0 for kinds without versions
	Position     domain.Position
	CreatedAt    time.Time
	UpdatedAt    time.Time
	CreatedBy    string
	UpdatedBy    string
	Doc          json.RawMessage // the resource's own fields; must not be modified
}

// Fields decodes the document.
func (d *Document) Fields() (domain.Doc, error) {
	var doc domain.Doc
	if err := json.Unmarshal(d.Doc, &doc); err != nil {
		return nil, fmt.Errorf("stored document of %s: %w", d.ID, err)
	}
	return doc, nil
}

// Query asks for a part of the list of one kind in one workspace.
type Query struct {
	Kind      string
	Workspace string
	Filters   map[string]string // equal to; a field that holds a list must contain it
	Search    string            // words that must all occur in the kind's search fields
	query.Page
}

// Queries reads plain resources. It is safe for concurrent use.
type Queries struct {
	db    query.Reader
	specs map[string]*domain.KindSpec
	hot   *query.Cache[*Document]
}

// hotDocuments is how many documents are kept in memory, about 1 KB each.
const hotDocuments = 4096

// NewQueries makes the queries over the model's database. Register Committed
// with the runner (OnCommit), or documents grow old in the cache.
func NewQueries(db query.Reader, specs []*domain.KindSpec) *Queries {
	q := &Queries{db: db, specs: map[string]*domain.KindSpec{}, hot: query.NewCache[*Document](hotDocuments)}
	for _, s := range specs {
		q.specs[s.Name] = s
	}
	return q
}

// Committed forgets documents that a commit has changed.
func (q *Queries) Committed(model string, events []domain.Event) {
	if model != Name {
		return
	}
	keys := make([]string, len(events))
	for i := range events {
		keys[i] = string(events[i].Stream)
	}
	q.hot.Forget(keys...)
}

// Replaced forgets every document: other rows have taken the place of the
// model's. It is to be registered with the runner (OnReplace).
func (q *Queries) Replaced() { q.hot.Clear() }

const columns = `id, kind, workspace, organization, key, name, status, revision, version, position,
	created_at, updated_at, created_by, updated_by, doc`

func scan(row query.Row) (*Document, error) {
	d := &Document{}
	var created, updated int64
	var doc []byte
	err := row.Scan(&d.ID, &d.Kind, &d.Workspace, &d.Organization, &d.Key, &d.Name, &d.Status, &d.Revision, &d.Version, &d.Position,
		&created, &updated, &d.CreatedBy, &d.UpdatedBy, &doc)
	d.CreatedAt, d.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	d.Doc = doc
	return d, err
}

// Get returns a resource of a workspace, NOT_FOUND when there is none.
func (q *Queries) Get(ctx context.Context, kind, workspace, id string) (*Document, error) {
	d, err := q.hot.Get(string(domain.Stream(kind, id)), func() (*Document, error) {
		return scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM resources WHERE kind = ? AND id = ?", kind, id))
	})
	if errors.Is(err, sql.ErrNoRows) || err == nil && d.Workspace != workspace {
		return nil, domain.NotFound(noun(kind), id)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s %s: %w", kind, id, err)
	}
	return d, nil
}

// GetByKey returns the resource whose unique field has a value, NOT_FOUND when
// there is none.
func (q *Queries) GetByKey(ctx context.Context, kind, workspace, key string) (*Document, error) {
	if key == "" {
		return nil, domain.NotFound(noun(kind), key)
	}
	d, err := scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM resources WHERE workspace = ? AND kind = ? AND key = ? AND key <> ''",
		workspace, kind, key))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, domain.NotFound(noun(kind), key)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s %s: %w", kind, key, err)
	}
	return d, nil
}

func noun(kind string) string { return strings.ReplaceAll(kind, "_", " ") }

// List returns a page of resources. A search looks at the maxMatches matches
// that were created last.
func (q *Queries) List(ctx context.Context, ask Query) (query.Result[*Document], error) {
	var none query.Result[*Document]
	spec, ok := q.specs[ask.Kind]
	if !ok {
		return none, fmt.Errorf("list: %s is no plain kind", ask.Kind)
	}
	where := (&query.Where{}).Eq("workspace", ask.Workspace).Eq("kind", ask.Kind)
	if err := filter(where, spec, ask.Filters); err != nil {
		return none, err
	}
	if words := query.MatchWords(ask.Search); words != "" {
		where.And(`rowid IN (SELECT rowid FROM resources_search WHERE resources_search MATCH ? ORDER BY rowid DESC LIMIT ?)`,
			"scope : "+scope(ask.Kind, ask.Workspace)+" AND search : ("+words+")", maxMatches)
	}
	result, err := query.Run(ctx, q.db, query.List{Columns: columns, From: "resources", Where: where, ID: "id",
		Sorts: sorts(spec), Default: "created_at"}, ask.Page, scan)
	if err != nil && strings.Contains(err.Error(), "no such table: resources_search") {
		return none, domain.Errorf(domain.CodeUnavailable, "the search index is still being built").Because(err)
	}
	return result, err
}

// maxMatches bounds what a search of a common word reads and sorts.
const maxMatches = 5000

// sorts names the orders of a kind's list.
func sorts(spec *domain.KindSpec) query.Sorts {
	s := query.Sorts{"created_at": "created_at", "updated_at": "updated_at", "name": "name", "status": "status"}
	for _, field := range spec.Sorts {
		if _, known := s[field]; !known {
			s[field] = "coalesce(json_extract(doc, " + path(field) + "), '')"
		}
	}
	if spec.Key != "" {
		s[spec.Key] = "key"
	}
	return s
}

// filter adds the equality filters a kind allows; an unknown one is a fault.
func filter(where *query.Where, spec *domain.KindSpec, filters map[string]string) error {
	var faults domain.Faults
	for field, value := range filters {
		switch {
		case field == "name", field == "status", field == "created_by", field == "updated_by":
			where.Eq(field, value)
		case spec.Key != "" && field == spec.Key:
			where.Eq("key", value)
		case allowed(spec, field):
			where.And(strings.ReplaceAll(fieldEquals, "$path", path(field)), value, value, value, value)
		default:
			faults.Add(true, field, "cannot be filtered by")
		}
	}
	return faults.Err()
}

// fieldEquals compares a document's field with a word from a URL.
const fieldEquals = `CASE json_type(doc, $path)
	WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(doc, $path) WHERE CAST(value AS TEXT) = ?)
	WHEN 'true' THEN ? = 'true'
	WHEN 'false' THEN ? = 'false'
	ELSE CAST(json_extract(doc, $path) AS TEXT) = ? END`

func allowed(spec *domain.KindSpec, field string) bool {
	for _, f := range spec.Filters {
		if f == field {
			return true
		}
	}
	return false
}

// path writes the JSON path of a field as an SQL literal. Fields come from
// specs, which are code; quotes are doubled all the same.
func path(field string) string {
	return `'$."` + strings.ReplaceAll(strings.ReplaceAll(field, `"`, ""), "'", "''") + `"'`
}

// Versions lists the versions of a resource, newest first.
func (q *Queries) Versions(ctx context.Context, kind, workspace, id string) ([]domain.Version, error) {
	if _, err := q.Get(ctx, kind, workspace, id); err != nil {
		return nil, err
	}
	rows, err := q.db.Query(ctx, "SELECT number, doc, changelog, at, by FROM resource_versions WHERE kind = ? AND id = ? ORDER BY number DESC", kind, id)
	if err != nil {
		return nil, fmt.Errorf("versions of %s %s: %w", kind, id, err)
	}
	defer rows.Close()
	var all []domain.Version
	for rows.Next() {
		v, err := scanVersion(rows)
		if err != nil {
			return nil, fmt.Errorf("versions of %s %s: %w", kind, id, err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Version returns one version of a resource, NOT_FOUND when there is none.
func (q *Queries) Version(ctx context.Context, kind, workspace, id string, number int) (domain.Version, error) {
	if _, err := q.Get(ctx, kind, workspace, id); err != nil {
		return domain.Version{}, err
	}
	v, err := scanVersion(q.db.QueryRow(ctx,
		"SELECT number, doc, changelog, at, by FROM resource_versions WHERE kind = ? AND id = ? AND number = ?", kind, id, number))
	if errors.Is(err, sql.ErrNoRows) {
		return v, domain.Errorf(domain.CodeNotFound, "%s %q has no version %d", noun(kind), id, number)
	}
	if err != nil {
		return v, fmt.Errorf("version %d of %s %s: %w", number, kind, id, err)
	}
	return v, nil
}

func scanVersion(row query.Row) (domain.Version, error) {
	var v domain.Version
	var doc []byte
	var at int64
	if err := row.Scan(&v.Number, &doc, &v.Changelog, &at, &v.By); err != nil {
		return v, err
	}
	v.At = time.UnixMicro(at).UTC()
	return v, json.Unmarshal(doc, &v.Doc)
}
