package eventstore_test

import (
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/protobuf/encoding/protowire"

	"strata/internal/eventstore"
	"strata/internal/eventstore/eventstoretest"
)

func TestScavengeOverTheProtocol(t *testing.T) {
	s, c := start(t)
	mustAppend(t, c, "old-1", esdb.NoStream{}, events("made", 5)...)
	if _, err := c.DeleteStream(background(t), "old-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, s.Addr)
	const service = "/event_store.client.operations.Operations/"
	out := &shared.Empty{}
	if err := conn.Invoke(background(t), service+"StartScavenge", &shared.Empty{}, out); err != nil {
		t.Fatal(err)
	}
	fields := out.ProtoReflect().GetUnknown()
	number, _, n := protowire.ConsumeTag(fields)
	id, m := protowire.ConsumeString(fields[n:])
	if number != 1 || id == "" {
		t.Errorf("answered %q", fields)
	}
	if rest := fields[n+m:]; len(rest) != 2 || rest[1] != 0 { // started
		t.Errorf("answered %q", fields)
	}
	waitFor(t, func() bool {
		r, ok, err := s.Log().LastScavenge()
		return err == nil && ok && r.Removed == 5
	})
	if err := conn.Invoke(background(t), service+"StopScavenge", &shared.Empty{}, out); grpcCode(err) != "NotFound" {
		t.Errorf("nothing to stop: %v", err)
	}
}

func TestScavengeNeedsAnOperator(t *testing.T) {
	// Without TLS no client sends a password: everybody is nobody.
	s := eventstoretest.Start(t, eventstoretest.With(func(o *eventstore.Options) { o.Users = true }))
	err := dial(t, s.Addr).Invoke(background(t), "/event_store.client.operations.Operations/StartScavenge", &shared.Empty{}, &shared.Empty{})
	if grpcCode(err) != "PermissionDenied" {
		t.Errorf("answered %v", err)
	}
}

// waitFor waits until something holds of which there is no signal.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	ctx := background(t)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("it did not happen")
		}
	}
}
