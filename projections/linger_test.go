package projections_test

import (
	"testing"
	"time"

	"strata/domain"
	"strata/projections"
	"strata/projections/projectionstest"
)

// stopped is a clock on which no wait ends by itself; it tells of each that begins.
type stopped struct {
	impatient
	began chan chan time.Time
}

func (c *stopped) After(time.Duration) <-chan time.Time {
	over := make(chan time.Time, 1)
	c.began <- over
	return over
}

func TestLiveEventsAreGathered(t *testing.T) {
	w, clock := newWorld(t), &stopped{began: make(chan chan time.Time, 100)}
	r, err := projections.Open(t.Context(), projections.Config{Dir: w.dir, Store: w.log, NoSync: true, Codec: w.codec,
		Clock: clock, Linger: time.Second}, w.model)
	if err != nil {
		t.Fatal(err)
	}
	w.runner = r
	commits := make(chan int, 100)
	r.OnCommit(func(_ string, events []domain.Event) { commits <- len(events) })
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitLive(t.Context()); err != nil {
		t.Fatal(err)
	}

	(<-clock.began) <- time.Time{} // of the first look, which found nothing
	w.add("a", 1)
	over := <-clock.began
	if n := <-commits; n != 1 {
		t.Fatalf("the first event after a quiet time was committed with %d", n)
	}
	w.add("a", 2, 3, 4)
	over <- time.Time{}
	if n := <-commits; n != 3 {
		t.Errorf("%d events were gathered, not 3", n)
	}
	<-clock.began
	w.add("a", 5) // nobody lets this wait end but who wants the event
	projectionstest.WaitFor(t, r, w.log, "tallies")
	w.expect("a", "1,2,3,4,5")
}
