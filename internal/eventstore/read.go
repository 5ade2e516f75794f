package eventstore

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// Read reads events, or subscribes to them.
func (s *streamsService) Read(req *pb.ReadReq, call pb.Streams_ReadServer) error {
	r, err := s.reading(req.GetOptions(), call)
	if err != nil {
		return err
	}
	if err := s.server.Authorize(call.Context(), r.stream, eslog.Read); err != nil {
		return err
	}
	if r.subscribes {
		err = r.follow()
	} else {
		err = r.page()
	}
	return err
}

// reading is one call of Read.
type reading struct {
	server     *Server
	call       pb.Streams_ReadServer
	stream     domain.StreamID // or AllStream
	revision   domain.Revision // of a stream: where to begin; of a subscription: behind what
	position   domain.Position // of the whole log
	backwards  bool
	limit      uint64
	subscribes bool
	resolve    bool // links
	structured bool // ids
	filter     *eslog.Filter
	interval   uint64 // events looked at between two checkpoints
}

// reading reads the options of a call. What is wrong with them is a *Fault.
func (s *streamsService) reading(o *pb.ReadReq_Options, call pb.Streams_ReadServer) (*reading, error) {
	r := &reading{server: s.server, call: call, resolve: o.GetResolveLinks()}
	switch o.GetUuidOption().GetContent().(type) {
	case *pb.ReadReq_Options_UUIDOption_Structured:
		r.structured = true
	case *pb.ReadReq_Options_UUIDOption_String_:
	default:
		return nil, Invalid("uuid_option is missing")
	}
	r.backwards = o.GetReadDirection() == pb.ReadReq_Options_Backwards
	switch count := o.GetCountOption().(type) {
	case *pb.ReadReq_Options_Count:
		r.limit = count.Count
	case *pb.ReadReq_Options_Subscription:
		if r.subscribes = true; r.backwards {
			return nil, Invalid("a subscription cannot go backwards")
		}
	default:
		return nil, Invalid("count_option is missing")
	}
	var err error
	switch from := o.GetStreamOption().(type) {
	case *pb.ReadReq_Options_Stream:
		err = r.fromStream(from.Stream)
	case *pb.ReadReq_Options_All:
		err = r.fromAll(from.All, o.GetFilter())
	default:
		err = Invalid("stream_option is missing")
	}
	return r, err
}

// fromStream reads where in a stream to begin. Pages include the revision asked
// for, subscriptions begin behind it.
func (r *reading) fromStream(o *pb.ReadReq_Options_StreamOptions) (err error) {
	if r.stream, err = ParseStream(o.GetStreamIdentifier()); err != nil {
		return err
	}
	switch at := o.GetRevisionOption().(type) {
	case *pb.ReadReq_Options_StreamOptions_Revision:
		r.revision = revision(at.Revision)
	case *pb.ReadReq_Options_StreamOptions_Start:
		if r.revision = 0; r.subscribes {
			r.revision = domain.NoRevision
		}
	case *pb.ReadReq_Options_StreamOptions_End:
		r.revision = streams.End
	default:
		return Invalid("revision_option is missing")
	}
	return nil
}

func (r *reading) fromAll(o *pb.ReadReq_Options_AllOptions, filter *pb.ReadReq_Options_FilterOptions) (err error) {
	r.stream = AllStream
	switch at := o.GetAllOption().(type) {
	case *pb.ReadReq_Options_AllOptions_Position:
		r.position = domain.Position(at.Position.GetCommitPosition())
	case *pb.ReadReq_Options_AllOptions_Start:
		r.position = 0
	case *pb.ReadReq_Options_AllOptions_End:
		r.position = eslog.EndPosition
	default:
		return Invalid("all_option is missing")
	}
	if filter == nil {
		return nil
	}
	if r.filter, err = ParseFilter(filter.GetStreamIdentifier(), filter.GetEventType()); err != nil {
		return err
	}
	window := uint64(filter.GetMax())
	if window == 0 {
		window = defaultWindow
	}
	r.interval = window * uint64(filter.GetCheckpointIntervalMultiplier())
	if r.subscribes && r.interval == 0 {
		return Invalid("checkpointIntervalMultiplier must be positive")
	}
	return nil
}

