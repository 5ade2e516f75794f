package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/streams"
)

// Reader folds streams of the log. It is safe for concurrent use.
type Reader struct {
	store streams.Store
	codec *streams.Codec
	now   func() time.Time
}

// NewReader makes a reader. now tells what lies in the future.
func NewReader(store streams.Store, codec *streams.Codec, now func() time.Time) *Reader {
	return &Reader{store: store, codec: codec, now: now}
}

// Subject is what is looked at: the stream of one aggregate.
type Subject[S any] struct {
	Aggregate *domain.Aggregate[S]
	Key       string // the aggregate's id in the name of its stream
	Name      string // the id as callers know it, for errors
}

func (s *Subject[S]) stream() domain.StreamID { return s.Aggregate.Stream(s.Key) }

func (s *Subject[S]) missing() error { return domain.NotFound(s.Aggregate.Noun, s.Name) }

// Moment is a resource right after one of its events. Its State is folded on
// when the reader goes on: whoever sees a Moment must not keep it.
type Moment[S any] struct {
	State *S
	Event domain.Event    // that led here
	At    time.Time       // when the log accepted the event
	AsOf  time.Time       // the time asked for, else At
	First domain.Metadata // of the stream's first event: tenant, creator, creation
}

// Latest returns the last revision of a stream.
//
// Errors: NOT_FOUND when it has none.
func Latest[S any](ctx context.Context, r *Reader, s Subject[S]) (domain.Revision, error) {
	last, err := r.store.StreamRevision(ctx, s.stream())
	switch {
	case errors.Is(err, streams.ErrTombstoned), errors.Is(err, streams.ErrStreamNotFound), err == nil && last == domain.NoRevision:
		return last, s.missing()
	case err != nil:
		return last, fmt.Errorf("revision of %s: %w", s.stream(), err)
	}
	return last, nil
}

// At folds a resource up to a point. field is the name of the parameter that
// the point came in.
//
// Errors: NOT_FOUND when the resource has no event, or had none by that time;
// VALIDATION_ERROR naming the field when the point lies in the future.
func At[S any](ctx context.Context, r *Reader, s Subject[S], field string, p Point) (*Moment[S], error) {
	last, err := Latest(ctx, r, s)
	if err != nil {
		return nil, err
	}
	byTime := !p.Time.IsZero()
	if byTime && p.Time.After(r.now()) {
		return nil, fault(field, "lies in the future")
	}
	if !byTime && p.Revision > last {
		return nil, fault(field, "lies in the future: the latest revision is %d", last)
	}
	m, err := fold(ctx, r, s, func(e *streams.Recorded) bool {
		if byTime {
			return !e.At.After(p.Time)
		}
		return e.Revision <= p.Revision
	}, nil)
	if err == nil && byTime {
		m.AsOf = p.Time
	}
	return m, err
}

// Each folds a resource and calls see with every moment from one revision to
// another, both included. from may be NoRevision: then it is the same as 0.
//
// Errors: NOT_FOUND when the resource has no event; what see returns.
func Each[S any](ctx context.Context, r *Reader, s Subject[S], from, to domain.Revision, see func(*Moment[S]) error) error {
	_, err := fold(ctx, r, s, func(e *streams.Recorded) bool { return e.Revision <= to }, func(m *Moment[S]) error {
		if m.Event.Revision < from {
			return nil
		}
		return see(m)
	})
	return err
}

// fold folds events while wanted holds, telling see of each moment when it is
// not nil, and returns the last.
func fold[S any](ctx context.Context, r *Reader, s Subject[S], wanted func(*streams.Recorded) bool, see func(*Moment[S]) error) (*Moment[S], error) {
	m := &Moment[S]{State: s.Aggregate.New(s.Key)}
	for e, err := range r.store.ReadStream(ctx, s.stream(), streams.ReadStream{}) {
		if errors.Is(err, streams.ErrStreamNotFound) || errors.Is(err, streams.ErrTombstoned) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", s.stream(), err)
		}
		if m.At.IsZero() && e.Revision != 0 { // without its beginning a state cannot be folded
			return nil, domain.Errorf(domain.CodeNotFound, "the history of %s %q before revision %d was removed from the log", s.Aggregate.Noun, s.Name, e.Revision)
		}
		if !wanted(&e) {
			break
		}
		if m.Event, err = r.codec.Decode(e); err != nil {
			return nil, err
		}
		if e.Revision == 0 {
			m.First = m.Event.Meta
		}
		m.At, m.AsOf = e.At, e.At
		s.Aggregate.Apply(m.State, m.Event)
		if see == nil {
			continue
		}
		if err := see(m); err != nil {
			return nil, err
		}
	}
	if m.At.IsZero() {
		return nil, s.missing()
	}
	return m, nil
}
