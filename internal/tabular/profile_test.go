package tabular_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/internal/tabular"
)

func describe(t testing.TB, name, text string) tabular.Profile {
	t.Helper()
	p, _, err := tabular.Describe(t.Context(), open(t, name, text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProfile(t *testing.T) {
	p := describe(t, "x.csv", "n,s,d,b\n3,x,2024-01-02,true\n1,y,2023-01-02,false\n,x,,true\n8,x,2025-06-07,true\n")
	n, s, d, b := p.Columns[0], p.Columns[1], p.Columns[2], p.Columns[3]
	if p.Rows != 4 || n.Count != 3 || n.Nulls != 1 || !n.Nullable || n.Type != tabular.Integer || n.Min.Text() != "1" || n.Max.Text() != "8" ||
		*n.Mean != 4 || math.Abs(*n.StdDev-math.Sqrt(13)) > 1e-12 || n.Quantiles[3] != 3 {
		t.Errorf("n: %+v", n)
	}
	if s.Distinct != 2 || !s.DistinctExact || s.Min.Text() != "x" || s.Max.Text() != "y" || !slices.Equal(s.Top, []tabular.ValueCount{{Value: "x", Count: 3}, {Value: "y", Count: 1}}) || s.Mean != nil {
		t.Errorf("s: %+v", s)
	}
	if d.Type != tabular.DateTime || d.Min.Text() != "2023-01-02" || d.Max.Text() != "2025-06-07" || d.Quantiles != nil {
		t.Errorf("d: %+v", d)
	}
	if b.Type != tabular.Boolean || b.Top[0] != (tabular.ValueCount{Value: "true", Count: 3}) {
		t.Errorf("b: %+v", b)
	}
}

func TestDescribeUpToALimit(t *testing.T) {
	for limit, truncated := range map[int64]bool{2: true, 3: false, 0: false} {
		p, more, err := tabular.Describe(t.Context(), open(t, "x.csv", "a\n1\n2\n3\n"), limit)
		if err != nil || more != truncated || limit > 0 && p.Rows != limit {
			t.Errorf("limit %d: %d rows, more %v, %v", limit, p.Rows, more, err)
		}
	}
}

func TestLongTextsAreCut(t *testing.T) {
	c := describe(t, "x.csv", "a\n"+strings.Repeat("é", 100)+"\n").Columns[0]
	if got := c.Top[0].Value; got != strings.Repeat("é", 64)+"…" || c.Max.Text() != got {
		t.Errorf("%q, %q", got, c.Max.Text())
	}
}

// One pass agrees with looking at everything at once.
func TestProfileIsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 400).Draw(t, "numbers")
		p := tabular.NewProfiler()
		for _, x := range xs {
			p.Add(tabular.Row{tabular.NumberOf(x)})
		}
		c := p.Profile(tabular.Schema{{Name: "x"}}).Columns[0]
		sorted := slices.Sorted(slices.Values(xs))
		var sum, squares float64
		for _, x := range xs {
			sum += x
		}
		mean := sum / float64(len(xs))
		for _, x := range xs {
			squares += (x - mean) * (x - mean)
		}
		dev := 0.0
		if len(xs) > 1 {
			dev = math.Sqrt(squares / float64(len(xs)-1))
		}
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
				t.Fatalf("%s %v, want %v", what, got, want)
			}
		}
		near("mean", *c.Mean, mean)
		near("deviation", *c.StdDev, dev)
		lo, _ := c.Min.Float()
		hi, _ := c.Max.Float()
		near("least", lo, sorted[0])
		near("greatest", hi, sorted[len(sorted)-1])
		for i, share := range tabular.Quantiles() {
			want := sorted[max(0, int(math.Ceil(share*float64(len(xs))))-1)]
			near(fmt.Sprintf("quantile %v", share), c.Quantiles[i], want)
		}
		if unique := len(slices.Compact(sorted)); int(c.Distinct) != unique || !c.DistinctExact {
			t.Fatalf("distinct %d, want %d", c.Distinct, unique)
		}
	})
}

// Of many values the estimates stay within what is promised.
func TestEstimates(t *testing.T) {
	const n = 200_000
	rng := rand.New(rand.NewPCG(7, 8))
	p, xs := tabular.NewProfiler(), make([]float64, n)
	for i := range xs {
		xs[i] = rng.NormFloat64()
		word := fmt.Sprintf("rare %d", i)
		if i%10 == 0 {
			word = "frequent"
		}
		p.Add(tabular.Row{tabular.NumberOf(xs[i]), tabular.StringOf(word)})
	}
	columns := p.Profile(tabular.Schema{{Name: "x"}, {Name: "word"}}).Columns
	slices.Sort(xs)
	for i, share := range tabular.Quantiles() {
		rank, _ := slices.BinarySearch(xs, columns[0].Quantiles[i])
		if off := math.Abs(float64(rank)/n - share); off > 0.01 {
			t.Errorf("quantile %v is at rank %v", share, float64(rank)/n)
		}
	}
	words := columns[1]
	if share := float64(words.Distinct) / (n*9/10 + 1); words.DistinctExact || share < 0.9 || share > 1.1 {
		t.Errorf("distinct %d of %d", words.Distinct, n*9/10+1)
	}
	if words.TopExact || words.Top[0].Value != "frequent" || words.Top[0].Count > n/10 || words.Top[0].Count < n/10-n/256 {
		t.Errorf("most frequent %+v", words.Top[0])
	}
}
