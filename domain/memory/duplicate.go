package memory

import (
	"encoding/json"
	"fmt"

	"strata/domain"
)

// OnDuplicate says what happens to a memory that repeats an earlier one.
type OnDuplicate string

// What can happen.
const (
	KeepBoth  OnDuplicate = "keep"  // both stay, the later one marked
	SkipLater OnDuplicate = "skip"  // the later one is forgotten
	MergeInto OnDuplicate = "merge" // the same, and the earlier one takes over what the later one knew beside its words
)

// OnDuplicates lists them, for validation and documentation.
func OnDuplicates() []OnDuplicate { return []OnDuplicate{KeepBoth, SkipLater, MergeInto} }

// Drop forgets a memory because it repeats an earlier one.
type Drop struct{ DuplicateOf string }

// Decide implements domain.Decider.
func (c Drop) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Forgotten{DuplicateOf: c.DuplicateOf}}, nil
}

// Absorb lets an earlier memory take over what one that repeats it knew beside its
// words: fields of the metadata over its own, the higher importance, the later end
// (none is the latest). Its text stays, and so does its vector. Doing it twice changes
// nothing more.
type Absorb struct{ Later Fields }

// Decide implements domain.Decider.
func (c Absorb) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	merged := s.Fields
	merged.Metadata = s.Metadata.Merge(c.Later.Metadata)
	if c.Later.Importance != nil && (s.Importance == nil || *c.Later.Importance > *s.Importance) {
		merged.Importance = c.Later.Importance
	}
	if !s.ExpiresAt.IsZero() && (c.Later.ExpiresAt.IsZero() || c.Later.ExpiresAt.After(s.ExpiresAt)) {
		merged.ExpiresAt = c.Later.ExpiresAt
	}
	if merged.Metadata != nil {
		if err := sizeOf(merged); err != nil {
			merged.Metadata = s.Metadata // both together are more than a memory may hold
		}
	}
	patch, err := domain.DocOf(merged)
	if err != nil {
		return nil, fmt.Errorf("memory %s as a document: %w", s.ID, err)
	}
	if merged.ExpiresAt.IsZero() {
		patch["expires_at"] = json.RawMessage("null")
	}
	return Revise{Patch: patch}.Decide(env, s)
}

// sizeOf finds fault with fields that are too large together.
func sizeOf(m Fields) error {
	var f domain.Faults
	m.check(&f)
	return f.Err()
}
