package identity

import (
	"slices"
	"time"

	"strata/domain"
)

// UpdateAPIKey changes what is set of a key; nil leaves a field alone.
type UpdateAPIKey struct {
	Name          *string
	Scopes        *[]string
	RateLimitTier *Plan
	ExpiresAt     *time.Time // the zero time: never
}

// Decide implements domain.Decider.
func (c UpdateAPIKey) Decide(env domain.Env, k *APIKey) ([]domain.Fact, error) {
	if err := k.usable(); err != nil {
		return nil, err
	}
	name, tier := or(c.Name, k.Name), or(c.RateLimitTier, k.RateLimitTier)
	scopes, expires := canonicalScopes(or(c.Scopes, k.Scopes)), or(c.ExpiresAt, k.ExpiresAt)
	var f domain.Faults
	checkName(&f, "name", name)
	if c.Scopes != nil {
		checkScopes(&f, *c.Scopes)
	}
	f.Add(!slices.Contains(Plans(), tier), "rate_limit_tier", "must be one of %v", Plans())
	f.Add(!expires.Equal(k.ExpiresAt) && !expires.IsZero() && !expires.After(env.Now), "expires_at", "must be in the future")
	if err := f.Err(); err != nil {
		return nil, err
	}
	var facts []domain.Fact
	if name != k.Name {
		facts = append(facts, APIKeyRenamed{Name: name})
	}
	if !slices.Equal(scopes, k.Scopes) {
		facts = append(facts, APIKeyScopesChanged{Scopes: scopes})
	}
	if tier != k.RateLimitTier {
		facts = append(facts, APIKeyTierChanged{RateLimitTier: tier})
	}
	if !expires.Equal(k.ExpiresAt) {
		if !expires.IsZero() {
			expires = expires.UTC()
		}
		facts = append(facts, APIKeyExpiryChanged{ExpiresAt: expires})
	}
	return facts, nil
}
