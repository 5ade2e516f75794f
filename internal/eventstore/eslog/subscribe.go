package eslog

import (
	"context"
	"errors"

	"strata/domain"
	"strata/streams"
)

// Batch is what a subscription delivers: records in order, or none.
type Batch struct {
	Records []Record
	// CaughtUp tells that everything the log held has been delivered; it is said
	// each time that is so again.
	CaughtUp bool
	// Position: every event up to here has been looked at.
	Position domain.Position
}

// Subscription follows a stream or the whole log. It has one reader.
type Subscription interface {
	// Next waits for the next batch. It returns the context's error when ctx
	// ends, streams.ErrClosed when the log is closed, and streams.ErrTombstoned
	// when the stream is closed for ever, after its last event.
	Next(ctx context.Context) (Batch, error)
	// Close ends the subscription; the reader calls it, instead of Next.
	Close() error
}

// pageSize is the number of events taken from the log at once.
const pageSize = 256

// SubscribeAll follows the whole log behind a position, or, from EndPosition,
// what will come.
func (l *Log) SubscribeAll(ctx context.Context, after domain.Position, filter *Filter) (Subscription, error) {
	if after == EndPosition {
		head, err := l.log.Head(ctx)
		if err != nil {
			return nil, err
		}
		after = head
	}
	sub, err := l.log.Subscribe(ctx, after, filter.coarse())
	if err != nil {
		return nil, err
	}
	return &allSubscription{Subscription: sub, filter: filter}, nil
}

type allSubscription struct {
	streams.Subscription
	filter *Filter
}

// Next returns the next batch, which may have no records and yet have moved on.
func (s *allSubscription) Next(ctx context.Context) (Batch, error) {
	in, err := s.Subscription.Next(ctx, pageSize)
	if err != nil {
		return Batch{}, err
	}
	out := Batch{CaughtUp: in.CaughtUp, Position: in.Position, Records: make([]Record, 0, len(in.Events))}
	for i := range in.Events {
		if r, ok := present(&in.Events[i]); ok && !hiddenFromAll(&r) && s.filter.Matches(&r) {
			out.Records = append(out.Records, r)
		}
	}
	return out, nil
}

// SubscribeStream follows a stream behind a revision: domain.NoRevision is before
// its first event, streams.End follows what will come. The stream need not exist.
func (l *Log) SubscribeStream(ctx context.Context, stream domain.StreamID, after domain.Revision) (Subscription, error) {
	s := &streamSubscription{log: l, stream: stream, after: after}
	head, err := l.log.Head(ctx)
	if err != nil {
		return nil, err
	}
	if after >= streams.End {
		// What is written between the two looks is not new yet; what comes after
		// them is behind both.
		st, err := l.log.StreamState(ctx, stream)
		if err != nil {
			return nil, err
		}
		if s.after = st.Last; st.Tombstoned {
			return nil, streams.ErrTombstoned
		}
		return s, s.follow(ctx, head)
	}
	return s, nil
}

// streamSubscription first reads the stream and then follows the log from the
// position that the log had before.
type streamSubscription struct {
	log    *Log
	stream domain.StreamID
	after  domain.Revision // the last that was delivered
	live   streams.Subscription
	ended  bool // the tombstone was delivered
}

// follow begins to follow the log.
func (s *streamSubscription) follow(ctx context.Context, after domain.Position) (err error) {
	category := s.stream.Category()
	s.live, err = s.log.log.Subscribe(ctx, after, &streams.Filter{Categories: []string{category, "$$" + category}})
	return err
}

// Next returns the next batch.
func (s *streamSubscription) Next(ctx context.Context) (Batch, error) {
	if s.ended {
		return Batch{}, streams.ErrTombstoned
	}
	if s.live == nil {
		return s.catchUp(ctx)
	}
	for {
		in, err := s.live.Next(ctx, pageSize)
		if err != nil {
			return Batch{}, err
		}
		out := Batch{CaughtUp: in.CaughtUp, Position: in.Position}
		for i := range in.Events {
			if r, ok := present(&in.Events[i]); ok && r.Stream == s.stream && r.Revision > s.after {
				s.after = r.Revision
				s.ended = r.Revision == TombstoneRevision
				out.Records = append(out.Records, r)
			}
		}
		if out.CaughtUp || len(out.Records) > 0 {
			return out, nil
		}
	}
}

// catchUp reads a page of the stream; an empty one is its end, and what comes is
// followed from then on.
func (s *streamSubscription) catchUp(ctx context.Context) (Batch, error) {
	head, err := s.log.log.Head(ctx)
	if err != nil {
		return Batch{}, err
	}
	out := Batch{Position: head}
	for r, err := range s.log.ReadStream(ctx, s.stream, ReadStream{From: s.after + 1, Limit: pageSize}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return Batch{}, err
		}
		s.after = r.Revision
		out.Records = append(out.Records, r)
	}
	if len(out.Records) > 0 {
		return out, nil
	}
	return s.afterPage(ctx, head)
}

// afterPage goes on after the last page: follows the log, whose first batch may
// say that nothing more is there.
func (s *streamSubscription) afterPage(ctx context.Context, head domain.Position) (Batch, error) {
	if err := s.follow(ctx, head); err != nil {
		return Batch{}, err
	}
	return s.Next(ctx)
}

// Close ends the subscription.
func (s *streamSubscription) Close() error {
	if s.live == nil {
		return nil
	}
	return s.live.Close()
}
