package eventstore_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"

	"strata/internal/eventstore"
	"strata/internal/eventstore/eventstoretest"
)

// told writes what a subscription says as words: "name@position", "c@position"
// for a checkpoint, "caught up".
func told(e *esdb.SubscriptionEvent) string {
	switch {
	case e.EventAppeared != nil:
		ev := e.EventAppeared.OriginalEvent()
		return fmt.Sprintf("%s@%d", ev.StreamID, ev.Position.Commit)
	case e.CheckPointReached != nil:
		return fmt.Sprintf("c@%d", e.CheckPointReached.Commit)
	case e.CaughtUp != nil:
		return "caught up"
	case e.SubscriptionDropped != nil:
		return "dropped: " + grpcCode(e.SubscriptionDropped.Error)
	}
	return "?"
}

func hear(sub *esdb.Subscription, n int) string {
	var out []string
	for range n {
		out = append(out, told(sub.Recv()))
	}
	return strings.Join(out, " ")
}

func TestSubscribeToAll(t *testing.T) {
	_, c := start(t)
	ctx := background(t)
	for i := range 4 {
		mustAppend(t, c, fmt.Sprintf("a-%d", i), esdb.NoStream{}, event("made"))
	}
	for _, k := range []struct {
		from esdb.AllPosition
		want string
	}{
		{esdb.Start{}, "a-0@1 a-1@2 a-2@3 a-3@4 caught up"},
		{esdb.Position{Commit: 2, Prepare: 2}, "a-2@3 a-3@4 caught up"}, // behind the position
		{esdb.Position{Commit: 4, Prepare: 4}, "caught up"},
		{esdb.End{}, "caught up"},
	} {
		sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: k.from})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		if got := hear(sub, strings.Count(k.want, "@")+1); got != k.want {
			t.Errorf("from %v: %s, want %s", k.from, got, k.want)
		}
		defer func() {
			if got := hear(sub, 2); got != "live-1@5 $$live-1@6" {
				t.Errorf("from %v, live: %s", k.from, got)
			}
		}()
	}
	mustAppend(t, c, "live-1", esdb.NoStream{}, event("made"))
	setMeta(t, c, "live-1", esdb.StreamMetadata{})
}

// A subscription may begin behind a revision that is yet to come.
func TestSubscribeBehindTheEnd(t *testing.T) {
	_, c := start(t)
	mustAppend(t, c, "ahead-1", esdb.NoStream{}, events("made", 2)...)
	sub, err := c.SubscribeToStream(background(t), "ahead-1", esdb.SubscribeToStreamOptions{From: esdb.Revision(4)})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got := hear(sub, 1); got != "caught up" {
		t.Fatal(got)
	}
	mustAppend(t, c, "ahead-1", esdb.Any{}, events("more", 5)...)
	if e := sub.Recv(); e.EventAppeared == nil || e.EventAppeared.Event.EventNumber != 5 {
		t.Errorf("got %s, want revision 5", told(e))
	}
}

