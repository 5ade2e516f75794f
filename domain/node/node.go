// Package node records which processes an installation consists of, where several
// share a log: not whether they run, but that each of them may hold copies of
// people's data, and which, so that an erasure is not called complete before all
// of them have cleaned theirs. A process that is gone for good, disk and all, is
// struck off by whoever runs the installation.
package node

import (
	"regexp"
	"slices"
	"time"

	"strata/domain"
)

// Category is the stream category; there is one stream per node.
const Category = "node"

// State of a node.
type State struct {
	Name     string    `json:"name"`
	Role     string    `json:"role"` // what it runs: "write"
	Places   []string  `json:"places"`
	JoinedAt time.Time `json:"joined_at"`
	Left     bool      `json:"left"`
}

// Aggregate folds a node's stream. Its id is the node's name.
var Aggregate = &domain.Aggregate[State]{
	Category: Category, Prefix: Category, Noun: "node",
	New:   func(id string) *State { return &State{Name: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: []domain.FactType{domain.FactOf[Joined](), domain.FactOf[Left]()},
}

// Joined says that a node is part of the installation, and which places it has that
// may hold people's data.
type Joined struct {
	Role   string   `json:"role"`
	Places []string `json:"places"`
}

// EventType implements domain.Fact.
func (Joined) EventType() string { return "node.joined.v1" }

// Left says that a node, and its disk, are no part of the installation any more.
type Left struct{}

// EventType implements domain.Fact.
func (Left) EventType() string { return "node.left.v1" }

func (s *State) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case Joined:
		if s.Left {
			s.Places = nil
		}
		// What it had in another role before is still on its disk.
		for _, p := range f.Places {
			if !slices.Contains(s.Places, p) {
				s.Places = append(s.Places, p)
			}
		}
		s.Role, s.Left, s.JoinedAt = f.Role, false, e.Meta.OccurredAt
	case Left:
		s.Left = true
	}
}

var shape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// Join makes a node part of the installation.
type Join struct {
	Role   string
	Places []string
}

// Decide implements domain.Decider. Joining as before changes nothing.
func (c Join) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if !shape.MatchString(s.Name) {
		return nil, domain.Errorf(domain.CodeValidation, "a node's name consists of up to 63 letters, digits, dots, dashes and underscores; %q does not", s.Name)
	}
	if !s.JoinedAt.IsZero() && !s.Left && s.Role == c.Role &&
		!slices.ContainsFunc(c.Places, func(p string) bool { return !slices.Contains(s.Places, p) }) {
		return nil, nil
	}
	return []domain.Fact{Joined(c)}, nil
}

// Leave strikes a node off.
type Leave struct{}

// Decide implements domain.Decider.
func (Leave) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Left || s.JoinedAt.IsZero() {
		return nil, domain.NotFound(Aggregate.Noun, s.Name)
	}
	return []domain.Fact{Left{}}, nil
}
