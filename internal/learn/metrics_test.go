package learn_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"strata/internal/learn"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > within {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// binary makes what a classifier of two classes said of its scores.
func binary(truth []int, scores []float64) *learn.Classified {
	c := &learn.Classified{Classes: 2, Truth: truth}
	for _, s := range scores {
		c.Probabilities = append(c.Probabilities, []float64{1 - s, s})
	}
	return c
}

// said makes what a classifier said that is certain of everything.
func said(classes int, truth, predicted []int) *learn.Classified {
	c := &learn.Classified{Classes: classes, Truth: truth}
	for _, k := range predicted {
		p := make([]float64, classes)
		p[k] = 1
		c.Probabilities = append(c.Probabilities, p)
	}
	return c
}

// The examples in scikit-learn's documentation, with the values printed there.
func TestMetricsAgainstPublishedValues(t *testing.T) {
	t.Run("roc_auc_score and roc_curve: [0,0,1,1], [0.1,0.4,0.35,0.8]", func(t *testing.T) {
		m := binary([]int{0, 0, 1, 1}, []float64{0.1, 0.4, 0.35, 0.8}).Metrics()
		near(t, "roc_auc", m[learn.ROCAUC], 0.75, 1e-12)
		near(t, "gini", m[learn.Gini], 0.5, 1e-12)
		near(t, "ks", m[learn.KS], 0.5, 1e-12) // the largest tpr-fpr of fpr [0,0,.5,.5,1], tpr [0,.5,.5,1,1]
	})
	t.Run("log_loss: spam, ham, ham, spam", func(t *testing.T) {
		c := learn.Classified{Classes: 2, Truth: []int{1, 0, 0, 1}, Probabilities: [][]float64{{.1, .9}, {.9, .1}, {.8, .2}, {.35, .65}}}
		near(t, "log_loss", c.Metrics()[learn.LogLoss], 0.21616, 5e-6)
	})
	t.Run("user guide on log_loss: [0,0,1,1]", func(t *testing.T) {
		c := learn.Classified{Classes: 2, Truth: []int{0, 0, 1, 1}, Probabilities: [][]float64{{.9, .1}, {.8, .2}, {.3, .7}, {.01, .99}}}
		near(t, "log_loss", c.Metrics()[learn.LogLoss], 0.1738, 5e-5)
	})
	t.Run("precision_score, recall_score, f1_score, macro: [0,1,2,0,1,2], [0,2,1,0,0,1]", func(t *testing.T) {
		m := said(3, []int{0, 1, 2, 0, 1, 2}, []int{0, 2, 1, 0, 0, 1}).Metrics()
		near(t, "precision", m[learn.Precision], 0.2222, 5e-5)
		near(t, "recall", m[learn.Recall], 0.3333, 5e-5)
		near(t, "f1", m[learn.F1], 0.2667, 5e-5)
	})
	t.Run("user guide on precision and recall: [0,1,0,1], [0,1,0,0]", func(t *testing.T) {
		m := said(2, []int{0, 1, 0, 1}, []int{0, 1, 0, 0}).Metrics()
		near(t, "precision", m[learn.Precision], 1, 0)
		near(t, "recall", m[learn.Recall], 0.5, 0)
		near(t, "f1", m[learn.F1], 0.66, 0.007)
	})
	t.Run("accuracy_score: [0,1,2,3], [0,2,1,3]", func(t *testing.T) {
		near(t, "accuracy", said(4, []int{0, 1, 2, 3}, []int{0, 2, 1, 3}).Metrics()[learn.Accuracy], 0.5, 0)
	})
}

func TestMetricsOfOneClass(t *testing.T) {
	m := binary([]int{1, 1, 1}, []float64{0.2, 0.7, 0.9}).Metrics()
	for _, name := range []string{learn.ROCAUC, learn.KS, learn.Gini} {
		if v, ok := m[name]; ok {
			t.Errorf("%s is not defined for one class, and is %v", name, v)
		}
	}
	near(t, "accuracy", m[learn.Accuracy], 2.0/3, 1e-12)
	if m := (&learn.Classified{Classes: 2}).Metrics(); len(m) != 0 {
		t.Errorf("of no row: %v", m)
	}
}

// drawn makes rows with many ties.
func drawn(t *rapid.T) ([]int, []float64) {
	n := rapid.IntRange(2, 60).Draw(t, "rows")
	truth, scores := make([]int, n), make([]float64, n)
	for i := range n {
		truth[i] = rapid.IntRange(0, 1).Draw(t, "class")
		scores[i] = float64(rapid.IntRange(0, 12).Draw(t, "score")) / 12
	}
	truth[0], truth[1] = 0, 1
	return truth, scores
}

// The area is the chance that a positive row scores above a negative one, ties
// counting half; the statistic is the largest distance of the two distributions.
func TestCurvesAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth, scores := drawn(t)
		var won, pairs, ks float64
		for i, a := range truth {
			var above, positives, below, negatives float64
			for j, b := range truth {
				if b == 1 {
					positives++
				} else {
					negatives++
				}
				if scores[j] >= scores[i] && b == 1 {
					above++
				} else if scores[j] >= scores[i] {
					below++
				}
				if a != 1 || b != 0 {
					continue
				}
				pairs++
				if scores[i] > scores[j] {
					won++
				} else if scores[i] == scores[j] {
					won += 0.5
				}
			}
			ks = max(ks, math.Abs(above/positives-below/negatives))
		}
		m := binary(truth, scores).Metrics()
		if math.Abs(m[learn.ROCAUC]-won/pairs) > 1e-12 || math.Abs(m[learn.KS]-ks) > 1e-12 || math.Abs(m[learn.Gini]-(2*won/pairs-1)) > 1e-12 {
			t.Fatalf("%v, want auc %v, ks %v", m, won/pairs, ks)
		}
	})
}