func TestFilteredSubscriptions(t *testing.T) {
	_, c := start(t)
	ctx := background(t)
	// Positions 1 to 20: "noise", of which 7 and 13 are "order-…".
	for i := 1; i <= 20; i++ {
		stream, typ := fmt.Sprintf("noise-%d", i), "noise"
		if i == 7 || i == 13 {
			stream, typ = fmt.Sprintf("order-%d", i), "placed"
		}
		mustAppend(t, c, stream, esdb.NoStream{}, event(typ))
	}
	filter := func(typ esdb.FilterType, regex string, prefixes ...string) *esdb.SubscriptionFilter {
		return &esdb.SubscriptionFilter{Type: typ, Regex: regex, Prefixes: prefixes}
	}
	const want = "c@5 order-7@7 c@10 order-13@13 c@15 c@20 caught up"
	for name, f := range map[string]*esdb.SubscriptionFilter{
		"stream prefix":           filter(esdb.StreamFilterType, "", "order-"),
		"stream prefix, no dash":  filter(esdb.StreamFilterType, "", "ord", "other-"),
		"stream prefix in a name": filter(esdb.StreamFilterType, "", "order-7", "order-13"),
		"stream regex":            filter(esdb.StreamFilterType, "^ord.*"),
		"type prefix":             filter(esdb.EventFilterType, "", "pla"),
		"type regex":              filter(esdb.EventFilterType, "l[a]ce"),
	} {
		sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: f, MaxSearchWindow: 5, CheckpointInterval: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := hear(sub, 7); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		defer sub.Close()
		defer func() {
			if got := hear(sub, 2); got != "order-7@24 c@25" {
				t.Errorf("%s, live: %s", name, got)
			}
		}()
	}
	sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{
		From: esdb.Position{Commit: 7, Prepare: 7}, Filter: filter(esdb.EventFilterType, "", "placed"), MaxSearchWindow: 32, CheckpointInterval: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got := hear(sub, 3); got != "order-13@13 c@20 caught up" {
		t.Errorf("from a position: %s", got)
	}
	for i := 21; i <= 23; i++ {
		mustAppend(t, c, fmt.Sprintf("noise-%d", i), esdb.NoStream{}, event("noise"))
	}
	mustAppend(t, c, "order-7", esdb.Any{}, event("placed"))
	mustAppend(t, c, "noise-25", esdb.NoStream{}, event("noise"))
	bad, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{Filter: filter(esdb.StreamFilterType, "(")})
	if err == nil {
		if got := hear(bad, 1); got != "dropped: InvalidArgument" {
			t.Errorf("an expression that is none: %s", got)
		}
	}
}

func TestLongGapsHaveFewCheckpoints(t *testing.T) {
	_, c := start(t)
	for range 4 {
		mustAppend(t, c, "noise-1", esdb.Any{}, events("noise", 500)...)
	}
	sub, err := c.SubscribeToAll(background(t), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, Filter: &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{"none"}}, MaxSearchWindow: 1, CheckpointInterval: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	last, n := uint64(0), 0
	for {
		e := sub.Recv()
		if e.CaughtUp != nil {
			break
		}
		if e.CheckPointReached == nil || e.CheckPointReached.Commit <= last {
			t.Fatalf("after a checkpoint at %d: %s", last, told(e))
		}
		last = e.CheckPointReached.Commit
		n++
	}
	if last != 2000 || n > 1000 {
		t.Errorf("%d checkpoints, the last at %d", n, last)
	}
}

