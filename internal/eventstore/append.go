package eventstore

import (
	"context"
	"errors"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"strata/domain"
	"strata/internal/eventstore/access"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// streamsService serves what is done with streams.
type streamsService struct {
	pb.UnimplementedStreamsServer
	server *Server
}

// proposedMessage is an event of either kind of append.
type proposedMessage interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// gathering collects the events of one append.
type gathering struct {
	server *Server
	stream domain.StreamID
	events []eslog.Event
	size   int // of their data, which is what EventStoreDB limits
	total  int // of everything
}

// eventOverhead is about the memory of an event beside what is in it.
const eventOverhead = 128

// add takes one event. Its error is a *Fault.
func (g *gathering) add(m proposedMessage) error {
	id, err := ParseUUID(m.GetId())
	if err != nil {
		return err
	}
	properties := m.GetMetadata()
	for _, key := range []string{"type", "content-type"} {
		if properties[key] == "" {
			f := Invalid("Required Metadata Property '" + key + "' is missing")
			f.Trailer = []string{trailerException, excMissingProperty, excMissingProperty, key}
			return f
		}
	}
	g.size += len(m.GetData())
	g.total += eventOverhead + len(m.GetData()) + len(m.GetCustomMetadata()) + len(properties["type"])
	if g.size > g.server.opts.MaxAppendSize || g.total > maxMessage {
		return g.server.tooLarge()
	}
	if err := access.CheckSettings(g.stream, m.GetData()); err != nil {
		return Invalid(err.Error())
	}
	g.events = append(g.events, eslog.Event{
		ID: id, Type: properties["type"], ContentType: properties["content-type"],
		Metadata: m.GetCustomMetadata(), Data: m.GetData(),
	})
	return nil
}

// Append appends the events of one call to a stream, all or none.
func (s *streamsService) Append(call pb.Streams_AppendServer) error {
	ctx := call.Context()
	first, err := call.Recv()
	if err != nil {
		return err
	}
	stream, expected, err := appendOptions(first.GetOptions())
	if err != nil {
		return err
	}
	if err := s.server.Authorize(ctx, stream, eslog.Write); err != nil {
		return err
	}
	g := gathering{server: s.server, stream: stream}
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if m.GetProposedMessage() == nil {
			return Invalid("a message of an append is no event")
		}
		if err := g.add(m.GetProposedMessage()); err != nil {
			return err
		}
	}
	resp, err := s.append(ctx, stream, expected, g.events)
	if err != nil {
		return s.server.fault(ctx, stream, err)
	}
	return call.SendAndClose(resp)
}

// append answers an unexpected revision as a result, not as an error.
func (s *streamsService) append(ctx context.Context, stream domain.StreamID, expected streams.Expected, events []eslog.Event) (*pb.AppendResp, error) {
	r, err := s.server.log.Append(ctx, stream, expected, events)
	var wrong *streams.WrongRevision
	if errors.As(err, &wrong) {
		return wrongExpected(wrong), nil
	}
	if err != nil {
		return nil, err
	}
	out := &pb.AppendResp_Success{
		CurrentRevisionOption: &pb.AppendResp_Success_NoStream{NoStream: empty()},
		PositionOption:        &pb.AppendResp_Success_NoPosition{NoPosition: empty()},
	}
	if r.Last >= 0 {
		out.CurrentRevisionOption = &pb.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(r.Last)}
	}
	if r.Position > 0 {
		p := uint64(r.Position)
		out.PositionOption = &pb.AppendResp_Success_Position{Position: &pb.AppendResp_Position{CommitPosition: p, PreparePosition: p}}
	}
	return &pb.AppendResp{Result: &pb.AppendResp_Success_{Success: out}}, nil
}

func appendOptions(o *pb.AppendReq_Options) (stream domain.StreamID, expected streams.Expected, err error) {
	if o == nil {
		return "", 0, Invalid("an append begins with its options")
	}
	if stream, err = ParseStream(o.GetStreamIdentifier()); err != nil {
		return "", 0, err
	}
	switch e := o.GetExpectedStreamRevision().(type) {
	case *pb.AppendReq_Options_Revision:
		expected = expectRevision(e.Revision)
	case *pb.AppendReq_Options_NoStream:
		expected = streams.NoStream
	case *pb.AppendReq_Options_Any:
		expected = streams.Any
	case *pb.AppendReq_Options_StreamExists:
		expected = streams.StreamExists
	default:
		return "", 0, Invalid("the expected revision is missing")
	}
	return stream, expected, nil
}

