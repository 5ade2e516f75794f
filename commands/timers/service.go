package timers

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/timer"
)

// Queue knows the pending timers. It is a read model, so it may be behind the
// log: what it says is due is asked of the timer itself before it fires.
type Queue interface {
	// Due lists ids of timers due at a time, the earliest first, at most so many.
	Due(ctx context.Context, at time.Time, limit int) ([]string, error)
	// Next is when the earliest pending timer is due; the zero time for none.
	Next(ctx context.Context) (time.Time, error)
	// Changed receives after the queue has changed: another timer may be the next.
	Changed() <-chan struct{}
	// Reach waits until the queue knows of everything up to a position.
	Reach(ctx context.Context, at domain.Position) error
}

// Lease decides which of several processes fires. A timer fires once without
// it; it spares the others the trying.
type Lease interface {
	// Acquire waits until this process is to fire. The context it returns ends
	// when it is no longer; release gives the lease up.
	Acquire(ctx context.Context) (held context.Context, release func(), err error)
}

// Alone is the lease of an installation with one process.
type Alone struct{}

// Acquire implements Lease.
func (Alone) Acquire(ctx context.Context) (context.Context, func(), error) {
	held, release := context.WithCancel(ctx)
	return held, release, nil
}

// Config of a Service. Handler and Queue are needed.
type Config struct {
	Handler *commands.Handler
	Queue   Queue
	Lease   Lease        // default: Alone
	Logger  *slog.Logger // default: discards

	// After is the clock that is waited by; the handler's says what is due.
	// Default time.After.
	After func(d time.Duration) <-chan time.Time
	// At is called with the name of a point that has been reached, for tests
	// that stop a process there; nil: nothing.
	At func(point string)
}

const (
	// firedAtOnce is how many timers are fired together, so that their events
	// share syncs of the log.
	firedAtOnce = 64
	// longestWait bounds how long the clock is not looked at: it may be set, or
	// the machine may sleep.
	longestWait = time.Minute
	// retryAfter is how long a queue or log that fails is left alone.
	retryAfter = time.Second
)

// Service fires timers when they are due.
type Service struct{ cfg Config }

// New makes a Service; Run runs it.
func New(cfg Config) *Service {
	if cfg.Lease == nil {
		cfg.Lease = Alone{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	if cfg.At == nil {
		cfg.At = func(string) {}
	}
	return &Service{cfg: cfg}
}

// Run fires timers until ctx ends. It returns the context's error.
func (s *Service) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		held, release, err := s.cfg.Lease.Acquire(ctx)
		if err == nil {
			err = s.runHeld(held)
			release()
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "timers could not be fired; trying again", "error", err)
			s.wait(ctx, retryAfter)
		}
	}
	return ctx.Err()
}

// runHeld fires timers while the lease is held.
func (s *Service) runHeld(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.fireDue(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			continue // there may be more
		}
		next, err := s.cfg.Queue.Next(ctx)
		if err != nil {
			return err
		}
		pause := longestWait
		if !next.IsZero() {
			pause = min(pause, next.Sub(s.cfg.Handler.Now()))
		}
		if pause > 0 {
			s.wait(ctx, pause)
		}
	}
	return nil
}

func (s *Service) wait(ctx context.Context, d time.Duration) {
	select {
	case <-s.cfg.After(d):
	case <-s.cfg.Queue.Changed():
	case <-ctx.Done():
	}
}

// fireDue fires what is due, in parts, and returns when the queue knows of it.
func (s *Service) fireDue(ctx context.Context) (fired int, err error) {
	ids, err := s.cfg.Queue.Due(ctx, s.cfg.Handler.Now(), firedAtOnce)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	s.cfg.At("timer.due")
	positions, faults := make([]domain.Position, len(ids)), make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { positions[i], faults[i] = s.fire(ctx, id) })
	}
	all.Wait()
	s.cfg.At("timer.fired")
	var last domain.Position
	for _, p := range positions {
		last = max(last, p)
	}
	if err := errors.Join(faults...); err != nil {
		return 0, err
	}
	if last == 0 { // none of them was due any more, which the queue does not know yet
		s.wait(ctx, retryAfter)
		return 0, nil
	}
	return len(ids), s.cfg.Queue.Reach(ctx, last)
}

func (s *Service) fire(ctx context.Context, id string) (domain.Position, error) {
	req := commands.Request{Principal: domain.System("", ""), ID: id}
	out, err := commands.Run[timer.State, struct{}](ctx, s.cfg.Handler, timer.Aggregate, req, timer.Fire{}, nil)
	return out.Position, err
}
