package eventstoredb_test

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"strata/domain"
	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/eventstoredb"
)

// mortal makes a store whose process dies right after the server has deleted a
// stream for it: nothing that it sends after that arrives.
func mortal() []grpc.DialOption {
	var dead atomic.Bool
	died := status.Error(codes.PermissionDenied, "the process is dead")
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if dead.Load() {
				return died
			}
			err := call(ctx, method, req, reply, conn, opts...)
			if method == pb.Streams_Delete_FullMethodName && err == nil {
				dead.Store(true)
			}
			return err
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			if dead.Load() {
				return nil, died
			}
			return open(ctx, d, conn, method, opts...)
		}),
	}
}

// A stream's metadata outlives its deletion by a process that dies before it
// could set it again.
func TestDeletionCutShort(t *testing.T) {
	server := eventstoretest.Start(t)
	s := open(t, server.URL(), eventstoredb.Options{Patience: long})
	revived := map[string]domain.Revision{"counted": 2}
	for name, want := range map[string]streams.Meta{
		"counted":   {MaxCount: 7},
		"truncated": {TruncateBefore: 1, MaxCount: 9, Custom: map[string]any{"owner": "me", "limits": map[string]any{"n": 1.5}}},
	} {
		t.Run(name, func(t *testing.T) {
			stream := domain.Stream("cut", name)
			mustAppend(t, s, stream, streams.NoStream, made(1), made(2))
			if err := s.SetStreamMeta(within(t, long), stream, want); err != nil {
				t.Fatal(err)
			}
			dying := open(t, server.URL(), eventstoredb.Dialing(eventstoredb.Options{Patience: long}, mortal()...))
			if err := eventstoredb.AppendSingly(t.Context(), dying); err != nil { // no stream of batches is open that outlives it
				t.Fatal(err)
			}
			_, _ = dying.Delete(within(t, long), stream, streams.Any) // nobody is there to hear the answer
			check := func() {
				t.Helper()
				if got, err := s.StreamMeta(within(t, long), stream); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("metadata is %+v, %v, want %+v", got, err, want)
				}
			}
			if _, err := s.Delete(within(t, long), stream, streams.Any); !errors.Is(err, streams.ErrStreamNotFound) {
				t.Errorf("the stream is deleted, and deleting it again says %v", err)
			}
			check()
			// Nobody has noted what was deleted and what was asked to be hidden:
			// once the stream goes on, all of it counts as asked.
			want.TruncateBefore = max(want.TruncateBefore, revived[name])
			if r := mustAppend(t, s, stream, streams.NoStream, made(3)); r.Revision != 2 {
				t.Errorf("begun anew, the stream goes on with %+v", r)
			}
			check()
		})
	}
}

// forgetful puts a store before a server that drops a stream's metadata when it
// deletes the stream, as EventStoreDB does: our own keeps it.
func forgetful() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := call(ctx, method, req, reply, conn, opts...)
		if method != pb.Streams_Delete_FullMethodName || err != nil {
			return err
		}
		return dropMetadata(ctx, pb.NewStreamsClient(conn), string(req.(*pb.DeleteReq).GetOptions().GetStreamIdentifier().GetStreamName()))
	})
}

// dropMetadata leaves of a stream's metadata that it is deleted.
func dropMetadata(ctx context.Context, client pb.StreamsClient, stream string) error {
	call, err := client.Append(ctx)
	if err != nil {
		return err
	}
	id := domain.NewEventID()
	for _, m := range []*pb.AppendReq{
		{Content: &pb.AppendReq_Options_{Options: &pb.AppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("$$" + stream)},
			ExpectedStreamRevision: &pb.AppendReq_Options_Any{Any: &shared.Empty{}},
		}}},
		{Content: &pb.AppendReq_ProposedMessage_{ProposedMessage: &pb.AppendReq_ProposedMessage{
			Id:       &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}},
			Metadata: map[string]string{"type": streams.TypeMetadata, "content-type": "application/json"},
			Data:     []byte(`{"$tb":9223372036854775807}`),
		}}},
	} {
		if err := call.Send(m); err != nil {
			return err
		}
	}
	_, err = call.CloseAndRecv()
	return err
}
