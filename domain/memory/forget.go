package memory

import "strata/domain"

// Forget removes a memory.
type Forget struct{}

// Decide implements domain.Decider.
func (Forget) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{Forgotten{}}, nil
}
