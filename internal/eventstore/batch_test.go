package eventstore_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"strata/internal/eventstore"
	"strata/internal/eventstore/eventstoretest"
)

// dial connects without an official client, for what theirs does not send.
func dial(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func message(id uuid.UUID, data string) *pb.BatchAppendReq_ProposedMessage {
	return &pb.BatchAppendReq_ProposedMessage{
		Id: eventstore.UUID(id, false), Data: []byte(data),
		Metadata: map[string]string{"type": "t", "content-type": "application/json"},
	}
}

func chunk(correlation uuid.UUID, stream string, final bool, messages ...*pb.BatchAppendReq_ProposedMessage) *pb.BatchAppendReq {
	return &pb.BatchAppendReq{
		CorrelationId: eventstore.UUID(correlation, false), IsFinal: final, ProposedMessages: messages,
		Options: &pb.BatchAppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
			ExpectedStreamPosition: &pb.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}},
		},
	}
}

// exchange sends messages over one call, ends it, and returns the answers by
// correlation id.
func exchange(t *testing.T, conn *grpc.ClientConn, messages ...*pb.BatchAppendReq) map[string]*pb.BatchAppendResp {
	t.Helper()
	call, err := pb.NewStreamsClient(conn).BatchAppend(background(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if err := call.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	out := map[string]*pb.BatchAppendResp{}
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		id := m.GetCorrelationId().GetString_()
		if out[id] != nil {
			t.Errorf("%s was answered twice", id)
		}
		out[id] = m
	}
}

func TestBatchAppendKeepsOrder(t *testing.T) {
	s, c := start(t)
	conn := dial(t, s.Addr)
	var list []*pb.BatchAppendReq
	for i := range 200 { // two events each, in two messages that others come between
		correlation := uuid.New()
		first := chunk(correlation, "batch-1", false, message(uuid.New(), fmt.Sprint(2*i)))
		second := chunk(correlation, "batch-1", true, message(uuid.New(), fmt.Sprint(2*i+1)))
		second.Options = nil
		list = append(list, first, second)
		if i > 0 { // the next one begins before the one before is complete
			n := len(list)
			list[n-3], list[n-2] = list[n-2], list[n-3]
		}
	}
	answers := exchange(t, conn, list...)
	if len(answers) != 200 {
		t.Fatalf("%d answers", len(answers))
	}
	for _, a := range answers {
		if a.GetSuccess() == nil || string(a.GetStreamIdentifier().GetStreamName()) != "batch-1" || a.GetAny() == nil {
			t.Fatalf("answered %v", a)
		}
	}
	got, err := readStream(t, c, "batch-1", readOptions())
	if err != nil || len(got) != 400 {
		t.Fatalf("%d events, %v", len(got), err)
	}
	for i, e := range got {
		if string(e.Event.Data) != fmt.Sprint(i) {
			t.Fatalf("revision %d holds %s", i, e.Event.Data)
		}
	}
}

func TestBatchAppendErrors(t *testing.T) {
	s, c := start(t, eventstoretest.With(func(o *eventstore.Options) { o.MaxAppendSize = 100 }))
	if _, err := c.TombstoneStream(background(t), "gone-1", tombstoneOptions()); err != nil {
		t.Fatal(err)
	}
	names := []string{"wrong", "gone", "large", "untyped", "late", "late timestamp", "no options", "in time"}
	byName := map[string]uuid.UUID{}
	for _, n := range names {
		byName[n] = uuid.New()
	}
	one := func(name, stream string) *pb.BatchAppendReq {
		return chunk(byName[name], stream, true, message(uuid.New(), "1"))
	}
	wrong := one("wrong", "some-1")
	wrong.Options.ExpectedStreamPosition = &pb.BatchAppendReq_Options_StreamPosition{StreamPosition: 7}
	large := one("large", "some-1")
	large.ProposedMessages[0].Data = make([]byte, 101)
	untyped := one("untyped", "some-1")
	delete(untyped.ProposedMessages[0].Metadata, "type")
	late := one("late", "some-1")
	late.Options.DeadlineOption = &pb.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(-time.Second)}
	lateAt := one("late timestamp", "some-1")
	lateAt.Options.DeadlineOption = &pb.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: timestamppb.New(time.Now().Add(-time.Second))}
	bare := one("no options", "some-1")
	bare.Options = nil
	inTime := one("in time", "some-1")
	inTime.Options.DeadlineOption = &pb.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(time.Hour)}
	answers := exchange(t, dial(t, s.Addr), wrong, one("gone", "gone-1"), large, untyped, late, lateAt, bare, inTime)
	for name, want := range map[string]struct {
		code   int32
		detail string
	}{
		"wrong":          {6, "WrongExpectedVersion"},
		"gone":           {5, "StreamDeleted"},
		"large":          {3, "MaximumAppendSizeExceeded"},
		"untyped":        {3, "BadRequest"},
		"late":           {4, "Timeout"},
		"late timestamp": {4, "Timeout"},
		"no options":     {3, "BadRequest"},
	} {
		a := answers[byName[name].String()]
		if e := a.GetError(); e == nil || e.Code != want.code || len(e.Details) != 1 ||
			e.Details[0].TypeUrl != "type.googleapis.com/event_store.client."+want.detail || a.GetStreamIdentifier() == nil {
			t.Errorf("%s: answered %v", name, a)
		}
	}
	if a := answers[byName["in time"].String()]; a.GetSuccess().GetCurrentRevision() != 0 || a.GetSuccess().GetPosition() == nil {
		t.Errorf("answered %v", a)
	}
	var detail shared.WrongExpectedVersion
	if err := answers[byName["wrong"].String()].GetError().Details[0].UnmarshalTo(&detail); err != nil ||
		detail.GetExpectedStreamPosition() != 7 || detail.GetCurrentNoStream() == nil {
		t.Errorf("detail %v, %v", &detail, err)
	}
	if st, err := s.Log().StreamState(background(t), "some-1"); err != nil || st.Last != 0 {
		t.Errorf("the stream is at %d, %v; only one append was to succeed", st.Last, err)
	}
}

func TestBatchAppendEndsWithTheServer(t *testing.T) {
	s, _ := start(t)
	call, err := pb.NewStreamsClient(dial(t, s.Addr)).BatchAppend(background(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := call.Send(chunk(uuid.New(), "last-1", true, message(uuid.New(), "1"))); err != nil {
		t.Fatal(err)
	}
	if a, err := call.Recv(); err != nil || a.GetSuccess() == nil {
		t.Fatalf("answered %v, %v", a, err)
	}
	s.Stop()
	if _, err := call.Recv(); grpcCode(err) != "Unavailable" {
		t.Errorf("the call ended with %v", err)
	}
}
