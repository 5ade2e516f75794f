package eventstoredb_test

import (
	"context"

	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Positions as a store under sparse sees them: far from each other, and none is 1.
const stride, first = 1000, 7

// sparse puts a store before a server whose positions have gaps, and which reads
// only from positions that are an event's: a log of our own has dense ones.
func sparse() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			err := call(ctx, method, req, reply, conn, opts...)
			widen(reply)
			return err
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			s, err := open(ctx, d, conn, method, opts...)
			return &sparseStream{s}, err
		}),
	}
}

type sparseStream struct{ grpc.ClientStream }

// SendMsg implements grpc.ClientStream.
func (s *sparseStream) SendMsg(m any) error {
	if r, ok := m.(*pb.ReadReq); ok && r.GetOptions().GetAll().GetPosition() != nil {
		r = proto.Clone(r).(*pb.ReadReq) // it may be sent again
		p := r.GetOptions().GetAll().GetPosition()
		if p.CommitPosition%stride != first || p.PreparePosition != p.CommitPosition {
			return status.Errorf(codes.InvalidArgument, "no record begins at %d", p.CommitPosition)
		}
		p.CommitPosition /= stride
		p.PreparePosition = p.CommitPosition
		m = r
	}
	return s.ClientStream.SendMsg(m)
}

// RecvMsg implements grpc.ClientStream.
func (s *sparseStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	widen(m)
	return err
}

// widen changes every position of the log in what a server says.
func widen(m any) {
	switch m := m.(type) {
	case *pb.ReadResp:
		widenRead(m)
	case *pb.AppendResp:
		wide(m.GetSuccess().GetPosition())
	case *pb.BatchAppendResp:
		wide(m.GetSuccess().GetPosition())
	case *pb.DeleteResp:
		wide(m.GetPosition())
	case *pb.TombstoneResp:
		wide(m.GetPosition())
	}
}

func widenRead(m *pb.ReadResp) {
	wide(m.GetCheckpoint())
	e := m.GetEvent()
	if p, ok := e.GetPosition().(*pb.ReadResp_ReadEvent_CommitPosition); ok {
		p.CommitPosition = p.CommitPosition*stride + first
	}
	for _, r := range []*pb.ReadResp_ReadEvent_RecordedEvent{e.GetEvent(), e.GetLink()} {
		wide(r)
	}
}

// wide changes the position that a message of the protocol bears; nil has none.
func wide(m proto.Message) {
	r := m.ProtoReflect()
	if !r.IsValid() {
		return
	}
	for _, name := range []string{"commit_position", "prepare_position"} {
		f := r.Descriptor().Fields().ByName(protoreflect.Name(name))
		v := r.Get(f).Uint()
		r.Set(f, protoreflect.ValueOfUint64(v*stride+first))
	}
}
