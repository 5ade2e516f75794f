package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"strata/streams"
)

// A scan's steps hand over at most so much, so that a reader who stops early has
// not taken much more than it used.
const (
	stepEvents = 512
	stepBytes  = 4 << 20
)

// scan reads pages from the server. When the connection breaks it goes on behind
// what it has handed over.
type scan struct {
	store *Store
	// request asks for what is left; nil when nothing is.
	request func() *pb.ReadReq
	// accept takes an event, and tells whether to hand it over and whether it was
	// the last.
	accept func(*streams.Recorded) (take, last bool)
	// patient: give up when the server has been silent for the store's patience.
	patient bool

	stream   pb.Streams_ReadClient
	call     *unary
	on       *node
	progress time.Time // when the server last said something, or the scan began to wait
	ended    bool
	asked    int // messages asked for, 0 = all there are, and
	got      int // those received: if all of them, there may be more
}

// fill reads up to limit events (0 = as many as a step takes), and none only at
// the end. What it returns beside an error counts.
func (s *scan) fill(ctx context.Context, limit int) (events []streams.Recorded, err error) {
	if limit <= 0 || limit > stepEvents {
		limit = stepEvents
	}
	bytes := 0
	s.progress = time.Now()
	for try := 0; len(events) < limit && bytes < stepBytes && !s.ended; {
		e, err := s.next(ctx)
		switch {
		case err == nil && e == nil: // a message without an event
		case err == nil:
			try = 0
			s.progress = time.Time{}
			take, last := s.accept(e)
			if take {
				events = append(events, *e)
				bytes += len(e.Data) + len(e.Meta)
			}
			if last {
				s.close()
				s.ended = true
			}
		case errors.Is(err, io.EOF):
			s.close()
			s.ended = s.asked == 0 || s.got < s.asked
		default:
			if err = s.recover(ctx, err, try); err != nil {
				return events, err
			}
			try++
		}
	}
	return events, nil
}

// recover makes the scan go on after an error of the connection.
func (s *scan) recover(ctx context.Context, err error, try int) error {
	on := s.on
	s.close()
	again, leader := lost(ctx, err)
	if !again {
		return err
	}
	if on != nil && (leader != "" || !isAnswer(err)) {
		s.store.conn.drop(on, leader, err)
	}
	if s.progress.IsZero() { // it had said something before it failed
		s.progress = time.Now()
	}
	if s.patient && time.Since(s.progress) > s.store.opts.Patience {
		return errSilent
	}
	if !pause(ctx, try) {
		return ctx.Err()
	}
	return nil
}

// errSilent: the server did not answer for as long as the reader is patient.
var errSilent = fmt.Errorf("%w: the server is silent", streams.ErrUnavailable)

// next receives one message; nil is one without an event.
func (s *scan) next(ctx context.Context) (*streams.Recorded, error) {
	if s.stream == nil {
		if err := s.open(ctx); err != nil {
			return nil, err
		}
	}
	stopWatching := s.watch(ctx)
	m, err := s.stream.Recv()
	if !stopWatching() && ctx.Err() == nil && s.store.ctx.Err() == nil {
		return nil, errSilent
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, s.call.fault(err)
	}
	switch c := m.GetContent().(type) {
	case *pb.ReadResp_Event:
		s.got++
		e, err := recorded(c.Event)
		return &e, err
	case *pb.ReadResp_StreamNotFound_:
		return nil, streams.ErrStreamNotFound
	}
	return nil, nil
}

// watch cuts the read when ctx ends, or the patience. The stop it returns tells
// whether neither happened.
func (s *scan) watch(ctx context.Context) (stop func() bool) {
	cancel := s.call.cancel
	unhook := context.AfterFunc(ctx, cancel)
	if !s.patient {
		return unhook
	}
	timer := time.AfterFunc(s.store.opts.Patience, cancel)
	return func() bool {
		waiting := timer.Stop()
		return unhook() && waiting
	}
}

// open asks the server for what is left.
func (s *scan) open(ctx context.Context) error {
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if s.patient {
		waiting, cancel = s.store.patient(ctx)
	}
	defer cancel()
	n, err := s.store.conn.get(waiting)
	if err != nil {
		if s.patient && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return errSilent
		}
		return err
	}
	request := s.request()
	if request == nil {
		return io.EOF
	}
	s.got = 0
	s.on, s.call = n, newUnary(s.store.ctx)
	if s.stream, err = n.streams.Read(s.call.ctx, request, s.call.options()...); err != nil {
		return s.call.fault(err)
	}
	return nil
}

// close gives up the stream; the next step opens another.
func (s *scan) close() {
	if s.call != nil {
		s.call.cancel()
	}
	s.stream, s.call, s.on = nil, nil, nil
}

// newRequest is what all reads have in common.
func newRequest(backwards bool) *pb.ReadReq_Options {
	o := &pb.ReadReq_Options{
		CountOption:  &pb.ReadReq_Options_Count{Count: math.MaxInt64},
		FilterOption: &pb.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &pb.ReadReq_Options_UUIDOption{Content: &pb.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
		// 1: tell also where a stream ends.
		ControlOption: &pb.ReadReq_Options_ControlOption{Compatibility: 1},
	}
	if backwards {
		o.ReadDirection = pb.ReadReq_Options_Backwards
	}
	return o
}
