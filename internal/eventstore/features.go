package eventstore

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// protocolVersion is the version of EventStoreDB whose protocol is spoken.
// Clients only understand three numbers.
const protocolVersion = "24.10.0"

type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
	server *Server
}

// GetSupportedMethods lists what is served.
func (f *featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	out := &serverfeatures.SupportedMethods{EventStoreServerVersion: protocolVersion}
	const service = "event_store.client.streams.streams"
	for method, features := range map[string][]string{
		"append": nil, "batchappend": {"deadline_duration"}, "delete": nil, "tombstone": nil, "read": {"position", "events"},
	} {
		out.Methods = append(out.Methods, &serverfeatures.SupportedMethod{MethodName: method, ServiceName: service, Features: features})
	}
	out.Methods = append(out.Methods,
		&serverfeatures.SupportedMethod{MethodName: "startscavenge", ServiceName: strings.ToLower(operationsName)},
		&serverfeatures.SupportedMethod{MethodName: "stopscavenge", ServiceName: strings.ToLower(operationsName)},
		&serverfeatures.SupportedMethod{MethodName: "read", ServiceName: "event_store.client.gossip.gossip"},
		&serverfeatures.SupportedMethod{MethodName: "getsupportedmethods", ServiceName: "event_store.client.server_features.serverfeatures"})
	for _, svc := range f.server.services {
		out.Methods = append(out.Methods, svc.Features()...)
	}
	return out, nil
}

type gossipService struct {
	gossip.UnimplementedGossipServer
	server *Server
}

// Read tells of the one member there is.
func (g *gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	address := g.server.opts.Advertise
	if address == "" {
		if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get(":authority")) > 0 {
			address = md.Get(":authority")[0]
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, "2113"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, &Fault{Code: codes.Internal, Message: "the address that the server is reached at is not known"}
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId:   UUID(g.server.instance, true),
		TimeStamp:    time.Now().UnixMicro() * 10,
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(number)},
	}}}, nil
}
