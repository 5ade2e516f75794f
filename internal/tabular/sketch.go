package tabular

import (
	"cmp"
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
)

// distinctValues estimates how many different values there were from the
// smallest of their hashes: exactly up to distinctKept, within a few percent
// beyond.
type distinctValues struct {
	hashes maxHeap // the smallest, the largest of them on top
	in     map[uint64]struct{}
	full   bool // whether a hash was left out
}

const distinctKept = 1024

type maxHeap []uint64

func (h maxHeap) Len() int           { return len(h) }
func (h maxHeap) Less(i, j int) bool { return h[i] > h[j] }
func (h maxHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *maxHeap) Push(x any)        { *h = append(*h, x.(uint64)) }
func (h *maxHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (d *distinctValues) add(hash uint64) {
	if d.in == nil {
		d.in = map[uint64]struct{}{}
	}
	if _, known := d.in[hash]; known {
		return
	}
	if len(d.hashes) < distinctKept {
		d.in[hash] = struct{}{}
		heap.Push(&d.hashes, hash)
		return
	}
	d.full = true
	if hash >= d.hashes[0] {
		return
	}
	delete(d.in, d.hashes[0])
	d.in[hash] = struct{}{}
	d.hashes[0] = hash
	heap.Fix(&d.hashes, 0)
}

// count is the number of distinct values and whether it is exact.
func (d *distinctValues) count() (int64, bool) {
	if !d.full {
		return int64(len(d.hashes)), true
	}
	share := float64(d.hashes[0]) / math.MaxUint64 // of all hashes, how far the smallest reach
	return int64(math.Round(float64(len(d.hashes)-1) / share)), false
}

// frequentValues keeps the most frequent values (Misra and Gries): exactly
// while there are at most frequentKept of them; beyond, every value whose share
// is above 1/frequentKept is kept, and counts are lower bounds.
type frequentValues struct {
	counts map[string]int64
	lossy  bool
}

const frequentKept = 256

func (f *frequentValues) add(s string) {
	if f.counts == nil {
		f.counts = map[string]int64{}
	}
	if _, known := f.counts[s]; known || len(f.counts) < frequentKept {
		f.counts[s]++
		return
	}
	f.lossy = true
	for k, n := range f.counts {
		if n == 1 {
			delete(f.counts, k)
		} else {
			f.counts[k] = n - 1
		}
	}
}

// top is the n most frequent values, the most frequent first.
func (f *frequentValues) top(n int) []ValueCount {
	out := make([]ValueCount, 0, len(f.counts))
	for v, c := range f.counts {
		out = append(out, ValueCount{Value: v, Count: c})
	}
	slices.SortFunc(out, func(a, b ValueCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return out[:min(n, len(out))]
}

// quantiles estimates ranks of numbers (Karnin, Lang and Liberty): level i holds
// numbers that each stand for 2^i. A level that is full is sorted, and every
// other number of it moves up. It is exact while all fit level 0.
type quantiles struct {
	levels [][]float64
	n      int64
	coin   *rand.Rand // which half moves up; seeded, so that a file always gives the same
}

const quantileKept = 2048 // numbers per level

func (q *quantiles) add(x float64) {
	if q.levels == nil {
		q.levels, q.coin = make([][]float64, 1), rand.New(rand.NewPCG(1, 2))
	}
	q.levels[0] = append(q.levels[0], x)
	q.n++
	for i := 0; len(q.levels[i]) >= quantileKept; i++ {
		if i+1 == len(q.levels) {
			q.levels = append(q.levels, nil)
		}
		slices.Sort(q.levels[i])
		for k := int(q.coin.Uint64() & 1); k < len(q.levels[i]); k += 2 {
			q.levels[i+1] = append(q.levels[i+1], q.levels[i][k])
		}
		q.levels[i] = q.levels[i][:0]
	}
}

// at is the smallest number kept below or at which the share p of all lies.
func (q *quantiles) at(ps []float64) []float64 {
	type weighed struct {
		x float64
		w int64
	}
	var all []weighed
	for i, level := range q.levels {
		for _, x := range level {
			all = append(all, weighed{x, 1 << i})
		}
	}
	slices.SortFunc(all, func(a, b weighed) int { return cmp.Compare(a.x, b.x) })
	out := make([]float64, len(ps))
	var sum int64
	next := 0
	for i, p := range ps { // ascending
		for next < len(all) && (sum == 0 || float64(sum) < p*float64(q.n)) {
			sum += all[next].w
			out[i] = all[next].x
			next++
		}
		if next > 0 {
			out[i] = all[next-1].x
		}
	}
	return out
}
