package conversation

import (
	"slices"

	"strata/domain"
)

// Rating is a judgement on an answer.
type Rating string

// The ratings.
const (
	Positive Rating = "positive"
	Negative Rating = "negative"
)

// GiveFeedback rates an answer.
type GiveFeedback struct {
	MessageID string // "" is the last answer
	Rating    Rating
	Comment   string
}

// Decide implements domain.Decider. A message that is no answer of this
// conversation, or one of very long ago, is not found; rating the last answer
// before there is one is a conflict.
func (c GiveFeedback) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	var f domain.Faults
	f.Add(c.Rating != Positive && c.Rating != Negative, "rating", "must be one of %v", []Rating{Positive, Negative})
	f.Add(len(c.Comment) > maxComment, "comment", "must be at most %d bytes long", maxComment)
	if err := f.Err(); err != nil {
		return nil, err
	}
	switch {
	case c.MessageID == "" && len(s.Answers) == 0:
		return nil, domain.Errorf(domain.CodeConflict, "chat %q has no answer to rate yet", s.ID)
	case c.MessageID == "":
		c.MessageID = s.Answers[len(s.Answers)-1]
	case !slices.Contains(s.Answers, c.MessageID):
		return nil, domain.NotFound("answer", c.MessageID)
	}
	return []domain.Fact{FeedbackGiven{
		ID: env.NewID("fb"), MessageID: c.MessageID, Rating: c.Rating, Comment: c.Comment,
		Subject: subject(s.UserID, s.ID),
	}}, nil
}
