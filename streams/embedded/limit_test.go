package embedded_test

import (
	"math"
	"testing"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// Callers who want everything may say so with the largest limit there is.
func TestReadWithTheLargestLimit(t *testing.T) {
	log := newFactory(embedded.Options{NoSync: true}).Open(t)
	stream := domain.Stream("limit", "1")
	for range 3 {
		if _, err := log.Append(t.Context(), stream, streams.Any, streams.Proposed{ID: domain.NewEventID(), Type: "made", Data: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []streams.ReadStream{{From: 1, Limit: math.MaxInt}, {From: 1, Backwards: true, Limit: math.MaxInt}} {
		n := 0
		for _, err := range log.ReadStream(t.Context(), stream, r) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("%+v reads %d events, want 2", r, n)
		}
	}
}
