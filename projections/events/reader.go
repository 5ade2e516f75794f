package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata/domain"
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
}

// NewReader makes a reader. secret tells which fields of a kind are never
// shown; nil means none are secret.
func NewReader(db query.Reader, store streams.Store, codec *streams.Codec, secret func(category, field string) bool) *Reader {
	if secret == nil {
		secret = func(string, string) bool { return false }
	}
	return &Reader{db: db, store: store, codec: codec, secret: secret}
}

const columns = `position, id, type, stream, subject, revision, workspace, organization, actor,
	request_id, correlation_id, occurred_at, summary, prev_hash, hash`

func scan(row query.Row) (*Event, error) {
	e := &Event{}
	var at int64
	err := row.Scan(&e.Position, &e.ID, &e.Type, &e.Stream, &e.Subject, &e.Revision, &e.Workspace, &e.Organization, &e.Actor,
		&e.RequestID, &e.CorrelationID, &at, &e.Summary, &e.PrevHash, &e.Hash)
	e.OccurredAt = time.UnixMicro(at).UTC()
	return e, err
}

// searched is how many of the latest events a search looks at.
const searched = 50_000

// List returns a page of events. A search looks at the latest 50,000.
func (r *Reader) List(ctx context.Context, q Query) (query.Result[*Event], error) {
	where := q.where()
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

func (q *Query) where() *query.Where {
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
			} else if t == unversioned(t) {
				one.Prefix("type", t+".v")
			} else {
				one.Eq("type", t)
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
		where.And("instr(lower(type || ' ' || subject || ' ' || actor || ' ' || summary), ?) > 0", text)
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
	for recorded, err := range r.store.ReadAll(ctx, streams.ReadAll{After: e.Position - 1, Limit: 1}) {
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
		e.Data = view.Data
	}
	return nil
}

// Verification is the result of checking a chain.
type Verification struct {
	Events   int             // checked
	Valid    bool            // every hash follows from the one before
	BrokenAt domain.Position // the first event that does not fit; 0 when valid
	Hash     string          // of the last event: keep it elsewhere to prove the past later
}

// VerifyChain checks the hash chain of a workspace (or of an organization).
// Rows that were changed, removed or put in are found, also at the end.
func (r *Reader) VerifyChain(ctx context.Context, chain string) (Verification, error) {
	v := Verification{Valid: true}
	// The end first: events that are committed from here on are not looked at.
	var end link
	err := r.db.QueryRow(ctx, "SELECT hash, events, position FROM event_chains WHERE chain = ?", chain).Scan(&end.hash, &end.events, &end.position)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return v, fmt.Errorf("verify events: %w", err)
	}
	rows, err := r.db.Query(ctx, "SELECT "+columns+" FROM events WHERE chain = ? AND position <= ? ORDER BY position", chain, int64(end.position))
	if err != nil {
		return v, fmt.Errorf("verify events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return v, fmt.Errorf("verify events: %w", err)
		}
		v.Events++
		if v.Valid && (e.PrevHash != v.Hash || e.Hash != e.digest()) {
			v.Valid, v.BrokenAt = false, e.Position
		}
		v.Hash = e.Hash
	}
	if err := rows.Err(); err != nil {
		return v, fmt.Errorf("verify events: %w", err)
	}
	if v.Valid && (end.hash != v.Hash || end.events != v.Events) {
		v.Valid = false
	}
	return v, nil
}
