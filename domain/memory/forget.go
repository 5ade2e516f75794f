package memory

import "strata/domain"

// Forget removes a memory, also an erased one.
type Forget struct{}

// Decide implements domain.Decider.
func (Forget) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Forgotten{}}, nil
}
