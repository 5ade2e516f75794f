package eventstoredb

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"strata/domain"
	"strata/streams"
)

// Delete hides the events of a stream; see [streams.Store]. EventStoreDB drops the
// stream's metadata with them, and there is no way to have it do both at once: it
// is set again afterwards, and a process that dies in between leaves a deleted
// stream without metadata. Strata's own server keeps it in the write that deletes.
func (s *Store) Delete(ctx context.Context, stream domain.StreamID, expected streams.Expected) (streams.Result, error) {
	before, err := s.metadataOf(ctx, stream)
	if err != nil {
		return streams.Result{}, err
	}
	r, err := s.remove(ctx, &removal{stream: stream, expected: expected, send: sendDelete})
	if err != nil || !before.lasting() {
		return r, err
	}
	now, err := s.metadataOf(ctx, stream)
	if err == nil && now.keeps(before) {
		return r, nil // Strata's own server keeps it in the write that deletes
	}
	// EventStoreDB has put the deletion in the place of the stream's metadata. Only
	// there is it all the same whether the stream is deleted.
	if err == nil {
		err = s.changeMetadata(ctx, stream, func(now *streamMetadata) ([]byte, error) { return before.deletedBy(now) })
	}
	if err != nil {
		return r, fmt.Errorf("%s is deleted, and its metadata is lost: %w", stream, err)
	}
	return r, nil
}

// Tombstone closes a stream for ever; see [streams.Store].
func (s *Store) Tombstone(ctx context.Context, stream domain.StreamID, expected streams.Expected) (streams.Result, error) {
	return s.remove(ctx, &removal{stream: stream, expected: expected, forGood: true, send: sendTombstone})
}

// removal is a deletion as it is asked for.
type removal struct {
	stream   domain.StreamID
	expected streams.Expected
	forGood  bool
	send     func(*unary, *node, domain.StreamID, streams.Expected) (domain.Position, error)
}

// remove looks at the stream and then deletes exactly what it saw, so that it
// can say what that was, and so that a repeat after a lost answer is known.
func (s *Store) remove(ctx context.Context, r *removal) (streams.Result, error) {
	if err := checkStream(r.stream); err != nil {
		return streams.Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return streams.Result{}, err
	}
	if err := s.begin(); err != nil {
		return streams.Result{}, err
	}
	defer s.end()
	within, cancel := s.patient(ctx)
	defer cancel()
	for try := 0; ; try++ {
		state, err := s.look(within, r.stream)
		if err != nil {
			return streams.Result{}, s.failed(ctx, within, err)
		}
		expected, err := r.decide(state)
		if err != nil {
			return streams.Result{}, err
		}
		res, err := s.removeAt(within, r, expected)
		if wrong, is := errors.AsType[*streams.WrongRevision](err); is {
			if r.expected < streams.NoStream && try < maxConflicts { // any would do, and there is a new one
				continue
			}
			wrong.Stream, wrong.Expected = r.stream, r.expected
		}
		if err != nil {
			return streams.Result{}, s.failed(ctx, within, err)
		}
		if res.Revision = state.last; state.last == domain.NoRevision && expected >= 0 {
			res.Revision = domain.Revision(expected) // it was deleted, at this revision, before
		}
		s.acknowledged(res.Position)
		return res, nil
	}
}

// decide tells what to expect of the stream that is removed, or why it is not.
func (r *removal) decide(state streamState) (streams.Expected, error) {
	switch {
	case state.tombstoned:
		return 0, streams.ErrTombstoned
	case state.last >= 0:
		if r.expected >= streams.NoStream && r.expected != streams.At(state.last) {
			return 0, &streams.WrongRevision{Stream: r.stream, Expected: r.expected, Actual: state.last}
		}
		return streams.At(state.last), nil
	case r.expected >= 0:
		return r.expected, nil // only the server knows at what revision it was deleted
	case !r.forGood:
		return 0, streams.ErrStreamNotFound
	case r.expected == streams.StreamExists:
		return 0, &streams.WrongRevision{Stream: r.stream, Expected: r.expected, Actual: domain.NoRevision}
	}
	return streams.Any, nil
}

// removeAt has the server remove a stream. That it is a tombstone already is
// success when an earlier try of the same may have made it one.
func (s *Store) removeAt(ctx context.Context, r *removal, expected streams.Expected) (res streams.Result, err error) {
	tries := 0
	err = s.insist(ctx, func(n *node) error {
		tries++
		call := newUnary(ctx)
		defer call.cancel()
		res.Position, err = r.send(call, n, r.stream, expected)
		return err
	})
	if r.forGood && tries > 1 && errors.Is(err, streams.ErrTombstoned) {
		res.Position, err = s.head(ctx)
		res.Repeated = true
	}
	return res, err
}

func sendDelete(call *unary, n *node, stream domain.StreamID, expected streams.Expected) (domain.Position, error) {
	o := &pb.DeleteReq_Options{StreamIdentifier: identifier(stream)}
	if expected == streams.Any {
		o.ExpectedStreamRevision = &pb.DeleteReq_Options_Any{Any: &shared.Empty{}}
	} else {
		o.ExpectedStreamRevision = &pb.DeleteReq_Options_Revision{Revision: uint64(expected)}
	}
	answer, err := n.streams.Delete(call.ctx, &pb.DeleteReq{Options: o}, call.options()...)
	if err != nil {
		return 0, fmt.Errorf("delete %s: %w", stream, call.fault(err))
	}
	return domain.Position(answer.GetPosition().GetCommitPosition()), nil
}

func sendTombstone(call *unary, n *node, stream domain.StreamID, expected streams.Expected) (domain.Position, error) {
	o := &pb.TombstoneReq_Options{StreamIdentifier: identifier(stream)}
	if expected == streams.Any {
		o.ExpectedStreamRevision = &pb.TombstoneReq_Options_Any{Any: &shared.Empty{}}
	} else {
		o.ExpectedStreamRevision = &pb.TombstoneReq_Options_Revision{Revision: uint64(expected)}
	}
	answer, err := n.streams.Tombstone(call.ctx, &pb.TombstoneReq{Options: o}, call.options()...)
	if err != nil {
		return 0, fmt.Errorf("tombstone %s: %w", stream, call.fault(err))
	}
	return domain.Position(answer.GetPosition().GetCommitPosition()), nil
}
