package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"strata/domain"
	"strata/streams"
)

// ReadStream yields events of a stream; see [streams.Store].
func (s *Store) ReadStream(ctx context.Context, stream domain.StreamID, r streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	return func(yield func(streams.Recorded, error) bool) {
		if !streams.IsSystem(stream) {
			s.run(ctx, s.scanStream(stream, r), r.Limit, yield)
			return
		}
		buried := false
		s.run(ctx, s.scanStream(stream, r), r.Limit, func(e streams.Recorded, err error) bool {
			if buried = errors.Is(err, streams.ErrTombstoned); buried {
				return false
			}
			return yield(e, err)
		})
		if buried {
			s.readBuried(ctx, stream, r, yield)
		}
	}
}

// readBuried reads the system records of a stream that was closed for ever. The
// server shows them in the whole log only.
func (s *Store) readBuried(ctx context.Context, stream domain.StreamID, r streams.ReadStream, yield func(streams.Recorded, error) bool) {
	var found []streams.Recorded
	for e, err := range s.ReadAll(ctx, streams.ReadAll{Filter: &streams.Filter{Categories: []string{stream.Category()}}}) {
		if err != nil {
			yield(streams.Recorded{}, err)
			return
		}
		if e.Stream == stream && (r.Backwards && e.Revision <= r.From || !r.Backwards && e.Revision >= r.From || r.From == streams.End) {
			found = append(found, e)
		}
	}
	if r.Backwards {
		slices.Reverse(found)
	}
	for i := range found {
		if r.Limit > 0 && i == r.Limit || !yield(found[i], nil) {
			return
		}
	}
}

// run yields what a scan reads.
func (s *Store) run(ctx context.Context, c *scan, limit int, yield func(streams.Recorded, error) bool) {
	defer c.close()
	for !c.ended {
		if err := s.usable(ctx); err != nil {
			yield(streams.Recorded{}, err)
			return
		}
		events, err := c.fill(ctx, limit)
		for i := range events {
			if !yield(events[i], nil) {
				return
			}
		}
		if err != nil {
			yield(streams.Recorded{}, s.readFailed(ctx, err))
			return
		}
	}
}

// usable tells why a read cannot begin.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isClosed() {
		return streams.ErrClosed
	}
	return nil
}

// readFailed is the error of a read: its own, unless it ended for want of an answer.
func (s *Store) readFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil || s.ctx.Err() != nil || errors.Is(err, errSilent) {
		return s.unanswered(ctx, err)
	}
	return err
}

// scanStream reads one stream.
func (s *Store) scanStream(stream domain.StreamID, r streams.ReadStream) *scan {
	left := r.Limit
	from := r.From
	finished := false
	c := &scan{store: s, patient: true}
	c.request = func() *pb.ReadReq {
		if finished {
			return nil
		}
		o := newRequest(r.Backwards)
		so := &pb.ReadReq_Options_StreamOptions{StreamIdentifier: identifier(stream)}
		if r.Backwards && from >= streams.End {
			so.RevisionOption = &pb.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
		} else {
			so.RevisionOption = &pb.ReadReq_Options_StreamOptions_Revision{Revision: uint64(max(from, 0))}
		}
		o.StreamOption = &pb.ReadReq_Options_Stream{Stream: so}
		if r.Limit > 0 {
			o.CountOption = &pb.ReadReq_Options_Count{Count: uint64(left)}
		}
		return &pb.ReadReq{Options: o}
	}
	c.accept = func(e *streams.Recorded) (take, last bool) {
		left--
		if from = e.Revision + 1; r.Backwards {
			from = e.Revision - 1
		}
		finished = r.Limit > 0 && left <= 0 || r.Backwards && from < 0
		return true, finished
	}
	return c
}

// ReadAll yields events of the log as of the call; see [streams.Store].
func (s *Store) ReadAll(ctx context.Context, r streams.ReadAll) iter.Seq2[streams.Recorded, error] {
	return func(yield func(streams.Recorded, error) bool) {
		if err := s.usable(ctx); err != nil {
			yield(streams.Recorded{}, err)
			return
		}
		to := domain.Position(0)
		if !r.Backwards {
			head, err := s.Head(ctx)
			if err != nil {
				yield(streams.Recorded{}, err)
				return
			}
			if to = head; to <= r.After || to < r.From {
				return
			}
		}
		c := s.scanAll(r, to)
		c.patient = true
		s.run(ctx, c, r.Limit, yield)
	}
}

// unmatched is how many events more than wanted a limited read asks for.
const unmatched = 16

