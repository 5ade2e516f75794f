package authn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"strata/domain"
	"strata/domain/identity"
)

// KeyStore finds credentials. It is implemented by the identity read model.
type KeyStore interface {
	// KeyByPrefix returns the credential whose key has a public prefix; false
	// when there is none.
	KeyByPrefix(ctx context.Context, prefix string) (identity.Credential, bool, error)
}

// Config of an Authenticator.
type Config struct {
	Keys KeyStore
	// CatchUp waits until Keys has seen everything that is in the log now. It
	// may be nil.
	CatchUp func(ctx context.Context) error
	Now     func() time.Time // the clock; time.Now when nil
	// MaxAge is how long a credential is believed without looking again, for
	// stores whose commits Forget is not told of. A minute when 0.
	MaxAge time.Duration
	// MaxCached bounds the credentials kept in memory. 10,000 when 0.
	MaxCached int
}

// Authenticator resolves bearer tokens. It is safe for concurrent use.
type Authenticator struct {
	cfg Config

	mu         sync.RWMutex
	generation uint64 // grows with Forget
	cached     map[string]*known
}

// known is a credential with the principal it makes. Both are shared and must
// not be changed.
type known struct {
	credential identity.Credential
	principal  domain.Principal
	until      time.Time
}

// New makes an Authenticator.
func New(cfg Config) *Authenticator {
	if cfg.CatchUp == nil {
		cfg.CatchUp = func(context.Context) error { return nil }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = time.Minute
	}
	if cfg.MaxCached == 0 {
		cfg.MaxCached = 10_000
	}
	return &Authenticator{cfg: cfg, cached: map[string]*known{}}
}

// Authenticate returns the principal of a token. The principal's permissions
// are shared and must not be changed. Errors: UNAUTHORIZED when the token is no
// key or the key does not work; anything else is a fault of the store.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (domain.Principal, error) {
	key, err := Chosen(token)
	if err != nil {
		return domain.Principal{}, refused()
	}
	now := a.cfg.Now()
	k := a.fromCache(key, now)
	if k == nil {
		if k, err = a.find(ctx, key); err != nil {
			return domain.Principal{}, err
		}
		now = a.cfg.Now() // it may have taken its time
	}
	if k == nil {
		return domain.Principal{}, refused()
	}
	if err := k.credential.Check(now); err != nil {
		return domain.Principal{}, err
	}
	return k.principal, nil
}

// refused is the answer to every token that is not a known key; it does not
// tell a wrong secret from a key that does not exist.
func refused() error { return domain.Errorf(domain.CodeUnauthorized, "the API key is not valid") }

// Forget drops all cached credentials. The identity read model's commits call it.
func (a *Authenticator) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
	clear(a.cached)
}

// find asks the store for a key's credential, after it has caught up when there
// is none at first; nil when there is none.
func (a *Authenticator) find(ctx context.Context, key Key) (*known, error) {
	k, err := a.look(ctx, key.Prefix)
	if err != nil {
		return nil, err
	}
	if k.of(key) {
		return k, nil
	}
	if err := a.cfg.CatchUp(ctx); err != nil {
		return nil, domain.Errorf(domain.CodeUnavailable, "API keys cannot be checked now; retry").Because(err)
	}
	if k, err = a.look(ctx, key.Prefix); err != nil || !k.of(key) {
		return nil, err
	}
	return k, nil
}

// of tells whether a credential, which may be none, is the key's, secret included.
func (k *known) of(key Key) bool { return k != nil && key.Matches(k.credential.SecretHash) }

// fromCache returns a key's credential when it is kept, else nil.
func (a *Authenticator) fromCache(key Key, now time.Time) *known {
	a.mu.RLock()
	k := a.cached[key.Prefix]
	a.mu.RUnlock()
	if k.of(key) && now.Before(k.until) {
		return k
	}
	return nil
}

// look asks the store and keeps the answer, unless something was committed
// meanwhile: then the answer may be of before that.
func (a *Authenticator) look(ctx context.Context, prefix string) (*known, error) {
	a.mu.RLock()
	generation := a.generation
	a.mu.RUnlock()
	c, found, err := a.cfg.Keys.KeyByPrefix(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("look up an API key: %w", err)
	}
	if !found {
		return nil, nil
	}
	k := &known{credential: c, principal: c.Principal(), until: a.cfg.Now().Add(a.cfg.MaxAge)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation == generation {
		if len(a.cached) >= a.cfg.MaxCached {
			clear(a.cached) // refilled by what is in use
		}
		a.cached[prefix] = k
	}
	return k, nil
}
