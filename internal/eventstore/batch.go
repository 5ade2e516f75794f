package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// Bounds of what one client may have under way on one call.
const (
	maxOpenBatches    = 1024 // begun, not complete
	maxWaitingBatches = 1024 // complete, not answered
)

// BatchAppend takes any number of appends over one call. Each may come in several
// messages, and messages of several may be mixed. They are decided in the order
// in which they are complete, and answered when they are durable.
func (s *streamsService) BatchAppend(call pb.Streams_BatchAppendServer) error {
	ctx, cancel := s.server.UntilStop(call.Context())
	defer cancel()
	b := batches{service: s, call: call, open: map[uuid.UUID]*batch{}, slots: make(chan struct{}, maxWaitingBatches)}
	incoming, received := b.receive(ctx)
	err := b.serve(ctx, incoming)
	b.waiting.Wait() // what was taken is answered, also when the server stops
	if err == nil {
		err = <-received
	}
	if err == nil {
		err = b.failed
	}
	return s.server.fault(ctx, "", err)
}

// batches are the appends of one call.
type batches struct {
	service *streamsService
	call    pb.Streams_BatchAppendServer
	open    map[uuid.UUID]*batch
	slots   chan struct{}

	waiting sync.WaitGroup
	mu      sync.Mutex // of sending
	failed  error      // the first failure to send
}

// batch is one append.
type batch struct {
	gathering
	answer   *pb.BatchAppendResp // so far: whom it answers
	expected streams.Expected
	deadline time.Time // zero for none
	fault    error     // why it will be refused
}

// receive reads messages in a goroutine of its own, which ends with the call:
// reading cannot be interrupted otherwise when the server stops.
func (b *batches) receive(ctx context.Context) (<-chan *pb.BatchAppendReq, <-chan error) {
	out, ended := make(chan *pb.BatchAppendReq), make(chan error, 1)
	go func() {
		defer close(out)
		for {
			m, err := b.call.Recv()
			if errors.Is(err, io.EOF) {
				ended <- nil
				return
			}
			if err != nil {
				ended <- err
				return
			}
			select {
			case out <- m:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	}()
	return out, ended
}

// serve takes messages until there are no more.
func (b *batches) serve(ctx context.Context, incoming <-chan *pb.BatchAppendReq) error {
	for {
		select {
		case m, ok := <-incoming:
			if !ok {
				return nil
			}
			if err := b.take(ctx, m); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take takes one message.
func (b *batches) take(ctx context.Context, m *pb.BatchAppendReq) error {
	id, err := ParseUUID(m.GetCorrelationId())
	if err != nil {
		return err // nobody knows what would be answered
	}
	one := b.open[id]
	if one == nil {
		if len(b.open) >= maxOpenBatches {
			return &Fault{Code: codes.ResourceExhausted, Message: fmt.Sprintf("more than %d appends were begun and not completed", maxOpenBatches)}
		}
		one = b.begin(ctx, m)
		b.open[id] = one
	}
	for _, e := range m.GetProposedMessages() {
		if one.fault != nil {
			one.events = nil
			break
		}
		one.fault = one.add(e)
	}
	if !m.GetIsFinal() {
		return nil
	}
	delete(b.open, id)
	return b.submit(ctx, one)
}

// begin reads the options of an append.
func (b *batches) begin(ctx context.Context, m *pb.BatchAppendReq) *batch {
	o := m.GetOptions()
	one := &batch{
		gathering: gathering{server: b.service.server},
		answer:    &pb.BatchAppendResp{CorrelationId: m.GetCorrelationId(), StreamIdentifier: o.GetStreamIdentifier()},
	}
	if one.answer.StreamIdentifier == nil { // clients look into it without asking
		one.answer.StreamIdentifier = &shared.StreamIdentifier{}
	}
	if one.stream, one.fault = ParseStream(o.GetStreamIdentifier()); one.fault != nil {
		return one
	}
	switch e := o.GetExpectedStreamPosition().(type) {
	case *pb.BatchAppendReq_Options_StreamPosition:
		one.expected = expectRevision(e.StreamPosition)
		one.answer.ExpectedStreamPosition = &pb.BatchAppendResp_StreamPosition{StreamPosition: e.StreamPosition}
	case *pb.BatchAppendReq_Options_NoStream:
		one.expected = streams.NoStream
		one.answer.ExpectedStreamPosition = &pb.BatchAppendResp_NoStream{NoStream: &emptypb.Empty{}}
	case *pb.BatchAppendReq_Options_Any:
		one.expected = streams.Any
		one.answer.ExpectedStreamPosition = &pb.BatchAppendResp_Any{Any: &emptypb.Empty{}}
	case *pb.BatchAppendReq_Options_StreamExists:
		one.expected = streams.StreamExists
		one.answer.ExpectedStreamPosition = &pb.BatchAppendResp_StreamExists{StreamExists: &emptypb.Empty{}}
	default:
		one.fault = Invalid("the expected revision is missing")
		return one
	}
	switch d := o.GetDeadlineOption().(type) {
	case *pb.BatchAppendReq_Options_Deadline:
		one.deadline = time.Now().Add(d.Deadline.AsDuration())
	case *pb.BatchAppendReq_Options_Deadline_21_10_0:
		one.deadline = d.Deadline_21_10_0.AsTime()
	}
	one.fault = b.service.server.Authorize(ctx, one.stream, eslog.Write)
	return one
}

// submit gives a complete append to the log and has it answered later.
func (b *batches) submit(ctx context.Context, one *batch) error {
	if one.fault != nil {
		return b.send(b.refused(one, one.fault))
	}
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	// An append that has begun is not taken back because the server stops.
	own, cancel := b.call.Context(), context.CancelFunc(func() {})
	if !one.deadline.IsZero() {
		own, cancel = context.WithDeadline(own, one.deadline)
	}
	wait, err := b.service.server.log.AppendLater(own, one.stream, one.expected, one.events)
	if err != nil {
		cancel()
		<-b.slots
		return b.send(b.refused(one, err))
	}
	b.waiting.Go(func() {
		defer func() { <-b.slots }()
		defer cancel()
		r, err := wait()
		if err != nil {
			err = b.send(b.refused(one, err))
		} else {
			err = b.send(one.accepted(r))
		}
		if err != nil {
			b.fail(err)
		}
	})
	return nil
}

func (b *batches) send(m *pb.BatchAppendResp) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.call.Send(m)
}

func (b *batches) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed = err
	}
}

func (one *batch) accepted(r eslog.Result) *pb.BatchAppendResp {
	out := &pb.BatchAppendResp_Success{
		CurrentRevisionOption: &pb.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}},
		PositionOption:        &pb.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}},
	}
	if r.Last >= 0 {
		out.CurrentRevisionOption = &pb.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(r.Last)}
	}
	if p := uint64(r.Position); p > 0 {
		out.PositionOption = &pb.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: p, PreparePosition: p}}
	}
	one.answer.Result = &pb.BatchAppendResp_Success_{Success: out}
	return one.answer
}