// scanAll reads the log, forwards up to a position.
func (s *Store) scanAll(r streams.ReadAll, to domain.Position) *scan {
	// Positions are not dense, and a server reads from those of events only.
	at, left, inclusive := r.After, r.Limit, false
	if !r.Backwards && r.From > at {
		at, inclusive = r.From, true
	}
	c := &scan{store: s}
	c.request = func() *pb.ReadReq {
		if !r.Backwards && at >= to && !inclusive {
			return nil
		}
		o := newRequest(r.Backwards)
		ao := &pb.ReadReq_Options_AllOptions{}
		switch {
		case at > 0:
			ao.AllOption = &pb.ReadReq_Options_AllOptions_Position{Position: &pb.ReadReq_Options_Position{CommitPosition: uint64(at), PreparePosition: uint64(at)}}
		case r.Backwards:
			ao.AllOption = &pb.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
		default:
			ao.AllOption = &pb.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}
		}
		o.StreamOption = &pb.ReadReq_Options_All{All: ao}
		if r.Limit > 0 {
			// A server sends on while its reader has enough. Not all of this may match.
			c.asked = left + unmatched
			o.CountOption = &pb.ReadReq_Options_Count{Count: uint64(c.asked)}
		}
		if f := serverFilter(r.Filter); f != nil {
			o.FilterOption = &pb.ReadReq_Options_Filter{Filter: f}
		}
		return &pb.ReadReq{Options: o}
	}
	c.accept = func(e *streams.Recorded) (take, last bool) {
		if r.Backwards {
			if at > 0 && e.Position >= at {
				return false, false
			}
		} else {
			if e.Position > to {
				return false, true
			}
			if e.Position < at || e.Position == at && !inclusive { // reads begin with the position asked for
				return false, false
			}
		}
		at, inclusive = e.Position, false
		last = !r.Backwards && at == to
		if !matches(r.Filter, e) {
			return false, last
		}
		if left--; r.Limit > 0 && left <= 0 {
			last = true
		}
		return true, last
	}
	return c
}

// Head returns the position of the last event.
func (s *Store) Head(ctx context.Context) (domain.Position, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	p, err := s.head(ctx)
	if err != nil {
		return 0, s.readFailed(ctx, err)
	}
	return p, nil
}

func (s *Store) head(ctx context.Context) (domain.Position, error) {
	o := newRequest(true)
	o.CountOption = &pb.ReadReq_Options_Count{Count: 1}
	o.StreamOption = &pb.ReadReq_Options_All{All: &pb.ReadReq_Options_AllOptions{AllOption: &pb.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}}}
	head := domain.Position(0)
	c := &scan{store: s, patient: true, request: func() *pb.ReadReq { return &pb.ReadReq{Options: o} }}
	c.accept = func(e *streams.Recorded) (take, last bool) {
		head = e.Position
		return false, true
	}
	defer c.close()
	if _, err := c.fill(ctx, 1); err != nil {
		return 0, err
	}
	s.sees(head)
	return head, nil
}

// streamState is what a look at the end of a stream shows.
type streamState struct {
	last       domain.Revision // NoRevision when it has no event, or is deleted
	tombstoned bool
}

// look tells how a stream ends.
func (s *Store) look(ctx context.Context, stream domain.StreamID) (streamState, error) {
	c := s.scanStream(stream, streams.ReadStream{From: streams.End, Backwards: true, Limit: 1})
	defer c.close()
	events, err := c.fill(ctx, 1)
	switch {
	case errors.Is(err, streams.ErrStreamNotFound):
		return streamState{last: domain.NoRevision}, nil
	case errors.Is(err, streams.ErrTombstoned):
		return streamState{last: domain.NoRevision, tombstoned: true}, nil
	case err != nil:
		return streamState{}, err
	case len(events) > 0:
		return streamState{last: events[0].Revision}, nil
	}
	return s.probe(ctx, stream)
}

// probe asks for the end of a stream whose events are all hidden, by an append
// that cannot succeed: its refusal tells the revision.
func (s *Store) probe(ctx context.Context, stream domain.StreamID) (streamState, error) {
	never := []streams.Proposed{{ID: domain.NewEventID(), Type: "probe"}}
	_, err := s.deliver(ctx, &pendingAppend{stream: stream, expected: streams.At(streams.End), messages: encode(never), patience: s.opts.Patience})
	wrong, is := errors.AsType[*streams.WrongRevision](err)
	if !is {
		return streamState{}, fmt.Errorf("where does stream %s end: %w", stream, err)
	}
	return streamState{last: wrong.Actual}, nil
}

// StreamRevision returns the last revision of a stream; see [streams.Store].
func (s *Store) StreamRevision(ctx context.Context, stream domain.StreamID) (domain.Revision, error) {
	if err := s.usable(ctx); err != nil {
		return domain.NoRevision, err
	}
	state, err := s.look(ctx, stream)
	if err != nil {
		return domain.NoRevision, s.readFailed(ctx, err)
	}
	return state.last, nil
}
