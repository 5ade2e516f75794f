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
	Role      Role // User when empty, or Tool
	Speaker
	Variables domain.Doc
	// Given is what was said before the question. When it begins with the whole
	// conversation so far, as clients send it that keep it themselves, only what
	// is new is added.
	Given []Given
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
	asked := TurnAsked{RunID: c.RunID, MessageID: c.MessageID, Content: c.Content, Speaker: c.Speaker,
		Variables: c.Variables, Subject: subject(s.UserID, s.ID)}
	if c.Role != User {
		asked.Role = c.Role
	}
	title := s.Title
	var facts []domain.Fact
	if starts {
		facts = append(facts, c.Start.fact(s.ID))
		title, asked.Subject = c.Start.Title, subject(c.Start.UserID, s.ID)
	}
	if title == "" {
		asked.Title = titleOf(c.Content)
	}
	given := s.unknown(c.Given)
	for i, g := range given {
		facts = append(facts, g.fact(env, s.MessageCount+1+int64(i), c.RunID, asked.Subject))
	}
	asked.Sequence = s.MessageCount + 1 + int64(len(given))
	return append(facts, asked), nil
}

func (c Ask) check(starts bool) error {
	var f domain.Faults
	f.Add(strings.TrimSpace(c.Content) == "", "message", "is required")
	f.Add(len(c.Content) > maxContent, "message", "must be at most %d bytes long", maxContent)
	f.Add(len(c.RunID) > maxID, "run_id", "must be at most %d bytes long", maxID)
	f.Add(len(c.MessageID) > maxID, "message_id", "must be at most %d bytes long", maxID)
	f.Add(c.Role != "" && c.Role != User && c.Role != Tool, "message", "must be of the role user or tool")
	c.Speaker.check(&f, "message")
	checkGiven(&f, "messages", c.Given)
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
