package eventstore_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"strata/internal/eventstore"
	"strata/internal/eventstore/eventstoretest"
)

// numbers lists the revisions of events.
func numbers(list []*esdb.ResolvedEvent) string {
	out := []uint64{}
	for _, e := range list {
		out = append(out, e.Event.EventNumber)
	}
	return fmt.Sprint(out)
}

func TestReadStreamForms(t *testing.T) {
	_, c := start(t)
	mustAppend(t, c, "forms-1", esdb.NoStream{}, events("made", 10)...)
	for _, k := range []struct {
		from  esdb.StreamPosition
		back  bool
		count uint64
		want  string
	}{
		{esdb.Start{}, false, math.MaxUint64, "[0 1 2 3 4 5 6 7 8 9]"},
		{esdb.Start{}, false, 3, "[0 1 2]"},
		{esdb.Revision(8), false, 10, "[8 9]"},
		{esdb.Revision(10), false, 10, "[]"},
		{esdb.Revision(math.MaxUint64 - 1), false, 10, "[]"},
		{esdb.End{}, false, 10, "[]"},
		{esdb.End{}, true, 3, "[9 8 7]"},
		{esdb.Revision(2), true, 10, "[2 1 0]"},
		{esdb.Revision(100), true, 2, "[9 8]"},
		{esdb.Start{}, true, 10, "[0]"},
		{esdb.Start{}, false, 0, "[]"},
	} {
		o := esdb.ReadStreamOptions{From: k.from, Direction: esdb.Forwards}
		if k.back {
			o.Direction = esdb.Backwards
		}
		list, err := drain(c.ReadStream(background(t), "forms-1", o, k.count))
		if err != nil || numbers(list) != k.want {
			t.Errorf("from %v backwards %t count %d: %s, %v; want %s", k.from, k.back, k.count, numbers(list), err, k.want)
		}
	}
}

func TestReadAllForms(t *testing.T) {
	_, c := start(t)
	var at []esdb.Position
	for i := range 5 {
		r := mustAppend(t, c, fmt.Sprintf("all-%d", i), esdb.NoStream{}, event("made"))
		at = append(at, esdb.Position{Commit: r.CommitPosition, Prepare: r.PreparePosition})
	}
	names := func(from esdb.AllPosition, back bool, count uint64) string {
		o := esdb.ReadAllOptions{From: from, Direction: esdb.Forwards}
		if back {
			o.Direction = esdb.Backwards
		}
		list, err := drain(c.ReadAll(background(t), o, count))
		if err != nil {
			t.Fatal(err)
		}
		out := []string{}
		for _, e := range list {
			out = append(out, e.Event.StreamID)
			if e.Commit == nil || *e.Commit != e.Event.Position.Commit || e.Event.Position.Prepare != e.Event.Position.Commit {
				t.Errorf("positions of %s: %v, %v", e.Event.StreamID, e.Commit, e.Event.Position)
			}
		}
		return fmt.Sprint(out)
	}
	for _, k := range []struct {
		from  esdb.AllPosition
		back  bool
		count uint64
		want  string
	}{
		{esdb.Start{}, false, 100, "[all-0 all-1 all-2 all-3 all-4]"},
		{esdb.Start{}, false, 2, "[all-0 all-1]"},
		{at[3], false, 100, "[all-3 all-4]"}, // the position itself is included
		{esdb.End{}, false, 100, "[]"},
		{esdb.End{}, true, 2, "[all-4 all-3]"},
		{at[2], true, 100, "[all-1 all-0]"}, // backwards it is not
		{esdb.Start{}, true, 100, "[]"},
	} {
		if got := names(k.from, k.back, k.count); got != k.want {
			t.Errorf("from %v backwards %t count %d: %s, want %s", k.from, k.back, k.count, got, k.want)
		}
	}
}

