package privacy

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"strata/domain"
)

// Status of an erasure.
type Status string

// An erasure is pending until every place that held data has been cleaned. What
// was sealed cannot be read from the beginning.
const (
	Pending   Status = "pending"
	Completed Status = "completed"
)

// Place is what became of one place that may hold data of the subject.
type Place struct {
	Name     string
	ErasedAt time.Time // zero while it is pending
}

// Erasure is what is known of an erasure at one revision.
type Erasure struct {
	ID           string
	Organization string
	Workspace    string // where; "" for all of the organization
	Subject      string
	Reason       string
	By           string
	Keys         []uuid.UUID
	Places       []Place
	Events       int64 // of the subject in the log
	Unsealed     int64 // of them, written before there were keys: still readable
	RequestedAt  time.Time
	CompletedAt  time.Time
}

// Status tells how far the erasure is; "" before it was asked for.
func (s *Erasure) Status() Status {
	switch {
	case s.RequestedAt.IsZero():
		return ""
	case s.CompletedAt.IsZero():
		return Pending
	}
	return Completed
}

// Open lists the places that are still to be cleaned.
func (s *Erasure) Open() []string {
	var open []string
	for _, p := range s.Places {
		if p.ErasedAt.IsZero() {
			open = append(open, p.Name)
		}
	}
	return open
}

// Erasures folds the streams of erasures.
var Erasures = &domain.Aggregate[Erasure]{
	Category: "privacy", Prefix: "era", Noun: "erasure",
	New:   func(id string) *Erasure { return &Erasure{ID: id} },
	Apply: func(s *Erasure, e domain.Event) { s.apply(e) },
	Facts: FactTypes(),
}

// SubjectErased says that a person's data is to be erased, and names the keys
// that are destroyed for it.
type SubjectErased struct {
	Subject   string      `json:"subject_id"`
	Workspace string      `json:"workspace,omitempty"` // "" for all of the organization
	Reason    string      `json:"reason,omitempty"`
	Keys      []uuid.UUID `json:"keys,omitempty"`
	Places    []string    `json:"places"` // what is to be cleaned
}

// EventType implements domain.Fact.
func (SubjectErased) EventType() string { return "privacy.subject_erased.v1" }

// PlacesAdded says that more places may hold data than were known when the erasure
// was asked for: their node joined at the same moment.
type PlacesAdded struct {
	Places []string `json:"places"`
}

// EventType implements domain.Fact.
func (PlacesAdded) EventType() string { return "privacy.places_added.v1" }

// PlaceErased says that a place holds nothing of the person any more.
type PlaceErased struct {
	Place string `json:"place"`
}

// EventType implements domain.Fact.
func (PlaceErased) EventType() string { return "privacy.place_erased.v1" }

// ErasureCompleted says that nothing of the person is left.
type ErasureCompleted struct {
	Events   int64 `json:"events"`   // of the subject in the log
	Unsealed int64 `json:"unsealed"` // of them, written before there were keys: still readable
}

// EventType implements domain.Fact.
func (ErasureCompleted) EventType() string { return "privacy.erasure_completed.v1" }

// FactTypes lists the facts of erasures for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[SubjectErased](), domain.FactOf[PlacesAdded](), domain.FactOf[PlaceErased](), domain.FactOf[ErasureCompleted]()}
}

func (s *Erasure) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case SubjectErased:
		s.Organization, s.Workspace, s.Subject, s.Reason, s.Keys = e.Meta.Organization, f.Workspace, f.Subject, f.Reason, f.Keys
		s.By, s.RequestedAt = e.Meta.Actor, at
		s.Places = nil
		s.add(f.Places)
	case PlacesAdded:
		s.add(f.Places)
	case PlaceErased:
		for i := range s.Places {
			if s.Places[i].Name == f.Place && s.Places[i].ErasedAt.IsZero() {
				s.Places[i].ErasedAt = at
			}
		}
	case ErasureCompleted:
		s.CompletedAt, s.Events, s.Unsealed = at, f.Events, f.Unsealed
	}
}

func (s *Erasure) add(places []string) {
	for _, name := range places {
		s.Places = append(s.Places, Place{Name: name})
	}
}

// Names tells whether a place is among those of the erasure, cleaned or not.
func (s *Erasure) Names(place string) bool {
	return slices.ContainsFunc(s.Places, func(p Place) bool { return p.Name == place })
}

// Limits of what a caller may store.
const (
	maxSubject = 512  // bytes, as identifiers of other resources
	maxReason  = 2000 // bytes
)

// Erase asks for a person's data to be erased.
type Erase struct {
	Subject   string
	Workspace string // "" for all of the organization
	Reason    string
	Keys      []uuid.UUID
	Places    []string
}

// Decide implements domain.Decider. Asking again for the same erasure does nothing.
func (c Erase) Decide(_ domain.Env, s *Erasure) ([]domain.Fact, error) {
	if s.Status() != "" {
		return nil, nil
	}
	var f domain.Faults
	f.Add(c.Subject == "", "subject", "is required")
	f.Add(len(c.Subject) > maxSubject, "subject", "must be at most %d bytes long", maxSubject)
	f.Add(len(c.Reason) > maxReason, "reason", "must be at most %d bytes long", maxReason)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{SubjectErased(c)}, nil
}

// Widen makes an erasure reach all the places there are, as long as it is pending.
type Widen struct{ Places []string }

// Decide implements domain.Decider.
func (c Widen) Decide(_ domain.Env, s *Erasure) ([]domain.Fact, error) {
	switch s.Status() {
	case "":
		return nil, domain.NotFound(Erasures.Noun, s.ID)
	case Completed:
		return nil, nil
	}
	more := slices.DeleteFunc(slices.Clone(c.Places), s.Names)
	if len(more) == 0 {
		return nil, nil
	}
	return []domain.Fact{PlacesAdded{Places: more}}, nil
}

// Report notes that a place was cleaned.
type Report struct{ Place string }

// Decide implements domain.Decider.
func (c Report) Decide(_ domain.Env, s *Erasure) ([]domain.Fact, error) {
	if s.Status() == "" {
		return nil, domain.NotFound(Erasures.Noun, s.ID)
	}
	if !slices.Contains(s.Open(), c.Place) {
		return nil, nil
	}
	return []domain.Fact{PlaceErased(c)}, nil
}

// Complete ends an erasure, all of whose places are clean.
type Complete struct{ Events, Unsealed int64 }

// Decide implements domain.Decider.
func (c Complete) Decide(_ domain.Env, s *Erasure) ([]domain.Fact, error) {
	switch {
	case s.Status() == "":
		return nil, domain.NotFound(Erasures.Noun, s.ID)
	case s.Status() == Completed:
		return nil, nil
	case len(s.Open()) > 0:
		return nil, domain.Errorf(domain.CodeConflict, "%v still hold data of the subject", s.Open())
	}
	return []domain.Fact{ErasureCompleted(c)}, nil
}
