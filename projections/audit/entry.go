package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/domain"
)

// Hash is a SHA-256 sum; zero stands for "none". Its text is in hex.
type Hash [sha256.Size]byte

// String implements fmt.Stringer; "" for none.
func (h Hash) String() string {
	if h == (Hash{}) {
		return ""
	}
	return hex.EncodeToString(h[:])
}

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	*h = Hash{}
	if len(text) == 0 {
		return nil
	}
	if n, err := hex.Decode(h[:], text[:min(len(text), 2*len(h))]); err != nil || n != len(h) || len(text) != 2*len(h) {
		return fmt.Errorf("%.70q is not a hash", text)
	}
	return nil
}

// Entry is one event in the audit trail.
type Entry struct {
	ID            string // evt_…
	Type          string // as recorded, with its version
	Stream        domain.StreamID
	Revision      domain.Revision
	Position      domain.Position // not part of the hash
	Workspace     string          // "" for what concerns a whole organization
	Organization  string
	Actor         string
	RequestID     string
	CorrelationID string
	OccurredAt    time.Time // UTC, microseconds
	Content       Hash      // of what was recorded, see ContentHash
	Prev          Hash      // of the entry before it in its chain
	Hash          Hash      // see Digest
}

// Chain names the chain an entry belongs to: that of its workspace, else that
// of its organization. Events of the installation itself are in the chain "".
func (e *Entry) Chain() string {
	if e.Workspace != "" {
		return e.Workspace
	}
	return e.Organization
}

// ContentHash is the hash of an event's metadata and data as the log holds them.
func ContentHash(metadata, data []byte) Hash {
	h := sha256.New()
	fmt.Fprintf(h, "%d:", len(metadata))
	h.Write(metadata)
	h.Write(data)
	return Hash(h.Sum(nil))
}

// Digest is what an entry's Hash must be: the SHA-256 of its fields, each with
// its length before it, the previous hash first.
func (e *Entry) Digest() Hash {
	var number [20]byte
	b := make([]byte, 0, 512)
	add := func(field string) {
		b = append(strconv.AppendInt(b, int64(len(field)), 10), ':')
		b = append(append(b, field...), ',')
	}
	add(string(e.Prev[:]))
	add(e.ID)
	add(e.Type)
	add(string(e.Stream))
	add(string(strconv.AppendInt(number[:0], int64(e.Revision), 10)))
	add(e.Workspace)
	add(e.Organization)
	add(e.Actor)
	add(e.RequestID)
	add(e.CorrelationID)
	add(string(strconv.AppendInt(number[:0], e.OccurredAt.UnixMicro(), 10)))
	add(string(e.Content[:]))
	return sha256.Sum256(b)
}

// Action is what was done: the type without its version.
func (e *Entry) Action() string { return Unversioned(e.Type) }

// ActorType is what the actor is: user, api_key, agent or system.
func (e *Entry) ActorType() string {
	prefix, _, _ := strings.Cut(e.Actor, "_")
	switch prefix {
	case "user", "agent":
		return prefix
	case "key":
		return "api_key"
	}
	return "system"
}

// Success is the outcome of everything in the log: what was refused or failed
// changed nothing and is no event.
const Success = "success"

// Unversioned cuts ".v2" from an event type.
func Unversioned(eventType string) string {
	if i := strings.LastIndex(eventType, ".v"); i >= 0 {
		if _, err := strconv.Atoi(eventType[i+2:]); err == nil {
			return eventType[:i]
		}
	}
	return eventType
}
