package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata/domain"
	"strata/projections/audit"
	"strata/projections/query"
	"strata/streams"
)

// Scope is whose events are seen: those of a workspace and, when Organization
// is set, also those of the organization that belong to no workspace. One of
// the two must be set.
type Scope struct{ Workspace, Organization string }

// Query asks for a part of the list. Empty fields select everything. The order
// is that of time.
type Query struct {
	Scope
	Types    []string  // "budget.created.v1", "budget.created" (any version) or "budget.*"
	Category string    // kind of resource: "budget"
	Subject  string    // id of a resource
	Actor    string    // user_…, key_… or "system"
	Request  string    // request id
	Since    time.Time // not before
	Until    time.Time // before
	Search   string    // part of type, resource, actor or summary, in any case
	Data     bool      // read what the events carry, too
	query.Page
}

// Reader reads events from the model and what they carry from the log. It is
// safe for concurrent use.
type Reader struct {
	db     query.Reader
	store  streams.Store
	codec  *streams.Codec
	secret func(category, field string) bool
	turns  chan struct{} // to verify: reading a whole log is work
}

// verifiers is how many chains are verified at a time; others wait.
const verifiers = 2

// NewReader makes a reader. secret tells which fields of a kind are never
// shown; nil means none are secret.
func NewReader(db query.Reader, store streams.Store, codec *streams.Codec, secret func(category, field string) bool) *Reader {
	if secret == nil {
		secret = func(string, string) bool { return false }
	}
	return &Reader{db: db, store: store, codec: codec, secret: secret, turns: make(chan struct{}, verifiers)}
}

const columns = `position, id, type, stream, subject, revision, workspace, organization, actor,
	request_id, correlation_id, occurred_at, content, prev_hash, hash`

func scan(row query.Row) (*Event, error) {
	e := &Event{}
	var at int64
	err := row.Scan(&e.Position, &e.ID, &e.Type, &e.Stream, &e.Subject, &e.Revision, &e.Workspace, &e.Organization, &e.Actor,
		&e.RequestID, &e.CorrelationID, &at, hashColumn{&e.Content}, hashColumn{&e.Prev}, hashColumn{&e.Hash})
	e.Summary = inWords(audit.Unversioned(e.Type))
	e.OccurredAt = time.UnixMicro(at).UTC()
	return e, err
}

// searched is how many of the latest events a search looks at.
const searched = 50_000

// List returns a page of events. A search looks at the latest 50,000.
func (r *Reader) List(ctx context.Context, q Query) (query.Result[*Event], error) {
	where := r.where(&q)
	out, err := query.Run(ctx, r.db, query.List{Columns: columns, From: "events", Where: where, ID: "id",
		Sorts:   query.Sorts{"time": "position", "timestamp": "position", "created_at": "position", "occurred_at": "position"},
		Default: "time"}, q.Page, scan)
	if err != nil || !q.Data {
		return out, err
	}
	for _, e := range out.Items {
		if err := r.fill(ctx, e); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s Scope) chains() []string {
	var chains []string
	for _, c := range []string{s.Workspace, s.Organization} {
		if c != "" {
			chains = append(chains, c)
		}
	}
	return chains
}

func (r *Reader) where(q *Query) *query.Where {
	where := (&query.Where{}).In("chain", q.chains())
	if len(q.chains()) == 0 {
		where.And("0") // nobody's events
	}
	if len(q.Types) > 0 {
		var either []string
		var args []any
		for _, t := range q.Types {
			one := &query.Where{}
			if prefix, ok := strings.CutSuffix(t, "*"); ok {
				one.Prefix("type", prefix)
			} else if t == audit.Unversioned(t) {
				one.Prefix("type", t+".v")
			} else {
				one.In("type", r.codec.RecordedAs(t))
			}
			either = append(either, strings.TrimPrefix(one.SQL(), " WHERE "))
			args = append(args, one.Args()...)
		}
		where.And("("+strings.Join(either, " OR ")+")", args...)
	}
	if q.Category != "" {
		where.Prefix("stream", q.Category+"-")
	}
	where.EqIf("subject", q.Subject).EqIf("actor", q.Actor).EqIf("request_id", q.Request)
	if !q.Since.IsZero() {
		where.And("occurred_at >= ?", q.Since.UnixMicro())
	}
	if !q.Until.IsZero() {
		where.And("occurred_at < ?", q.Until.UnixMicro())
	}
	if text := strings.ToLower(strings.TrimSpace(q.Search)); text != "" {
		where.And("position > (SELECT coalesce(max(position), 0) - ? FROM events)", searched)
		where.And("instr(lower(type || ' ' || subject || ' ' || actor || ' ' || replace(replace(type, '_', ' '), '.', ' ')), ?) > 0", text)
	}
	return where
}

// Get returns one event with its data, NOT_FOUND when there is none in scope.
func (r *Reader) Get(ctx context.Context, s Scope, id string) (*Event, error) {
	where := (&query.Where{}).Eq("id", id).In("chain", s.chains())
	if len(s.chains()) == 0 {
		return nil, domain.NotFound("event", id)
	}
	e, err := scan(r.db.QueryRow(ctx, "SELECT "+columns+" FROM events"+where.SQL(), where.Args()...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, domain.NotFound("event", id)
	}
	if err != nil {
		return nil, fmt.Errorf("get event %s: %w", id, err)
	}
	return e, r.fill(ctx, e)
}

// View describes a decoded event with its data, for those who follow the log
// live. It has no hashes yet.
func (r *Reader) View(e *domain.Event) (*Event, error) {
	v := EventOf(e)
	var err error
	v.Data, err = dataOf(e.Fact, func(field string) bool { return r.secret(v.Category(), field) })
	return v, err
}

// fill reads what an event carries. An event that has left the log (its stream
// was truncated) carries nothing any more.
func (r *Reader) fill(ctx context.Context, e *Event) error {
	for recorded, err := range r.store.ReadAll(ctx, streams.ReadAll{From: e.Position, Limit: 1}) {
		if err != nil {
			return fmt.Errorf("read event %d: %w", e.Position, err)
		}
		if recorded.Position != e.Position {
			return nil
		}
		decoded, err := r.codec.Decode(recorded)
		if err != nil {
			return err
		}
		view, err := r.View(&decoded)
		if err != nil {
			return err
		}
		e.Type, e.Data = view.Type, view.Data
	}
	return nil
}
