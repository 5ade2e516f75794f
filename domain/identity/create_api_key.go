package identity

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"strata/domain"
)

// CreateAPIKey brings a key of the acting principal's organization into being.
// The secret is made by the caller, who alone sees it.
type CreateAPIKey struct {
	Name          string
	Type          KeyType // UserKey when empty
	AppID         string  // of an app key
	WorkspaceID   string
	OwnerID       string // the user it acts as; only a service key may have none
	Scopes        []string
	RateLimitTier Plan // Free when empty
	Prefix        string
	SecretHash    string // SHA-256 in hex
	ExpiresAt     time.Time
}

// Decide implements domain.Decider.
func (c CreateAPIKey) Decide(env domain.Env, k *APIKey) ([]domain.Fact, error) {
	if k.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "API key %q exists already", k.ID)
	}
	if c.Type == "" {
		c.Type = UserKey
	}
	if c.RateLimitTier == "" {
		c.RateLimitTier = Free
	}
	if err := checkSecret(c.Prefix, c.SecretHash); err != nil {
		return nil, err
	}
	if err := c.check(env); err != nil {
		return nil, err
	}
	if !c.ExpiresAt.IsZero() {
		c.ExpiresAt = c.ExpiresAt.UTC()
	}
	return []domain.Fact{APIKeyCreated{
		OrganizationID: env.Organization, WorkspaceID: c.WorkspaceID, AppID: c.AppID, OwnerID: c.OwnerID,
		Name: c.Name, Type: c.Type, Scopes: canonicalScopes(c.Scopes), RateLimitTier: c.RateLimitTier,
		Prefix: c.Prefix, SecretHash: c.SecretHash, ExpiresAt: c.ExpiresAt,
	}}, nil
}

func (c CreateAPIKey) check(env domain.Env) error {
	var f domain.Faults
	checkName(&f, "name", c.Name)
	f.Add(!slices.Contains(KeyTypes(), c.Type), "type", "must be one of %v", KeyTypes())
	f.Add(c.Type == AppKey && c.AppID == "", "app_id", "is required for a key of an app")
	f.Add(c.Type != AppKey && c.AppID != "", "app_id", "goes with keys of type %q only", AppKey)
	f.Add(c.WorkspaceID == "", "workspace_id", "is required")
	f.Add(c.OwnerID == "" && c.Type != ServiceKey, "owner_id", "is required")
	checkScopes(&f, c.Scopes)
	f.Add(!slices.Contains(Plans(), c.RateLimitTier), "rate_limit_tier", "must be one of %v", Plans())
	f.Add(!c.ExpiresAt.IsZero() && !c.ExpiresAt.After(env.Now), "expires_at", "must be in the future")
	return f.Err()
}

func checkScopes(f *domain.Faults, scopes []string) {
	f.Add(len(scopes) > maxScopes, "scopes", "must be at most %d", maxScopes)
	for i, s := range scopes {
		f.Add(!ValidScope(s), fmt.Sprintf("scopes[%d]", i), "names no permission")
	}
}

// canonicalScopes sorts scopes and drops repetitions.
func canonicalScopes(scopes []string) []string {
	if len(scopes) == 0 {
		return nil
	}
	out := slices.Clone(scopes)
	slices.Sort(out)
	return slices.Compact(out)
}

// checkSecret guards against a caller of ours that forgot to make a secret: a
// key without one would let anybody in. It is no fault of the client's.
func checkSecret(prefix, hash string) error {
	b, err := hex.DecodeString(hash)
	if prefix == "" || err != nil || len(b) != 32 {
		return fmt.Errorf("an API key needs a prefix and the SHA-256 of its secret, got prefix %q and a hash of %d characters", prefix, len(hash))
	}
	return nil
}
