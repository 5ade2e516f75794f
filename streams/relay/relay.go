package relay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"strata/domain"
	"strata/streams/lease"
)

// Relay publishes the log while it holds the lease.
type Relay struct {
	cfg     Config
	keeper  *lease.Keeper
	metrics *metrics

	mu        sync.Mutex
	position  domain.Position   // published up to here, as far as this relay knows
	published uint64            // events that were acknowledged
	failing   map[string]string // why things fail now, by topic; "" is the log
}

// New makes a relay. It does nothing before Run.
func New(cfg Config) (*Relay, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	keeper, err := lease.New(lease.Config{Store: cfg.Store, Name: cfg.Name, Holder: cfg.Holder, TTL: cfg.TTL, Sole: cfg.Sole,
		Logger: cfg.Logger, Now: cfg.Now, After: cfg.After})
	if err != nil {
		return nil, err
	}
	r := &Relay{cfg: cfg, keeper: keeper, failing: map[string]string{}}
	if r.cfg.Message == nil {
		r.cfg.Message = (&encoder{codec: cfg.Codec, source: cfg.Source, personal: cfg.Personal, secrets: cfg.Secrets, maxData: cfg.MaxData}).message
	}
	if r.metrics, err = newMetrics(cfg.Metrics, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Run publishes whenever this relay holds the lease, until ctx ends; it returns
// the context's error. It does not close the publisher.
func (r *Relay) Run(ctx context.Context) error {
	return r.keeper.Run(ctx, func(ctx context.Context, t *lease.Term) error {
		defer r.worked("") // what fails now is the business of whoever is next
		return r.work(ctx, t)
	})
}

// Status describes a relay.
type Status struct {
	Name      string          `json:"name"`
	Active    bool            `json:"active"`           // it publishes; else another does, or none
	Holder    string          `json:"holder,omitempty"` // who does, as far as this relay knows
	Position  domain.Position `json:"position"`         // published up to here; of the last term when not active
	Lag       uint64          `json:"lag"`              // positions behind the log's head; 0 when not active
	Published uint64          `json:"published"`        // events since this relay was made
	Error     string          `json:"error,omitempty"`  // why it does not go on now; it is tried again for ever
}

// Status tells how the relay does.
func (r *Relay) Status(ctx context.Context) (Status, error) {
	l := r.keeper.Status()
	r.mu.Lock()
	s := Status{Name: r.cfg.Name, Active: l.Held, Holder: l.Holder, Position: r.position, Published: r.published, Error: l.Error}
	for _, topic := range slices.Sorted(maps.Keys(r.failing)) {
		if s.Error != "" {
			s.Error += "; "
		}
		s.Error += r.failing[topic]
	}
	r.mu.Unlock()
	if !s.Active {
		return s, nil
	}
	head, err := r.cfg.Store.Head(ctx)
	if err != nil {
		return s, fmt.Errorf("relay: head of the log: %w", err)
	}
	if head > s.Position {
		s.Lag = uint64(head - s.Position)
	}
	return s, nil
}

// fails notes why a topic, or the log (""), does not take or give events now.
func (r *Relay) fails(topic string, err error) {
	r.metrics.failures.Inc()
	r.mu.Lock()
	_, already := r.failing[topic]
	r.failing[topic] = err.Error()
	r.mu.Unlock()
	if !already {
		r.cfg.Logger.Error("the relay cannot go on; it tries again", "topic", topic, "error", err)
	}
}

// worked takes back what fails said.
func (r *Relay) worked(topic string) {
	r.mu.Lock()
	_, failed := r.failing[topic]
	delete(r.failing, topic)
	r.mu.Unlock()
	if failed {
		r.cfg.Logger.Info("the relay goes on", "topic", topic)
	}
}

// came notes how far publishing has come.
func (r *Relay) came(to domain.Position, events int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position = to
	r.published += uint64(events) //nolint:gosec // a count
}

// shift is the work of one term.
type shift struct {
	relay *Relay
	term  *lease.Term
	at    checkpoint
	fresh int              // events that were published since the checkpoint was saved
	due   <-chan time.Time // when the checkpoint must be saved; nil: nothing was published since
}

// work publishes from the last checkpoint on, until the term ends.
func (r *Relay) work(ctx context.Context, t *lease.Term) error {
	s := &shift{relay: r, term: t}
	err := s.insist(ctx, func() error { return s.resume(ctx) })
	if err != nil {
		return err
	}
	r.worked("")
	r.came(s.at.Position, 0)
	for _, category := range s.at.late(r.cfg.Categories) {
		goal := s.at.Position
		err := s.insist(ctx, func() error {
			return s.follow(ctx, []string{category}, s.at.Behind[category], goal, func(to domain.Position) { s.at.Behind[category] = to })
		})
		if err != nil {
			return err
		}
		s.at.join(category)
	}
	return s.insist(ctx, func() error {
		return s.follow(ctx, r.cfg.Categories, s.at.Position, forEver, func(to domain.Position) { s.at.Position = to })
	})
}

// resume reads the checkpoint. One of another log does not count: it might leave
// out what stands elsewhere in this one, so everything is published again.
func (s *shift) resume(ctx context.Context) (err error) {
	allowed := s.relay.cfg.Categories
	if s.at, err = resumed(s.term.State(), allowed); err != nil {
		return err
	}
	known := false
	if s.at.Last != nil {
		if known, err = s.at.Last.IsIn(ctx, s.relay.cfg.Store); err != nil {
			return err
		}
		if !known {
			s.relay.cfg.Logger.WarnContext(ctx, "the relay's checkpoint is of another log; everything is published again", "stream", s.at.Last.Stream, "position", s.at.Last.Position)
		}
	}
	if !known { // nothing was published: looking again costs little
		s.at, err = resumed(nil, allowed)
	}
	return err
}

// insist repeats something until it succeeds or the term ends.
func (s *shift) insist(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		before := s.at.Position
		err := do()
		if err == nil || ctx.Err() != nil || errors.Is(err, lease.ErrLost) {
			return err
		}
		if s.at.Position > before {
			attempt = 1
		}
		s.relay.fails("", err)
		select {
		case <-s.relay.cfg.After(s.relay.cfg.Backoff(attempt)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reached keeps what the checkpoint says now for the next record of the lease.
func (s *shift) reached(events int) error {
	state, err := s.at.encode()
	if err != nil {
		return err
	}
	s.term.Keep(state)
	s.relay.came(s.at.Position, events)
	s.fresh += events
	switch {
	case s.fresh >= mostUnsaved:
		s.due = s.relay.cfg.After(0)
	case s.fresh > 0 && s.due == nil:
		s.due = s.relay.cfg.After(s.relay.cfg.SaveEvery)
	}
	return nil
}

// mostUnsaved is after how many events the checkpoint is saved before it is time.
const mostUnsaved = 2000

// save writes the checkpoint. If that fails it is tried again: all it costs is
// that more is published twice after a crash.
func (s *shift) save(ctx context.Context) {
	s.due, s.fresh = nil, 0
	if err := s.term.Confirm(ctx); err != nil {
		if ctx.Err() == nil {
			s.relay.cfg.Logger.WarnContext(ctx, "the relay's checkpoint is not saved; trying again", "error", err)
			s.due = s.relay.cfg.After(s.relay.cfg.SaveEvery)
		}
		return
	}
	s.relay.cfg.At("relay.saved")
}
