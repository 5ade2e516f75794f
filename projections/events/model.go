// Package events is the read model behind the public list of events and the
// audit trail: one row for everything that a person or a program has done,
// chained by hashes so that a row that was changed or removed shows.
//
// The rows hold who, what and when. What an event carries is read from the log
// when it is shown (see [Reader]), so erased and secret data is never copied.
package events

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"strata/domain"
	"strata/projections"
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
  type           TEXT NOT NULL,
  stream         TEXT NOT NULL,
  subject        TEXT NOT NULL,    -- id of the resource it happened to
  revision       INTEGER NOT NULL,
  workspace      TEXT NOT NULL,
  organization   TEXT NOT NULL,
  actor          TEXT NOT NULL,
  request_id     TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  occurred_at    INTEGER NOT NULL, -- Unix microseconds
  summary        TEXT NOT NULL,
  chain          TEXT NOT NULL,    -- workspace, else organization
  prev_hash      TEXT NOT NULL,    -- '' for the first of a chain
  hash           TEXT NOT NULL
);
CREATE TABLE event_chains (
  chain    TEXT PRIMARY KEY,
  hash     TEXT NOT NULL,    -- of the last event
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
	m := &Model{}
	for _, f := range facts {
		if Public(f.Name) {
			// Without the version: older versions are in the log as well.
			m.prefixes = append(m.prefixes, unversioned(f.Name)+".v")
		}
	}
	slices.Sort(m.prefixes)
	m.prefixes = slices.Compact(m.prefixes)
	return m
}

// Public tells whether events of a type are listed. Model calls, budget
// reservations and name claims are not: they are the machine's own traffic, many
// for each thing that somebody does, and have views of their own.
func Public(eventType string) bool {
	category, rest, _ := strings.Cut(eventType, ".")
	switch category {
	case "inference", "claim":
		return false
	case "budget":
		verb, _, _ := strings.Cut(rest, ".")
		return verb != "reserved" && verb != "settled" && verb != "released"
	}
	return true
}

// unversioned cuts ".v2" from an event type.
func unversioned(eventType string) string {
	if i := strings.LastIndex(eventType, ".v"); i >= 0 {
		if _, err := strconv.Atoi(eventType[i+2:]); err == nil {
			return eventType[:i]
		}
	}
	return eventType
}

// Name implements projections.Model.
func (m *Model) Name() string { return Name }

// Version implements projections.Model.
func (m *Model) Version() int { return 1 }

// Schema implements projections.Model.
func (m *Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (m *Model) Indexes() string { return indexes }

// Filter implements projections.Model. It also serves those who follow the same
// events live.
func (m *Model) Filter() *streams.Filter { return &streams.Filter{TypePrefixes: m.prefixes} }

// link is the end of a chain.
type link struct {
	hash     string
	events   int
	position domain.Position
}

// EnvelopesOnly implements projections.EnvelopeModel.
func (m *Model) EnvelopesOnly() {}

// Apply implements projections.Model.
func (m *Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	ends := map[string]*link{}
	for i := range events {
		e := EventOf(&events[i])
		end := ends[e.chain()]
		if end == nil {
			end = &link{}
			err := tx.QueryRow(ctx, "SELECT hash, events FROM event_chains WHERE chain = ?", e.chain()).Scan(&end.hash, &end.events)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			ends[e.chain()] = end
		}
		e.PrevHash = end.hash
		e.Hash = e.digest()
		end.hash, end.events, end.position = e.Hash, end.events+1, e.Position
		if err := e.insert(ctx, tx); err != nil {
			return fmt.Errorf("event %d: %w", e.Position, err)
		}
	}
	for chain, end := range ends {
		if _, err := tx.Exec(ctx, `INSERT INTO event_chains (chain, hash, events, position) VALUES (?, ?, ?, ?)
			ON CONFLICT (chain) DO UPDATE SET hash = excluded.hash, events = excluded.events, position = excluded.position`,
			chain, end.hash, end.events, int64(end.position)); err != nil {
			return err
		}
	}
	return nil
}

func (e *Event) insert(ctx context.Context, tx projections.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO events (position, id, type, stream, subject, revision, workspace, organization, actor,
		request_id, correlation_id, occurred_at, summary, chain, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(e.Position), e.ID, e.Type, string(e.Stream), e.Subject, int64(e.Revision), e.Workspace, e.Organization, e.Actor,
		e.RequestID, e.CorrelationID, e.OccurredAt.UnixMicro(), e.Summary, e.chain(), e.PrevHash, e.Hash)
	return err
}

// digest is the hash of an event and of all before it in its chain: SHA-256
// over the length-prefixed fields.
func (e *Event) digest() string {
	var position, revision, at [20]byte
	buf := make([]byte, 0, 512)
	for _, field := range [...]string{e.PrevHash, string(strconv.AppendUint(position[:0], uint64(e.Position), 10)), e.ID, e.Type, string(e.Stream),
		string(strconv.AppendInt(revision[:0], int64(e.Revision), 10)), e.Workspace, e.Organization, e.Actor, e.RequestID, e.CorrelationID,
		string(strconv.AppendInt(at[:0], e.OccurredAt.UnixMicro(), 10))} {
		buf = append(strconv.AppendInt(buf, int64(len(field)), 10), ':')
		buf = append(append(buf, field...), ',')
	}
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:])
}
