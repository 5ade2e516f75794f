package domain

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// StreamID names one stream of events: "<category>-<id>", for example
// "session-ses_018f…". The category is everything before the first dash.
type StreamID string

// Stream builds the id of the stream that holds aggregate id of a category.
// The category must not contain a dash.
func Stream(category, id string) StreamID { return StreamID(category + "-" + id) }

// Category returns the part before the first dash ("session").
func (s StreamID) Category() string {
	c, _, _ := strings.Cut(string(s), "-")
	return c
}

// Key returns the part after the first dash: the aggregate's id.
func (s StreamID) Key() string {
	_, k, _ := strings.Cut(string(s), "-")
	return k
}

// Revision numbers the events of one stream from 0.
type Revision int64

// NoRevision is the revision of a stream that holds no event.
const NoRevision Revision = -1

// Position orders every event of the log. Positions start at 1, only grow and
// may have gaps (a scavenged event leaves one); 0 is "before the first event".
type Position uint64

// idEncoding is Crockford's base 32 in lower case: it sorts like the bytes it
// encodes and has no letters that people confuse.
const idEncoding = "0123456789abcdefghjkmnpqrstvwxyz"

// NewID returns a new identifier "<prefix>_<26 characters>" that sorts by the
// time it was made (it is a UUIDv7 in Crockford base 32).
func NewID(prefix string) string { return FormatID(prefix, NewEventID()) }

// FormatID writes u as an identifier with a prefix. Commands use it to derive
// an identifier from an idempotency key, so that a retry names the same thing.
func FormatID(prefix string, u uuid.UUID) string {
	// 128 bits in 26 digits of 5 bits, the last first: the first digit carries 3 bits.
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	var digits [26]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = idEncoding[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	text := append(append(make([]byte, 0, 64), prefix...), '_')
	return string(append(text, digits[:]...))
}

// HasPrefix tells whether id is written "<prefix>_…".
func HasPrefix(id, prefix string) bool {
	return len(id) > len(prefix) && id[len(prefix)] == '_' && id[:len(prefix)] == prefix
}

// NewEventID returns a new time-ordered event id (UUIDv7, RFC 9562).
func NewEventID() uuid.UUID {
	id, err := uuid.NewV7()
	if err != nil { // only when the system has no randomness left
		panic(fmt.Sprintf("domain: no randomness for an id: %v", err))
	}
	return id
}

// idempotencySpace is the UUIDv5 name space of ids derived from idempotency keys.
var idempotencySpace = uuid.MustParse("6f2b1a52-3e0e-4c9c-9f0b-5d1f3f0f7a11")

// DerivedEventID returns the id that the index-th event of a request must have,
// given the workspace, the idempotency key and the route (RFC 9562 UUIDv5). The
// same request therefore always writes the same event ids.
func DerivedEventID(workspace, key, route string, index int) uuid.UUID {
	return uuid.NewSHA1(idempotencySpace, fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", workspace, key, route, index))
}

// FormatTime writes a time as every API of Strata does: RFC 3339, UTC, at most
// microseconds.
func FormatTime(t time.Time) string {
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}
