package logbus

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
)

// parking is the middleware around the retries of a reactor: an event of a
// parked stream joins its queue without being handled, and one that has failed
// for good begins such a queue. Both are acked, since they are kept.
func (r *Router) parking(reactor string) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			ctx := m.Context()
			e, err := RecordedOf(m)
			if err != nil {
				return nil, err
			}
			if joined, err := r.cfg.State.join(ctx, reactor, e, r.cfg.Now()); joined || err != nil {
				return nil, err
			}
			out, failed := next(m)
			if failed == nil || ctx.Err() != nil { // interrupted by shutdown: it comes again
				return out, failed
			}
			r.cfg.Logger.ErrorContext(ctx, "event cannot be handled, its stream is parked", "reactor", reactor, "error", failed,
				"stream", e.Stream, "position", e.Position, "type", e.Type)
			return nil, r.cfg.State.park(ctx, reactor, e, failed, r.cfg.Now())
		}
	}
}

// Parked lists the events that reactors and writers have set aside.
func (r *Router) Parked(ctx context.Context) ([]Parked, error) {
	return r.cfg.State.Parked(ctx, "", "")
}

// Retry handles the parked events of one stream again, in order, each once. It
// stops at the first that still fails and returns why. When all succeed the
// stream flows again. A stream with nothing parked is NOT_FOUND.
func (r *Router) Retry(ctx context.Context, reactor string, stream domain.StreamID) error {
	handler, ok := r.reactors[reactor]
	if !ok {
		return domain.NotFound("reactor", reactor)
	}
	tried := false
	for {
		// Events that arrive meanwhile join the queue, so it is read anew.
		queue, err := r.cfg.State.Parked(ctx, reactor, stream)
		if err != nil {
			return err
		}
		if len(queue) == 0 {
			if !tried {
				return domain.NotFound("parked stream", string(stream))
			}
			return nil
		}
		tried = true
		for _, p := range queue {
			if err := r.retryOne(ctx, handler, p); err != nil {
				return err
			}
		}
	}
}

func (r *Router) retryOne(ctx context.Context, reactor Reactor, p Parked) error {
	for e, err := range r.cfg.Store.ReadAll(ctx, streams.ReadAll{After: p.Position - 1, Limit: 1}) {
		if err != nil {
			return fmt.Errorf("read event %d: %w", p.Position, err)
		}
		if e.Position != p.Position {
			break // it has left the log: there is nothing to handle any more
		}
		if err := r.handleSafely(ctx, reactor, e); err != nil {
			if err := r.cfg.State.failedAgain(ctx, p, err, r.cfg.Now()); err != nil {
				return err
			}
			return fmt.Errorf("event %d of %s still fails: %w", p.Position, p.Stream, err)
		}
	}
	return r.cfg.State.unpark(ctx, p)
}

func (r *Router) handleSafely(ctx context.Context, reactor Reactor, e streams.Recorded) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reactor %s panicked: %v\n%s", reactor.Name(), p, debug.Stack())
		}
	}()
	return r.handle(ctx, reactor, e)
}
