package embedded

import (
	"context"
	"sync/atomic"

	"strata/domain"
	"strata/streams"
)

// subscription follows the log. It holds no resources while it waits, so there
// can be thousands.
type subscription struct {
	log    *Log
	reader allReader
	told   bool // CaughtUp was delivered for the reader's position
	closed atomic.Bool
	done   chan struct{}
}

// Subscribe follows the log from after a position.
func (l *Log) Subscribe(ctx context.Context, after domain.Position, filter *streams.Filter) (streams.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.closed.Load() {
		return nil, streams.ErrClosed
	}
	s := &subscription{log: l, done: make(chan struct{})}
	s.reader = allReader{log: l, from: after + 1, match: matcher{filter: filter}}
	return s, nil
}

// Next returns the next events, or that there are no more for now.
func (s *subscription) Next(ctx context.Context, limit int) (streams.Batch, error) {
	for {
		if s.closed.Load() {
			return streams.Batch{}, streams.ErrClosed
		}
		s.reader.to = domain.Position(s.log.durable.Load())
		if s.reader.from <= s.reader.to {
			s.told = false
			if err := s.log.using(ctx, func() error { return s.reader.fill(limit) }); err != nil {
				return streams.Batch{}, err
			}
			if len(s.reader.events) > 0 {
				return streams.Batch{Events: s.handOver(), Position: s.reader.from - 1}, nil
			}
			continue
		}
		if !s.told {
			s.told = true
			return streams.Batch{CaughtUp: true, Position: s.reader.from - 1}, nil
		}
		arrival := s.log.arrivals.wait()
		if s.log.durable.Load() > uint64(s.reader.to) {
			continue // an event came in before the channel was taken
		}
		select {
		case <-arrival:
		case <-ctx.Done():
			return streams.Batch{}, ctx.Err()
		case <-s.done:
			return streams.Batch{}, streams.ErrClosed
		case <-s.log.done:
			return streams.Batch{}, streams.ErrClosed
		}
	}
}

// handOver gives the decoded events away: the caller may keep the batch.
func (s *subscription) handOver() []streams.Recorded {
	events := s.reader.events
	s.reader.events = nil
	return events
}

// Close ends the subscription; a waiting Next returns [streams.ErrClosed].
func (s *subscription) Close() error {
	if !s.closed.Swap(true) {
		close(s.done)
	}
	return nil
}
