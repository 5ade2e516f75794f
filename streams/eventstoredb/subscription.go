package eventstoredb

import (
	"context"
	"sync"

	"strata/domain"
	"strata/streams"
)

// subscription follows the log: it reads pages as long as it is further behind
// than the tail's memory reaches, and then lives on that.
type subscription struct {
	store  *Store
	filter *streams.Filter
	ctx    context.Context // ends with Close, or with the store
	stop   context.CancelFunc

	mu   sync.Mutex // held by the one reader
	at   domain.Position
	told bool // CaughtUp was delivered for at
	scan *scan
	to   domain.Position // how far scan reads
}

// Subscribe follows the log from after a position; see [streams.Store].
func (s *Store) Subscribe(ctx context.Context, after domain.Position, filter *streams.Filter) (streams.Subscription, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	s.tail.follow()
	sub := &subscription{store: s, filter: filter, at: after}
	sub.ctx, sub.stop = context.WithCancel(s.ctx)
	return sub, nil
}

// Next returns the next events, or that there are no more for now.
func (b *subscription) Next(ctx context.Context, limit int) (streams.Batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if b.ctx.Err() != nil {
			return streams.Batch{}, streams.ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return streams.Batch{}, err
		}
		v := b.store.tail.take(b.at, limit, b.filter)
		if v.ready && (v.behind || b.scan != nil) {
			batch, err := b.catchUp(ctx, limit, v.head)
			if err != nil || len(batch.Events) > 0 {
				return batch, err
			}
			continue
		}
		if v.ready {
			if v.at > b.at {
				b.at, b.told = v.at, false
			}
			if len(v.events) > 0 {
				return streams.Batch{Events: v.events, Position: b.at}, nil
			}
			if acked := domain.Position(b.store.acked.Load()); !b.told && b.at >= acked {
				b.told = true
				return streams.Batch{CaughtUp: true, Position: b.at}, nil
			}
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return streams.Batch{}, ctx.Err()
		case <-b.ctx.Done():
			return streams.Batch{}, streams.ErrClosed
		}
	}
}

// catchUp reads pages up to where the tail was.
func (b *subscription) catchUp(ctx context.Context, limit int, head domain.Position) (streams.Batch, error) {
	if b.scan == nil {
		b.to = head
		b.scan = b.store.scanAll(streams.ReadAll{After: b.at, Filter: b.filter}, head)
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	events, err := b.scan.fill(within, limit)
	if n := len(events); n > 0 {
		b.at, b.told = events[n-1].Position, false
	}
	if err == nil && b.scan.ended {
		b.at, b.told = max(b.at, b.to), false
		b.scan = nil
	}
	switch {
	case len(events) > 0: // an error comes again with the next step
		return streams.Batch{Events: events, Position: b.at}, nil
	case err == nil:
		return streams.Batch{}, nil
	case b.ctx.Err() != nil:
		return streams.Batch{}, streams.ErrClosed
	case ctx.Err() != nil:
		return streams.Batch{}, ctx.Err()
	}
	b.scan = nil
	return streams.Batch{}, err
}

// Close ends the subscription; a waiting Next returns [streams.ErrClosed].
func (b *subscription) Close() error {
	b.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.scan != nil {
		b.scan.close()
		b.scan = nil
	}
	return nil
}
