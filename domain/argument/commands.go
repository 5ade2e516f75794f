package argument

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"strata/domain"
)

// Limits of what a client may store.
const (
	maxID   = 256      // bytes of an identifier or model name
	maxText = 64 << 10 // bytes of an argument, its thinking, a comment
	maxDoc  = 64 << 10 // bytes of a document as JSON
)

// Request asks for an argument.
type Request struct {
	Fields // without argument and thinking
	Model  string
}

// Decide implements domain.Decider.
func (c Request) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "argument %q exists already", s.ID)
	}
	var f domain.Faults
	f.Add(c.Model == "", "model", "is required")
	f.Add(len(c.Model) > maxID, "model", "must be at most %d bytes long", maxID)
	f.Add(c.Client == nil, "client", "is required")
	f.Add(c.Product == nil, "product", "is required")
	f.Add(c.InsightSpec == nil, "insight_spec", "is required")
	c.check(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{Requested{Fields: c.Fields, Model: c.Model, Subject: c.subject(s.ID)}}, nil
}

func (f *Fields) check(faults *domain.Faults) {
	faults.Add(len(f.ActionID) > maxID, "action_id", "must be at most %d bytes long", maxID)
	faults.Add(len(f.Argument) > maxText, "argument", "must be at most %d bytes long", maxText)
	faults.Add(len(f.Thinking) > maxText, "argument_thinking", "must be at most %d bytes long", maxText)
	for _, d := range []struct {
		field string
		doc   domain.Doc
	}{{"client", f.Client}, {"product", f.Product}, {"insight_spec", f.InsightSpec}} {
		size := 2
		for k, v := range d.doc {
			size += len(k) + len(v) + 4
		}
		faults.Add(size > maxDoc, d.field, "must be at most %d bytes of JSON", maxDoc)
	}
}

// Complete ends an open argument with what the model wrote.
type Complete struct{ Completed }

// Decide implements domain.Decider. An argument that is not open is a conflict.
func (c Complete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.mustBeOpen(); err != nil {
		return nil, err
	}
	c.Subject = s.Subject()
	return []domain.Fact{c.Completed}, nil
}

// Fail ends an open argument without one.
type Fail struct {
	Code       domain.Code
	Message    string // one sentence for a person, safe to show
	DurationMS int64
}

// Decide implements domain.Decider. An argument that is not open is a conflict.
func (c Fail) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.mustBeOpen(); err != nil {
		return nil, err
	}
	return []domain.Fact{Failed{Code: string(c.Code), Message: c.Message, DurationMS: c.DurationMS, Subject: s.Subject()}}, nil
}

func (s *State) mustBeOpen() error {
	if err := s.alive(); err != nil {
		return err
	}
	if !s.Open {
		return domain.Errorf(domain.CodeConflict, "argument %q is complete already", s.ID)
	}
	return nil
}

// Revise changes an argument by hand and moves its review on. What is nil stays.
type Revise struct {
	// Patch is laid over the argument's [Fields], by their JSON names; a null removes.
	Patch  domain.Doc
	Review *ReviewPatch
}

// ReviewPatch is what changes of a review; nil stays.
type ReviewPatch struct {
	Status   *Status
	Reviewer *string // who reviews; the caller when a status is set and nobody was named
	Comment  *string
}

// Decide implements domain.Decider. While the model writes, there is nothing to
// change; a status that a review cannot go to is a conflict.
func (c Revise) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if s.Open {
		return nil, domain.Errorf(domain.CodeConflict, "argument %q is still being written", s.ID)
	}
	revised, err := c.revised(s)
	if err != nil {
		return nil, err
	}
	reviewed, err := c.reviewed(env, s)
	if err != nil {
		return nil, err
	}
	var facts []domain.Fact
	subject := s.Subject()
	if revised != nil {
		subject = revised.Subject
		facts = append(facts, *revised)
	}
	if reviewed != nil {
		reviewed.Subject = subject
		facts = append(facts, *reviewed)
	}
	return facts, nil
}

func (c Revise) revised(s *State) (*Revised, error) {
	before, err := domain.DocOf(s.Fields)
	if err != nil {
		return nil, fmt.Errorf("argument %s as a document: %w", s.ID, err)
	}
	fields, err := domain.Decode[Fields](before.Merge(c.Patch))
	if err != nil {
		return nil, err
	}
	var f domain.Faults
	fields.check(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	after, err := domain.DocOf(fields)
	if err != nil {
		return nil, fmt.Errorf("argument %s as a document: %w", s.ID, err)
	}
	changed := before.Changed(after)
	for k := range before {
		if _, kept := after[k]; !kept {
			changed[k] = json.RawMessage("null")
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	subject := fields.subject(s.ID)
	if subject != s.Subject() {
		maps.Copy(changed, after)
	}
	return &Revised{Changed: changed, Subject: subject}, nil
}

func (c Revise) reviewed(env domain.Env, s *State) (*Reviewed, error) {
	if c.Review == nil {
		return nil, nil
	}
	r := Reviewed{Status: s.Review.Status, Reviewer: s.Review.Reviewer, Comment: s.Review.Comment}
	var f domain.Faults
	if to := c.Review.Status; to != nil {
		f.Add(!slices.Contains(Statuses(), *to), "review.status", "must be one of %v", Statuses())
		r.Status = *to
		if c.Review.Reviewer == nil && *to != s.Review.Status {
			r.Reviewer = env.Actor
		}
	}
	if c.Review.Reviewer != nil {
		r.Reviewer = *c.Review.Reviewer
	}
	if c.Review.Comment != nil {
		r.Comment = *c.Review.Comment
	}
	f.Add(len(r.Reviewer) > maxID, "review.reviewer", "must be at most %d bytes long", maxID)
	f.Add(len(r.Comment) > maxText, "review.comment", "must be at most %d bytes long", maxText)
	if err := f.Err(); err != nil {
		return nil, err
	}
	from := s.Review
	if r.Status != from.Status && !slices.Contains(Transitions(from.Status), r.Status) {
		return nil, domain.Errorf(domain.CodeConflict, "a review that is %s can become %v, not %s", from.Status, Transitions(from.Status), r.Status)
	}
	if r.Status == from.Status && r.Reviewer == from.Reviewer && r.Comment == from.Comment {
		return nil, nil
	}
	return &r, nil
}

// Delete removes an argument, also an erased one.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Deleted{}}, nil
}
