package identity

import "strata/domain"

// RemoveUser takes a user out of the organization.
type RemoveUser struct{}

// Decide implements domain.Decider.
func (RemoveUser) Decide(_ domain.Env, u *User) ([]domain.Fact, error) {
	if err := u.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{UserRemoved{}}, nil
}
