package projections_test

import (
	"context"
	"errors"
	"testing"

	"strata/domain"
	"strata/streams"
)

func TestAFailingEventParksItsStreamOnly(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			w.add("a", 1)
			w.add("b", 1)
			w.addFailing("a", 2, how)
			w.add("b", 2)
			w.add("a", 3)
			w.start()
			w.caughtUp()
			w.add("a", 4)
			w.add("b", 3)
			w.caughtUp()
			w.expect("a", "1")
			w.expect("b", "1,2,3")

			got := w.parked()
			if len(got) != 3 || got[0].Position != 3 || got[1].Position != 5 || got[2].Position != 6 {
				t.Fatalf("parked %+v", got)
			}
			if got[0].Error == "" || got[1].Error != "" || got[0].Stream != "tally-a" || !got[0].At.Equal(w.clock.Now()) {
				t.Errorf("parked %+v", got)
			}
			if s := w.status(); s.Parked != 3 || s.Lag != 0 {
				t.Errorf("status %+v", s)
			}
			if len(w.clock.waits) != 4 {
				t.Errorf("waited %v between five tries", w.clock.waits)
			}
		})
	}
}

func TestRetryAppliesAParkedStreamInOrder(t *testing.T) {
	w := newWorld(t)
	w.addFailing("a", 1, "error")
	w.add("a", 2)
	w.addFailing("b", 7, "error")
	w.start()
	w.caughtUp()
	w.stop()
	w.add("a", 3) // comes while nobody looks
	w.start()
	w.caughtUp()

	if got, err := w.runner.Retry(t.Context(), "tallies", "tally-a"); err != nil || got.Applied != 0 || len(got.Failed) != 1 || got.Failed[0].Error == "" {
		t.Fatalf("it cannot succeed yet: %+v, %v", got, err)
	}
	if got := w.parked(); len(got) != 4 {
		t.Fatalf("parked %+v", got)
	}
	w.model.mend()
	if got, err := w.runner.Retry(t.Context(), "tallies", "tally-a"); err != nil || got.Applied != 3 || len(got.Failed) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	w.expect("a", "1,2,3")
	w.expect("b", "")
	w.add("a", 4)
	w.caughtUp()
	w.expect("a", "1,2,3,4")
	if got := w.parked(); len(got) != 1 || got[0].Stream != "tally-b" {
		t.Errorf("parked %+v", got)
	}
	if _, err := w.runner.Retry(t.Context(), "tallies", "tally-a"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("nothing is parked: %v", err)
	}
	if _, err := w.runner.Retry(t.Context(), "nothing", "tally-a"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("no such model: %v", err)
	}
}

func TestAnEventThatRecoversIsNotParked(t *testing.T) {
	w := newWorld(t)
	w.model.healAt = 4 // one try with its batch, one alone, and so on
	w.add("a", 1)
	w.addFailing("a", 2, "error")
	w.add("a", 3)
	w.start()
	w.caughtUp()
	w.expect("a", "1,2,3")
	if got := w.parked(); len(got) > 0 {
		t.Errorf("parked %+v", got)
	}
	if s := w.status(); s.Error != "" || s.State != "live" {
		t.Errorf("status %+v", s)
	}
}

func TestAnEventThatCannotBeDecodedIsParked(t *testing.T) {
	w := newWorld(t)
	w.add("a", 1)
	_, err := w.log.Append(context.Background(), "tally-a", streams.Any,
		streams.Proposed{ID: domain.NewEventID(), Type: "tally.unheard_of.v1", Data: []byte("{}"), Meta: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	w.add("a", 2)
	w.add("b", 1)
	w.start()
	w.caughtUp()
	w.expect("a", "1")
	w.expect("b", "1")
	if got := w.parked(); len(got) != 2 || got[0].Type != "tally.unheard_of.v1" {
		t.Errorf("parked %+v", got)
	}
}
