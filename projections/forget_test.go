package projections_test

import (
	"context"
	"log/slog"
	"testing"

	"strata/domain"
	"strata/projections"
	"strata/projections/projectionstest"
)

// forgetful are tallies that can be held up while they forget.
type forgetful struct {
	*tallies
	begun, goOn, unhindered chan struct{}
}

func (m forgetful) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	select {
	case m.begun <- struct{}{}:
		<-m.goOn
	case <-m.unhindered:
	}
	_, err := tx.Exec(ctx, "DELETE FROM tallies WHERE stream = ?", string(stream))
	return err
}

// A rebuild that is cancelled while people are erased takes its file away when
// nobody is being erased from it, and nobody is afterwards.
func TestCancelledWhileForgetting(t *testing.T) {
	w := newWorld(t)
	w.add("a", 1, 2, 3)
	w.add("b", 4, 5, 6)
	m := forgetful{tallies: w.model, begun: make(chan struct{}), goOn: make(chan struct{}), unhindered: make(chan struct{})}
	cancelling := newGate("rebuild was cancelled")
	var err error
	w.runner, err = projections.Open(t.Context(), projections.Config{Dir: w.dir, Store: w.log, NoSync: true, Codec: w.codec, Clock: w.clock,
		Logger: slog.New(cancelling), BatchSize: 7}, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.runner.Start(); err != nil {
		t.Fatal(err)
	}
	projectionstest.WaitFor(t, w.runner, w.log, "tallies")
	waiting := w.clock.blockAt(1)
	w.rebuild(projections.RebuildOptions{EventsPerSecond: 1})
	<-waiting
	const erasures = 8
	forgot, cancelled := make(chan error, erasures), make(chan error)
	for range erasures {
		go func() {
			forgot <- w.runner.Forget(t.Context(), projections.Traces{Streams: map[domain.StreamID]bool{domain.Stream("tally", "a"): true}})
		}()
	}
	<-m.begun // one of them in the shadow; the others will find it gone
	go func() { cancelled <- w.runner.CancelRebuild(t.Context(), "tallies") }()
	<-cancelling.reached
	close(cancelling.open)
	m.goOn <- struct{}{}
	<-m.begun // in the living file
	if err := <-cancelled; err != nil {
		t.Errorf("cancel: %v", err)
	}
	m.goOn <- struct{}{}
	close(m.unhindered)
	for range erasures {
		if err := <-forgot; err != nil {
			t.Errorf("forget: %v", err)
		}
	}
	w.rebuilt(projections.RebuildCancelled)
	w.files("tallies-v1.db")
	w.expect("a", "1,2,3")
	w.expect("b", "4,5,6")
}
