package insight

import (
	"fmt"
	"strings"

	"strata/domain"
)

// Limits of what a client may store.
const (
	maxID      = 256      // bytes of an identifier or model name
	maxClient  = 64 << 10 // bytes of what is known of a client
	maxActions = 32
)

// subject: a client that is one word is an id, and its key seals.
func subject(client, id string) string {
	if client == "" || len(client) > maxID || strings.ContainsAny(client, " \t\r\n") {
		return id
	}
	return client
}

// Request asks for an insight.
type Request struct {
	Actions []string
	Client  string
	Model   string
}

// Decide implements domain.Decider.
func (c Request) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "insight %q exists already", s.ID)
	}
	var f domain.Faults
	f.Add(len(c.Model) > maxID, "model", "must be at most %d bytes long", maxID)
	f.Add(len(c.Client) > maxClient, "client", "must be at most %d bytes long", maxClient)
	f.Add(len(c.Actions) > maxActions, "actions", "must be at most %d actions", maxActions)
	f.Add(c.Client == "" && len(c.Actions) == 0, "client", "is required where there are no actions: there is nothing to look into")
	for i, id := range c.Actions {
		f.Add(len(id) > maxID, fmt.Sprintf("actions[%d]", i), "must be at most %d bytes long", maxID)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{Requested{Actions: c.Actions, Client: c.Client, Model: c.Model, Subject: subject(c.Client, s.ID)}}, nil
}

// Complete ends an open insight with what the model answered.
type Complete struct{ Completed }

// Decide implements domain.Decider. An insight that is not open is a conflict.
func (c Complete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.mustBeOpen(); err != nil {
		return nil, err
	}
	c.Subject = s.Subject()
	return []domain.Fact{c.Completed}, nil
}

// Fail ends an open insight without one.
type Fail struct {
	Code       domain.Code
	Message    string // one sentence for a person, safe to show
	DurationMS int64
}

// Decide implements domain.Decider. An insight that is not open is a conflict.
func (c Fail) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.mustBeOpen(); err != nil {
		return nil, err
	}
	return []domain.Fact{Failed{Code: string(c.Code), Message: c.Message, DurationMS: c.DurationMS, Subject: s.Subject()}}, nil
}

func (s *State) mustBeOpen() error {
	if err := s.there(); err != nil {
		return err
	}
	if s.Erased {
		return domain.Gone(Aggregate.Noun, s.ID)
	}
	if !s.Open {
		return domain.Errorf(domain.CodeConflict, "insight %q is complete already", s.ID)
	}
	return nil
}

// Delete removes an insight, also an erased one.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Deleted{}}, nil
}

func (s *State) there() error {
	if !s.Exists || s.Deleted {
		return domain.NotFound(Aggregate.Noun, s.ID)
	}
	return nil
}
