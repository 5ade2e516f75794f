package memory

import (
	"time"

	"strata/domain"
)

// Kind says what sort of knowledge a memory is.
type Kind string

// The kinds of memories.
const (
	Episodic   Kind = "episodic"   // what happened
	Semantic   Kind = "semantic"   // what is true
	Procedural Kind = "procedural" // how something is done
	Working    Kind = "working"    // what matters just now
)

// Kinds lists the kinds, for validation and documentation.
func Kinds() []Kind { return []Kind{Episodic, Semantic, Procedural, Working} }

// Fields are what a client may set of a memory. The empty value of an optional
// field means that it is absent.
type Fields struct {
	Content    string     `json:"content"`
	Type       Kind       `json:"type"`
	AgentID    string     `json:"agent_id,omitempty"`
	UserID     string     `json:"user_id,omitempty"`
	SessionID  string     `json:"session_id,omitempty"`
	AppID      string     `json:"app_id,omitempty"`
	Metadata   domain.Doc `json:"metadata,omitempty"`
	Importance *float64   `json:"importance,omitempty"` // 0 (trivial) to 1 (vital)
	ExpiresAt  time.Time  `json:"expires_at,omitzero"`  // UTC
}

// State is what is known of a memory at one revision.
type State struct {
	ID       string
	Provider string // who keeps it; "internal" is Strata itself
	Fields
	OnDuplicate OnDuplicate // what happens if it repeats an earlier memory
	Exists      bool
	Deleted     bool
	Erased      bool // whom it was about was erased, and it has not come to be about another since
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Aggregate folds the streams of memories.
var Aggregate = &domain.Aggregate[State]{
	Category: "memory", Prefix: "mem", Noun: "memory", Fold: "4",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Gone:  func(s *State) bool { return s.Erased },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case Added:
		s.Exists, s.CreatedAt = true, e.Meta.OccurredAt
		s.Provider, s.Fields, s.OnDuplicate, s.Erased = f.Provider, f.Fields, f.OnDuplicate, false
	case Revised:
		s.Fields, s.Erased = s.merge(f), false
	case Forgotten, Expired:
		s.Deleted = true
	case domain.Erased:
		// What a later fact does not say again is lost with the key.
		s.Fields, s.Erased = Fields{}, true
		if f.Type == (Added{}).EventType() {
			s.Exists, s.CreatedAt, s.Provider = true, e.Meta.OccurredAt, Internal
		}
	}
	s.UpdatedAt = e.Meta.OccurredAt
}

// merge lays the fields of a revision over the memory's. A decided revision
// always decodes; if one written by a later version does not, the memory stays
// as it was rather than become half of each.
func (s *State) merge(f Revised) Fields {
	doc, err := domain.DocOf(s.Fields)
	if err != nil {
		return s.Fields
	}
	merged, err := domain.Decode[Fields](doc.Merge(f.Changed))
	if err != nil {
		return s.Fields
	}
	return merged
}

// subject is whose key seals a memory about a user.
func subject(userID, id string) string {
	if userID != "" {
		return userID
	}
	return id
}

// Subject is whose key seals what the memory says.
func (s *State) Subject() string { return subject(s.UserID, s.ID) }

func (s *State) there() error {
	if !s.Exists || s.Deleted {
		return domain.NotFound(Aggregate.Noun, s.ID)
	}
	return nil
}

func (s *State) alive() error {
	if err := s.there(); err != nil {
		return err
	}
	if s.Erased {
		return domain.Gone(Aggregate.Noun, s.ID)
	}
	return nil
}