// defaultWindow is the number of events looked at for a checkpoint when the
// client names none.
const defaultWindow = 32

// expression is a condition of a filter, as several services have it.
type expression interface {
	GetRegex() string
	GetPrefix() []string
}

// ParseFilter reads a filter: by stream, or when byStream is nil by event type.
func ParseFilter[E interface {
	comparable
	expression
}](byStream, byType E) (*eslog.Filter, error) {
	var none E
	condition := byStream
	if byStream == none {
		condition = byType
	}
	if condition == none {
		return nil, Invalid("the filter is empty")
	}
	f, err := eslog.NewFilter(byStream == none, condition.GetRegex(), condition.GetPrefix())
	if err != nil {
		return nil, Invalid(err.Error())
	}
	return f, nil
}

// page answers the events there are.
func (r *reading) page() error {
	ctx := r.call.Context()
	if r.limit == 0 {
		return nil
	}
	var events iter.Seq2[eslog.Record, error]
	limit := int(min(r.limit, math.MaxInt))
	if r.stream == AllStream {
		events = r.server.log.ReadAll(ctx, eslog.ReadAll{From: r.position, Backwards: r.backwards, Limit: limit, Filter: r.filter})
	} else {
		events = r.server.log.ReadStream(ctx, r.stream, eslog.ReadStream{From: r.revision, Backwards: r.backwards, Limit: limit})
	}
	for e, err := range events {
		if errors.Is(err, streams.ErrStreamNotFound) {
			return r.call.Send(&pb.ReadResp{Content: &pb.ReadResp_StreamNotFound_{
				StreamNotFound: &pb.ReadResp_StreamNotFound{StreamIdentifier: StreamIdentifier(r.stream)},
			}})
		}
		if err != nil {
			return r.server.fault(ctx, r.stream, err)
		}
		if err := r.send(ctx, &e); err != nil {
			return err
		}
	}
	return nil
}

// send sends one event, with the event it stands for if that is wanted.
func (r *reading) send(ctx context.Context, e *eslog.Record) error {
	out := &pb.ReadResp_ReadEvent{Position: &pb.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(e.Position)}}
	event := e
	if r.resolve && e.Type == eslog.LinkType {
		target, err := r.server.Resolve(ctx, e)
		if err != nil {
			return r.server.fault(ctx, r.stream, err)
		}
		event, out.Link = target, r.recorded(e)
	}
	if event != nil {
		out.Event = r.recorded(event)
	}
	return r.call.Send(&pb.ReadResp{Content: &pb.ReadResp_Event{Event: out}})
}

// Resolve returns the event that a link stands for: nil when it is gone, or the
// caller may not read it.
func (s *Server) Resolve(ctx context.Context, link *eslog.Record) (*eslog.Record, error) {
	stream, _, ok := link.Target()
	if !ok || s.Authorize(ctx, stream, eslog.Read) != nil {
		return nil, nil
	}
	return s.log.Resolve(ctx, link)
}

func (r *reading) recorded(e *eslog.Record) *pb.ReadResp_ReadEvent_RecordedEvent {
	return &pb.ReadResp_ReadEvent_RecordedEvent{
		Id:               UUID(e.ID, r.structured),
		StreamIdentifier: StreamIdentifier(e.Stream),
		StreamRevision:   uint64(e.Revision), //nolint:gosec // not negative
		PreparePosition:  uint64(e.Position),
		CommitPosition:   uint64(e.Position),
		Metadata:         EventProperties(e),
		CustomMetadata:   e.Metadata,
		Data:             e.Data,
	}
}

// empty is what many choices of the protocol hold.
func empty() *shared.Empty { return &shared.Empty{} }
