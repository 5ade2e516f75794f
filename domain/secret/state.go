package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"strata/domain"
)

// KeptVersions is how many values are kept: the current one and those before it.
const KeptVersions = 10

// Status of a secret.
type Status string

// The statuses.
const (
	Active      Status = "active"
	RotationDue Status = "rotation_due" // older than its rotation days; it can be used all the same
	Expired     Status = "expired"      // it cannot be used
)

// Statuses lists the statuses, for validation and documentation.
func Statuses() []Status { return []Status{Active, RotationDue, Expired} }

// State is what is known of a secret at one revision.
type State struct {
	ID             string
	Name           string
	Description    string
	Tags           []string
	RotationDays   int
	ExpiresAt      time.Time // zero: never
	Subject        string    // whose key seals the values in the log
	Version        int       // the current one, from 1
	Values         map[int]string
	Exists         bool
	CreatedAt      time.Time
	CreatedBy      string
	UpdatedAt      time.Time
	LastRotatedAt  time.Time
	LastAccessedAt time.Time      // when a value was last revealed, or used for the first time in a day
	UsedOn         string         // the day that Users is about
	Users          map[string]int // latest version that a consumer used that day
}

// Status says how a secret is at a moment.
func (s *State) Status(now time.Time) Status {
	due := s.RotationDueAt()
	switch {
	case !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt):
		return Expired
	case !due.IsZero() && !now.Before(due):
		return RotationDue
	}
	return Active
}

// RotationDueAt is when the value should be rotated; zero: never.
func (s *State) RotationDueAt() time.Time {
	if s.RotationDays == 0 {
		return time.Time{}
	}
	return s.LastRotatedAt.AddDate(0, 0, s.RotationDays)
}

// Value is the sealed value of a version, the current one for 0.
func (s *State) Value(version int) (sealed string, ok bool) {
	if version == 0 {
		version = s.Version
	}
	sealed, ok = s.Values[version]
	return sealed, ok && sealed != ""
}

// ID names the secret of a workspace by its name. Letter case does not tell names
// apart.
func ID(workspace, name string) string {
	sum := sha256.Sum256([]byte(workspace + "\x00" + strings.ToLower(name)))
	return Aggregate.Prefix + "_" + hex.EncodeToString(sum[:16])
}

// Aggregate folds the streams of secrets.
var Aggregate = &domain.Aggregate[State]{
	Category: "secret", Prefix: "sec", Noun: "secret", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Created:
		*s = State{ID: s.ID, Exists: true, Name: f.Name, Description: f.Description, Tags: f.Tags, RotationDays: f.RotationDays,
			ExpiresAt: f.ExpiresAt, Subject: f.Subject, CreatedAt: at, CreatedBy: e.Meta.Actor}
		s.keep(1, f.Value, at)
	case Updated:
		s.update(f)
	case Rotated:
		s.keep(f.Version, f.Value, at)
	case Revealed:
		s.LastAccessedAt = at
		return
	case Used:
		s.use(f, at)
		return
	case Deleted:
		*s = State{ID: s.ID, Name: s.Name, Subject: s.Subject} // whose key is to be destroyed
	}
	s.UpdatedAt = at
}

func (s *State) update(f Updated) {
	if f.Description != nil {
		s.Description = *f.Description
	}
	if f.Tags != nil {
		s.Tags = *f.Tags
	}
	if f.RotationDays != nil {
		s.RotationDays = *f.RotationDays
	}
	if f.ExpiresAt != nil {
		s.ExpiresAt = *f.ExpiresAt
	}
}

// keep makes a value the current one, and forgets the one that is too old for it.
func (s *State) keep(version int, sealed string, at time.Time) {
	s.Version, s.LastRotatedAt = version, at
	values := maps.Clone(s.Values) // views may hold the old one
	if values == nil {
		values = map[int]string{}
	}
	values[version] = sealed
	delete(values, version-KeptVersions)
	s.Values = values
}

func (s *State) use(f Used, at time.Time) {
	s.LastAccessedAt = at
	if f.Day != s.UsedOn {
		s.UsedOn, s.Users = f.Day, map[string]int{}
	}
	s.Users[f.Consumer] = f.Version
}

// same tells whether two lists of tags are one.
func same(a, b []string) bool { return slices.Equal(a, b) }
