package session

import (
	"strings"
	"time"

	"strata/domain"
)

// Status of a session.
type Status string

// A session is active until it is closed.
const (
	Active Status = "active"
	Closed Status = "closed"
)

// State is what is known of a session at one revision.
type State struct {
	UID         string
	AppName     string
	AgentName   string
	UserID      string
	State       domain.Doc // the agent's working state
	Metadata    domain.Doc // the client's own
	Status      Status     // "" before creation
	Deleted     bool
	Erased      bool       // whom it was about was erased: it takes nothing more
	EventCount  int64      // also the sequence of the last event
	Last        EventAdded // the last event, for answering who added it; zero when erased
	LastEventAt time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Aggregate folds the streams of sessions.
var Aggregate = &domain.Aggregate[State]{
	Category: "session", Prefix: "ses", Noun: "session", Fold: "2",
	New:   func(key string) *State { return &State{UID: UIDOf(key)} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Gone:  func(s *State) bool { return s.Erased },
	Facts: FactTypes(),
}

// StreamKey is the id under which a session's stream is kept. Identifiers that
// Strata made are unique everywhere; one that a client chose is unique in its
// workspace only, so the workspace becomes part of the key. Two tenants can
// then use the same identifier and neither learns of the other.
func StreamKey(workspace, uid string) string {
	if domain.HasPrefix(uid, Aggregate.Prefix) {
		return uid
	}
	return workspace + "." + uid
}

// UIDOf is the inverse of [StreamKey]. Neither workspaces nor session
// identifiers contain a dot.
func UIDOf(key string) string {
	if _, uid, scoped := strings.Cut(key, "."); scoped {
		return uid
	}
	return key
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Created:
		s.Status, s.CreatedAt = Active, at
		s.AppName, s.AgentName, s.UserID = f.AppName, f.AgentName, f.UserID
		s.State, s.Metadata = f.State, f.Metadata
	case EventAdded:
		s.EventCount, s.LastEventAt, s.Last = f.Sequence, at, f
		if len(f.StateDelta) > 0 {
			s.State = s.State.Merge(f.StateDelta)
		}
	case Ended:
		s.Status = Closed
	case Deleted:
		s.Deleted = true
	case domain.Erased:
		s.applyErased(f, at)
	}
	s.UpdatedAt = at
}

// applyErased keeps the counting right and forgets everything else: all of a
// session is sealed under one key.
func (s *State) applyErased(f domain.Erased, at time.Time) {
	s.AppName, s.AgentName, s.UserID, s.State, s.Metadata, s.Last = "", "", "", nil, nil, EventAdded{}
	s.Erased = true
	switch f.Type {
	case Created{}.EventType():
		s.Status, s.CreatedAt = Active, at
	case EventAdded{}.EventType():
		s.EventCount++
		s.LastEventAt = at
	}
}

// subject is whose key seals what is said in the session.
func (s *State) subject() string {
	if s.UserID != "" {
		return s.UserID
	}
	return s.UID
}

// there refuses commands on a session that is not there (any more).
func (s *State) there() error {
	if s.Status == "" || s.Deleted {
		return domain.NotFound(Aggregate.Noun, s.UID)
	}
	return nil
}

// alive refuses commands on a session that is not there or was erased.
func (s *State) alive() error {
	if err := s.there(); err != nil {
		return err
	}
	if s.Erased {
		return domain.Gone(Aggregate.Noun, s.UID)
	}
	return nil
}
