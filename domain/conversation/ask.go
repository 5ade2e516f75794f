package conversation

import (
	"slices"
	"strings"

	"strata/domain"
)

// Ask opens a turn with the user's message.
type Ask struct {
	RunID     string // run_…; drawn when empty
	MessageID string // msg_…; drawn when empty
	Content   string
	Variables domain.Doc
	// Start, when set, begins the conversation if it does not exist yet, so
	// that the first message costs one write and not two.
	Start *Start
}

// Decide implements domain.Decider.
func (c Ask) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	starts := c.Start != nil && !s.Exists
	if !starts {
		if err := s.alive(); err != nil {
			return nil, err
		}
	}
	if err := c.check(starts); err != nil {
		return nil, err
	}
	if err := c.conflict(s); err != nil {
		return nil, err
	}
	if c.RunID == "" {
		c.RunID = env.NewID("run")
	}
	if c.MessageID == "" {
		c.MessageID = env.NewID("msg")
	}
	asked := TurnAsked{
		RunID: c.RunID, MessageID: c.MessageID, Sequence: s.MessageCount + 1,
		Content: c.Content, Variables: c.Variables, Subject: subject(s.UserID, s.ID),
	}
	if !starts {
		if s.Title == "" {
			asked.Title = titleOf(c.Content)
		}
		return []domain.Fact{asked}, nil
	}
	if c.Start.Title == "" {
		asked.Title = titleOf(c.Content)
	}
	asked.Subject = subject(c.Start.UserID, s.ID)
	return []domain.Fact{c.Start.fact(s.ID), asked}, nil
}

func (c Ask) check(starts bool) error {
	var f domain.Faults
	f.Add(strings.TrimSpace(c.Content) == "", "message", "is required")
	f.Add(len(c.Content) > maxContent, "message", "must be at most %d bytes long", maxContent)
	f.Add(len(c.RunID) > maxID, "run_id", "must be at most %d bytes long", maxID)
	f.Add(len(c.MessageID) > maxID, "message_id", "must be at most %d bytes long", maxID)
	size := 2
	for k, v := range c.Variables {
		size += len(k) + len(v) + 4
	}
	f.Add(size > maxVars, "variables", "must be at most %d bytes of JSON", maxVars)
	if starts {
		c.Start.check(&f)
	}
	return f.Err()
}

// conflict refuses what would make runs or messages ambiguous. Identifiers are
// drawn at random, so looking at the recent ones is enough to catch a mistake.
func (c Ask) conflict(s *State) error {
	if len(s.Open) >= maxOpen {
		return domain.Errorf(domain.CodeConflict, "chat %q has %d open turns already", s.ID, len(s.Open))
	}
	if _, open := s.Turn(c.RunID); open {
		return domain.Errorf(domain.CodeConflict, "run %q is already open", c.RunID)
	}
	if slices.ContainsFunc(s.Messages, func(m Message) bool {
		return c.RunID != "" && m.RunID == c.RunID || c.MessageID != "" && m.ID == c.MessageID
	}) {
		return domain.Errorf(domain.CodeConflict, "chat %q has this run or message already", s.ID)
	}
	return nil
}
