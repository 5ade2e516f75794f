package authn_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/identity"
	"strata/internal/authn"
)

var now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// store is a KeyStore that counts look-ups.
type store struct {
	mu      sync.Mutex
	keys    map[string]identity.Credential
	lookups int
	err     error
	during  func() // called while a look-up is under way
}

func (s *store) KeyByPrefix(_ context.Context, prefix string) (identity.Credential, bool, error) {
	s.mu.Lock()
	s.lookups++
	c, ok := s.keys[prefix]
	err, during := s.err, s.during
	s.mu.Unlock()
	if during != nil {
		during()
	}
	return c, ok, err
}

func (s *store) put(k authn.Key, change func(*identity.Credential)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]identity.Credential{}
	}
	c := identity.Credential{
		APIKey: identity.APIKey{ID: "key_1", OrganizationID: "org_1", WorkspaceID: "ws_1", OwnerID: "user_1", Type: identity.UserKey,
			RateLimitTier: identity.Pro, Prefix: k.Prefix, SecretHash: k.Hash, Status: identity.StatusActive},
		OwnerRole: identity.Viewer, OwnerStatus: identity.StatusActive,
		WorkspaceStatus: identity.StatusActive, OrganizationStatus: identity.StatusActive,
	}
	if change != nil {
		change(&c)
	}
	s.keys[k.Prefix] = c
}

func TestAuthenticate(t *testing.T) {
	s, key := &store{}, newKey(t)
	s.put(key, nil)
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }})
	for range 3 {
		p, err := a.Authenticate(t.Context(), key.Token)
		if err != nil {
			t.Fatal(err)
		}
		if p.KeyID != "key_1" || p.UserID != "user_1" || p.Workspace != "ws_1" || !p.Can("sessions:list") || p.Can("sessions:create") {
			t.Errorf("principal %+v", p)
		}
	}
	if s.lookups != 1 {
		t.Errorf("%d look-ups for one key", s.lookups)
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	s, key, other := &store{}, newKey(t), newKey(t)
	s.put(key, nil)
	samePrefix := "sk-strata-" + key.Prefix + "-" + other.Token[len(other.Token)-43:]
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }})
	for name, token := range map[string]string{
		"nothing": "", "no key": "hello", "unknown": other.Token, "wrong secret": samePrefix, "a JWT": "aaaa.bbbbbbbbbbbbbb.cccccc",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := a.Authenticate(t.Context(), token); domain.CodeOf(err) != domain.CodeUnauthorized {
				t.Errorf("answered %v", err)
			}
		})
	}
	if _, err := a.Authenticate(t.Context(), key.Token); err != nil {
		t.Errorf("a good key after a bad one: %v", err)
	}
}

func TestAuthenticateChosenKey(t *testing.T) {
	key, err := authn.Chosen("an-operators-own-key")
	if err != nil {
		t.Fatal(err)
	}
	s := &store{}
	s.put(key, nil)
	if _, err := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }}).Authenticate(t.Context(), key.Token); err != nil {
		t.Error(err)
	}
}

// A cached key stops working when its time is up, and when it is revoked.
func TestAuthenticateFollowsTimeAndRevocation(t *testing.T) {
	s, key, clock := &store{}, newKey(t), now
	s.put(key, func(c *identity.Credential) { c.ExpiresAt = now.Add(time.Second) })
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return clock }})
	must(t, a, key, true)
	clock = now.Add(time.Second)
	must(t, a, key, false)

	s.put(key, nil)
	a.Forget()
	must(t, a, key, true)
	s.put(key, func(c *identity.Credential) { c.Status = identity.StatusRevoked })
	a.Forget()
	must(t, a, key, false)
	s.put(key, nil) // nobody says so, but a credential is not believed for ever
	clock = clock.Add(2 * time.Minute)
	must(t, a, key, true)
}

func must(t *testing.T, a *authn.Authenticator, k authn.Key, ok bool) {
	t.Helper()
	_, err := a.Authenticate(t.Context(), k.Token)
	if ok && err != nil || !ok && domain.CodeOf(err) != domain.CodeUnauthorized {
		t.Errorf("answered %v", err)
	}
}

// What was read before a commit must not be cached after it.
func TestAuthenticateDoesNotCacheAcrossACommit(t *testing.T) {
	s, key := &store{}, newKey(t)
	s.put(key, nil)
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }})
	s.during = func() {
		s.during = nil
		s.put(key, func(c *identity.Credential) { c.Status = identity.StatusRevoked })
		a.Forget()
	}
	must(t, a, key, true) // it was good when it was looked up
	must(t, a, key, false)
}

// A key made a moment ago is waited for once; one that does not exist costs one
// wait and is refused.
func TestAuthenticateWaitsForTheReadModel(t *testing.T) {
	s, key := &store{}, newKey(t)
	waits := 0
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }, CatchUp: func(context.Context) error {
		waits++
		s.put(key, nil)
		return nil
	}})
	must(t, a, key, true)
	must(t, a, newKey(t), false)
	if waits != 2 {
		t.Errorf("waited %d times", waits)
	}
}

func TestAuthenticatePassesFaultsOn(t *testing.T) {
	broken := errors.New("disk on fire")
	s := &store{err: broken}
	if _, err := authn.New(authn.Config{Keys: s}).Authenticate(t.Context(), newKey(t).Token); !errors.Is(err, broken) || domain.CodeOf(err) != domain.CodeInternal {
		t.Errorf("answered %v", err)
	}
	a := authn.New(authn.Config{Keys: &store{}, CatchUp: func(context.Context) error { return broken }})
	if _, err := a.Authenticate(t.Context(), newKey(t).Token); domain.CodeOf(err) != domain.CodeUnavailable || !errors.Is(err, broken) {
		t.Errorf("answered %v", err)
	}
}

func TestAuthenticateBoundsItsCache(t *testing.T) {
	s := &store{}
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }, MaxCached: 2})
	keys := []authn.Key{newKey(t), newKey(t), newKey(t)}
	for _, k := range keys {
		s.put(k, nil)
	}
	for range 2 {
		for _, k := range keys {
			must(t, a, k, true)
		}
	}
	if s.lookups < 4 {
		t.Errorf("%d look-ups: more than two keys were kept", s.lookups)
	}
}

func TestAuthenticateConcurrently(t *testing.T) {
	s, key := &store{}, newKey(t)
	s.put(key, nil)
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				if _, err := a.Authenticate(t.Context(), key.Token); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					a.Forget()
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAuthenticate(b *testing.B) {
	s, key := &store{}, newKey(b)
	s.put(key, nil)
	a := authn.New(authn.Config{Keys: s, Now: func() time.Time { return now }})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), key.Token); err != nil {
			b.Fatal(err)
		}
	}
}
