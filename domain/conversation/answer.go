package conversation

import "strata/domain"

// Answer ends an open turn with the assistant's message.
type Answer struct {
	RunID        string
	MessageID    string // msg_…; drawn when empty
	Content      string // may be empty: a model may answer nothing
	TokenUsage   TokenUsage
	FinishReason string
	Model        string
	Cost         domain.Money
	ToolCalls    []domain.Doc
	Guard        domain.Doc // the guard's verdict, if it was asked
	Router       domain.Doc // what the router chose, if it was asked
	Blocked      bool       // the guard let the question or the answer not pass
}

// Decide implements domain.Decider. A run that is not open, because it never
// was asked or is finished, is a conflict.
func (c Answer) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if err := s.mustBeOpen(c.RunID); err != nil {
		return nil, err
	}
	var f domain.Faults
	f.Add(c.TokenUsage.Prompt < 0 || c.TokenUsage.Completion < 0 || c.TokenUsage.Total < 0, "token_usage", "must not be negative")
	f.Add(c.Cost < 0, "cost", "must not be negative")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.MessageID == "" {
		c.MessageID = env.NewID("msg")
	}
	return []domain.Fact{TurnAnswered{
		RunID: c.RunID, MessageID: c.MessageID, Sequence: s.MessageCount + 1, Content: c.Content,
		TokenUsage: c.TokenUsage, FinishReason: c.FinishReason, Model: c.Model, Cost: c.Cost,
		ToolCalls: c.ToolCalls, Guard: c.Guard, Router: c.Router, Blocked: c.Blocked, Subject: subject(s.UserID, s.ID),
	}}, nil
}

func (s *State) mustBeOpen(runID string) error {
	if _, open := s.Turn(runID); !open {
		return domain.Errorf(domain.CodeConflict, "chat %q has no open run %q", s.ID, runID)
	}
	return nil
}
