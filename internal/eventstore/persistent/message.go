package persistent

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"strata/internal/eventstore/eslog"
)

// Event is one event as a group hands it out.
type Event struct {
	// Record is what happened; nil when the link that led there leads nowhere any more.
	Record *eslog.Record
	// Link is the event by which it was found, when links are resolved.
	Link *eslog.Record

	key string // events of one key stay with one consumer, when the strategy pins
}

// Original is the event as it stands in the group's stream: the one that is
// answered for.
func (e *Event) Original() *eslog.Record {
	if e.Link != nil {
		return e.Link
	}
	return e.Record
}

func (e *Event) id() uuid.UUID { return e.Original().ID }

// message is an event on its way through a group. Where it is, is where its
// pointer is: waiting (fresh or again), given to a consumer, being parked, or
// settled.
type message struct {
	event   *Event
	at      int64   // in its ledger: of its source, or of the parked messages
	ledger  *ledger // which of the two it came from
	replay  bool    // it was parked before
	retries int32

	owner   *consumer
	hand    uint64    // number of the hand-out, so that an old deadline is known as such
	since   time.Time // when it was handed out
	sent    bool      // the consumer's connection has taken it
	twin    *message  // another one under the same id, handed to the same consumer
	reason  string    // why it is being parked
	settled bool
}

// deadline is when a hand-out expects its answer.
type deadline struct {
	message *message
	hand    uint64
	at      time.Time
}

// Verdict is what a consumer asks for when it did not process a message.
type Verdict int

// The verdicts.
const (
	Retry Verdict = iota // hand it out again
	Park                 // put it aside until somebody asks for a replay
	Skip                 // it needs nothing
)

// inOrderOfPlace puts what was parked last, everything else in its order.
func inOrderOfPlace(a, b *message) int {
	if a.replay != b.replay {
		if a.replay {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.at, b.at)
}