func TestDeleteAndRevive(t *testing.T) {
	s, c := start(t)
	ctx := background(t)
	mustAppend(t, c, "del-1", esdb.NoStream{}, events("made", 3)...)
	var meta esdb.StreamMetadata
	meta.SetMaxCount(100)
	meta.AddCustomProperty("owner", "me")
	setMeta(t, c, "del-1", meta)
	if _, err := c.DeleteStream(ctx, "del-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(7)}); code(err) != esdb.ErrorCodeUnknown {
		t.Errorf("delete at a wrong revision: %v", err)
	}
	r, err := c.DeleteStream(ctx, "del-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(2)})
	if err != nil || r.Position.Commit == 0 {
		t.Fatalf("answered %+v, %v", r, err)
	}
	if _, err := readStream(t, c, "del-1", esdb.ReadStreamOptions{}); code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("read of a deleted stream: %v", err)
	}
	list, err := readStream(t, c, "$$del-1", esdb.ReadStreamOptions{})
	if err != nil || len(list) != 1 || string(list[0].Event.Data) != `{"$maxCount":100,"$tb":9223372036854775807,"owner":"me"}` || list[0].Event.EventType != "$metadata" {
		t.Errorf("metadata of a deleted stream: %+v, %v", list, err)
	}
	s.Restart()
	setAgain := esdb.StreamMetadata{}
	setAgain.SetTruncateBefore(math.MaxInt64)
	setAgain.AddCustomProperty("owner", "you")
	setMeta(t, c, "del-1", setAgain)
	w := mustAppend(t, c, "del-1", esdb.NoStream{}, events("again", 2)...)
	if w.NextExpectedVersion != 4 {
		t.Errorf("append to a deleted stream answered %+v", w)
	}
	if list, err := readStream(t, c, "del-1", esdb.ReadStreamOptions{}); err != nil || numbers(list) != "[3 4]" {
		t.Errorf("the stream shows %s, %v", numbers(list), err)
	}
	got, err := c.GetStreamMetadata(ctx, "del-1", esdb.ReadStreamOptions{})
	if err != nil || got.TruncateBefore() == nil || *got.TruncateBefore() != 3 || got.CustomProperties()["owner"] != "you" {
		t.Errorf("metadata is %+v, %v", got, err)
	}
	s.Restart()
	if list, err := readStream(t, c, "del-1", esdb.ReadStreamOptions{}); err != nil || numbers(list) != "[3 4]" {
		t.Errorf("after a restart the stream shows %s, %v", numbers(list), err)
	}
	if _, err := c.DeleteStream(ctx, "never-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err == nil {
		t.Error("a stream that never was has been deleted")
	}
}

func setMeta(t *testing.T, c *esdb.Client, stream string, m esdb.StreamMetadata) {
	t.Helper()
	if _, err := c.SetStreamMetadata(background(t), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m); err != nil {
		t.Fatal(err)
	}
}

