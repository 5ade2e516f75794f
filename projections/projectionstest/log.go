// Package projectionstest helps to test read models: a log in memory, and
// checks that hold for every model whatever it shows.
package projectionstest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
)

// Log is a small event log in memory. It does what read models need of a store;
// deleting streams and stream metadata are not supported.
type Log struct {
	mu     sync.Mutex
	events []streams.Recorded
	heads  map[domain.StreamID]domain.Revision
	grown  chan struct{} // closed and replaced when the log grows
	closed bool

	// Fail, when set, is asked before every read and subscription; an error
	// it returns is answered instead.
	Fail func() error
}

var _ streams.Store = (*Log)(nil)

// NewLog makes an empty log.
func NewLog() *Log {
	return &Log{heads: map[domain.StreamID]domain.Revision{}, grown: make(chan struct{})}
}

// Write appends facts to a stream and returns the position of the last one.
func (l *Log) Write(t testing.TB, codec *streams.Codec, stream domain.StreamID, meta domain.Metadata, facts ...domain.Fact) domain.Position {
	t.Helper()
	proposed := make([]streams.Proposed, len(facts))
	for i, f := range facts {
		p, err := codec.Encode(domain.NewEventID(), f, meta)
		if err != nil {
			t.Fatal(err)
		}
		proposed[i] = p
	}
	r, err := l.Append(t.Context(), stream, streams.Any, proposed...)
	if err != nil {
		t.Fatal(err)
	}
	return r.Position
}

// Append implements streams.Store.
func (l *Log) Append(_ context.Context, stream domain.StreamID, expected streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return streams.Result{}, streams.ErrClosed
	}
	head, ok := l.heads[stream]
	if !ok {
		head = domain.NoRevision
	}
	if expected >= streams.NoStream && streams.At(head) != expected || expected == streams.StreamExists && !ok {
		return streams.Result{}, &streams.WrongRevision{Stream: stream, Expected: expected, Actual: head}
	}
	for _, p := range events {
		head++
		l.events = append(l.events, streams.Recorded{Proposed: p, Stream: stream, Revision: head,
			Position: domain.Position(len(l.events) + 1), At: time.Now().UTC().Truncate(time.Microsecond)})
	}
	l.heads[stream] = head
	close(l.grown)
	l.grown = make(chan struct{})
	return streams.Result{Revision: head, Position: domain.Position(len(l.events))}, nil
}

func (l *Log) fail() error {
	if l.Fail == nil {
		return nil
	}
	return l.Fail()
}

func (l *Log) snapshot() []streams.Recorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[:len(l.events):len(l.events)]
}

// ReadStream implements streams.Store.
func (l *Log) ReadStream(_ context.Context, stream domain.StreamID, r streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	return l.read(r.Backwards, r.Limit, func(e *streams.Recorded) bool {
		return e.Stream == stream && (!r.Backwards && e.Revision >= r.From || r.Backwards && e.Revision <= r.From)
	})
}

// ReadAll implements streams.Store.
func (l *Log) ReadAll(_ context.Context, r streams.ReadAll) iter.Seq2[streams.Recorded, error] {
	return l.read(r.Backwards, r.Limit, func(e *streams.Recorded) bool {
		within := e.Position > r.After && e.Position >= r.From
		if r.Backwards {
			within = r.After == 0 || e.Position < r.After
		}
		return within && r.Filter.Matches(e)
	})
}

func (l *Log) read(backwards bool, limit int, want func(*streams.Recorded) bool) iter.Seq2[streams.Recorded, error] {
	return func(yield func(streams.Recorded, error) bool) {
		if err := l.fail(); err != nil {
			yield(streams.Recorded{}, err)
			return
		}
		events := l.snapshot()
		n := 0
		for i := range events {
			if backwards {
				i = len(events) - 1 - i
			}
			if !want(&events[i]) {
				continue
			}
			if n++; !yield(events[i], nil) || n == limit {
				return
			}
		}
	}
}

// Subscribe implements streams.Store.
func (l *Log) Subscribe(_ context.Context, after domain.Position, filter *streams.Filter) (streams.Subscription, error) {
	if err := l.fail(); err != nil {
		return nil, err
	}
	return &subscription{log: l, at: after, filter: filter, done: make(chan struct{})}, nil
}

type subscription struct {
	log    *Log
	at     domain.Position
	filter *streams.Filter
	caught bool
	done   chan struct{}
	once   sync.Once
}

// Next implements streams.Subscription.
func (s *subscription) Next(ctx context.Context, limit int) (streams.Batch, error) {
	for {
		if err := errors.Join(ctx.Err(), s.log.fail()); err != nil {
			return streams.Batch{}, err
		}
		s.log.mu.Lock()
		events, grown := s.log.events, s.log.grown
		s.log.mu.Unlock()
		var b streams.Batch
		moved := int(s.at) < len(events)
		for int(s.at) < len(events) && len(b.Events) < limit {
			if e := events[s.at]; s.filter.Matches(&e) {
				b.Events = append(b.Events, e)
			}
			s.at++
		}
		b.Position = s.at
		if len(b.Events) > 0 {
			s.caught = false
			return b, nil
		}
		if moved || !s.caught {
			s.caught, b.CaughtUp = true, true
			return b, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
		case <-s.done:
			return b, streams.ErrClosed
		}
	}
}

// Close implements streams.Subscription.
func (s *subscription) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// Head implements streams.Store.
func (l *Log) Head(context.Context) (domain.Position, error) {
	return domain.Position(len(l.snapshot())), nil
}

// StreamRevision implements streams.Store.
func (l *Log) StreamRevision(_ context.Context, stream domain.StreamID) (domain.Revision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.heads[stream]; ok {
		return r, nil
	}
	return domain.NoRevision, nil
}

// StreamMeta implements streams.Store.
func (l *Log) StreamMeta(context.Context, domain.StreamID) (streams.Meta, error) {
	return streams.Meta{}, errors.ErrUnsupported
}

// SetStreamMeta implements streams.Store.
func (l *Log) SetStreamMeta(context.Context, domain.StreamID, streams.Meta) error {
	return errors.ErrUnsupported
}

// Delete implements streams.Store.
func (l *Log) Delete(context.Context, domain.StreamID, streams.Expected) (streams.Result, error) {
	return streams.Result{}, errors.ErrUnsupported
}

// Tombstone implements streams.Store.
func (l *Log) Tombstone(context.Context, domain.StreamID, streams.Expected) (streams.Result, error) {
	return streams.Result{}, errors.ErrUnsupported
}

// Close implements streams.Store.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
