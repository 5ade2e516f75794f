package httpx

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"strata/domain"
)

const (
	recentSlots = 4096 // a power of two
	// stickyWait bounds how long a read waits when it did not ask to: a model
	// that is far behind must not make every read slow.
	stickyWait = time.Second
)

// recent remembers where each caller's last write stands in the log, so that
// clients who know nothing of positions read their own writes.
//
// It is a fixed table without keys: callers whose hashes meet share a slot and
// wait for the later of their writes, which is never wrong, only a little more
// than needed. What it forgets at a restart the read models catch up with
// before the server is ready.
type recent struct {
	seed  maphash.Seed
	slots [recentSlots]atomic.Uint64
}

func newRecent() *recent { return &recent{seed: maphash.MakeSeed()} }

func (r *recent) slot(caller string) *atomic.Uint64 {
	return &r.slots[maphash.String(r.seed, caller)&(recentSlots-1)]
}

// wrote notes a caller's write.
func (r *recent) wrote(caller string, p domain.Position) {
	slot := r.slot(caller)
	for {
		have := slot.Load()
		if have >= uint64(p) || slot.CompareAndSwap(have, uint64(p)) {
			return
		}
	}
}

// last is the position that includes every write of the caller, 0 when none is
// remembered.
func (r *recent) last(caller string) domain.Position {
	return domain.Position(r.slot(caller).Load())
}
