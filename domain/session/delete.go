package session

import "strata/domain"

// Delete removes a session, active, closed or erased.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Deleted{}}, nil
}
