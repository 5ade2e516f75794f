// Package claim makes names unique. A claim is a stream per name; whoever
// appends to it first owns the name. Because the name's owner is in the claim,
// one that a crash left behind can be told from a living one and taken over.
package claim

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"strata/domain"
)

// Same tells whether two names are one: letter case does not tell names apart.
func Same(a, b string) bool {
	//lint:ignore SA6005 it must agree with ID, and folding equates more than lower case does
	return strings.ToLower(a) == strings.ToLower(b)
}

// ID returns the id of the claim on a name of a kind in a workspace.
func ID(kind, workspace, name string) string {
	sum := sha256.Sum256([]byte(workspace + "\x00" + strings.ToLower(name))) // as Same compares
	return kind + "_" + hex.EncodeToString(sum[:16])
}

// Taken says that an owner got the name.
type Taken struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Owner string `json:"owner"`
}

// EventType implements domain.Fact.
func (Taken) EventType() string { return "claim.taken.v1" }

// Released says that the name is free again.
type Released struct {
	Owner string `json:"owner"`
}

// EventType implements domain.Fact.
func (Released) EventType() string { return "claim.released.v1" }

// State of a claim. Owner is empty when the name is free.
type State struct {
	Name  string
	Owner string
	Since time.Time
}

// Aggregate folds claims.
var Aggregate = &domain.Aggregate[State]{
	Category: "claim", Prefix: "claim", Noun: "claim", Fold: "1",
	New: func(string) *State { return &State{} },
	Apply: func(s *State, e domain.Event) {
		switch f := e.Fact.(type) {
		case Taken:
			*s = State{Name: f.Name, Owner: f.Owner, Since: e.Meta.OccurredAt}
		case Released:
			*s = State{}
		}
	},
	Facts: []domain.FactType{domain.FactOf[Taken](), domain.FactOf[Released]()},
}

// Take claims a name. From names the owner that is known to have lost it (its
// resource is gone, or has another name): only then a held name changes hands.
// An owner that takes its name again renews the claim.
type Take struct {
	Kind, Name, Owner string
	From              string
}

// Decide implements domain.Decider.
func (c Take) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Owner != "" && s.Owner != c.Owner && s.Owner != c.From {
		return nil, domain.Errorf(domain.CodeConflict, "the %s name %q is taken", strings.ReplaceAll(c.Kind, "_", " "), c.Name)
	}
	return []domain.Fact{Taken{Kind: c.Kind, Name: c.Name, Owner: c.Owner}}, nil
}

// Release gives a name back. Releasing one that somebody else holds does nothing.
type Release struct{ Owner string }

// Decide implements domain.Decider.
func (c Release) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Owner != c.Owner {
		return nil, nil
	}
	return []domain.Fact{Released{Owner: c.Owner}}, nil
}
