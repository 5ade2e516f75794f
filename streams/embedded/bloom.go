package embedded

// A bloom filter tells that a key is certainly absent, or perhaps present. It
// is split into blocks of one cache line, so that a question costs one miss.
// It lives in a byte slice, so that index files can be asked in place.
type bloom []byte

const (
	bloomBlock  = 64 // bytes
	bloomProbes = 6
)

// newBloom makes a filter for n keys with some bits per key. At 10 bits it is
// wrong in about 1.5 % of the cases, at 16 in about 0.2 %.
func newBloom(n, bitsPerKey int) bloom {
	blocks := (n*bitsPerKey + bloomBlock*8 - 1) / (bloomBlock * 8)
	return make(bloom, max(blocks, 1)*bloomBlock)
}

// block returns the block of a hash and the bits of its probes.
func (b bloom) block(hash uint64) (block []byte, probes uint64) {
	n := uint64(len(b) / bloomBlock)
	// The high half chooses the block, a remix of all gives 6 x 9 bits.
	i := (hash >> 32) * n >> 32
	return b[i*bloomBlock : (i+1)*bloomBlock], hash * 0x9e3779b97f4a7c15 >> 10
}

func (b bloom) add(hash uint64) {
	block, probes := b.block(hash)
	for range bloomProbes {
		bit := probes & 511
		block[bit>>3] |= 1 << (bit & 7)
		probes >>= 9
	}
}

func (b bloom) mayHave(hash uint64) bool {
	block, probes := b.block(hash)
	for range bloomProbes {
		bit := probes & 511
		if block[bit>>3]&(1<<(bit&7)) == 0 {
			return false
		}
		probes >>= 9
	}
	return true
}

// recentIDs remembers the id hashes of at least the last window events, in two
// filters that take turns.
type recentIDs struct {
	window  int
	current bloom
	before  bloom // nil until current was full once
	count   int   // in current
}

func newRecentIDs(window int) *recentIDs {
	return &recentIDs{window: window, current: newBloom(window, 16)}
}

func (r *recentIDs) add(id uint32) {
	if r.count == r.window {
		r.current, r.before = r.before, r.current
		if r.current == nil {
			r.current = newBloom(r.window, 16)
		}
		clear(r.current)
		r.count = 0
	}
	r.current.add(spread(id))
	r.count++
}

func (r *recentIDs) mayHave(id uint32) bool {
	h := spread(id)
	return r.current.mayHave(h) || r.before != nil && r.before.mayHave(h)
}

// spread makes 64 well-mixed bits of a 32-bit hash.
func spread(id uint32) uint64 {
	x := uint64(id) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return x ^ x>>32
}
