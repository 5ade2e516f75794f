package identity_test

import (
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
)

func TestCreateAPIKey(t *testing.T) {
	k := domaintest.Given(t, identity.APIKeys).
		When(identity.CreateAPIKey{
			Name: "site", Type: identity.AppKey, AppID: "app_1", WorkspaceID: "ws_main", OwnerID: "user_bob", Scopes: []string{"models:invoke", "models:invoke"},
			RateLimitTier: identity.Pro, Prefix: "abcdefghijkl", SecretHash: hash, ExpiresAt: domaintest.Now.Add(time.Hour),
		}).
		Then(keyCreated).State()
	if k.StatusAt(domaintest.Now) != identity.StatusActive || k.StatusAt(domaintest.Now.Add(time.Hour)) != identity.StatusExpired {
		t.Errorf("key %+v", k)
	}
	domaintest.Given(t, identity.APIKeys).
		When(identity.CreateAPIKey{Name: "mine", WorkspaceID: "ws_main", OwnerID: "user_bob", Prefix: "p", SecretHash: hash}).
		Then(identity.APIKeyCreated{OrganizationID: domaintest.Organization, WorkspaceID: "ws_main", OwnerID: "user_bob", Name: "mine",
			Type: identity.UserKey, RateLimitTier: identity.Free, Prefix: "p", SecretHash: hash})
}

func TestCreateAPIKeyRefused(t *testing.T) {
	domaintest.Given(t, identity.APIKeys, keyCreated).When(identity.CreateAPIKey{}).ThenError(domain.CodeConflict)
	domaintest.Given(t, identity.APIKeys).
		When(identity.CreateAPIKey{Type: identity.AppKey, Scopes: []string{"apps:get", "session:list", "*:dance"}, RateLimitTier: "gold",
			Prefix: "p", SecretHash: hash, ExpiresAt: domaintest.Now}).
		ThenError(domain.CodeValidation, "name", "app_id", "workspace_id", "owner_id", "scopes[1]", "scopes[2]", "rate_limit_tier", "expires_at")
	domaintest.Given(t, identity.APIKeys).
		When(identity.CreateAPIKey{Name: "x", Type: "odd", AppID: "app_1", WorkspaceID: "ws", OwnerID: "u", Prefix: "p", SecretHash: hash}).
		ThenError(domain.CodeValidation, "type", "app_id")
}

// A key without a proper secret is our own mistake, not the client's.
func TestCreateAPIKeyNeedsASecret(t *testing.T) {
	for _, c := range []identity.CreateAPIKey{{}, {Prefix: "p", SecretHash: "abc"}, {SecretHash: hash}, {Prefix: "p", SecretHash: strings.Repeat("x", 64)}} {
		_, err := c.Decide(domain.Env{}, identity.APIKeys.New("key_1"))
		if domain.CodeOf(err) != domain.CodeInternal {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestUpdateAPIKey(t *testing.T) {
	given := domaintest.Given(t, identity.APIKeys, keyCreated)
	given.When(identity.UpdateAPIKey{
		Name: new("shop"), Scopes: &[]string{"sessions:list", "apps:*"}, RateLimitTier: new(identity.Free), ExpiresAt: new(time.Time{}),
	}).Then(
		identity.APIKeyRenamed{Name: "shop"}, identity.APIKeyScopesChanged{Scopes: []string{"apps:*", "sessions:list"}},
		identity.APIKeyTierChanged{RateLimitTier: identity.Free}, identity.APIKeyExpiryChanged{},
	)
	given.When(identity.UpdateAPIKey{ExpiresAt: new(keyCreated.ExpiresAt.In(time.FixedZone("", 3600)))}).ThenNothing()
	given.When(identity.UpdateAPIKey{Name: new(""), Scopes: &[]string{"x"}, RateLimitTier: new(identity.Plan("")), ExpiresAt: new(domaintest.Now)}).
		ThenError(domain.CodeValidation, "name", "scopes[0]", "rate_limit_tier", "expires_at")
	domaintest.Given(t, identity.APIKeys, keyCreated, identity.APIKeyRevoked{}).When(identity.UpdateAPIKey{}).ThenError(domain.CodeConflict)
	domaintest.Given(t, identity.APIKeys).When(identity.UpdateAPIKey{}).ThenError(domain.CodeNotFound)
}

func TestRotateAPIKey(t *testing.T) {
	rotated := identity.APIKeyRotated{Prefix: "mnopqrstuvwx", SecretHash: hash}
	domaintest.Given(t, identity.APIKeys, keyCreated).When(identity.RotateAPIKey{Prefix: "mnopqrstuvwx", SecretHash: hash}).Then(rotated)
	if _, err := (identity.RotateAPIKey{}).Decide(domain.Env{}, domaintest.Fold(identity.APIKeys, "key_1", keyCreated)); domain.CodeOf(err) != domain.CodeInternal {
		t.Errorf("without a secret: %v", err)
	}
	domaintest.Given(t, identity.APIKeys, keyCreated, identity.APIKeyRevoked{}).When(identity.RotateAPIKey{}).ThenError(domain.CodeConflict)
}

func TestRevokeAPIKey(t *testing.T) {
	k := domaintest.Given(t, identity.APIKeys, keyCreated).When(identity.RevokeAPIKey{}).Then(identity.APIKeyRevoked{}).State()
	if k.Status != identity.StatusRevoked || !k.RevokedAt.Equal(domaintest.At(1)) {
		t.Errorf("key %+v", k)
	}
	domaintest.Given(t, identity.APIKeys, keyCreated, identity.APIKeyRevoked{}).When(identity.RevokeAPIKey{}).ThenNothing()
	domaintest.Given(t, identity.APIKeys).When(identity.RevokeAPIKey{}).ThenError(domain.CodeNotFound)
}
