package memory

import "strata/domain"

// Added is a new memory.
type Added struct {
	Provider string `json:"provider"`
	Fields
	Subject string `json:"subject,omitempty"` // whose key seals this fact
	// OnDuplicate is what happens if it turns out to repeat an earlier memory; ""
	// is KeepBoth.
	OnDuplicate OnDuplicate `json:"on_duplicate,omitempty"`
}

// EventType implements domain.Fact.
func (Added) EventType() string { return "memory.added.v1" }

// DataSubject implements domain.PersonalFact.
func (f Added) DataSubject() string { return f.Subject }

// Revised changes fields of a memory. A null removes a field. When the memory
// came to be about another user, all fields are there, not only changed ones.
type Revised struct {
	Changed domain.Doc `json:"changed"`
	Subject string     `json:"subject,omitempty"` // whose key seals this fact
}

// EventType implements domain.Fact.
func (Revised) EventType() string { return "memory.revised.v1" }

// DataSubject implements domain.PersonalFact.
func (f Revised) DataSubject() string { return f.Subject }

// Forgotten removes a memory.
type Forgotten struct {
	DuplicateOf string `json:"duplicate_of,omitempty"` // the earlier memory that it repeated, when that is why
}

// EventType implements domain.Fact.
func (Forgotten) EventType() string { return "memory.forgotten.v1" }

// Expired removes a memory whose time is over.
type Expired struct{}

// EventType implements domain.Fact.
func (Expired) EventType() string { return "memory.expired.v1" }

// FactTypes lists the facts of memories for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Added](),
		domain.FactOf[Revised](),
		domain.FactOf[Forgotten](),
		domain.FactOf[Expired](),
	}
}
