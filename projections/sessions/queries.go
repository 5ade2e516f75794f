package sessions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"strata/domain"
	"strata/domain/session"
	"strata/projections/fold"
	"strata/projections/query"
)

// Session is a session as it stands. Its state has no Last event.
type Session struct {
	session.State
	Revision domain.Revision
}

// Event is an event of a session.
type Event struct {
	session.EventAdded
	At     time.Time
	Erased bool // its content was erased; only its place is left
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Workspace string // the caller's; required
	AppName   string
	AgentName string
	UserID    string
	Status    string // active or closed
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db: db} }

const columns = `uid, app_name, agent_name, user_id, status, event_count, last_event_at, created_at, updated_at, revision, state, metadata`

func into(s *session.State, revision *domain.Revision) []any {
	return []any{&s.UID, &s.AppName, &s.AgentName, &s.UserID, &s.Status, &s.EventCount, fold.At{Into: &s.LastEventAt},
		fold.At{Into: &s.CreatedAt}, fold.At{Into: &s.UpdatedAt}, revision, fold.Doc{Into: &s.State}, fold.Doc{Into: &s.Metadata}}
}

func scan(r query.Row) (Session, error) {
	var s Session
	err := r.Scan(into(&s.State, &s.Revision)...)
	return s, err
}

var sorts = query.Sorts{"created_at": "created_at", "updated_at": "updated_at", "last_event_at": "last_event_at", "event_count": "event_count"}

// SortFields are the fields a list can be sorted by.
var SortFields = []string{"created_at", "updated_at", "last_event_at", "event_count"}

// List reads a page of a workspace's sessions. Faults of the filter or the page
// are VALIDATION_ERRORs.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Session], error) {
	if f.Status != "" && f.Status != string(session.Active) && f.Status != string(session.Closed) {
		var faults domain.Faults
		faults.Add(true, "status", "must be one of %v", []session.Status{session.Active, session.Closed})
		return query.Result[Session]{}, faults.Err()
	}
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("app_name", f.AppName).EqIf("agent_name", f.AgentName).
		EqIf("user_id", f.UserID).EqIf("status", f.Status)
	if f.UserID != "" {
		where.And("user_id <> ''") // lets the partial index serve
	}
	list := query.List{Columns: columns, From: "sessions", Where: where, ID: "uid", Sorts: sorts, Default: "created_at"}
	return query.Run(ctx, q.db, list, p, scan)
}

// Get reads one session; NOT_FOUND when there is none in the workspace.
func (q *Queries) Get(ctx context.Context, workspace, uid string) (Session, error) {
	s, err := scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM sessions WHERE key = ? AND workspace = ?",
		session.StreamKey(workspace, uid), workspace))
	if errors.Is(err, sql.ErrNoRows) {
		return s, domain.NotFound(session.Aggregate.Noun, uid)
	}
	if err != nil {
		return s, fmt.Errorf("session %s: %w", uid, err)
	}
	return s, nil
}

const eventColumns = `id, sequence, author, type, content, state_delta, invocation_id, at, erased`

func scanEvent(r query.Row) (Event, error) {
	var e Event
	var content []byte
	err := r.Scan(&e.ID, &e.Sequence, &e.Author, &e.Type, &content, fold.Doc{Into: &e.StateDelta}, &e.InvocationID, fold.At{Into: &e.At}, &e.Erased)
	e.Content = content
	return e, err
}

// Events reads a page of a session's events in their order (or, with
// Page.Desc, the latest first), of one type unless kind is "". NOT_FOUND when
// there is no such session in the workspace.
func (q *Queries) Events(ctx context.Context, workspace, uid string, kind session.EventKind, p query.Page) (query.Result[Event], error) {
	if kind != "" && !slices.Contains(session.EventKinds(), kind) {
		var faults domain.Faults
		faults.Add(true, "type", "must be one of %v", session.EventKinds())
		return query.Result[Event]{}, faults.Err()
	}
	if _, err := q.Get(ctx, workspace, uid); err != nil {
		return query.Result[Event]{}, err
	}
	where := new(query.Where).Eq("session", session.StreamKey(workspace, uid)).EqIf("type", string(kind))
	list := query.List{Columns: eventColumns, From: "session_events", Where: where, ID: "id",
		Sorts: query.Sorts{"sequence": "sequence"}, Default: "sequence"}
	return query.Run(ctx, q.db, list, p, scanEvent)
}

// GetWithEvents reads a session and its latest events, at most n, oldest first.
func (q *Queries) GetWithEvents(ctx context.Context, workspace, uid string, n int) (Session, []Event, error) {
	s, err := q.Get(ctx, workspace, uid)
	if err != nil {
		return s, nil, err
	}
	events, err := q.Events(ctx, workspace, uid, "", query.Page{Limit: n, Desc: true})
	if err != nil {
		return s, nil, err
	}
	slices.Reverse(events.Items)
	return s, events.Items, nil
}
