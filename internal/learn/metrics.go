package learn

import (
	"cmp"
	"math"
	"slices"
)

// The metrics of classifiers.
const (
	Accuracy  = "accuracy"
	F1        = "f1"
	Precision = "precision"
	Recall    = "recall"
	ROCAUC    = "roc_auc"
	LogLoss   = "log_loss"
	KS        = "ks"
	Gini      = "gini"
)

// The metrics of models that predict numbers.
const (
	RMSE = "rmse"
	MAE  = "mae"
	R2   = "r2"
)

// ClassMetrics lists the metrics of classifiers.
func ClassMetrics() []string {
	return []string{Accuracy, F1, Precision, Recall, ROCAUC, LogLoss, KS, Gini}
}

// probabilityFloor keeps the logarithm of a probability finite: what is closer
// to 0 counts as this.
const probabilityFloor = 1e-15

// Classified is what a classifier said of rows whose classes are known.
type Classified struct {
	Classes       int
	Truth         []int       // class of each row
	Probabilities [][]float64 // of each row, by class; they add up to 1
}

// Metrics computes every metric of a classifier that is defined for the data:
// roc_auc, ks and gini need rows of two classes at least.
//
// With two classes, class 1 is the positive one: precision, recall and f1 are
// its own. With more, they are the mean over the classes that occur in truth or
// prediction, and roc_auc, ks and gini the mean over each class against the
// others, for those that occur.
func (c *Classified) Metrics() map[string]float64 {
	out := map[string]float64{}
	if len(c.Truth) == 0 {
		return out
	}
	out[Accuracy], out[LogLoss] = c.accuracy(), c.logLoss()
	out[Precision], out[Recall], out[F1] = c.precisionRecall()
	if auc, ks, ok := c.curves(); ok {
		out[ROCAUC], out[KS], out[Gini] = auc, ks, 2*auc-1
	}
	return out
}

// predicted is the most probable class, the first of equals.
func predicted(p []float64) int {
	best := 0
	for k, v := range p {
		if v > p[best] {
			best = k
		}
	}
	return best
}

// class is the prediction for a row. Of two classes the positive one wins a draw:
// its threshold is one half.
func (c *Classified) class(row int) int {
	p := c.Probabilities[row]
	if c.Classes == 2 {
		if p[1] >= 0.5 {
			return 1
		}
		return 0
	}
	return predicted(p)
}

func (c *Classified) accuracy() float64 {
	right := 0
	for i, y := range c.Truth {
		if c.class(i) == y {
			right++
		}
	}
	return float64(right) / float64(len(c.Truth))
}

func (c *Classified) logLoss() float64 {
	sum := 0.0
	for i, y := range c.Truth {
		sum -= math.Log(max(c.Probabilities[i][y], probabilityFloor))
	}
	return sum / float64(len(c.Truth))
}

func (c *Classified) precisionRecall() (precision, recall, f1 float64) {
	hits, said, truly := make([]float64, c.Classes), make([]float64, c.Classes), make([]float64, c.Classes)
	for i, y := range c.Truth {
		p := c.class(i)
		said[p]++
		truly[y]++
		if p == y {
			hits[y]++
		}
	}
	first := 0
	if c.Classes == 2 {
		first = 1 // the positive class alone
	}
	n := 0.0
	for k := first; k < c.Classes; k++ {
		if said[k]+truly[k] == 0 && c.Classes > 2 {
			continue
		}
		n++
		precision += ratio(hits[k], said[k])
		recall += ratio(hits[k], truly[k])
		f1 += ratio(2*hits[k], said[k]+truly[k])
	}
	return precision / n, recall / n, f1 / n
}

// ratio is 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// curves are the area under the ROC curve and the Kolmogorov-Smirnov statistic.
func (c *Classified) curves() (auc, ks float64, ok bool) {
	if c.Classes == 2 {
		return c.curve(1)
	}
	n := 0.0
	for k := range c.Classes {
		if a, s, ok := c.curve(k); ok {
			auc, ks, n = auc+a, ks+s, n+1
		}
	}
	return auc / n, ks / n, n > 0
}

// curve walks the thresholds from the highest score down. Rows of one score pass
// a threshold together, so ties count half in the area.
func (c *Classified) curve(class int) (auc, ks float64, ok bool) {
	order := make([]int, len(c.Truth))
	positives := 0.0
	for i, y := range c.Truth {
		order[i] = i
		if y == class {
			positives++
		}
	}
	negatives := float64(len(c.Truth)) - positives
	if positives == 0 || negatives == 0 {
		return 0, 0, false
	}
	score := func(i int) float64 { return c.Probabilities[i][class] }
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score(b), score(a)) })
	var tp, fp float64
	for i := 0; i < len(order); {
		wasTP, wasFP, s := tp, fp, score(order[i])
		for ; i < len(order) && score(order[i]) == s; i++ {
			if c.Truth[order[i]] == class {
				tp++
			} else {
				fp++
			}
		}
		auc += (fp - wasFP) * (tp + wasTP) / 2
		ks = max(ks, math.Abs(tp/positives-fp/negatives))
	}
	return auc / (positives * negatives), ks, true
}

// regressionMetrics are those of predicted numbers.
func regressionMetrics(truth, predicted []float64) map[string]float64 {
	n := float64(len(truth))
	if n == 0 {
		return map[string]float64{}
	}
	var mean, squared, absolute, spread float64
	for _, y := range truth {
		mean += y / n
	}
	for i, y := range truth {
		d := y - predicted[i]
		squared += d * d
		absolute += math.Abs(d)
		spread += (y - mean) * (y - mean)
	}
	out := map[string]float64{RMSE: math.Sqrt(squared / n), MAE: absolute / n}
	if spread > 0 {
		out[R2] = 1 - squared/spread
	}
	return out
}