// refused answers an append that failed: here everything is a result.
func (b *batches) refused(one *batch, err error) *pb.BatchAppendResp {
	code, detail := b.service.server.detail(one, err)
	st := &rpcstatus.Status{Code: int32(code), Message: err.Error()}
	if packed, perr := anypb.New(detail); perr == nil {
		st.Details = []*anypb.Any{packed}
	}
	one.answer.Result = &pb.BatchAppendResp_Error{Error: st}
	return one.answer
}

// detail is how clients recognise why an append of a batch failed.
func (s *Server) detail(one *batch, err error) (codes.Code, proto.Message) {
	var wrong *streams.WrongRevision
	var f *Fault
	switch {
	case errors.As(err, &wrong):
		return codes.AlreadyExists, wrongDetail(wrong)
	case errors.Is(err, streams.ErrTombstoned), errors.Is(err, eslog.ErrDeleted):
		return codes.NotFound, &shared.StreamDeleted{StreamIdentifier: one.answer.GetStreamIdentifier()}
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded, &shared.Timeout{}
	case errors.Is(err, streams.ErrInvalid):
		return codes.InvalidArgument, &shared.BadRequest{Message: err.Error()}
	case errors.Is(err, streams.ErrTooLarge):
		return codes.InvalidArgument, s.tooLargeDetail()
	case errors.As(err, &f) && len(f.Trailer) > 1 && f.Trailer[1] == excTooLarge:
		return codes.InvalidArgument, s.tooLargeDetail()
	case f != nil && f.Code == codes.PermissionDenied:
		return codes.PermissionDenied, &shared.AccessDenied{}
	case f != nil && f.Code == codes.InvalidArgument:
		return codes.InvalidArgument, &shared.BadRequest{Message: f.Message}
	}
	s.opts.Logger.Error("an append failed", "stream", one.stream, "error", err)
	return codes.Unknown, &shared.Unknown{}
}

func (s *Server) tooLargeDetail() *shared.MaximumAppendSizeExceeded {
	return &shared.MaximumAppendSizeExceeded{MaxAppendSize: uint32(s.opts.MaxAppendSize)} //nolint:gosec // checked by New
}

func wrongDetail(w *streams.WrongRevision) *shared.WrongExpectedVersion {
	out := &shared.WrongExpectedVersion{
		CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}},
	}
	if w.Actual >= 0 {
		out.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(w.Actual)}
	}
	switch w.Expected {
	case streams.Any:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case streams.StreamExists:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	case streams.NoStream:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	default:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(w.Expected)} //nolint:gosec // not negative
	}
	return out
}
