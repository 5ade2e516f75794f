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

// Expire removes a memory if its time is over. One that is gone already, or that
// is to live on, needs nothing.
type Expire struct{}

// Decide implements domain.Decider.
func (Expire) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.there() != nil || s.ExpiresAt.IsZero() || s.ExpiresAt.After(env.Now) {
		return nil, nil
	}
	return []domain.Fact{Expired{}}, nil
}