func TestTombstone(t *testing.T) {
	s, c := start(t)
	ctx := background(t)
	mustAppend(t, c, "tomb-1", esdb.NoStream{}, event("made"))
	sub, err := c.SubscribeToStream(ctx, "tomb-1", esdb.SubscribeToStreamOptions{From: esdb.End{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if e := sub.Recv(); e.CaughtUp == nil {
		t.Fatalf("got %+v", e)
	}
	r, err := c.TombstoneStream(ctx, "tomb-1", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Revision(0)})
	if err != nil || r.Position.Commit == 0 {
		t.Fatalf("answered %+v, %v", r, err)
	}
	if e := sub.Recv(); e.EventAppeared == nil || e.EventAppeared.Event.EventType != "$streamDeleted" || e.EventAppeared.Event.EventNumber != math.MaxInt64 {
		t.Errorf("the subscription got %+v", e)
	}
	if e := sub.Recv(); e.SubscriptionDropped == nil || grpcCode(e.SubscriptionDropped.Error) != "FailedPrecondition" {
		t.Errorf("the subscription got %+v", e)
	}
	s.Restart()
	for what, err := range map[string]error{
		"read":      second(readStream(t, c, "tomb-1", esdb.ReadStreamOptions{})),
		"metadata":  second(readStream(t, c, "$$tomb-1", esdb.ReadStreamOptions{})),
		"append":    second(c.AppendToStream(ctx, "tomb-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, event("more"))),
		"delete":    second(c.DeleteStream(ctx, "tomb-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})),
		"tombstone": second(c.TombstoneStream(ctx, "tomb-1", tombstoneOptions())),
	} {
		if code(err) != esdb.ErrorCodeStreamDeleted {
			t.Errorf("%s of a tombstoned stream: %v", what, err)
		}
	}
	list, err := drain(c.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.End{}, Direction: esdb.Backwards}, 1))
	if err != nil || len(list) != 1 || list[0].Event.StreamID != "tomb-1" || list[0].Event.EventType != "$streamDeleted" {
		t.Errorf("the whole log ends with %+v, %v", list, err)
	}
}

func second[A any](_ A, err error) error { return err }

func TestStreamMetadata(t *testing.T) {
	_, c := start(t)
	ctx := background(t)
	if _, err := c.GetStreamMetadata(ctx, "meta-1", esdb.ReadStreamOptions{}); code(errors.Unwrap(err)) != esdb.ErrorCodeResourceNotFound && code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("metadata of a stream that has none: %v", err)
	}
	var meta esdb.StreamMetadata
	meta.SetMaxCount(3)
	meta.SetCacheControl(5 * time.Second)
	acl := esdb.Acl{}
	acl.AddReadRoles("admin")
	meta.SetAcl(acl)
	meta.AddCustomProperty("k", "v")
	setMeta(t, c, "meta-1", meta)
	got, err := c.GetStreamMetadata(ctx, "meta-1", esdb.ReadStreamOptions{})
	if err != nil || got.MaxCount() == nil || *got.MaxCount() != 3 || got.CacheControl() == nil || got.StreamAcl() == nil || got.CustomProperties()["k"] != "v" {
		t.Errorf("metadata is %+v, %v", got, err)
	}
	mustAppend(t, c, "meta-1", esdb.NoStream{}, events("made", 10)...)
	if list, err := readStream(t, c, "meta-1", esdb.ReadStreamOptions{}); err != nil || numbers(list) != "[7 8 9]" {
		t.Errorf("the stream shows %s, %v", numbers(list), err)
	}
	setMeta(t, c, "meta-1", esdb.StreamMetadata{})
	list, err := readStream(t, c, "$$meta-1", esdb.ReadStreamOptions{From: esdb.Start{}})
	if err != nil || numbers(list) != "[1]" {
		t.Errorf("the metadata stream shows %s, %v; the last event only was to be seen", numbers(list), err)
	}
	for _, bad := range []string{`{"$maxCount":-1}`, `{"$maxAge":-1}`, `{"$tb":-5}`, `not JSON`, `[1]`, `{"$acl":7}`, `{"$deletedBefore":1}`, `{"$maxAge":99999999999999}`} {
		e := event("$metadata")
		e.Data = []byte(bad)
		_, err := c.AppendToStream(ctx, "$$meta-2", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
		if grpcCode(errors.Unwrap(err)) != "InvalidArgument" {
			t.Errorf("metadata %s: %v", bad, err)
		}
	}
	mustAppend(t, c, "meta-2", esdb.NoStream{}, event("made"))
}

func linkTo(target string) esdb.EventData {
	return esdb.EventData{EventID: uuid.New(), EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte(target)}
}

func TestLinks(t *testing.T) {
	_, c := start(t)
	ctx := background(t)
	mustAppend(t, c, "target-1", esdb.NoStream{}, events("made", 2)...)
	mustAppend(t, c, "target@2", esdb.NoStream{}, event("made"))
	mustAppend(t, c, "gone-1", esdb.NoStream{}, event("made"))
	mustAppend(t, c, "links-1", esdb.NoStream{}, linkTo("1@target-1"), linkTo("0@target@2"), linkTo("0@gone-1"), linkTo("9@target-1"), linkTo("no link"), event("plain"))
	if _, err := c.DeleteStream(ctx, "gone-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
	list, err := readStream(t, c, "links-1", esdb.ReadStreamOptions{ResolveLinkTos: true})
	if err != nil || len(list) != 6 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for i, want := range []string{"1@target-1", "0@target@2", "", "", ""} {
		e := list[i]
		got := ""
		if e.Event != nil {
			got = fmt.Sprintf("%d@%s", e.Event.EventNumber, e.Event.StreamID)
		}
		if e.Link == nil || e.Link.EventNumber != uint64(i) || got != want || e.Commit == nil || *e.Commit != e.Link.Position.Commit {
			t.Errorf("link %d: %+v", i, e)
		}
	}
	if list[5].Link != nil || list[5].Event.EventType != "plain" {
		t.Errorf("an event that is no link: %+v", list[5])
	}
	if list, err = readStream(t, c, "links-1", esdb.ReadStreamOptions{}); err != nil || list[0].Link != nil || list[0].Event.EventType != "$>" {
		t.Errorf("links that are not to be resolved: %+v, %v", list, err)
	}
	sub, err := c.SubscribeToStream(ctx, "links-1", esdb.SubscribeToStreamOptions{From: esdb.Start{}, ResolveLinkTos: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if e := sub.Recv(); e.EventAppeared == nil || e.EventAppeared.Event.StreamID != "target-1" || e.EventAppeared.Link == nil {
		t.Errorf("the subscription got %+v", e)
	}
}

func TestAppendErrors(t *testing.T) {
	s, c := start(t, eventstoretest.With(func(o *eventstore.Options) { o.MaxAppendSize = 1000 }))
	ctx := background(t)
	large := event("large")
	large.Data = make([]byte, 600)
	other := large
	other.EventID = uuid.New()
	if _, err := c.AppendToStream(ctx, "e-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, large, other); grpcCode(errors.Unwrap(err)) != "InvalidArgument" {
		t.Errorf("too large an append: %v", err)
	}
	mustAppend(t, c, "e-1", esdb.NoStream{}, large)
	if _, err := c.AppendToStream(ctx, "e-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, event("made")); code(err) != esdb.ErrorCodeWrongExpectedVersion {
		t.Errorf("a wrong revision: %v", err)
	}
	client := pb.NewStreamsClient(dial(t, s.Addr))
	call := func(first *pb.AppendReq, more ...*pb.AppendReq) (*pb.AppendResp, metadata.MD, error) {
		stream, err := client.Append(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range append([]*pb.AppendReq{first}, more...) {
			if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		resp, err := stream.CloseAndRecv()
		return resp, stream.Trailer(), err
	}
	proposed := func(id uuid.UUID, properties map[string]string) *pb.AppendReq {
		return &pb.AppendReq{Content: &pb.AppendReq_ProposedMessage_{ProposedMessage: &pb.AppendReq_ProposedMessage{
			Id: eventstore.UUID(id, true), Metadata: properties,
		}}}
	}
	good := map[string]string{"type": "t", "content-type": "application/json"}
	options := func(stream string, o *pb.AppendReq_Options) *pb.AppendReq {
		o.StreamIdentifier = eventstore.StreamIdentifier("")
		o.StreamIdentifier.StreamName = []byte(stream)
		return &pb.AppendReq{Content: &pb.AppendReq_Options_{Options: o}}
	}
	anyVersion := &pb.AppendReq_Options{ExpectedStreamRevision: &pb.AppendReq_Options_Any{}}
	for what, err := range map[string]error{
		"no options":         third(call(proposed(uuid.New(), good))),
		"no expectation":     third(call(options("e-2", &pb.AppendReq_Options{}), proposed(uuid.New(), good))),
		"no stream":          third(call(options("", anyVersion), proposed(uuid.New(), good))),
		"not UTF-8":          third(call(options("a\xff", anyVersion), proposed(uuid.New(), good))),
		"options twice":      third(call(options("e-2", anyVersion), options("e-2", anyVersion))),
		"zero id":            third(call(options("e-2", anyVersion), proposed(uuid.Nil, good))),
		"a name too long":    third(call(options(string(make([]byte, 2000)), anyVersion), proposed(uuid.New(), good))),
		"metadata's stream":  third(call(options("$$e-2", anyVersion), proposed(uuid.New(), good))),
		"store's own type":   third(call(options("e-2", anyVersion), proposed(uuid.New(), map[string]string{"type": "$streamDeleted", "content-type": "application/json"}))),
		"no type":            third(call(options("e-2", anyVersion), proposed(uuid.New(), map[string]string{"content-type": "application/json"}))),
		"metadata's of both": third(call(options("$$$$e-2", anyVersion), proposed(uuid.New(), map[string]string{"type": "$metadata", "content-type": "application/json"}))),
	} {
		if grpcCode(err) != "InvalidArgument" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, trailer, _ := call(options("e-2", anyVersion), proposed(uuid.New(), map[string]string{"type": "t"}))
	if got := trailer.Get("exception"); len(got) != 1 || got[0] != "missing-required-metadata-property" {
		t.Errorf("trailers %v", trailer)
	}
	resp, _, err := call(options("e-1", &pb.AppendReq_Options{ExpectedStreamRevision: &pb.AppendReq_Options_Revision{Revision: 9}}), proposed(uuid.New(), good))
	if w := resp.GetWrongExpectedVersion(); err != nil || w.GetExpectedRevision() != 9 || w.GetExpectedRevision_20_6_0() != 9 || w.GetCurrentRevision() != 0 || w.GetCurrentRevisionOption() == nil {
		t.Errorf("answered %v, %v", resp, err)
	}
	resp, _, err = call(options("e-9", anyVersion))
	if ok := resp.GetSuccess(); err != nil || ok.GetNoStream() == nil || ok.GetNoPosition() == nil {
		t.Errorf("no events: answered %v, %v", resp, err)
	}
	var md metadata.MD
	_, err = client.Delete(ctx, &pb.DeleteReq{Options: &pb.DeleteReq_Options{
		StreamIdentifier: eventstore.StreamIdentifier("e-1"), ExpectedStreamRevision: &pb.DeleteReq_Options_NoStream{},
	}}, grpc.Trailer(&md))
	if grpcCode(err) != "FailedPrecondition" || md.Get("exception")[0] != "wrong-expected-version" || md.Get("expected-version")[0] != "-1" || md.Get("actual-version")[0] != "0" {
		t.Errorf("delete at a wrong revision: %v, %v", err, md)
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }
