// Package projections folds the log into read models.
//
// A read model is a [Model]: a name, a version, tables and a function that
// applies a batch of events to them. The runner (see [Runner]) gives each model
// its own SQLite file and its own catch-up subscription, and writes rows and
// checkpoint in one transaction: after a crash the model stands exactly where
// its checkpoint says. The log is the truth, so a model's file may be deleted
// at any time; it is rebuilt.
package projections

import (
	"context"
	"database/sql"

	"strata/domain"
	"strata/streams"
)

// Model is one read model.
type Model interface {
	// Name is the model's name: file name, `strata rebuild NAME`, metrics.
	Name() string
	// Version grows with every change of tables or of their meaning; a file of
	// another version is rebuilt from the log.
	Version() int
	// Filter selects the events Apply wants. Others are never decoded.
	Filter() *streams.Filter
	// Schema is the DDL of the model's tables, run once on an empty file.
	Schema() string
	// Indexes is the DDL of secondary indexes and search tables that are
	// cheaper to build once, after the first catch-up (see engines' figures in
	// docs/performance.md). It must be idempotent (IF NOT EXISTS) and bring
	// search tables up to date with the rows.
	Indexes() string
	// Apply folds events, in log order, into the tables. It sees every event
	// once: the checkpoint moves in the same transaction. It must be a pure
	// function of tables and events (no clock, no randomness), so that a
	// rebuild gives the same rows. An error stops the model at the first event
	// of the batch that cannot be applied; the runner finds it by applying
	// singly, retries, and then parks that event's stream.
	Apply(ctx context.Context, tx Tx, events []domain.Event) error
}

// Grouper is a Model whose rows depend on the order of events across streams.
// When one of its events cannot be applied, all later ones of the same group
// wait behind it; for other models, only those of its stream do.
type Grouper interface {
	Model
	// Group names what an event waits with. It is asked before the event is decoded.
	Group(e *streams.Recorded) string
}

// EnvelopeModel is a model whose Apply only looks at what is around facts: it is
// given domain.Unread in their place, and the work of decoding is saved.
type EnvelopeModel interface {
	Model
	// EnvelopesOnly does nothing; having it says that facts are not needed.
	EnvelopesOnly()
}

// decode reads a stored event for a model.
func decode(m Model, codec *streams.Codec, r streams.Recorded) (domain.Event, error) {
	if _, ok := m.(EnvelopeModel); ok {
		return codec.Envelope(r)
	}
	return codec.Decode(r)
}

// Tx is what Apply may do with the database. Statements are prepared once and
// kept by the runner, so pass constant SQL.
type Tx interface {
	Exec(ctx context.Context, query string, args ...any) (sql.Result, error)
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// Positioner tells how far a read model is, for read-your-writes.
type Positioner interface {
	// Position is the log position the model's committed rows reflect.
	Position() domain.Position
}
