package memories

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/memory"
	"strata/projections/fold"
	"strata/projections/query"
)

// Memory is a memory as it stands.
type Memory struct {
	memory.State
	Revision domain.Revision
	// DuplicateOf is the memory that said nearly the same when this one was embedded.
	DuplicateOf string
	// Model that embedded the text as it is, "" while none has.
	Model string
	// Why the text is not embedded, when that was tried and failed.
	FailureCode domain.Code
	Failure     string
}

// Filter narrows a list or a search. Empty fields do not.
type Filter struct {
	Workspace string // the caller's; required
	AgentID   string
	UserID    string
	SessionID string
	AppID     string
	Type      string
	// Metadata wants fields of the memory's metadata to equal these; null wants
	// a field to be absent.
	Metadata domain.Doc
	// Text wants every word to occur, the last one perhaps unfinished. It does
	// not rank; see Search.
	Text string
}

// Queries reads the model. Memories that have expired by its clock are not
// there. It is safe for concurrent use.
type Queries struct {
	db  query.Reader
	now func() time.Time
}

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader, now func() time.Time) *Queries { return &Queries{db: db, now: now} }

const columns = `memories.id, provider, memories.content, type, agent_id, user_id, session_id, app_id, metadata, importance,
	expires_at, created_at, updated_at, revision`

// shown are the columns of an answer. The memory that a duplicate repeats may have
// gone since.
const shown = columns + `, coalesce((SELECT duplicate_of FROM memory_vectors WHERE memory = memories.id AND of = said
	AND EXISTS (SELECT 1 FROM memories o WHERE o.id = duplicate_of)), ''),
	coalesce((SELECT model FROM memory_vectors WHERE memory = memories.id AND of = said), ''),
	coalesce((SELECT code FROM memory_failures WHERE memory = memories.id AND of = said), ''),
	coalesce((SELECT reason FROM memory_failures WHERE memory = memories.id AND of = said), '')`

func into(s *memory.State, revision *domain.Revision) []any {
	return []any{&s.ID, &s.Provider, &s.Content, &s.Type, &s.AgentID, &s.UserID, &s.SessionID, &s.AppID, fold.Doc{Into: &s.Metadata},
		&s.Importance, fold.At{Into: &s.ExpiresAt}, fold.At{Into: &s.CreatedAt}, fold.At{Into: &s.UpdatedAt}, revision}
}

func scan(r query.Row) (Memory, error) {
	m := Memory{State: memory.State{Exists: true}}
	err := r.Scan(append(into(&m.State, &m.Revision), &m.DuplicateOf, &m.Model, &m.FailureCode, &m.Failure)...)
	return m, err
}

var sorts = query.Sorts{"created_at": "created_at", "updated_at": "updated_at", "importance": "coalesce(importance, 0)"}

// SortFields are the fields a list can be sorted by.
var SortFields = []string{"created_at", "updated_at", "importance"}

// maxMatches bounds what a list narrowed by a common word reads and sorts: the
// latest matches.
const maxMatches = 5000

// List reads a page of a workspace's memories. Faults of the filter or the page
// are VALIDATION_ERRORs.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Memory], error) {
	where, err := q.where(f)
	if err != nil {
		return query.Result[Memory]{}, err
	}
	if words := query.MatchWords(f.Text); words != "" {
		where.And(`memories.rowid IN (SELECT rowid FROM memories_search WHERE memories_search MATCH ? ORDER BY rowid DESC LIMIT ?)`,
			f.inScope()+" AND content : ("+words+")", maxMatches)
	}
	list := query.List{Columns: shown, From: "memories", Where: where, ID: "memories.id", Sorts: sorts, Default: "created_at"}
	result, err := query.Run(ctx, q.db, list, p, scan)
	return result, stillBuilding(err)
}

// Get reads one memory; NOT_FOUND when there is none in the workspace, or none
// any more.
func (q *Queries) Get(ctx context.Context, workspace, id string) (Memory, error) {
	where, err := q.where(Filter{Workspace: workspace})
	if err != nil {
		return Memory{}, err
	}
	where.Eq("id", id)
	m, err := scan(q.db.QueryRow(ctx, "SELECT "+shown+" FROM memories"+where.SQL(), where.Args()...))
	if errors.Is(err, sql.ErrNoRows) {
		return m, domain.NotFound(memory.Aggregate.Noun, id)
	}
	if err != nil {
		return m, fmt.Errorf("memory %s: %w", id, err)
	}
	return m, nil
}

func (q *Queries) where(f Filter) (*query.Where, error) {
	var faults domain.Faults
	faults.Add(f.Type != "" && !slices.Contains(memory.Kinds(), memory.Kind(f.Type)), "type", "must be one of %v", memory.Kinds())
	where := new(query.Where).Eq("workspace", f.Workspace).
		And("(expires_at = 0 OR expires_at > ?)", q.now().UnixMicro()).
		EqIf("agent_id", f.AgentID).EqIf("user_id", f.UserID).EqIf("session_id", f.SessionID).EqIf("app_id", f.AppID).EqIf("type", f.Type)
	if f.UserID != "" {
		where.And("user_id <> ''") // lets the partial index serve
	}
	for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
		if strings.ContainsAny(key, "\"\\\x00") { // a JSON path cannot quote them
			faults.Add(true, "filter."+key, "cannot be filtered by")
			continue
		}
		path, value := `$."`+key+`"`, string(f.Metadata[key])
		where.And(metadataEquals, path, value, path, value)
	}
	return where, faults.Err()
}

// metadataEquals compares two JSON values: as SQLite values, which makes 1 and
// 1.0 equal, and true no number.
const metadataEquals = `(json_extract(coalesce(nullif(metadata, ''), '{}'), ?) IS json_extract(?, '$') AND
	coalesce(json_type(coalesce(nullif(metadata, ''), '{}'), ?) IN ('true', 'false'), 0) = (json_type(?) IN ('true', 'false')))`

// inScope is the part of a full-text query that narrows it to what the filter
// says a memory belongs to.
func (f Filter) inScope() string {
	return "scope : (" + scopeOf(f.Workspace, f.AgentID, f.UserID, f.SessionID) + ")"
}

// stillBuilding explains a search before the first catch-up, when there is no
// index yet.
func stillBuilding(err error) error {
	if err != nil && strings.Contains(err.Error(), "no such table: memories_search") {
		return domain.Errorf(domain.CodeUnavailable, "the search index is still being built").Because(err)
	}
	return err
}
