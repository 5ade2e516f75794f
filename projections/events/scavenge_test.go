package events_test

import (
	"fmt"
	"testing"
	"time"

	"strata/domain"
	"strata/projections/events"
	"strata/projections/projectionstest"
	"strata/streams"
	"strata/streams/embedded"
)

// A log that was scavenged leaves the trail right: what it forgot is counted.
func TestVerifyAfterAScavenge(t *testing.T) {
	log, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	codec, err := streams.NewCodec(facts(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var head domain.Position
	for i := range 60 {
		p, err := codec.Encode(domain.NewEventID(), fact{Type: "app.created.v1"}, projectionstest.Meta("ws_1", i))
		if err != nil {
			t.Fatal(err)
		}
		done, err := log.Append(t.Context(), domain.StreamID(fmt.Sprintf("app-app_%d", i%3)), streams.Any, p)
		if err != nil {
			t.Fatal(err)
		}
		head = done.Position
	}
	runner := projectionstest.StartIn(t, t.TempDir(), log, codec, 7, events.New(facts()))
	if err := runner.WaitLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lag, err := runner.Wait(t.Context(), events.Name, head); err != nil || lag > 0 {
		t.Fatal(lag, err)
	}
	db, err := runner.Reader(events.Name)
	if err != nil {
		t.Fatal(err)
	}
	r := events.NewReader(db, log, codec, nil)
	before, err := r.Verify(t.Context(), "ws_1", time.Time{}, time.Time{})
	if err != nil || before.Broken != nil || before.Checked != 60 {
		t.Fatalf("%+v, %v", before, err)
	}
	if _, err := log.Delete(t.Context(), "app-app_0", streams.Any); err != nil {
		t.Fatal(err)
	}
	if err := log.SetStreamMeta(t.Context(), "app-app_1", streams.Meta{TruncateBefore: 5}); err != nil {
		t.Fatal(err)
	}
	if report, err := log.Scavenge(t.Context(), embedded.ScavengeOptions{}); err != nil || report.Removed != 25 {
		t.Fatalf("%+v, %v", report, err)
	}
	after, err := r.Verify(t.Context(), "ws_1", time.Time{}, time.Time{})
	if err != nil || after.Broken != nil || after.Checked != 60 || after.Gone != 25 || after.Head != before.Head {
		t.Errorf("%+v %+v, %v", after, after.Broken, err)
	}
}
