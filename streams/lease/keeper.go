package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// Config says which lease, and whose. Store and Name are needed.
type Config struct {
	Store  streams.Store
	Name   string        // of the lease; its stream is "lease-<name>"
	Holder string        // who competes, for people to read; default "<host>/<process id>"
	TTL    time.Duration // how long an unrenewed lease lasts, at least 10 ms; default 10 s
	Poll   time.Duration // how often a challenger looks, and wait after a failure; default a tenth of TTL

	// Sole says that no other process can have the log open, so that whoever
	// held the lease is gone: it is taken over without waiting.
	Sole bool

	Logger *slog.Logger                           // default: discard
	Now    func() time.Time                       // clock; default time.Now
	After  func(d time.Duration) <-chan time.Time // clock; default time.After
}

func (c *Config) setDefaults() error {
	if c.Store == nil || c.Name == "" {
		return errors.New("lease: store and name are needed")
	}
	if c.TTL == 0 {
		c.TTL = 10 * time.Second
	}
	if c.TTL < 10*time.Millisecond {
		return fmt.Errorf("lease %s: a time to live of %v is less than 10 ms", c.Name, c.TTL)
	}
	c.TTL = c.TTL.Truncate(time.Millisecond) // as the record says it
	if c.Poll == 0 {
		c.Poll = c.TTL / 10
	}
	if c.Holder == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		c.Holder = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	return nil
}

// Keeper competes for a lease. It is used by one goroutine at a time; only
// Status may be called by others.
type Keeper struct {
	cfg    Config
	stream domain.StreamID

	bounded bool      // the stream has its metadata
	seen    entry     // the last record that was read
	since   time.Time // when it was first read; zero: never
	tried   attempt   // the last record this keeper has appended to acquire the lease

	mu     sync.Mutex
	status Status
}

// attempt is an append whose answer may have been lost.
type attempt struct {
	id   uuid.UUID
	sent time.Time
}

// Status tells what a keeper knows of its lease.
type Status struct {
	Name   string          `json:"name"`
	Held   bool            `json:"held"`             // by this keeper
	Holder string          `json:"holder,omitempty"` // who held it when this keeper looked last
	Token  domain.Revision `json:"token"`            // of this keeper's last term; NoRevision: it had none
	Error  string          `json:"error,omitempty"`  // why it cannot be competed for or renewed now
}

// New makes a keeper.
func New(cfg Config) (*Keeper, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, stream: domain.Stream(Category, cfg.Name)}
	k.status = Status{Name: cfg.Name, Token: domain.NoRevision}
	return k, nil
}

// Status tells what this keeper knows of the lease now.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

func (k *Keeper) note(change func(s *Status)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.status)
}

// faulty notes why the lease cannot be looked after, or that it can again.
func (k *Keeper) faulty(err error) {
	k.note(func(s *Status) {
		if s.Error = ""; err != nil {
			s.Error = err.Error()
		}
	})
}

// Run waits for the lease and calls work while it is held, again and again,
// until ctx ends; it returns the context's error. The context of work ends when
// the lease is lost. When work returns, the lease is released; Run never holds a
// lease whose work has not returned from the term before.
func (k *Keeper) Run(ctx context.Context, work func(ctx context.Context, t *Term) error) error {
	for {
		t, err := k.Acquire(ctx)
		if err != nil {
			return err
		}
		k.cfg.Logger.InfoContext(ctx, "lease acquired", "lease", k.cfg.Name, "holder", k.cfg.Holder, "token", t.Token())
		err = work(t.Context(), t)
		if given := t.Release(context.WithoutCancel(ctx)); given != nil && !errors.Is(given, ErrLost) {
			k.cfg.Logger.WarnContext(ctx, "lease is not released; others wait until it has run out", "lease", k.cfg.Name, "error", given)
		}
		k.cfg.Logger.InfoContext(ctx, "lease given up", "lease", k.cfg.Name, "holder", k.cfg.Holder, "token", t.Token(), "reason", err)
		select {
		case <-k.cfg.After(k.cfg.Poll): // leaves it to others first
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Acquire waits until this keeper holds the lease. It goes on through failures
// of the store; only the end of ctx ends it. Ending ctx later ends the term too.
func (k *Keeper) Acquire(ctx context.Context) (*Term, error) {
	failing := false
	for {
		t, err := k.try(ctx)
		if ctx.Err() != nil {
			if t != nil {
				_ = t.Release(context.WithoutCancel(ctx)) // it runs out otherwise
			}
			return nil, ctx.Err()
		}
		k.faulty(err)
		if err != nil && !failing {
			k.cfg.Logger.WarnContext(ctx, "lease cannot be competed for; trying again", "lease", k.cfg.Name, "error", err)
		}
		if failing = err != nil; t != nil {
			return t, nil
		}
		select {
		case <-k.cfg.After(k.cfg.Poll):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try takes the lease if it can be had now; nil otherwise.
func (k *Keeper) try(ctx context.Context) (*Term, error) {
	if err := k.bound(ctx); err != nil {
		return nil, err
	}
	found, err := last(ctx, k.cfg.Store, k.stream)
	if err != nil {
		return nil, err
	}
	now := k.cfg.Now() // after reading: the record is at least as old
	if k.since.IsZero() || found.id != k.seen.id {
		k.seen, k.since = found, now
	}
	k.note(func(s *Status) {
		if s.Holder = found.Holder; found.released {
			s.Holder = ""
		}
	})
	switch {
	case found.id == k.tried.id && found.id != uuid.Nil: // it was accepted, the answer was lost
		return k.begin(ctx, k.tried.sent, found.revision, found.State), nil
	case found.released, k.cfg.Sole, now.Sub(k.since) >= found.patience():
		return k.take(ctx, found)
	}
	return nil, nil
}

// take appends the record that acquires the lease after the one that was found.
func (k *Keeper) take(ctx context.Context, found entry) (*Term, error) {
	p, err := propose(typeAcquired, k.record(found.State))
	if err != nil {
		return nil, err
	}
	k.tried = attempt{id: p.ID, sent: k.cfg.Now()}
	r, err := k.cfg.Store.Append(ctx, k.stream, streams.At(found.revision), p)
	if wrong := (*streams.WrongRevision)(nil); errors.As(err, &wrong) {
		return nil, nil // somebody was faster
	}
	if err != nil {
		return nil, fmt.Errorf("lease: acquire %s: %w", k.cfg.Name, err)
	}
	return k.begin(ctx, k.tried.sent, r.Revision, found.State), nil
}

func (k *Keeper) record(state json.RawMessage) record {
	return record{Holder: k.cfg.Holder, TTL: k.cfg.TTL.Milliseconds(), State: state}
}

// bound keeps the lease's stream short.
func (k *Keeper) bound(ctx context.Context) error {
	if k.bounded {
		return nil
	}
	m, err := k.cfg.Store.StreamMeta(ctx, k.stream)
	if err != nil {
		return fmt.Errorf("lease: metadata of %s: %w", k.stream, err)
	}
	if m.MaxCount == 0 {
		m.MaxCount = keptRecords
		if err := k.cfg.Store.SetStreamMeta(ctx, k.stream, m); err != nil {
			return fmt.Errorf("lease: metadata of %s: %w", k.stream, err)
		}
	}
	k.bounded = true
	return nil
}