// wrongExpected says twice what was expected and found: clients of version 20.6
// look at other fields.
func wrongExpected(w *streams.WrongRevision) *pb.AppendResp {
	out := &pb.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption_20_6_0: &pb.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: empty()},
		CurrentRevisionOption:        &pb.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty()},
	}
	if w.Actual >= 0 {
		out.CurrentRevisionOption_20_6_0 = &pb.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(w.Actual)}
		out.CurrentRevisionOption = &pb.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(w.Actual)}
	}
	switch w.Expected {
	case streams.Any:
		out.ExpectedRevisionOption_20_6_0 = &pb.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: empty()}
		out.ExpectedRevisionOption = &pb.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: empty()}
	case streams.StreamExists:
		out.ExpectedRevisionOption_20_6_0 = &pb.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: empty()}
		out.ExpectedRevisionOption = &pb.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty()}
	case streams.NoStream:
		out.ExpectedRevisionOption_20_6_0 = &pb.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: 1<<64 - 1}
		out.ExpectedRevisionOption = &pb.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty()}
	default:
		out.ExpectedRevisionOption_20_6_0 = &pb.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(w.Expected)} //nolint:gosec // not negative
		out.ExpectedRevisionOption = &pb.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(w.Expected)}                      //nolint:gosec // not negative
	}
	return &pb.AppendResp{Result: &pb.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: out}}
}

// Delete deletes a stream until it is written again.
func (s *streamsService) Delete(ctx context.Context, req *pb.DeleteReq) (*pb.DeleteResp, error) {
	stream, expected, err := deleteOptions(req.GetOptions())
	if err != nil {
		return nil, err
	}
	if err := s.server.Authorize(ctx, stream, eslog.Remove); err != nil {
		return nil, err
	}
	r, err := s.server.log.Delete(ctx, stream, expected)
	if err != nil {
		return nil, s.server.fault(ctx, stream, err)
	}
	p := uint64(r.Position)
	return &pb.DeleteResp{PositionOption: &pb.DeleteResp_Position_{
		Position: &pb.DeleteResp_Position{CommitPosition: p, PreparePosition: p},
	}}, nil
}

// Tombstone deletes a stream for ever.
func (s *streamsService) Tombstone(ctx context.Context, req *pb.TombstoneReq) (*pb.TombstoneResp, error) {
	stream, expected, err := tombstoneOptions(req.GetOptions())
	if err != nil {
		return nil, err
	}
	if err := s.server.Authorize(ctx, stream, eslog.Remove); err != nil {
		return nil, err
	}
	r, err := s.server.log.Tombstone(ctx, stream, expected)
	if err != nil {
		return nil, s.server.fault(ctx, stream, err)
	}
	p := uint64(r.Position)
	return &pb.TombstoneResp{PositionOption: &pb.TombstoneResp_Position_{
		Position: &pb.TombstoneResp_Position{CommitPosition: p, PreparePosition: p},
	}}, nil
}

func deleteOptions(o *pb.DeleteReq_Options) (stream domain.StreamID, expected streams.Expected, err error) {
	if stream, err = ParseStream(o.GetStreamIdentifier()); err != nil {
		return "", 0, err
	}
	switch e := o.GetExpectedStreamRevision().(type) {
	case *pb.DeleteReq_Options_Revision:
		return stream, expectRevision(e.Revision), nil
	case *pb.DeleteReq_Options_NoStream:
		return stream, streams.NoStream, nil
	case *pb.DeleteReq_Options_Any:
		return stream, streams.Any, nil
	case *pb.DeleteReq_Options_StreamExists:
		return stream, streams.StreamExists, nil
	}
	return "", 0, Invalid("the expected revision is missing")
}

func tombstoneOptions(o *pb.TombstoneReq_Options) (stream domain.StreamID, expected streams.Expected, err error) {
	if stream, err = ParseStream(o.GetStreamIdentifier()); err != nil {
		return "", 0, err
	}
	switch e := o.GetExpectedStreamRevision().(type) {
	case *pb.TombstoneReq_Options_Revision:
		return stream, expectRevision(e.Revision), nil
	case *pb.TombstoneReq_Options_NoStream:
		return stream, streams.NoStream, nil
	case *pb.TombstoneReq_Options_Any:
		return stream, streams.Any, nil
	case *pb.TombstoneReq_Options_StreamExists:
		return stream, streams.StreamExists, nil
	}
	return "", 0, Invalid("the expected revision is missing")
}
