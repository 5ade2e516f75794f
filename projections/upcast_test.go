package projections_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"strata/domain"
	"strata/projections"
	"strata/streams"
)

// noted is the second form of a fact whose third is added; the first held its
// number as a text.
type noted struct{ Value int }

func lift[From, To any](change func(From) (To, error)) func([]byte) ([]byte, error) {
	return func(data []byte) ([]byte, error) {
		var from From
		if err := json.Unmarshal(data, &from); err != nil {
			return nil, err
		}
		to, err := change(from)
		if err != nil {
			return nil, err
		}
		return json.Marshal(to)
	}
}

// A log that holds a fact in all three forms it ever had is folded live, and by
// a rebuild, as if it always had had the newest.
func TestOldVersionsAreLifted(t *testing.T) {
	w := newWorld(t)
	upcasts := []streams.Upcast{
		{From: "tally.noted.v1", To: "tally.noted.v2", Change: lift(func(v1 struct{ Value string }) (noted, error) {
			n, err := strconv.Atoi(v1.Value)
			return noted{n}, err
		})},
		{From: "tally.noted.v2", To: "tally.added.v1", Change: lift(func(v2 noted) (added, error) { return added{N: v2.Value}, nil })},
	}
	var err error
	if w.codec, err = streams.NewCodec([]domain.FactType{domain.FactOf[added]()}, upcasts, nil); err != nil {
		t.Fatal(err)
	}
	write := func(typ, data string) {
		_, err := w.log.Append(t.Context(), "tally-a", streams.Any, streams.Proposed{ID: domain.NewEventID(), Type: typ, Data: []byte(data), Meta: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
	}
	write("tally.noted.v1", `{"Value":"1"}`)
	write("tally.noted.v2", `{"Value":2}`)
	write("tally.added.v1", `{"N":3}`)
	w.start()
	w.caughtUp()
	w.expect("a", "1,2,3")
	w.rebuild(projections.RebuildOptions{})
	if got := w.rebuilt(projections.RebuildDone); len(got.Differences) > 0 || got.Parked > 0 {
		t.Errorf("%+v", got)
	}
	w.expect("a", "1,2,3")

	// One that cannot be lifted is parked, and a mended upcast takes it.
	write("tally.noted.v1", `{"Value":"four"}`)
	write("tally.noted.v2", `{"Value":5}`)
	w.caughtUp()
	w.expect("a", "1,2,3")
	if got := w.parked(); len(got) != 2 || !bytes.Contains([]byte(got[0].Error), []byte("lift event 4")) {
		t.Errorf("parked %+v", got)
	}
	w.stop()
	upcasts[0].Change = lift(func(v1 struct{ Value string }) (noted, error) {
		if v1.Value == "four" {
			return noted{4}, nil
		}
		n, err := strconv.Atoi(v1.Value)
		return noted{n}, err
	})
	if w.codec, err = streams.NewCodec([]domain.FactType{domain.FactOf[added]()}, upcasts, nil); err != nil {
		t.Fatal(err)
	}
	w.start()
	if got, err := w.runner.Retry(t.Context(), "tallies", "tally-a"); err != nil || got.Applied != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	w.expect("a", "1,2,3,4,5")
	w.stop()
	fresh := filepath.Join(t.TempDir(), "fresh.db")
	live, err := projections.LiveFile(t.Context(), w.dir, w.model)
	if _, failed := projections.Rebuild(t.Context(), w.log, w.codec, w.model, fresh); errors.Join(err, failed) != nil {
		t.Fatal(err, failed)
	}
	if diff, err := projections.Compare(t.Context(), live, fresh); err != nil || len(diff) > 0 {
		t.Errorf("%v, %v", diff, err)
	}
}
