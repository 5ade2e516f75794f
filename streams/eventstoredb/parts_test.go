package eventstoredb

import (
	"errors"
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"strata/streams"
)

func TestFaults(t *testing.T) {
	plain := status.Error(codes.FailedPrecondition, "because")
	if err := fault(plain, metadata.Pairs("exception", "stream-deleted", "stream-name", "a-1")); !errors.Is(err, streams.ErrTombstoned) {
		t.Errorf("a deleted stream: %v", err)
	}
	for actual, want := range map[string]int64{"7": 7, "": -1} {
		wrong, is := errors.AsType[*streams.WrongRevision](fault(plain, metadata.Pairs("exception", "wrong-expected-version", "actual-version", actual)))
		if !is || int64(wrong.Actual) != want {
			t.Errorf("a wrong version %q: %v", actual, wrong)
		}
	}
	if err := fault(plain, metadata.Pairs("exception", "maximum-append-size-exceeded")); !errors.Is(err, streams.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for message, want := range map[string]error{"grpc: received message larger than max (1 vs. 2)": streams.ErrTooLarge, "no space left on device": streams.ErrFull} {
		if err := fault(status.Error(codes.ResourceExhausted, message), nil); !errors.Is(err, want) {
			t.Errorf("%s: %v", message, err)
		}
	}
	if err := fault(plain, nil); err != plain {
		t.Errorf("what is not known became %v", err)
	}
	for code, want := range map[codes.Code]bool{codes.Unavailable: true, codes.Aborted: true, codes.PermissionDenied: false, codes.InvalidArgument: false} {
		if again, _ := lost(t.Context(), status.Error(code, "")); again != want {
			t.Errorf("%s is tried again: %v", code, again)
		}
	}
}

func TestPick(t *testing.T) {
	member := func(state gossip.MemberInfo_VNodeState, alive bool, port uint32) *gossip.MemberInfo {
		return &gossip.MemberInfo{State: state, IsAlive: alive, HttpEndPoint: &gossip.EndPoint{Address: "h", Port: port}}
	}
	leader, follower, replica := member(gossip.MemberInfo_Leader, true, 1), member(gossip.MemberInfo_Follower, true, 2), member(gossip.MemberInfo_ReadOnlyReplica, true, 3)
	dead, catching := member(gossip.MemberInfo_Leader, false, 4), member(gossip.MemberInfo_CatchingUp, true, 5)
	all := []*gossip.MemberInfo{dead, catching, follower, replica, leader, {State: gossip.MemberInfo_Leader, IsAlive: true}}
	for preference, want := range map[esdb.NodePreference]*gossip.MemberInfo{
		esdb.NodePreferenceLeader: leader, esdb.NodePreferenceFollower: follower, esdb.NodePreferenceReadOnlyReplica: replica,
	} {
		if got := pick(all, preference); got != want {
			t.Errorf("%s: got %v", preference, got)
		}
	}
	if got := pick([]*gossip.MemberInfo{dead, catching, follower}, esdb.NodePreferenceLeader); got != follower {
		t.Errorf("without a leader: got %v", got)
	}
	if got := pick([]*gossip.MemberInfo{dead, catching}, esdb.NodePreferenceRandom); got != nil {
		t.Errorf("without anybody: got %v", got)
	}
}

// What the server filters lets through everything that matches.
func TestServerFilter(t *testing.T) {
	for _, test := range []struct {
		filter *streams.Filter
		stream []string // prefixes, or
		types  []string
	}{
		{nil, nil, nil},
		{&streams.Filter{Workspace: "ws"}, nil, nil},
		{&streams.Filter{Categories: []string{"a", "b"}, Types: []string{"t"}}, []string{"a", "b"}, nil},
		{&streams.Filter{Categories: []string{"$$a"}}, []string{"$$a", "a"}, nil},
		{&streams.Filter{Types: []string{"t"}, TypePrefixes: []string{"u."}}, nil, []string{"t", "u."}},
		{&streams.Filter{TypePrefixes: []string{""}}, nil, nil},
		{&streams.Filter{Categories: []string{""}}, nil, nil},
	} {
		got := serverFilter(test.filter)
		if !slices.Equal(got.GetStreamIdentifier().GetPrefix(), test.stream) || !slices.Equal(got.GetEventType().GetPrefix(), test.types) {
			t.Errorf("%+v is sent as %v", test.filter, got)
		}
	}
}

func TestConnectionStrings(t *testing.T) {
	for _, url := range []string{"", "http://x", "esdb://", "esdb://host:port", "esdb://h?usercertfile=x"} {
		if _, err := parse(url); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
	for url, want := range map[string][]string{
		"esdb://h?tls=false": {"h:2113"}, "esdb://h1:1,h2:2": {"h1:1", "h2:2"}, "esdb+discover://u:p@h:7": {"h:7"},
	} {
		cfg, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		got, cluster := candidates(cfg)
		slices.Sort(got)
		if !slices.Equal(got, want) || cluster == (url == "esdb://h?tls=false") {
			t.Errorf("%s: %v, a cluster: %v", url, got, cluster)
		}
	}
}