// What only orders rows does not care for how scores are spaced, and turns
// around when they do.
func TestCurvesDependOnOrderOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth, scores := drawn(t)
		bent, turned := make([]float64, len(scores)), make([]float64, len(scores))
		for i, s := range scores {
			bent[i], turned[i] = math.Exp(3*s)/100, 1-s
		}
		a, b, c := binary(truth, scores).Metrics(), binary(truth, bent).Metrics(), binary(truth, turned).Metrics()
		if a[learn.ROCAUC] != b[learn.ROCAUC] || a[learn.KS] != b[learn.KS] || math.Abs(a[learn.ROCAUC]+c[learn.ROCAUC]-1) > 1e-12 {
			t.Fatalf("%v, bent %v, turned %v", a, b, c)
		}
	})
}

// Several classes are each against the others, in the mean.
func TestManyClassesAgainstEachAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 40).Draw(t, "rows")
		c := &learn.Classified{Classes: 3}
		for i := range n {
			y := i
			if i >= 3 {
				y = rapid.IntRange(0, 2).Draw(t, "class")
			}
			c.Truth = append(c.Truth, y)
			a, b := rapid.Float64Range(0, 1).Draw(t, "a"), rapid.Float64Range(0, 1).Draw(t, "b")
			c.Probabilities = append(c.Probabilities, []float64{a / 2, b / 2, 1 - (a+b)/2})
		}
		var auc, ks float64
		for k := range 3 {
			truth, scores := make([]int, n), make([]float64, n)
			for i := range n {
				if c.Truth[i] == k {
					truth[i] = 1
				}
				scores[i] = c.Probabilities[i][k]
			}
			m := binary(truth, scores).Metrics()
			auc, ks = auc+m[learn.ROCAUC]/3, ks+m[learn.KS]/3
		}
		m := c.Metrics()
		if math.Abs(m[learn.ROCAUC]-auc) > 1e-12 || math.Abs(m[learn.KS]-ks) > 1e-12 {
			t.Fatalf("%v, want auc %v, ks %v", m, auc, ks)
		}
	})
}
