package identity

import (
	"time"

	"strata/domain"
)

// KeyType says what a key is for.
type KeyType string

// The types of API keys.
const (
	AppKey     KeyType = "app"     // a program that serves one app
	UserKey    KeyType = "user"    // a person's own programs
	ServiceKey KeyType = "service" // server to server
)

// KeyTypes lists the types, for validation and documentation.
func KeyTypes() []KeyType { return []KeyType{AppKey, UserKey, ServiceKey} }

// APIKey is what is known of a key at one revision: all but its secret.
type APIKey struct {
	ID             string
	OrganizationID string
	WorkspaceID    string
	AppID          string
	OwnerID        string // the user it acts as; may be "" for a service key
	Name           string
	Type           KeyType
	Scopes         []string
	RateLimitTier  Plan
	Prefix         string // public part of the key
	SecretHash     string // SHA-256 of the key, in hex
	ExpiresAt      time.Time
	Status         Status // active or revoked; see StatusAt
	CreatedAt      time.Time
	UpdatedAt      time.Time
	RevokedAt      time.Time
}

// StatusAt is the key's status at a time: an active key may have expired.
func (k *APIKey) StatusAt(now time.Time) Status {
	if k.Status == StatusActive && !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
		return StatusExpired
	}
	return k.Status
}

// APIKeys folds the streams of API keys. When a key was last used is not an
// event: it would be one per request.
var APIKeys = &domain.Aggregate[APIKey]{
	Category: "api_key", Prefix: "key", Noun: "API key", Fold: "1",
	New:   func(id string) *APIKey { return &APIKey{ID: id} },
	Apply: func(k *APIKey, e domain.Event) { k.apply(e) },
	Facts: []domain.FactType{
		domain.FactOf[APIKeyCreated](),
		domain.FactOf[APIKeyRenamed](),
		domain.FactOf[APIKeyScopesChanged](),
		domain.FactOf[APIKeyTierChanged](),
		domain.FactOf[APIKeyExpiryChanged](),
		domain.FactOf[APIKeyRotated](),
		domain.FactOf[APIKeyRevoked](),
	},
}

// APIKeyCreated brings a key into being.
type APIKeyCreated struct {
	OrganizationID string    `json:"organization_id"`
	WorkspaceID    string    `json:"workspace_id"`
	AppID          string    `json:"app_id,omitempty"`
	OwnerID        string    `json:"owner_id,omitempty"`
	Name           string    `json:"name"`
	Type           KeyType   `json:"type"`
	Scopes         []string  `json:"scopes,omitempty"`
	RateLimitTier  Plan      `json:"rate_limit_tier"`
	Prefix         string    `json:"prefix"`
	SecretHash     string    `json:"secret_hash"`
	ExpiresAt      time.Time `json:"expires_at,omitzero"`
}

// EventType implements domain.Fact.
func (APIKeyCreated) EventType() string { return "api_key.created.v1" }

// APIKeyRenamed gives a key another name.
type APIKeyRenamed struct {
	Name string `json:"name"`
}

// EventType implements domain.Fact.
func (APIKeyRenamed) EventType() string { return "api_key.renamed.v1" }

// APIKeyScopesChanged replaces a key's scopes.
type APIKeyScopesChanged struct {
	Scopes []string `json:"scopes"`
}

// EventType implements domain.Fact.
func (APIKeyScopesChanged) EventType() string { return "api_key.scopes_changed.v1" }

// APIKeyTierChanged moves a key to another rate limit tier.
type APIKeyTierChanged struct {
	RateLimitTier Plan `json:"rate_limit_tier"`
}

// EventType implements domain.Fact.
func (APIKeyTierChanged) EventType() string { return "api_key.rate_limit_tier_changed.v1" }

// APIKeyExpiryChanged sets when a key expires; without a time it never does.
type APIKeyExpiryChanged struct {
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// EventType implements domain.Fact.
func (APIKeyExpiryChanged) EventType() string { return "api_key.expiry_changed.v1" }

// APIKeyRotated replaces a key's secret; the old one stops working.
type APIKeyRotated struct {
	Prefix     string `json:"prefix"`
	SecretHash string `json:"secret_hash"`
}

// EventType implements domain.Fact.
func (APIKeyRotated) EventType() string { return "api_key.rotated.v1" }

// APIKeyRevoked ends a key.
type APIKeyRevoked struct{}

// EventType implements domain.Fact.
func (APIKeyRevoked) EventType() string { return "api_key.revoked.v1" }

func (k *APIKey) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case APIKeyCreated:
		*k = APIKey{
			ID: k.ID, OrganizationID: f.OrganizationID, WorkspaceID: f.WorkspaceID, AppID: f.AppID, OwnerID: f.OwnerID,
			Name: f.Name, Type: f.Type, Scopes: f.Scopes, RateLimitTier: f.RateLimitTier, Prefix: f.Prefix, SecretHash: f.SecretHash,
			ExpiresAt: f.ExpiresAt, Status: StatusActive, CreatedAt: e.Meta.OccurredAt,
		}
	case APIKeyRenamed:
		k.Name = f.Name
	case APIKeyScopesChanged:
		k.Scopes = f.Scopes
	case APIKeyTierChanged:
		k.RateLimitTier = f.RateLimitTier
	case APIKeyExpiryChanged:
		k.ExpiresAt = f.ExpiresAt
	case APIKeyRotated:
		k.Prefix, k.SecretHash = f.Prefix, f.SecretHash
	case APIKeyRevoked:
		k.Status, k.RevokedAt = StatusRevoked, e.Meta.OccurredAt
	}
	k.UpdatedAt = e.Meta.OccurredAt
}

// usable refuses commands on a key that is not there or was revoked.
func (k *APIKey) usable() error {
	if k.Status == "" {
		return domain.NotFound(APIKeys.Noun, k.ID)
	}
	if k.Status == StatusRevoked {
		return domain.Errorf(domain.CodeConflict, "API key %q was revoked", k.ID)
	}
	return nil
}
