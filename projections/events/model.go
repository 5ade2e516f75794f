// Package events is the read model behind the public list of events and the
// audit trail: one row for everything that a person or a program has done,
// chained by hashes so that a row that was changed or removed shows.
//
// The rows hold who, what and when. What an event carries is read from the log
// when it is shown (see [Reader]), so erased and secret data is never copied.
package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"strata/domain"
	"strata/projections"
	"strata/projections/audit"
	"strata/streams"
)

// Name of the model.
const Name = "events"

// A chain is the sequence of one workspace's events, or of the events of an
// organization that belong to no workspace.
const schema = `
CREATE TABLE events (
  position       INTEGER PRIMARY KEY,
  id             TEXT NOT NULL,
  type           TEXT NOT NULL,    -- as recorded
  stream         TEXT NOT NULL,
  subject        TEXT NOT NULL,    -- id of the resource it happened to
  revision       INTEGER NOT NULL,
  workspace      TEXT NOT NULL,
  organization   TEXT NOT NULL,
  actor          TEXT NOT NULL,
  request_id     TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  occurred_at    INTEGER NOT NULL, -- Unix microseconds
  chain          TEXT NOT NULL,    -- workspace, else organization
  content        BLOB NOT NULL,    -- hash of metadata and data as recorded
  prev_hash      BLOB NOT NULL,    -- zeros for the first of a chain
  hash           BLOB NOT NULL
);
CREATE TABLE event_chains (
  chain    TEXT PRIMARY KEY,
  hash     BLOB NOT NULL,    -- of the last event
  events   INTEGER NOT NULL, -- how many there are
  position INTEGER NOT NULL  -- of the last event
);
`

const indexes = `
CREATE INDEX IF NOT EXISTS events_chain ON events (chain, position);
CREATE INDEX IF NOT EXISTS events_subject ON events (subject, position);
CREATE UNIQUE INDEX IF NOT EXISTS events_id ON events (id);
`

// Model lists events. It implements projections.Model.
type Model struct{ prefixes []string }

// New makes the model for the facts of a program. Machine traffic (see Public)
// is left out.
func New(facts []domain.FactType) *Model {
	types := make([]string, len(facts))
	for i, f := range facts {
		types[i] = f.Name
	}
	return &Model{prefixesOf(types)}
}

// prefixesOf are the beginnings that the listed ones of some event types have
// in common with their older versions, which are in the log as well.
func prefixesOf(types []string) []string {
	var out []string
	for _, t := range types {
		if Public(t) {
			out = append(out, audit.Unversioned(t)+".v")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Public tells whether events of a type are listed. Model calls, budget
// reservations, timers, name claims, the rows of uploads and parts of trained models are not: they are the machine's own traffic, many
// for each thing that somebody does, and have views of their own.
func Public(eventType string) bool {
	category, rest, _ := strings.Cut(eventType, ".")
	switch category {
	case "checkpoint", "inference", "claim", "memory_vector", "timer":
		return false
	case "persona_upload":
		verb, _, _ := strings.Cut(rest, ".")
		return verb != "rows_parsed"
	case "budget":
		verb, _, _ := strings.Cut(rest, ".")
		return verb != "reserved" && verb != "settled" && verb != "released"
	}
	return true
}

// Name implements projections.Model.
func (m *Model) Name() string { return Name }

// Version implements projections.Model.
func (m *Model) Version() int { return 4 }

// Schema implements projections.Model.
func (m *Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (m *Model) Indexes() string { return indexes }

// Filter implements projections.Model. It also serves those who follow the same
// events live.
func (m *Model) Filter() *streams.Filter { return &streams.Filter{TypePrefixes: m.prefixes} }

// Group implements projections.Grouper: entries are chained, so all of a chain
// wait behind one that cannot be listed. Which organization an event without a
// workspace belongs to is not known yet when this is asked: those wait together.
func (m *Model) Group(e *streams.Recorded) string { return "chain " + e.Workspace }

// link is the end of a chain.
type link struct {
	hash     audit.Hash
	events   int
	position domain.Position
}

// EnvelopesOnly implements projections.EnvelopeModel: the trail holds the hash
// of what was recorded, which needs no key and is the same after an erasure.
func (m *Model) EnvelopesOnly() {}

// Apply implements projections.Model.
func (m *Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	ends := map[string]*link{}
	for i := range events {
		raw, ok := events[i].Fact.(domain.Unread)
		if !ok {
			return fmt.Errorf("event %d came decoded: its hash is that of its stored form", events[i].Position)
		}
		e := EventOf(&events[i])
		chain := e.Chain()
		end := ends[chain]
		if end == nil {
			end = &link{}
			err := tx.QueryRow(ctx, "SELECT hash, events FROM event_chains WHERE chain = ?", chain).Scan(hashColumn{&end.hash}, &end.events)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			ends[chain] = end
		}
		e.Content, e.Prev = audit.ContentHash(raw.Metadata, raw.Data), end.hash
		e.Hash = e.Digest()
		end.hash, end.events, end.position = e.Hash, end.events+1, e.Position
		if err := e.insert(ctx, tx); err != nil {
			return fmt.Errorf("event %d: %w", e.Position, err)
		}
	}
	for chain, end := range ends {
		if _, err := tx.Exec(ctx, `INSERT INTO event_chains (chain, hash, events, position) VALUES (?, ?, ?, ?)
			ON CONFLICT (chain) DO UPDATE SET hash = excluded.hash, events = excluded.events, position = excluded.position`,
			chain, end.hash[:], end.events, int64(end.position)); err != nil {
			return err
		}
	}
	return nil
}

func (e *Event) insert(ctx context.Context, tx projections.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO events (position, id, type, stream, subject, revision, workspace, organization, actor,
		request_id, correlation_id, occurred_at, chain, content, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(e.Position), e.ID, e.Type, string(e.Stream), e.Subject, int64(e.Revision), e.Workspace, e.Organization, e.Actor,
		e.RequestID, e.CorrelationID, e.OccurredAt.UnixMicro(), e.Chain(), e.Content[:], e.Prev[:], e.Hash[:])
	return err
}

// hashColumn scans a hash. What is no hash, because somebody changed it, is
// read as the hash of nothing, which fits no entry.
type hashColumn struct{ into *audit.Hash }

// Scan implements sql.Scanner.
func (h hashColumn) Scan(value any) error {
	*h.into = audit.Hash{}
	if b, ok := value.([]byte); ok && len(b) == len(h.into) {
		copy(h.into[:], b)
	}
	return nil
}