// Many subscribers and writers at once: everybody hears every event once, in order.
func TestSubscriptionsUnderLoad(t *testing.T) {
	_, c := start(t)
	ctx := background(t)
	const writers, each, readers = 4, 50, 4
	var wg sync.WaitGroup
	for r := range readers {
		sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
		if r%2 == 1 {
			sub, err = c.SubscribeToStream(ctx, "load-0", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
		}
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer sub.Close()
			want := writers * each
			if r%2 == 1 {
				want = each
			}
			next := map[string]uint64{}
			for n := 0; n < want; {
				e := sub.Recv()
				if e.SubscriptionDropped != nil {
					t.Errorf("reader %d: %v", r, e.SubscriptionDropped.Error)
					return
				}
				if e.EventAppeared == nil {
					continue
				}
				ev := e.EventAppeared.Event
				if ev.EventNumber != next[ev.StreamID] {
					t.Errorf("reader %d: revision %d of %s, want %d", r, ev.EventNumber, ev.StreamID, next[ev.StreamID])
					return
				}
				next[ev.StreamID]++
				n++
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for range each {
				if _, err := c.AppendToStream(ctx, fmt.Sprintf("load-%d", w), esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, event("made")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestStopEndsSubscriptions(t *testing.T) {
	s, c := start(t)
	mustAppend(t, c, "stop-1", esdb.NoStream{}, event("made"))
	sub, err := c.SubscribeToAll(background(t), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got := hear(sub, 2); got != "stop-1@1 caught up" {
		t.Fatal(got)
	}
	s.Stop()
	if got := hear(sub, 1); got != "dropped: Unavailable" {
		t.Errorf("the subscription ended with %s", got)
	}
}

func TestCaughtUpSaysWhenAndWhere(t *testing.T) {
	s, c := start(t)
	mustAppend(t, c, "caught-1", esdb.NoStream{}, events("made", 3)...)
	client := pb.NewStreamsClient(dial(t, s.Addr))
	read := func(o *pb.ReadReq_Options) map[protowire.Number][]byte {
		t.Helper()
		o.CountOption = &pb.ReadReq_Options_Subscription{Subscription: &pb.ReadReq_Options_SubscriptionOptions{}}
		o.FilterOption = &pb.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
		o.UuidOption = &pb.ReadReq_Options_UUIDOption{Content: &pb.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}}
		call, err := client.Read(background(t), &pb.ReadReq{Options: o})
		if err != nil {
			t.Fatal(err)
		}
		for {
			m, err := call.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if m.GetCaughtUp() == nil {
				continue
			}
			fields := map[protowire.Number][]byte{}
			for b := m.GetCaughtUp().ProtoReflect().GetUnknown(); len(b) > 0; {
				number, _, n := protowire.ConsumeField(b)
				_, _, tag := protowire.ConsumeTag(b)
				fields[number], b = b[tag:n], b[n:]
			}
			return fields
		}
	}
	fields := read(&pb.ReadReq_Options{StreamOption: &pb.ReadReq_Options_Stream{Stream: &pb.ReadReq_Options_StreamOptions{
		StreamIdentifier: eventstore.StreamIdentifier("caught-1"), RevisionOption: &pb.ReadReq_Options_StreamOptions_Start{},
	}}})
	if rev, _ := protowire.ConsumeVarint(fields[2]); rev != 2 || len(fields[1]) == 0 {
		t.Errorf("caught up with a stream: %v", fields)
	}
	fields = read(&pb.ReadReq_Options{StreamOption: &pb.ReadReq_Options_All{All: &pb.ReadReq_Options_AllOptions{AllOption: &pb.ReadReq_Options_AllOptions_Start{}}}})
	if len(fields[1]) == 0 || len(fields[3]) == 0 || fields[2] != nil {
		t.Errorf("caught up with everything: %v", fields)
	}
	call, err := client.Read(background(t), &pb.ReadReq{Options: &pb.ReadReq_Options{}})
	if err == nil {
		_, err = call.Recv()
	}
	if grpcCode(err) != "InvalidArgument" {
		t.Errorf("a read without options: %v", err)
	}
}

func TestGossipAndFeatures(t *testing.T) {
	s, _ := start(t)
	conn := dial(t, s.Addr)
	info, err := gossip.NewGossipClient(conn).Read(background(t), &shared.Empty{})
	if err != nil || len(info.Members) != 1 {
		t.Fatalf("%v, %v", info, err)
	}
	m := info.Members[0]
	if got := fmt.Sprintf("%s:%d", m.HttpEndPoint.Address, m.HttpEndPoint.Port); got != s.Addr || m.State != gossip.MemberInfo_Leader || !m.IsAlive || m.InstanceId == nil {
		t.Errorf("the member is %v", m)
	}
	features, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(background(t), &shared.Empty{})
	if err != nil || len(strings.Split(features.EventStoreServerVersion, ".")) != 3 || len(features.Methods) < 5 {
		t.Errorf("%v, %v", features, err)
	}
	c := connect(t, "esdb+discover://"+s.Addr+"?tls=false")
	mustAppend(t, c, "found-1", esdb.NoStream{}, event("made"))
	advertised, _ := start(t, eventstoretest.With(func(o *eventstore.Options) { o.Advertise = "log.example:2113" }))
	info, err = gossip.NewGossipClient(dial(t, advertised.Addr)).Read(background(t), &shared.Empty{})
	if err != nil || info.Members[0].HttpEndPoint.Address != "log.example" {
		t.Errorf("%v, %v", info, err)
	}
}

// An official client that does nothing is not cut off. It pings every ten seconds,
// so this takes most of a minute.
func TestIdleClientStaysConnected(t *testing.T) {
	if os.Getenv("STRATA_TEST_LONG") == "" {
		t.Skip("takes 45 seconds; set STRATA_TEST_LONG")
	}
	s, c := start(t)
	sub, err := c.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.End{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got := hear(sub, 1); got != "caught up" {
		t.Fatal(got)
	}
	<-time.After(45 * time.Second)
	mustAppend(t, connect(t, s.URL()), "idle-1", esdb.NoStream{}, event("made"))
	if got := hear(sub, 1); got != "idle-1@1" {
		t.Errorf("after a long silence: %s", got)
	}
}
