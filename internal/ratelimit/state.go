package ratelimit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// State is the content of the buckets that are not full.
type State struct {
	// Buckets by owner: "k:" and a key, or "w:" and a workspace.
	Buckets map[string]BucketState `json:"buckets"`
}

// BucketState is one bucket at an instant.
type BucketState struct {
	Tokens float64   `json:"tokens"`
	Limit  float64   `json:"limit"`
	At     time.Time `json:"at"`
}

// State returns what has to survive a restart.
func (l *Limiter) State() State {
	out, at := State{Buckets: map[string]BucketState{}}, l.now().UnixNano()
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for o, b := range s.buckets {
			if b.refill(at); b.tokens < b.limit {
				out.Buckets[o.kind+":"+o.name] = BucketState{Tokens: b.tokens, Limit: b.limit, At: time.Unix(0, b.at).UTC()}
			}
		}
		s.mu.Unlock()
	}
	return out
}

// Load takes over a state; time that passed since refills the buckets.
func (l *Limiter) Load(state State) {
	for name, b := range state.Buckets {
		kind, of, ok := strings.Cut(name, ":")
		if !ok || b.Limit <= 0 || b.At.IsZero() {
			continue
		}
		o := owner{kind, of}
		s := l.shard(o)
		s.mu.Lock()
		if len(s.buckets) < l.max {
			s.buckets[o] = &bucket{tokens: min(max(b.Tokens, 0), b.Limit), limit: b.Limit, at: b.At.UnixNano()}
		}
		s.mu.Unlock()
	}
}

// Store keeps a limiter's state somewhere.
type Store interface {
	// Load returns what was saved last, nil when nothing was.
	Load() ([]byte, error)
	Save(state []byte) error
}

// FileStore keeps the state in a file, replaced as a whole.
type FileStore string

// Load implements Store.
func (f FileStore) Load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save implements Store. A crash leaves the old state or the new one.
func (f FileStore) Save(state []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(state)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), string(f))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// Keeper saves a limiter's state now and then and when it is stopped.
type Keeper struct {
	Limiter *Limiter
	Store   Store
	Every   time.Duration // default 5 s
	Logger  *slog.Logger
}

// Restore loads the saved state into the limiter.
func (k *Keeper) Restore() error {
	raw, err := k.Store.Load()
	if err != nil {
		return fmt.Errorf("load rate limits: %w", err)
	}
	if raw == nil {
		return nil
	}
	var state State
	if err := json.Unmarshal(raw, &state); err != nil {
		return fmt.Errorf("decode rate limits: %w", err)
	}
	k.Limiter.Load(state)
	return nil
}

// Save stores the state now.
func (k *Keeper) Save() error {
	raw, err := json.Marshal(k.Limiter.State())
	if err == nil {
		err = k.Store.Save(raw)
	}
	if err != nil {
		return fmt.Errorf("save rate limits: %w", err)
	}
	return nil
}

// Run saves until ctx ends, and then once more; it returns the error of that
// last time. Errors in between are logged: the next tick tries again.
func (k *Keeper) Run(ctx context.Context) error {
	every := k.Every
	if every <= 0 {
		every = 5 * time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return k.Save()
		case <-ticker.C:
			if err := k.Save(); err != nil && k.Logger != nil {
				k.Logger.Warn("rate limits were not saved", "error", err)
			}
		}
	}
}
