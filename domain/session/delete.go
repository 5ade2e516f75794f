package session

import "strata/domain"

// Delete removes a session, active or closed.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{Deleted{}}, nil
}
