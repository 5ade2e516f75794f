package domain

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// Fact is the typed payload of an event. EventType is its stable name with
// version, "<aggregate>.<past tense>.v<n>"; a released name never changes
// meaning, and its golden file (testdata/events) stays readable for ever.
type Fact interface{ EventType() string }

// Metadata says who caused an event, when and why.
type Metadata struct {
	CorrelationID  string    `json:"correlation_id,omitempty"`  // the request or flow it belongs to
	CausationID    string    `json:"causation_id,omitempty"`    // the event that triggered it, for reactors
	Actor          string    `json:"actor,omitempty"`           // user_…, key_… or "system"
	Organization   string    `json:"organization,omitempty"`    // tenant
	Workspace      string    `json:"workspace,omitempty"`       // tenant's part; "" for organization-wide events
	OccurredAt     time.Time `json:"occurred_at,omitzero"`      // when the command was decided, UTC
	RequestID      string    `json:"request_id,omitempty"`      // req_… of the HTTP request
	IdempotencyKey string    `json:"idempotency_key,omitempty"` // as the client sent it
	Subject        string    `json:"subject,omitempty"`         // whose key encrypts the personal parts, if any
}

// Event is a decoded event: a fact with its place in the log.
type Event struct {
	ID       uuid.UUID
	Stream   StreamID
	Revision Revision
	Position Position
	Fact     Fact
	Meta     Metadata
}

// FactType knows how to decode one type of fact.
type FactType struct {
	Name   string
	Decode func(data []byte) (Fact, error)
}

// FactOf describes the fact type F for a codec. Its name is what the zero value answers.
func FactOf[F Fact]() FactType {
	var zero F
	name := zero.EventType()
	return FactType{Name: name, Decode: func(data []byte) (Fact, error) {
		var f F
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, fmt.Errorf("decode %s: %w", name, err)
		}
		return f, nil
	}}
}

// PersonalFact is a fact with payloads about a person. The codec encrypts its
// data under the key of the subject, so that erasing the key erases the
// payload everywhere it was ever copied. The subject is an id (user_…, ses_…),
// never a name or an address: it stays readable.
type PersonalFact interface {
	Fact
	DataSubject() string
}

// PartlyPersonalFact is a fact some fields of which are about a person, while
// the rest must stay after the person is erased: what a call cost, for one.
type PartlyPersonalFact interface {
	Fact
	// SplitPersonal returns the fact without what is personal, that as a value
	// whose JSON is an object with the missing fields, nil when there is
	// nothing personal in it, and whom it is about.
	SplitPersonal() (open Fact, personal any, subject string)
}

// Erased stands in for a fact whose subject's key was destroyed. States skip
// it; views show that something was there.
type Erased struct{ Type string }

// EventType implements Fact with the type of what was erased.
func (e Erased) EventType() string { return e.Type }

// Unread stands in for a fact that was not decoded, for those who only look at
// what is around it.
type Unread struct {
	Type string // the newest version of its type
	// What the log holds: the type as recorded, the metadata as JSON, and the
	// data, which for personal facts is ciphertext. They must not be modified.
	Recorded       string
	Metadata, Data []byte
}

// EventType implements Fact with the type of what was not read.
func (u Unread) EventType() string { return u.Type }

// Money is an amount in micro-dollars (1 USD = 1,000,000). Integers, because a
// ledger must add up to the last unit.
type Money int64

// Dollars converts to a float for JSON answers and analytics only.
func (m Money) Dollars() float64 { return float64(m) / 1e6 }

// mostMoney bounds what FromDollars returns: so far from the end of an int64
// that sums of it do not overflow.
const mostMoney = Money(1 << 62)

// FromDollars converts an amount a caller gave, rounding to the nearest
// micro-dollar. An amount beyond 4e12 dollars becomes that.
func FromDollars(usd float64) Money {
	micro := math.Round(usd * 1e6)
	return Money(max(-float64(mostMoney), min(float64(mostMoney), micro)))
}
