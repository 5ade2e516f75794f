package projections_test

import (
	"fmt"
	"testing"

	"strata/domain"
	"strata/domain/projection"
	"strata/projections"
	"strata/streams"
)

// discard records the decision to leave an event out of the tallies.
func (w *world) discard(at domain.Position) domain.Position {
	w.Helper()
	codec, err := streams.NewCodec(projection.Aggregate.Facts, nil, nil)
	if err != nil {
		w.Fatal(err)
	}
	return w.log.Write(w.T, codec, projection.Aggregate.Stream("tallies"), domain.Metadata{}, projection.EventDiscarded{Projection: "tallies", Position: at})
}

func TestADiscardedEventIsLeftOutForGood(t *testing.T) {
	w := newWorld(t)
	w.add("a", 1)
	w.addFailing("a", 2, "error") // position 2
	w.add("a", 3)
	w.addFailing("a", 4, "error") // position 4
	w.add("a", 5)
	w.start()
	w.caughtUp()
	w.expect("a", "1")
	if err := w.runner.Obeyed(t.Context(), w.discard(2)); err != nil {
		t.Fatal(err)
	}
	w.expect("a", "1,3") // what waited behind it goes on, up to the next that fails
	if got := w.parked(); len(got) != 2 || got[0].Position != 4 || got[0].Error == "" {
		t.Errorf("parked %+v", got)
	}
	w.stop()
	w.discard(4) // decided, and the process died before it was done
	w.start()
	w.expect("a", "1,3,5")
	if got := w.parked(); len(got) > 0 {
		t.Errorf("parked %+v", got)
	}
	w.rebuild(projections.RebuildOptions{})
	if got := w.rebuilt(projections.RebuildDone); got.LeftOut != 2 || got.Parked > 0 || len(got.Differences) > 0 {
		t.Errorf("%+v", got)
	}
	w.expect("a", "1,3,5")
	w.add("a", 6)
	w.caughtUp()
	w.expect("a", "1,3,5,6")
}

// What is decided while a rebuild runs holds for its rows, too.
func TestADiscardDuringARebuild(t *testing.T) {
	w := newWorld(t)
	w.addFailing("bad", 1, "error")
	for i := range 100 {
		w.add(fmt.Sprint(i%3), i)
	}
	w.start()
	w.caughtUp()
	w.model.mend() // the new rows would take the event
	slow := w.clock.blockAt(6)
	w.rebuild(projections.RebuildOptions{EventsPerSecond: 100})
	<-slow
	w.discard(1)
	w.stop()
	w.clock = &impatient{}
	w.start()
	got := w.rebuilt(projections.RebuildDone)
	w.expect("bad", "")
	if len(got.Differences) > 0 || got.LeftOut != 1 {
		t.Errorf("%+v", got)
	}
}

// shared is a model in which everything waits for everything.
type shared struct{ *tallies }

func (shared) Group(*streams.Recorded) string { return "all" }

func TestAGroupWaitsTogether(t *testing.T) {
	w := newWorld(t)
	w.add("a", 1)
	w.addFailing("a", 2, "error")
	w.add("b", 1)
	r, err := projections.Open(t.Context(), projections.Config{Dir: w.dir, Store: w.log, NoSync: true, Codec: w.codec, Clock: w.clock}, shared{w.model})
	if err != nil {
		t.Fatal(err)
	}
	w.runner = r
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	w.caughtUp()
	w.expect("a", "1")
	w.expect("b", "")
	w.model.mend()
	if got, err := r.Retry(t.Context(), "tallies", "tally-b"); err != nil || got.Applied != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	w.expect("a", "1,2")
	w.expect("b", "1")
}
