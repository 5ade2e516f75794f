package conversation

import "strata/domain"

// FailTurn ends an open turn that got no (whole) answer.
type FailTurn struct {
	RunID          string
	Code           domain.Code
	Message        string // one sentence for a person, safe to show
	PartialContent string // what had come of the answer, if anything
	MessageID      string // of the partial answer; drawn when empty
}

// Decide implements domain.Decider. A run that is not open is a conflict.
func (c FailTurn) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if err := s.mustBeOpen(c.RunID); err != nil {
		return nil, err
	}
	failed := TurnFailed{
		RunID: c.RunID, Code: string(c.Code), Message: c.Message, PartialContent: c.PartialContent,
		Subject: subject(s.UserID, s.ID),
	}
	if c.PartialContent != "" {
		if c.MessageID == "" {
			c.MessageID = env.NewID("msg")
		}
		failed.MessageID, failed.Sequence = c.MessageID, s.MessageCount+1
	}
	return []domain.Fact{failed}, nil
}
