package embedded

import (
	"context"
	"errors"
	"sync"

	"strata/streams"
)

// ScavengeState tells how a scavenge stands.
type ScavengeState string

// The states of a scavenge.
const (
	ScavengeNever     ScavengeState = "never" // or nothing is known of it
	ScavengeRunning   ScavengeState = "running"
	ScavengeDone      ScavengeState = "done"
	ScavengeCancelled ScavengeState = "cancelled"
	ScavengeFailed    ScavengeState = "failed"
)

// ScavengeStatus is the scavenge that runs, or the last one.
type ScavengeStatus struct {
	State  ScavengeState
	Report ScavengeReport
	Error  string // why it failed
}

// Scavenges runs scavenges of a log in the background, one at a time.
type Scavenges struct {
	log     *Log
	running sync.WaitGroup

	mu     sync.Mutex
	status ScavengeStatus
	cancel context.CancelFunc // of the one that runs, else nil
	closed bool
}

// NewScavenges prepares scavenges of a log. What is known of the last one comes
// from the log's directory.
func NewScavenges(l *Log) (*Scavenges, error) {
	s := &Scavenges{log: l, status: ScavengeStatus{State: ScavengeNever}}
	r, ok, err := l.LastScavenge()
	if ok {
		s.status = ScavengeStatus{State: ScavengeDone, Report: r}
	}
	return s, err
}

// Start begins a scavenge and returns at once. Errors: ErrScavenging while one
// runs, streams.ErrClosed after Stop.
func (s *Scavenges) Start(o ScavengeOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return streams.ErrClosed
	}
	if s.cancel != nil {
		return ErrScavenging
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.status = ScavengeStatus{State: ScavengeRunning, Report: ScavengeReport{StartedAt: s.log.opts.Clock().UTC()}}
	told := o.Progress
	o.Progress = func(r ScavengeReport) {
		s.mu.Lock()
		s.status.Report = r
		s.mu.Unlock()
		if told != nil {
			told(r)
		}
	}
	s.running.Go(func() {
		r, err := s.log.Scavenge(ctx, o)
		s.ended(r, err)
	})
	return nil
}

func (s *Scavenges) ended(r ScavengeReport, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
	s.cancel = nil
	s.status = ScavengeStatus{State: ScavengeDone, Report: r}
	switch {
	case errors.Is(err, context.Canceled):
		s.status.State = ScavengeCancelled
	case err != nil:
		s.status.State, s.status.Error = ScavengeFailed, err.Error()
		s.log.opts.Logger.Error("a scavenge of the event log failed", "error", err, "removed", r.Removed)
	default:
		s.log.opts.Logger.Info("scavenged the event log", "removed", r.Removed, "freed", r.Freed, "rewritten", r.Rewritten, "took", r.Took)
	}
}

// Cancel stops the scavenge that runs; what it has freed stays freed. It tells
// whether there was one.
func (s *Scavenges) Cancel() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		return false
	}
	s.cancel()
	return true
}

// Status returns how the scavenge that runs stands, or how the last one ended.
func (s *Scavenges) Status() ScavengeStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Stop cancels what runs, waits for its end, and refuses any more.
func (s *Scavenges) Stop() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Cancel()
	s.running.Wait()
	return nil
}
