package identity

import "strata/domain"

// RotateAPIKey replaces a key's secret; the old one stops working at once.
type RotateAPIKey struct {
	Prefix     string
	SecretHash string // SHA-256 in hex
}

// Decide implements domain.Decider.
func (c RotateAPIKey) Decide(_ domain.Env, k *APIKey) ([]domain.Fact, error) {
	if err := k.usable(); err != nil {
		return nil, err
	}
	if err := checkSecret(c.Prefix, c.SecretHash); err != nil {
		return nil, err
	}
	return []domain.Fact{APIKeyRotated(c)}, nil
}
