package persistent

import (
	"context"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"

	wire "github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

	"strata/internal/eventstore"
)

// Service serves groups over gRPC. Groups are managed by administrators and
// operators; whoever may read a stream may consume from its groups.
type Service struct {
	wire.UnimplementedPersistentSubscriptionsServer
	groups *Groups
	server *eventstore.Server
}

// Serve makes the service of a server: it runs the groups that the server's log
// knows.
func Serve(o Options) func(*eventstore.Server) (eventstore.Service, error) {
	return func(server *eventstore.Server) (eventstore.Service, error) {
		groups, err := Open(context.Background(), server.Log(), o)
		if err != nil {
			return nil, err
		}
		return &Service{groups: groups, server: server}, nil
	}
}

// Register implements eventstore.Service.
func (s *Service) Register(r grpc.ServiceRegistrar) { wire.RegisterPersistentSubscriptionsServer(r, s) }

// Features implements eventstore.Service: clients look for these before they
// subscribe to the whole log or manage groups.
func (s *Service) Features() []*serverfeatures.SupportedMethod {
	var out []*serverfeatures.SupportedMethod
	for _, m := range wire.PersistentSubscriptions_ServiceDesc.Methods {
		out = append(out, supported(m.MethodName))
	}
	return append(out, supported("read"))
}

func supported(method string) *serverfeatures.SupportedMethod {
	return &serverfeatures.SupportedMethod{
		MethodName:  strings.ToLower(method),
		ServiceName: strings.ToLower(wire.PersistentSubscriptions_ServiceDesc.ServiceName),
		Features:    []string{"stream", "all"},
	}
}

// Close implements eventstore.Service.
func (s *Service) Close() error {
	s.groups.Close()
	return nil
}

// Create makes a group.
func (s *Service) Create(ctx context.Context, req *wire.CreateReq) (*wire.CreateResp, error) {
	if err := s.server.AuthorizeOperator(ctx); err != nil {
		return nil, err
	}
	o := req.GetOptions()
	key := Key{Stream: All, Group: o.GetGroupName()}
	w := o.GetSettings()
	settings, err := settingsOf(w, w.GetConsumerStrategy())
	if err != nil {
		return nil, err
	}
	switch from := o.GetStreamOption().(type) {
	case *wire.CreateReq_Options_All:
		a := from.All
		settings.StartFrom, settings.StartPrepare = allStart(a.GetPosition(), a.GetEnd() != nil)
		if settings.Filter, err = filterOf(a.GetFilter()); err != nil {
			return nil, err
		}
	case *wire.CreateReq_Options_Stream:
		key.Stream, err = streamName(from.Stream.GetStreamIdentifier())
		settings.StartFrom = streamStart(from.Stream.GetRevision(), from.Stream.GetEnd() != nil)
	default: // as clients before 21.10 ask, and Node's
		//lint:ignore SA1019 clients still send it
		key.Stream, err = streamName(o.GetStreamIdentifier())
		//lint:ignore SA1019 clients still send it
		settings.StartFrom = streamStart(w.GetRevision(), false)
	}
	if err != nil {
		return nil, err
	}
	return &wire.CreateResp{}, translate(ctx, key, s.groups.Create(ctx, key, settings))
}

// Update gives a group other settings.
func (s *Service) Update(ctx context.Context, req *wire.UpdateReq) (*wire.UpdateResp, error) {
	if err := s.server.AuthorizeOperator(ctx); err != nil {
		return nil, err
	}
	o := req.GetOptions()
	key := Key{Stream: All, Group: o.GetGroupName()}
	w := o.GetSettings()
	settings, err := settingsOf(w, "")
	if err != nil {
		return nil, err
	}
	switch from := o.GetStreamOption().(type) {
	case *wire.UpdateReq_Options_All:
		settings.StartFrom, settings.StartPrepare = allStart(from.All.GetPosition(), from.All.GetEnd() != nil)
	case *wire.UpdateReq_Options_Stream:
		key.Stream, err = streamName(from.Stream.GetStreamIdentifier())
		settings.StartFrom = streamStart(from.Stream.GetRevision(), from.Stream.GetEnd() != nil)
	default:
		//lint:ignore SA1019 clients still send it
		key.Stream, err = streamName(o.GetStreamIdentifier())
		//lint:ignore SA1019 clients still send it
		settings.StartFrom = streamStart(w.GetRevision(), false)
	}
	if err != nil {
		return nil, err
	}
	return &wire.UpdateResp{}, translate(ctx, key, s.groups.Update(ctx, key, settings))
}

// Delete removes a group.
func (s *Service) Delete(ctx context.Context, req *wire.DeleteReq) (*wire.DeleteResp, error) {
	if err := s.server.AuthorizeOperator(ctx); err != nil {
		return nil, err
	}
	o := req.GetOptions()
	key, err := keyOf(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	return &wire.DeleteResp{}, translate(ctx, key, s.groups.Delete(ctx, key))
}

// GetInfo tells about a group.
func (s *Service) GetInfo(ctx context.Context, req *wire.GetInfoReq) (*wire.GetInfoResp, error) {
	if err := s.server.AuthorizeOperator(ctx); err != nil {
		return nil, err
	}
	o := req.GetOptions()
	key, err := keyOf(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	i, err := s.groups.Info(ctx, key)
	if err != nil {
		return nil, translate(ctx, key, err)
	}
	return &wire.GetInfoResp{SubscriptionInfo: wireInfo(&i)}, nil
}

// List tells about groups.
func (s *Service) List(ctx context.Context, req *wire.ListReq) (*wire.ListResp, error) {
	if err := s.server.AuthorizeOperator(ctx); err != nil {
		return nil, err
	}
	stream := "" // of all streams
	if o := req.GetOptions().GetListForStream(); o != nil {
		key, err := keyOf(o.GetAll() != nil, o.GetStream(), "")
		if err != nil {
			return nil, err
		}
		stream = key.Stream
	}
	list, err := s.groups.List(ctx, stream)
	if err != nil {
		return nil, translate(ctx, Key{Stream: stream}, err)
	}
	out := &wire.ListResp{}
	for i := range list {
		out.Subscriptions = append(out.Subscriptions, wireInfo(&list[i]))
	}
	return out, nil
}

// ReplayParked hands parked messages out again.
func (s *Service) ReplayParked(ctx context.Context, req *wire.ReplayParkedReq) (*wire.ReplayParkedResp, error) {
	if err := s.server.AuthorizeOperator(ctx); err != nil {
		return nil, err
	}
	o := req.GetOptions()
	key, err := keyOf(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	stopAt := int64(math.MaxInt64)
	if v, ok := o.GetStopAtOption().(*wire.ReplayParkedReq_Options_StopAt); ok {
		if stopAt = v.StopAt; stopAt < 0 {
			return nil, eventstore.Invalid("stop_at must not be negative")
		}
	}
	return &wire.ReplayParkedResp{}, translate(ctx, key, s.groups.Replay(key, stopAt))
}

// RestartSubsystem stops all groups and runs them anew.
func (s *Service) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	if err := s.server.AuthorizeOperator(ctx); err != nil {
		return nil, err
	}
	return &shared.Empty{}, translate(ctx, Key{}, s.groups.Restart(ctx))
}

func keyOf(all bool, stream *shared.StreamIdentifier, group string) (Key, error) {
	if all {
		return Key{All, group}, nil
	}
	name, err := streamName(stream)
	return Key{name, group}, err
}

func streamName(id *shared.StreamIdentifier) (string, error) {
	name, err := eventstore.ParseStream(id)
	return string(name), err
}
