// Package streams is the port to the event log. Two adapters implement it:
// streams/embedded (Strata's own segmented log) and, for installations that
// outgrow one machine, EventStoreDB. Both pass streams/streamstest, which is
// the precise statement of what the port promises.
package streams

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata/domain"
)

// Expected is the revision a writer expects a stream to have.
type Expected int64

const (
	// Any appends whatever the revision is.
	Any Expected = -4
	// StreamExists wants at least one event, of a stream that is not deleted.
	StreamExists Expected = -2
	// NoStream wants a stream with no event (or a soft-deleted one).
	NoStream Expected = -1
)

// At expects exactly the revision r; At(domain.NoRevision) is NoStream.
func At(r domain.Revision) Expected { return Expected(r) }

// Proposed is an event to be appended.
type Proposed struct {
	ID        uuid.UUID // identity for idempotent retries; must not be zero
	Type      string    // at most 255 bytes
	Workspace string    // tenant, kept beside the payload so that stores can filter by it; may be ""
	Data      []byte    // JSON, or ciphertext framed by the codec
	Meta      []byte    // JSON
}

// Recorded is an event as the log holds it. Data and Meta must not be modified.
type Recorded struct {
	Proposed
	Stream   domain.StreamID
	Revision domain.Revision
	Position domain.Position
	At       time.Time // when the log accepted it, UTC, microseconds
}

// Result tells where an append went.
type Result struct {
	Revision domain.Revision // of the last event written
	Position domain.Position // of the last event written
	Repeated bool            // the same events were already there: an idempotent retry
}

// WrongRevision is returned when a stream is not as the writer expected.
type WrongRevision struct {
	Stream   domain.StreamID
	Expected Expected
	Actual   domain.Revision
}

// Error implements error.
func (e *WrongRevision) Error() string {
	return fmt.Sprintf("stream %s is at revision %d, not as expected (%d)", e.Stream, e.Actual, e.Expected)
}

var (
	// ErrStreamNotFound: the stream has never been written or is soft-deleted.
	ErrStreamNotFound = errors.New("stream not found")
	// ErrTombstoned: the stream was deleted for good; it can never be written again.
	ErrTombstoned = errors.New("stream is tombstoned")
	// ErrClosed: the store was closed, or has stopped itself after a failed sync.
	ErrClosed = errors.New("event store is closed")
	// ErrTooLarge: an event (data, metadata and type) or one batch is over the store's limit.
	ErrTooLarge = errors.New("event is too large")
	// ErrFull: no space left; reads go on, and writes will when there is space.
	ErrFull = errors.New("event store is out of space")
	// ErrUnavailable: a store on another machine cannot be reached, or did not
	// answer in time. Whether a write was done is then unknown; repeating it with
	// the same event ids does it once.
	ErrUnavailable = errors.New("event store is not available")
	// ErrInvalid: the arguments cannot be right (no events, empty stream name or type, zero id).
	ErrInvalid = errors.New("invalid append")
)

// Types of the records that a store keeps about a stream itself, in the
// stream's metadata stream "$$<stream>".
const (
	TypeMetadata  = "$metadata"      // metadata was set, or the stream soft-deleted
	TypeTombstone = "$streamDeleted" // the stream was deleted for good
)

// IsSystem tells whether a stream belongs to the store itself: its name begins
// with "$$". It can be read like any other but not appended to.
func IsSystem(s domain.StreamID) bool { return strings.HasPrefix(string(s), "$$") }

// Filter selects events of the whole log. Empty fields select everything;
// fields are combined with AND, the values of one field with OR. Events of
// system streams are only selected by naming their category or type.
type Filter struct {
	Categories   []string // exact stream categories
	Types        []string // exact event types
	TypePrefixes []string // beginnings of event types, OR-ed with Types
	Workspace    string   // exact workspace
}

// Matches tells whether an event passes the filter.
func (f *Filter) Matches(e *Recorded) bool {
	if IsSystem(e.Stream) && !f.names() {
		return false
	}
	if f == nil {
		return true
	}
	if f.Workspace != "" && f.Workspace != e.Workspace {
		return false
	}
	if len(f.Categories) > 0 && !contains(f.Categories, e.Stream.Category()) {
		return false
	}
	if len(f.Types) == 0 && len(f.TypePrefixes) == 0 {
		return true
	}
	if contains(f.Types, e.Type) {
		return true
	}
	for _, p := range f.TypePrefixes {
		if len(e.Type) >= len(p) && e.Type[:len(p)] == p {
			return true
		}
	}
	return false
}

