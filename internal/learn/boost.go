package learn

import (
	"math"
	"math/rand/v2"
	"slices"
)

// gap is the bin of what is missing.
const gap = 255

// bins are the thresholds that may divide a column, ascending, and for each row
// how many of them it is above.
type bins struct {
	cuts []float64
	of   []uint8 // by row; gap when missing
}

// bin finds at most n-1 thresholds between the values of training rows, so that
// bins hold about the same number of rows, and puts all rows into them.
func bin(x *matrix, column, n int, rows []int32) bins {
	values := make([]float64, 0, len(rows))
	for _, r := range rows {
		if v := x.data[int(r)*x.width+column]; !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	b := bins{of: make([]uint8, x.rows())}
	distinct := slices.Compact(slices.Clone(values))
	if len(distinct) <= n {
		for i := 1; i < len(distinct); i++ {
			b.cuts = append(b.cuts, between(distinct[i-1], distinct[i]))
		}
	} else {
		for i := 1; i < n; i++ {
			at := i * len(values) / n
			next, _ := slices.BinarySearch(distinct, values[at])
			if next == 0 {
				continue
			}
			b.cuts = append(b.cuts, between(distinct[next-1], distinct[next]))
		}
		b.cuts = slices.Compact(b.cuts)
	}
	for r := range b.of {
		v := x.data[r*x.width+column]
		if math.IsNaN(v) {
			b.of[r] = gap
			continue
		}
		at, _ := slices.BinarySearch(b.cuts, v) // cuts below v: a row on a cut is left of it
		b.of[r] = uint8(at)                     //nolint:gosec // there are fewer than 255 cuts
	}
	return b
}

// between is a number that is at least a and below b.
func between(a, b float64) float64 {
	if m := a + (b-a)/2; m < b && !math.IsInf(m, 0) {
		return m
	}
	return a
}

// boosting grows a Forest, one tree per output and epoch.
type boosting struct {
	f        *Forest
	opt      *Options
	x        *matrix
	t        *target
	rows     []int32 // to train on
	columns  []bins
	scores   []float64 // of all rows, by the trees so far
	gradient []float64 // by row, for the output whose tree grows
	hessian  []float64
}

// newForest begins with what is best without any tree.
func newForest(t *target, rows []int32, outputs int) *Forest {
	f := &Forest{Base: make([]float64, outputs)}
	if t.class == nil {
		for i, r := range rows {
			f.Base[0] += (t.value[r] - f.Base[0]) / float64(i+1)
		}
		return f
	}
	counts := make([]float64, len(t.classes))
	for _, r := range rows {
		counts[t.class[r]]++
	}
	const prior = 0.5 // so that a class without rows has a probability
	if outputs == 1 {
		f.Base[0] = math.Log((counts[1] + prior) / (counts[0] + prior))
		return f
	}
	for k := range f.Base {
		f.Base[k] = math.Log((counts[k] + prior) / (float64(len(rows)) + prior*float64(outputs)))
	}
	return f
}

func newBoosting(f *Forest, opt *Options, x *matrix, t *target, rows []int32) *boosting {
	b := &boosting{f: f, opt: opt, x: x, t: t, rows: rows, gradient: make([]float64, x.rows()), hessian: make([]float64, x.rows())}
	for c := range x.width {
		b.columns = append(b.columns, bin(x, c, opt.MaxBins, rows))
	}
	b.scores = f.scores(x)
	return b
}

// epoch grows one tree per output. pause is called after every split and may
// end it with an error, after which the forest is of no use.
func (b *boosting) epoch(epoch int, pause func() error) error {
	k := len(b.f.Base)
	before := b.scores
	if k > 1 { // all trees of a round answer the same scores
		before = slices.Clone(b.scores)
	}
	rows := b.sample(epoch)
	for out := range k {
		b.derive(before, rows, out, k)
		g := grower{boosting: b, pause: pause}
		if err := g.grow(slices.Clone(rows), 0); err != nil {
			return err
		}
		for r := range b.x.rows() {
			b.scores[r*k+out] += g.tree.value(b.x.row(r))
		}
		b.f.Trees = append(b.f.Trees, g.tree)
	}
	return nil
}

// sample draws the rows that a round's trees see, as seed and epoch decide.
func (b *boosting) sample(epoch int) []int32 {
	if b.opt.Subsample >= 1 {
		return b.rows
	}
	draw := rand.New(rand.NewPCG(b.opt.Seed, uint64(epoch))) //nolint:gosec // not a secret: it must repeat
	var out []int32
	for _, r := range b.rows {
		if draw.Float64() < b.opt.Subsample {
			out = append(out, r)
		}
	}
	return out
}

// derive computes first and second derivatives of the loss at the scores.
func (b *boosting) derive(scores []float64, rows []int32, out, k int) {
	for _, r := range rows {
		if b.t.class == nil {
			b.gradient[r], b.hessian[r] = scores[r]-b.t.value[r], 1
			continue
		}
		p := probabilities(scores[int(r)*k : (int(r)+1)*k])
		of := out
		if k == 1 {
			of = 1 // the one score is that of the positive class
		}
		y := 0.0
		if b.t.class[r] == of {
			y = 1
		}
		b.gradient[r], b.hessian[r] = p[of]-y, max(p[of]*(1-p[of]), probabilityFloor)
	}
}

// sums are of derivatives over rows.
type sums struct{ g, h float64 }

func (s sums) plus(o sums) sums  { return sums{s.g + o.g, s.h + o.h} }
func (s sums) minus(o sums) sums { return sums{s.g - o.g, s.h - o.h} }

// score is what rows win by a leaf of their own.
func (s sums) score(l2 float64) float64 { return s.g * s.g / (s.h + l2 + tiny) }

// grower grows one tree.
type grower struct {
	*boosting
	tree  Tree
	pause func() error
}

// split is how a node's rows would be divided.
type split struct {
	column   int
	bin      int // rows in bins up to it go left
	gapsLeft bool
	win      float64
}

// grow adds the node of some rows with all below it. It reorders rows.
func (g *grower) grow(rows []int32, depth int) error {
	if err := g.pause(); err != nil {
		return err
	}
	var total sums
	for _, r := range rows {
		total = total.plus(sums{g.gradient[r], g.hessian[r]})
	}
	at := len(g.tree)
	g.tree = append(g.tree, Node{Value: -total.g / (total.h + g.opt.L2 + tiny) * g.opt.LearningRate})
	if depth == g.opt.MaxDepth || len(rows) < 2 {
		return nil
	}
	best := g.best(rows, total)
	if best.win <= g.opt.MinimumWin || best.win <= 0 {
		return nil
	}
	left, right := g.divide(rows, best)
	if len(left) == 0 || len(right) == 0 {
		return nil
	}
	node := Node{Column: best.column, Threshold: g.columns[best.column].cuts[best.bin], GapsLeft: best.gapsLeft}
	node.Left = len(g.tree)
	if err := g.grow(left, depth+1); err != nil {
		return err
	}
	node.Right = len(g.tree)
	g.tree[at] = node
	return g.grow(right, depth+1)
}

// best tries every threshold of every column, with missing values on either side.
func (g *grower) best(rows []int32, total sums) split {
	var best split
	for c := range g.columns {
		b := &g.columns[c]
		if len(b.cuts) == 0 {
			continue
		}
		var hist [256]sums
		for _, r := range rows {
			h := &hist[b.of[r]]
			h.g += g.gradient[r]
			h.h += g.hessian[r]
		}
		gaps := hist[gap]
		var left sums
		for i := range b.cuts {
			left = left.plus(hist[i])
			g.consider(&best, split{column: c, bin: i}, left, total)
			if gaps.h > 0 {
				g.consider(&best, split{column: c, bin: i, gapsLeft: true}, left.plus(gaps), total)
			}
		}
	}
	return best
}

// consider takes a split for the best if it wins more.
func (g *grower) consider(best *split, s split, left, total sums) {
	right := total.minus(left)
	if left.h < g.opt.MinLeaf || right.h < g.opt.MinLeaf || left.h <= 0 || right.h <= 0 {
		return
	}
	l2 := g.opt.L2
	s.win = (left.score(l2) + right.score(l2) - total.score(l2)) / 2
	if s.win > best.win {
		*best = s
	}
}

// divide puts the rows that go left before the others. Each side keeps its order,
// so that sums over it are the same however it came to be.
func (g *grower) divide(rows []int32, s split) (left, right []int32) {
	of := g.columns[s.column].of
	for _, r := range rows {
		b := of[r]
		if b == gap && s.gapsLeft || b != gap && int(b) <= s.bin {
			left = append(left, r)
		} else {
			right = append(right, r)
		}
	}
	return left, right
}
