package session

import "strata/domain"

// Close ends an active session; closing it again does nothing.
type Close struct{}

// Decide implements domain.Decider.
func (Close) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if s.Status == Closed {
		return nil, nil
	}
	return []domain.Fact{Ended{}}, nil
}