// names tells whether the filter names categories or types.
func (f *Filter) names() bool {
	return f != nil && len(f.Categories)+len(f.Types)+len(f.TypePrefixes) > 0
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// ReadStream asks for events of one stream.
type ReadStream struct {
	From      domain.Revision // first revision forwards (0 = start); backwards: the revision to start at, End for the last
	Backwards bool
	Limit     int // 0 = no limit
}

// End is a From that means "the last event", for backward reads.
const End domain.Revision = 1<<62 - 1

// ReadAll asks for events of the whole log in position order.
type ReadAll struct {
	After     domain.Position // forwards: events after this position; backwards: events before it (0 = from the end)
	From      domain.Position // forwards, in place of After: events at this position, which must be an event's, and after it; 0 = not asked for
	Backwards bool
	Limit     int // of matching events; 0 = no limit
	Filter    *Filter
}

// Meta is a stream's metadata: what of it is still readable.
type Meta struct {
	MaxCount       int64           // keep the last n events; 0 = all
	MaxAge         time.Duration   // keep events younger than this; 0 = all
	TruncateBefore domain.Revision // hide events below this revision; 0 = none
	Custom         map[string]any  // for applications
}

// Store is the event log. Implementations are safe for concurrent use.
type Store interface {
	// Append writes events atomically to one stream and returns when they are
	// durable. Appending the same event ids again with the same expectation
	// answers the first result with Repeated set, also after a restart. With
	// Any and StreamExists a store may recognise only recent repeats. When ctx
	// ends before the append was begun nothing is written; once begun, its
	// outcome is answered, unless the store is on another machine that does not
	// answer in time (ErrUnavailable).
	// Errors: *WrongRevision, ErrTombstoned, ErrTooLarge, ErrFull, ErrInvalid,
	// ErrClosed, ErrUnavailable.
	Append(ctx context.Context, stream domain.StreamID, expected Expected, events ...Proposed) (Result, error)

	// ReadStream yields events of a stream. It yields ErrStreamNotFound for one
	// that does not exist and ErrTombstoned for a tombstoned one; after an
	// error nothing follows.
	ReadStream(ctx context.Context, stream domain.StreamID, r ReadStream) iter.Seq2[Recorded, error]

	// ReadAll yields events of the log as of the call, in order. It also
	// yields what ReadStream hides because of metadata or a deletion: whoever
	// rebuilds from the log must see the same history every time. Only what a
	// scavenge has removed, of all that, is gone: it leaves a gap in the positions.
	ReadAll(ctx context.Context, r ReadAll) iter.Seq2[Recorded, error]

	// Subscribe follows the log from after a position, for ever: every matching
	// event once, in order, with no gap between what was there and what comes.
	// Like ReadAll it also delivers what streams hide.
	Subscribe(ctx context.Context, after domain.Position, filter *Filter) (Subscription, error)

	// StreamMeta and SetStreamMeta read and replace a stream's metadata.
	// They take a stream that has no event yet.
	StreamMeta(ctx context.Context, stream domain.StreamID) (Meta, error)
	SetStreamMeta(ctx context.Context, stream domain.StreamID, m Meta) error

	// Delete hides a stream's events; a later append goes on with the next
	// revision and does not bring them back. Tombstone does so for ever. The
	// result holds the stream's last revision (NoRevision when it had none) and
	// the position of the record that says it is deleted. Deleting a stream
	// that has no events, or none any more, is ErrStreamNotFound; repeating a
	// Delete with the exact revision answers the first result.
	// Errors: *WrongRevision, ErrStreamNotFound, ErrTombstoned, ErrFull, ErrClosed.
	Delete(ctx context.Context, stream domain.StreamID, expected Expected) (Result, error)
	Tombstone(ctx context.Context, stream domain.StreamID, expected Expected) (Result, error)

	// Head returns the position of the last event, 0 for an empty log.
	Head(ctx context.Context) (domain.Position, error)

	// StreamRevision returns the last revision of a stream; NoRevision when it
	// has none or is deleted. It is cheap: caches use it to stay honest.
	StreamRevision(ctx context.Context, stream domain.StreamID) (domain.Revision, error)

	Close() error
}

// Importer is a store that can take over what another one recorded. Not every
// store can: one that gives out times and ids itself cannot.
type Importer interface {
	// Import appends events, in order and all or none, as they were recorded:
	// ids, revisions and times are kept, positions are the store's own; it
	// returns that of the last. Events of a system stream ("$$<stream>") do to
	// the stream what they say. Revisions must continue their streams, and times
	// must not go back. An event without a type and content stands for one that
	// was removed from the log; it is never read, but it has its revision.
	// Errors: *WrongRevision, ErrTombstoned, ErrTooLarge, ErrFull, ErrInvalid, ErrClosed.
	Import(ctx context.Context, events []Recorded) (domain.Position, error)
}

// Subscription is a catch-up subscription. It has one reader.
type Subscription interface {
	// Next waits for the next messages and returns at least one: a batch of
	// events in order, or none with CaughtUp set, once each time the
	// subscription has delivered everything the log holds. It returns the
	// context's error when ctx ends and ErrClosed after Close.
	Next(ctx context.Context, max int) (Batch, error)
	Close() error
}

// Batch is what a subscription delivers.
type Batch struct {
	Events   []Recorded
	CaughtUp bool            // nothing more in the log as of Position
	Position domain.Position // everything up to here has been looked at, matching or not
}
