package edge

import (
	"hash/maphash"
	"io"
	"strconv"
	"sync/atomic"
)

const slots = 1 << 14

// Positions remembers where each caller's last write stands in the log. It is a
// fixed table without keys: callers who share a slot wait for the later of their
// writes, which is never wrong, only a little more than needed.
type Positions struct {
	seed  maphash.Seed
	table [slots]atomic.Uint64
}

// NewPositions makes an empty table.
func NewPositions() *Positions { return &Positions{seed: maphash.MakeSeed()} }

func (p *Positions) slot(caller string) *atomic.Uint64 {
	return &p.table[maphash.String(p.seed, caller)&(slots-1)]
}

// Wrote notes a position as an answer tells it; "" is none.
func (p *Positions) Wrote(caller, position string) {
	at, err := strconv.ParseUint(position, 10, 64)
	if err != nil {
		return // it tells none
	}
	slot := p.slot(caller)
	for have := slot.Load(); have < at; have = slot.Load() {
		if slot.CompareAndSwap(have, at) {
			return
		}
	}
}

// Last is the position that includes every write of the caller; "" when none is
// remembered.
func (p *Positions) Last(caller string) string {
	if caller == "" {
		return ""
	}
	if at := p.slot(caller).Load(); at > 0 {
		return strconv.FormatUint(at, 10)
	}
	return ""
}

// ending tells when a body has been read to its end: only then are there trailers.
type ending struct {
	io.ReadCloser
	ended func()
}

// Read implements io.Reader.
func (b *ending) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if err == io.EOF {
		b.ended()
	}
	return n, err
}
