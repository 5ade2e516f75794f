package logbus

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

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
			if r.leftOut.has(reactor, e.Position) {
				return nil, nil // it came again after a crash, and somebody has decided meanwhile
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
	return r.cfg.State.Parked(ctx, ParkedQuery{})
}

// ParkedOf lists what one reactor or writer has set aside, by position. Errors:
// NOT_FOUND when there is none of the name.
func (r *Router) ParkedOf(ctx context.Context, name string, q ParkedQuery) ([]Parked, error) {
	if !r.has(name) {
		return nil, domain.NotFound("reactor", name)
	}
	q.Reactor = name
	return r.cfg.State.Parked(ctx, q)
}

func (r *Router) has(name string) bool {
	return slices.ContainsFunc(r.members, func(m *member) bool { return m.name == name })
}

// Retried is what came of trying parked events again.
type Retried struct {
	Handled int
	Failed  []Parked // the first of each stream that still fails
}

// Retry handles parked events of one stream again, or all for "", in order, each
// once. A stream stops at the first that still fails; when all succeed it flows
// again. Errors: NOT_FOUND for an unknown reactor, or when nothing of the stream
// is parked; CONFLICT for a writer, which takes no event behind those it has.
func (r *Router) Retry(ctx context.Context, reactor string, stream domain.StreamID) (Retried, error) {
	var out Retried
	handler, ok := r.reactors[reactor]
	if !ok && r.has(reactor) {
		return out, domain.Errorf(domain.CodeConflict, "%s copies events in order and takes none that it has passed; what is parked there can only be discarded", reactor)
	}
	if !ok {
		return out, domain.NotFound("reactor", reactor)
	}
	all, err := r.cfg.State.Parked(ctx, ParkedQuery{Reactor: reactor, Stream: stream})
	if err != nil {
		return out, err
	}
	if len(all) == 0 && stream != "" {
		return out, domain.NotFound("parked stream", string(stream))
	}
	seen := map[domain.StreamID]bool{}
	for _, p := range all {
		if seen[p.Stream] {
			continue
		}
		seen[p.Stream] = true
		if err := r.retryStream(ctx, handler, p.Stream, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// retryStream handles the parked events of a stream until one fails.
func (r *Router) retryStream(ctx context.Context, handler Reactor, stream domain.StreamID, out *Retried) error {
	r.retrying.Lock() // two of them would handle the same event at once
	defer r.retrying.Unlock()
	for {
		// Events that arrive meanwhile join the queue, so it is read anew.
		queue, err := r.cfg.State.Parked(ctx, ParkedQuery{Reactor: handler.Name(), Stream: stream, Limit: retryAtOnce})
		if err != nil || len(queue) == 0 {
			return err
		}
		for _, p := range queue {
			fault, err := r.retryOne(ctx, handler, p)
			if err != nil {
				return err
			}
			if fault != nil {
				p.Error = fault.Error()
				out.Failed = append(out.Failed, p)
				return nil
			}
			out.Handled++
		}
	}
}

// retryAtOnce is how many parked events are read at once.
const retryAtOnce = 200

// retryOne handles a parked event and takes it off its queue. fault is why it
// fails still; err is about the log and the state.
func (r *Router) retryOne(ctx context.Context, reactor Reactor, p Parked) (fault, err error) {
	for e, err := range r.cfg.Store.ReadAll(ctx, streams.ReadAll{From: p.Position, Limit: 1}) {
		if err != nil {
			return nil, fmt.Errorf("read event %d: %w", p.Position, err)
		}
		if e.Position != p.Position || r.leftOut.has(reactor.Name(), p.Position) {
			break // it has left the log, or was discarded: there is nothing to handle any more
		}
		if fault := r.handleSafely(ctx, reactor, e); fault != nil {
			return fault, r.cfg.State.failedAgain(ctx, p, fault, r.cfg.Now())
		}
	}
	return nil, r.cfg.State.unpark(ctx, p)
}

func (r *Router) handleSafely(ctx context.Context, reactor Reactor, e streams.Recorded) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reactor %s panicked: %v\n%s", reactor.Name(), p, debug.Stack())
		}
	}()
	return r.handle(ctx, reactor, e)
}
