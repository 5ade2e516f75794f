// Package vault puts the values of secrets in the place of references to them, at
// the moment they are used, and finds what refers to a secret.
//
// Values are looked up for every call, so that one that was rotated is used from the
// next call on and one that was deleted, or has expired, is not. What used a secret
// is recorded before its value leaves, once a day per consumer and version.
package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/secret"
)

// Config of a Vault.
type Config struct {
	// Find finds a secret of a workspace. Errors: NOT_FOUND.
	Find    func(ctx context.Context, workspace, name string) (secret.State, error)
	Handler *commands.Handler // records uses
	// Open turns a sealed value back.
	Open func(sealed string) (string, error)
}

// Vault resolves references. It is safe for concurrent use.
type Vault struct {
	cfg Config

	mu    sync.Mutex
	day   string        // that noted is about
	noted map[used]bool // what is recorded already, as far as this process knows
}

type used struct {
	secret, consumer string
	version          int
}

// mostNoted bounds what is remembered of a day; to forget costs a look at the
// secret's state.
const mostNoted = 100_000

// New makes a Vault.
func New(cfg Config) *Vault { return &Vault{cfg: cfg, noted: map[used]bool{}} }

// Consumer is what uses secrets: a resource of a workspace.
type Consumer struct{ Workspace, Kind, ID string }

func (c Consumer) String() string { return c.Kind + "/" + c.ID }

// Fill puts values in the place of the references of texts, and returns the values,
// for [secret.Hide]. Errors: CONFLICT for a secret that was deleted or has expired;
// SERVICE_UNAVAILABLE when its use cannot be recorded.
func (v *Vault) Fill(ctx context.Context, by Consumer, texts ...*string) (values []string, err error) {
	found := map[string]string{}
	for _, text := range texts {
		for _, name := range secret.Names(*text) {
			if _, known := found[name]; known {
				continue
			}
			if found[name], err = v.value(ctx, by, name); err != nil {
				return nil, err
			}
			values = append(values, found[name])
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	for _, text := range texts {
		*text = secret.Fill(*text, func(name string) string { return found[name] })
	}
	return longestFirst(values), nil
}

// longestFirst puts values that hold others before those, so that hiding leaves no
// rest of them.
func longestFirst(values []string) []string {
	slices.SortFunc(values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return values
}

func (v *Vault) value(ctx context.Context, by Consumer, name string) (string, error) {
	s, err := v.cfg.Find(ctx, by.Workspace, name)
	if errors.Is(err, domain.ErrNotFound) {
		return "", gone(name)
	}
	if err != nil {
		return "", err
	}
	now := v.cfg.Handler.Now()
	if s.Status(now) == secret.Expired {
		return "", domain.Errorf(domain.CodeConflict, "the secret %q expired at %s", s.Name, domain.FormatTime(s.ExpiresAt))
	}
	sealed, kept := s.Value(0)
	if !kept {
		return "", gone(name)
	}
	value, err := v.cfg.Open(sealed)
	if err != nil {
		return "", fmt.Errorf("open secret %s: %w", s.ID, err)
	}
	if err := v.note(ctx, &s, by, now); errors.Is(err, domain.ErrNotFound) {
		return "", gone(name) // it was deleted in this moment
	} else if err != nil {
		return "", err
	}
	return value, nil
}

func gone(name string) error {
	return domain.Errorf(domain.CodeConflict, "there is no secret %q any more, which is referred to here", name)
}

// note records a use, unless one like it was recorded today.
func (v *Vault) note(ctx context.Context, s *secret.State, by Consumer, now time.Time) error {
	use, day := used{s.ID, by.String(), s.Version}, secret.Day(now)
	if v.isNoted(use, day) {
		return nil
	}
	if s.UsedOn != day || s.Users[use.consumer] < use.version {
		_, err := commands.Run[secret.State, struct{}](ctx, v.cfg.Handler, secret.Aggregate,
			commands.Request{Principal: domain.System("", ""), ID: s.ID}, secret.Use{Version: s.Version, Consumer: use.consumer}, nil)
		if err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.day == day && len(v.noted) < mostNoted {
		v.noted[use] = true
	}
	return nil
}

func (v *Vault) isNoted(use used, day string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.day != day || len(v.noted) >= mostNoted {
		v.day, v.noted = day, map[used]bool{}
	}
	return v.noted[use]
}
