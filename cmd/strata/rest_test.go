package main

import "testing"

func TestMemoryIsGivenBackAtRest(t *testing.T) {
	var allocated uint64
	given := 0
	r := &rest{allocated: func() uint64 { return allocated }, giveBack: func() { given++ }}
	for i, step := range []struct {
		mb   uint64 // allocated since the look before
		want int    // how often memory has been given back after this look
	}{
		{10, 0}, // the start: there is little to give
		{1, 0},
		{100, 0}, // work
		{200, 0},
		{2, 1}, // over
		{3, 2}, // what pools kept
		{1, 2}, {0, 2},
		{50, 2}, // again
		{0, 3}, {0, 4}, {0, 4},
		{50, 4}, {0, 5},
		{50, 5}, // between the two
		{0, 6}, {0, 7}, {0, 7},
	} {
		allocated += step.mb << 20
		if r.look(); given != step.want {
			t.Fatalf("look %d, after %d MB: given back %d times, want %d", i, step.mb, given, step.want)
		}
	}
}

func TestRestReadsTheHeap(t *testing.T) {
	r := newRest()
	before := r.allocated()
	kept := make([]byte, 1<<20)
	if now := r.allocated(); now-before < uint64(len(kept)) {
		t.Errorf("%d bytes were allocated, %d were seen", len(kept), now-before)
	}
}
