package memory

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"strata/domain"
)

// Revise changes a memory. Fields that are already as asked are left out of
// what happens; when none is left, nothing happens.
type Revise struct {
	// Patch is laid over the memory's [Fields], by their JSON names; a null
	// removes a field, metadata is replaced as a whole.
	Patch domain.Doc
}

// Decide implements domain.Decider.
func (c Revise) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if err := c.knownFields(); err != nil {
		return nil, err
	}
	before, err := domain.DocOf(s.Fields)
	if err != nil {
		return nil, fmt.Errorf("memory %s as a document: %w", s.ID, err)
	}
	after, err := c.revised(env, s, before)
	if err != nil {
		return nil, err
	}
	// Comparing whole documents in their canonical form catches a field that
	// is written otherwise but says the same ("2026-01-01T01:00:00+01:00").
	changed := difference(before, after.doc)
	if len(changed) == 0 {
		return nil, nil
	}
	if after.fields.UserID != s.UserID {
		maps.Copy(changed, after.doc)
	}
	return []domain.Fact{Revised{Changed: changed, Subject: subject(after.fields.UserID, s.ID)}}, nil
}

type revision struct {
	fields Fields
	doc    domain.Doc
}

func (c Revise) revised(env domain.Env, s *State, before domain.Doc) (revision, error) {
	fields, err := domain.Decode[Fields](before.Merge(c.Patch))
	if err != nil {
		return revision{}, err
	}
	if fields.Type == "" { // a null asks for the default
		fields.Type = Semantic
	}
	var f domain.Faults
	fields.check(&f)
	_, given := c.Patch["expires_at"]
	f.Add(given && !fields.ExpiresAt.IsZero() && !fields.ExpiresAt.Equal(s.ExpiresAt) && !fields.ExpiresAt.After(env.Now),
		"expires_at", "must be in the future")
	if err := f.Err(); err != nil {
		return revision{}, err
	}
	fields.ExpiresAt = inUTC(fields.ExpiresAt)
	fields.Metadata = withoutNulls(fields.Metadata)
	doc, err := domain.DocOf(fields)
	if err != nil {
		return revision{}, fmt.Errorf("memory %s as a document: %w", s.ID, err)
	}
	return revision{fields, doc}, nil
}

// difference is the patch that leads from before to after.
func difference(before, after domain.Doc) domain.Doc {
	changed := before.Changed(after)
	for k := range before {
		if _, kept := after[k]; !kept {
			changed[k] = json.RawMessage("null")
		}
	}
	return changed
}

func (c Revise) knownFields() error {
	known := []string{"content", "type", "agent_id", "user_id", "session_id", "app_id", "metadata", "importance", "expires_at"}
	var names []string
	for name := range c.Patch {
		names = append(names, name)
	}
	slices.Sort(names)
	var f domain.Faults
	for _, name := range names {
		f.Add(!slices.Contains(known, name), name, "is not a field of a memory that can be changed")
	}
	return f.Err()
}
