package logbus

import (
	"context"
	"fmt"
	"sync"

	"strata/domain"
	"strata/domain/projection"
	"strata/streams/discards"
)

// leftOut is what operators have discarded, by reactor or writer.
type leftOut struct {
	mu   sync.RWMutex
	sets map[string]map[domain.Position]bool
}

func (l *leftOut) has(name string, at domain.Position) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.sets[name][at]
}

func (l *leftOut) put(name string, set map[domain.Position]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sets == nil {
		l.sets = map[string]map[domain.Position]bool{}
	}
	l.sets[name] = set
}

func (l *leftOut) add(name string, at domain.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets[name][at] = true
}

// beginObeying reads what was discarded so far, finishes what a crash may have
// left undone of it, and follows what is decided from now on.
func (r *Router) beginObeying() error {
	ctx, stop := context.WithCancel(context.Background())
	r.stopObey = stop
	head, err := r.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("router: head of the log: %w", err)
	}
	for _, m := range r.members {
		set, err := discards.Of(ctx, r.cfg.Store, m.name)
		if err != nil {
			return fmt.Errorf("router: %w", err)
		}
		r.leftOut.put(m.name, set)
	}
	r.obeying.Go(func() { r.obey(ctx, head) })
	return nil
}

// obey follows the decisions to leave events out until ctx ends.
func (r *Router) obey(ctx context.Context, from domain.Position) {
	for _, m := range r.members {
		if err := r.dropDiscarded(ctx, m.name); err != nil && ctx.Err() == nil {
			r.cfg.Logger.ErrorContext(ctx, "discarded events are still parked", "reactor", m.name, "error", err)
		}
	}
	for attempt := 1; ctx.Err() == nil; attempt++ {
		err := discards.Follow(ctx, r.cfg.Store, from, func(d projection.EventDiscarded) error {
			if !r.has(d.Projection) {
				return nil // of a read model, or of a reactor that is no more
			}
			r.leftOut.add(d.Projection, d.Position)
			return r.dropDiscarded(ctx, d.Projection)
		}, func(at domain.Position) {
			from, attempt = at, 0
			r.obeyed.reach(at)
		})
		if ctx.Err() != nil {
			return
		}
		r.cfg.Logger.ErrorContext(ctx, "decisions about parked events cannot be followed", "error", err, "attempt", attempt)
		select {
		case <-r.cfg.After(defaultBackoff(max(attempt, 1))):
		case <-ctx.Done():
		}
	}
}

// dropDiscarded takes what was discarded off a reactor's queues, and handles
// what waited behind it.
func (r *Router) dropDiscarded(ctx context.Context, name string) error {
	all, err := r.cfg.State.Parked(ctx, ParkedQuery{Reactor: name})
	if err != nil {
		return err
	}
	streams := map[domain.StreamID]bool{}
	for _, p := range all {
		if !r.leftOut.has(name, p.Position) {
			continue
		}
		if err := r.cfg.State.unpark(ctx, p); err != nil {
			return err
		}
		streams[p.Stream] = true
	}
	handler, ok := r.reactors[name]
	if !ok {
		return nil // a writer: nothing waits behind what it has set aside
	}
	for stream := range streams {
		if err := r.retryStream(ctx, handler, stream, new(Retried)); err != nil {
			return err
		}
	}
	return nil
}

// Obeyed waits until decisions to leave events out are followed up to a position
// of the log, or ctx ends.
func (r *Router) Obeyed(ctx context.Context, at domain.Position) error { return r.obeyed.wait(ctx, at) }

// level is a position that grows and can be waited for.
type level struct {
	mu    sync.Mutex
	at    domain.Position
	grown chan struct{} // closed when at grows; nil while nobody waits
}

func (l *level) reach(at domain.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at = max(l.at, at); l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

func (l *level) wait(ctx context.Context, at domain.Position) error {
	for {
		l.mu.Lock()
		if l.at >= at {
			l.mu.Unlock()
			return nil
		}
		if l.grown == nil {
			l.grown = make(chan struct{})
		}
		grown := l.grown
		l.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fault is what keeps a member from following, for its status.
type fault struct {
	mu  sync.Mutex
	err error
}

func (f *fault) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fault) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}
