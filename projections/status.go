package projections

import (
	"context"
	"fmt"
	"sync"
	"time"

	"strata/domain"
)

// State is what a model is doing.
type State string

// The states of a model.
const (
	StateStarting   State = "starting"    // not reading yet
	StateCatchingUp State = "catching_up" // reading what the log holds
	StateIndexing   State = "indexing"    // building indexes after the first catch-up
	StateLive       State = "live"        // follows the log as it grows
	StateRetrying   State = "retrying"    // something failed and is being tried again; see Error
	StateStopped    State = "stopped"
)

// Status describes a model.
type Status struct {
	Model     string          `json:"model"`
	Version   int             `json:"version"`
	State     State           `json:"state"`
	Ready     bool            `json:"ready"`    // whether it can be read
	Position  domain.Position `json:"position"` // the rows reflect the log up to here
	Lag       uint64          `json:"lag"`      // positions behind the log's head
	Parked    int             `json:"parked"`   // events set aside; see Runner.Parked
	Error     string          `json:"error,omitempty"`
	LastError string          `json:"last_error,omitempty"` // the latest, also when it is over
	UpdatedAt time.Time       `json:"updated_at,omitzero"`  // when the position last moved in this process
	Rebuild   *Rebuilding     `json:"rebuild,omitempty"`    // the one that runs, or the last one
}

// condition is what a worker is doing, for those who ask.
type condition struct {
	mu      sync.Mutex
	state   State
	err     error
	last    error
	updated time.Time
}

func (c *condition) set(s State, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.err = s, err
	if err != nil {
		c.last = err
	}
}

func (c *condition) touch(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.updated = now
}

// fill puts the condition into a status.
func (c *condition) fill(s *Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.State, s.UpdatedAt = c.state, c.updated
	if c.err != nil {
		s.Error = c.err.Error()
	}
	if c.last != nil {
		s.LastError = c.last.Error()
	}
}

func (w *worker) status(head domain.Position) Status {
	s := Status{Model: w.model.Name(), Version: w.model.Version(), Ready: w.serving.Load(), Position: w.mark.get(),
		Parked: int(w.parked.Load()), Rebuild: w.rebuild.report()}
	w.condition.fill(&s)
	if head > s.Position {
		s.Lag = uint64(head - s.Position)
	}
	return s
}

// Status describes every model, for readiness and metrics.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	head, err := r.cfg.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	var all []Status
	for _, w := range r.workers {
		all = append(all, w.status(head))
	}
	return all, nil
}

// retryAfter is how long who asks too early should wait: long enough to be
// worth asking again, short enough for a small model.
const retryAfter = 2 * time.Second

// ready tells why a model cannot be read, nil when it can.
func (w *worker) ready() error {
	if w.serving.Load() {
		return nil
	}
	return domain.Errorf(domain.CodeUnavailable, "read model %s is being built from the log, it is at %d of %d", w.model.Name(), w.mark.get(), w.target.Load()).
		With("retry_after", retryAfter).With("position", w.mark.get()).With("target", domain.Position(w.target.Load()))
}
