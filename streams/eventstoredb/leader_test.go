package eventstoredb_test

import (
	"context"
	"net"
	"testing"

	features "github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/eventstoredb"
)

// oldLeader is a node that led once: it answers appends with who does now.
type oldLeader struct {
	pb.UnimplementedStreamsServer
	features.UnimplementedServerFeaturesServer
	batches    bool
	host, port string
}

func (o *oldLeader) GetSupportedMethods(context.Context, *shared.Empty) (*features.SupportedMethods, error) {
	out := &features.SupportedMethods{EventStoreServerVersion: "24.6.0"}
	if o.batches {
		out.Methods = append(out.Methods, &features.SupportedMethod{ServiceName: "event_store.client.streams.streams", MethodName: "batchappend"})
	}
	return out, nil
}

// Read answers that there is nothing.
func (o *oldLeader) Read(*pb.ReadReq, pb.Streams_ReadServer) error { return nil }

func (o *oldLeader) refuse(call grpc.ServerStream) error {
	call.SetTrailer(metadata.Pairs("exception", "not-leader", "leader-endpoint-host", o.host, "leader-endpoint-port", o.port))
	return status.Error(codes.NotFound, "Leader info available")
}

func (o *oldLeader) Append(call pb.Streams_AppendServer) error           { return o.refuse(call) }
func (o *oldLeader) BatchAppend(call pb.Streams_BatchAppendServer) error { return o.refuse(call) }

// A store follows the leader, with what it was about to append.
func TestLeaderChanges(t *testing.T) {
	for name, batches := range map[string]bool{"batches": true, "single appends": false} {
		t.Run(name, func(t *testing.T) {
			server := eventstoretest.Start(t)
			old := &oldLeader{batches: batches}
			var err error
			if old.host, old.port, err = net.SplitHostPort(server.Addr); err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			node := grpc.NewServer()
			pb.RegisterStreamsServer(node, old)
			features.RegisterServerFeaturesServer(node, old)
			ended := make(chan error, 1)
			go func() { ended <- node.Serve(l) }()
			t.Cleanup(func() {
				node.Stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
			s := open(t, "esdb://"+l.Addr().String()+"?tls=false", eventstoredb.Options{Patience: long})
			if r := mustAppend(t, s, "leader-1", streams.NoStream, made(0)); r.Revision != 0 || r.Repeated {
				t.Errorf("got %+v", r)
			}
			if head, err := server.Log().Head(t.Context()); err != nil || head == 0 {
				t.Errorf("the leader's log ends at %d, %v", head, err)
			}
		})
	}
}
