package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// restLook is how often it is looked whether a process has come to rest.
	restLook = 5 * time.Second
	// restAllocates is what a process that rests may still allocate between two
	// looks: timers, health checks, a request now and then.
	restAllocates = 4 << 20
	// worthReturning is what must have been allocated for it to pay to collect.
	worthReturning = 32 << 20
)

// rest gives memory back to the system when work is over. Go alone keeps what a
// load needed: it collects when the heap has grown again, which at rest is never,
// or every two minutes, and returns little even then. Under load it must not be
// done, the pages would be needed again at once.
type rest struct {
	allocated func() uint64 // bytes since the process began
	giveBack  func()
	seen      uint64 // at the last look
	returned  uint64 // when memory was last given back
	again     bool   // give back at the next quiet look too: a pool is emptied by the second collection only
}

func newRest() *rest {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	return &rest{
		allocated: func() uint64 {
			metrics.Read(sample)
			return sample[0].Value.Uint64()
		},
		giveBack: debug.FreeOSMemory,
	}
}

// look gives memory back if there was work, and none since the last look.
func (r *rest) look() {
	now := r.allocated()
	quiet := now-r.seen <= restAllocates
	r.seen = now
	worth := now-r.returned >= worthReturning
	if quiet && (worth || r.again) {
		r.giveBack()
		r.returned, r.again = now, worth
	}
}

// run looks again and again until ctx ends.
func (r *rest) run(ctx context.Context) error {
	tick := time.NewTicker(restLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.look()
		case <-ctx.Done():
			return nil
		}
	}
}
