package eventstore

import (
	"context"
	"errors"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"strata/streams"
	"strata/streams/embedded"
)

// operationsService serves what there is of the service Operations: scavenges. The
// Go client has no code for its messages, which are small enough to be read and
// written by hand, as unknown fields of an empty message.
type operationsService struct {
	server    *Server
	scavenges *embedded.Scavenges
}

const operationsName = "event_store.client.operations.Operations"

// Results of a scavenge call.
const (
	scavengeStarted    = 0
	scavengeInProgress = 1
	scavengeStopped    = 2
)

// operations is what the description of the service says of its type.
type operations interface {
	startScavenge(ctx context.Context) (*shared.Empty, error)
	stopScavenge(ctx context.Context) (*shared.Empty, error)
}

func (o *operationsService) register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: operationsName,
		HandlerType: (*operations)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "StartScavenge", Handler: o.handle("StartScavenge", o.startScavenge)},
			{MethodName: "StopScavenge", Handler: o.handle("StopScavenge", o.stopScavenge)},
		},
	}, o)
}

// handle makes a method of a function: it reads the request, of which nothing is
// of use here, and goes through the interceptors.
func (o *operationsService) handle(method string, run func(context.Context) (*shared.Empty, error)) grpc.MethodHandler {
	info := &grpc.UnaryServerInfo{Server: o, FullMethod: "/" + operationsName + "/" + method}
	return func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := &shared.Empty{}
		if err := decode(in); err != nil {
			return nil, err
		}
		return interceptor(ctx, in, info, func(ctx context.Context, _ any) (any, error) {
			if err := o.server.AuthorizeOperator(ctx); err != nil {
				return nil, err
			}
			return run(ctx)
		})
	}
}

func (o *operationsService) startScavenge(ctx context.Context) (*shared.Empty, error) {
	err := o.scavenges.Start(embedded.ScavengeOptions{})
	switch {
	case errors.Is(err, embedded.ErrScavenging):
		return o.scavengeAnswer(scavengeInProgress), nil
	case errors.Is(err, streams.ErrClosed):
		return nil, errStopping
	case err != nil:
		return nil, o.server.fault(ctx, "", err)
	}
	return o.scavengeAnswer(scavengeStarted), nil
}

func (o *operationsService) stopScavenge(context.Context) (*shared.Empty, error) {
	if !o.scavenges.Cancel() {
		return nil, exception(codes.NotFound, "scavenge-not-found", "No scavenge is running.")
	}
	return o.scavengeAnswer(scavengeStopped), nil
}

// scavengeAnswer writes a ScavengeResp: an id, which is the time the scavenge
// began, and a result.
func (o *operationsService) scavengeAnswer(result uint64) *shared.Empty {
	id := strconv.FormatInt(o.scavenges.Status().Report.StartedAt.UnixMilli(), 10)
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id)
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), result)
	m := &shared.Empty{}
	m.ProtoReflect().SetUnknown(b)
	return m
}
