package tabular

import (
	"context"
	"errors"
	"io"
	"math"
)

// Quantiles are the shares that profiles give.
func Quantiles() []float64 { return []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99} }

const (
	topValues   = 10
	maxTopBytes = 128 // of a value among the most frequent, or an extreme text
)

// ValueCount is how often a value occurs.
type ValueCount struct {
	Value string
	Count int64
}

// ColumnProfile is what a column holds.
type ColumnProfile struct {
	Column
	Count         int64 // cells that are not missing
	Nulls         int64
	Distinct      int64 // different values
	DistinctExact bool  // else Distinct is an estimate, within about 10 %
	Min, Max      Value // by value, or of texts by their bytes, cut off when long
	// Mean and StdDev (of a sample, n-1) of numbers, and their Quantiles, one for
	// each of [Quantiles] (a rank is off by at most 1 %); nil for other columns.
	Mean, StdDev *float64
	Quantiles    []float64
	// Top are the most frequent values. With TopExact false there were too many
	// different ones: then counts are lower bounds, and rarer ones may be missing.
	Top      []ValueCount
	TopExact bool
}

// Profile is what a table holds.
type Profile struct {
	Rows    int64
	Columns []ColumnProfile
}

// Profiler makes a [Profile] of the rows it is shown. Its memory does not depend
// on how many there are.
type Profiler struct {
	rows    int64
	columns []*columnProfiler
}

// NewProfiler makes a Profiler.
func NewProfiler() *Profiler { return &Profiler{} }

// columnProfiler is one column on the way.
type columnProfiler struct {
	kind      Type
	count     int64
	min, max  Value // of numbers and moments
	low, high string
	texts     bool // whether low and high are set
	mean, m2  float64
	numbers   int64
	distinct  distinctValues
	frequent  frequentValues
	quantiles quantiles
}

// Add takes in a row. Rows may grow; the cells that were not there are missing.
func (p *Profiler) Add(row Row) {
	for len(p.columns) < len(row) {
		p.columns = append(p.columns, &columnProfiler{})
	}
	p.rows++
	for i, v := range row {
		if v.kind != Missing {
			p.columns[i].add(v)
		}
	}
}

func (c *columnProfiler) add(v Value) {
	c.count++
	c.kind = Join(c.kind, v.kind)
	text := v.Text()
	c.distinct.add(hash(text))
	c.frequent.add(cut(text))
	if short := cut(text); !c.texts {
		c.low, c.high, c.texts = short, short, true
	} else {
		c.low, c.high = min(c.low, short), max(c.high, short)
	}
	if v.kind != Integer && v.kind != Number && v.kind != DateTime {
		return
	}
	x, _ := v.Float()
	if c.numbers == 0 || less(v, c.min) {
		c.min = v
	}
	if c.numbers == 0 || less(c.max, v) {
		c.max = v
	}
	c.numbers++
	if v.kind == DateTime {
		return
	}
	d := x - c.mean
	c.mean += d / float64(c.numbers)
	c.m2 += d * (x - c.mean)
	c.quantiles.add(x)
}

// less compares two numbers or two moments.
func less(a, b Value) bool {
	if a.kind == Integer && b.kind == Integer {
		return a.whole < b.whole
	}
	if a.kind == DateTime && b.kind == DateTime {
		return a.at.Before(b.at)
	}
	return a.num < b.num
}

// hash is FNV-1a with a final mix, so that its smallest values are as good as
// any. It does not change between runs: a file always gives the same estimate.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// cut is a text, or as much of it as is shown.
func cut(s string) string {
	if len(s) <= maxTopBytes {
		return s
	}
	end := maxTopBytes
	for end > 0 && s[end]&0xc0 == 0x80 { // not inside a letter
		end--
	}
	return s[:end] + "…"
}

// Profile is what was seen. The schema names the columns.
func (p *Profiler) Profile(s Schema) Profile {
	out := Profile{Rows: p.rows, Columns: make([]ColumnProfile, len(s))}
	for i, column := range s {
		c := &columnProfiler{}
		if i < len(p.columns) {
			c = p.columns[i]
		}
		out.Columns[i] = c.profile(column.Name, p.rows)
	}
	return out
}

func (c *columnProfiler) profile(name string, rows int64) ColumnProfile {
	out := ColumnProfile{Column: Column{Name: name, Type: c.kind, Nullable: c.count < rows}, Count: c.count, Nulls: rows - c.count}
	out.Distinct, out.DistinctExact = c.distinct.count()
	out.Distinct = min(out.Distinct, c.count)
	out.Top, out.TopExact = c.frequent.top(topValues), !c.frequent.lossy
	switch c.kind {
	case Integer, Number:
		out.Min, out.Max = c.min.As(c.kind), c.max.As(c.kind)
		mean, dev := c.mean, 0.0
		if c.numbers > 1 {
			dev = math.Sqrt(c.m2 / float64(c.numbers-1))
		}
		if !math.IsInf(mean, 0) && !math.IsNaN(mean) && !math.IsInf(dev, 0) && !math.IsNaN(dev) { // of numbers near the largest there is
			out.Mean, out.StdDev = &mean, &dev
		}
		out.Quantiles = c.quantiles.at(Quantiles())
	case DateTime:
		out.Min, out.Max = c.min, c.max
	case Boolean, String:
		out.Min, out.Max = StringOf(c.low), StringOf(c.high)
	}
	return out
}

// Describe reads a table to its end, or to limit rows when that is positive, and
// profiles it. Truncated tells that there was more.
func Describe(ctx context.Context, r Reader, limit int64) (p Profile, truncated bool, err error) {
	profiler := NewProfiler()
	for {
		if profiler.rows%256 == 0 {
			if err := ctx.Err(); err != nil {
				return Profile{}, false, err
			}
		}
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return profiler.Profile(r.Schema()), false, nil
		}
		if err != nil {
			return Profile{}, false, err
		}
		if limit > 0 && profiler.rows == limit {
			return profiler.Profile(r.Schema()), true, nil
		}
		profiler.Add(row)
	}
}

// Sample is the first n rows of a table, each cell as a member of its column.
func Sample(r Reader, n int) ([]Row, error) {
	var out []Row
	for len(out) < n {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		typed := make(Row, len(row))
		for i, v := range row {
			typed[i] = v.As(r.Schema()[i].Type)
		}
		out = append(out, typed)
	}
	return out, nil
}
