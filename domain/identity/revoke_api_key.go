package identity

import "strata/domain"

// RevokeAPIKey ends a key; doing it again does nothing.
type RevokeAPIKey struct{}

// Decide implements domain.Decider.
func (RevokeAPIKey) Decide(_ domain.Env, k *APIKey) ([]domain.Fact, error) {
	if k.Status == "" {
		return nil, domain.NotFound(APIKeys.Noun, k.ID)
	}
	if k.Status == StatusRevoked {
		return nil, nil
	}
	return []domain.Fact{APIKeyRevoked{}}, nil
}
