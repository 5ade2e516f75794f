package learn

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// target is what rows of a frame should be predicted as.
type target struct {
	classes []string
	class   []int     // of each row of the frame; -1 for none
	value   []float64 // of each row, for regression
	rows    []int32   // those that have a target, in order
}

// readTarget reads a frame's target. With classes, rows of others have none.
func readTarget(frame *Frame, name string, task Task, classes []string) (*target, error) {
	at := frame.find(name)
	if at < 0 {
		return nil, fmt.Errorf("the data has no column %q, the target", name)
	}
	t := &target{}
	if task == Regression {
		t.value = frame.numbers[at]
		for r, v := range t.value {
			if !math.IsNaN(v) {
				t.rows = append(t.rows, int32(r)) //nolint:gosec // a frame has fewer rows
			}
		}
		return t, nil
	}
	if t.classes = classes; classes == nil {
		t.classes = slices.Clone(frame.levels[at])
		sortClasses(t.classes)
	}
	place := make([]int, len(frame.levels[at]))
	for code, level := range frame.levels[at] {
		place[code] = slices.Index(t.classes, level)
	}
	t.class = make([]int, frame.rows)
	for r, code := range frame.codes[at] {
		if t.class[r] = -1; code >= 0 && place[code] >= 0 {
			t.class[r] = place[code]
			t.rows = append(t.rows, int32(r)) //nolint:gosec // a frame has fewer rows
		}
	}
	return t, nil
}

// sortClasses puts numbers in their order and anything else in that of letters.
func sortClasses(classes []string) {
	values := make(map[string]float64, len(classes))
	for _, c := range classes {
		v, err := strconv.ParseFloat(c, 64)
		if err != nil || math.IsNaN(v) {
			slices.Sort(classes)
			return
		}
		values[c] = v
	}
	slices.SortFunc(classes, func(a, b string) int {
		if values[a] != values[b] {
			if values[a] < values[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
}

// prefer makes a class of two the positive one.
func (t *target) prefer(positive string) error {
	if positive == "" {
		return nil
	}
	at := slices.Index(t.classes, positive)
	if at < 0 || len(t.classes) != 2 {
		return fmt.Errorf("the positive class %q is not one of two in the target, which has %s", positive, strings.Join(t.classes, ", "))
	}
	if at == 0 {
		slices.Reverse(t.classes)
		for r, c := range t.class {
			if c >= 0 {
				t.class[r] = 1 - c
			}
		}
	}
	return nil
}

// measure computes metrics and loss of raw scores on some rows.
func (t *target) measure(scores []float64, rows []int32, outputs int) (map[string]float64, float64) {
	if t.class == nil {
		truth, said := make([]float64, len(rows)), make([]float64, len(rows))
		for i, r := range rows {
			truth[i], said[i] = t.value[r], scores[r]
		}
		m := regressionMetrics(truth, said)
		return m, m[RMSE]
	}
	c := Classified{Classes: len(t.classes), Truth: make([]int, len(rows)), Probabilities: make([][]float64, len(rows))}
	for i, r := range rows {
		c.Truth[i] = t.class[r]
		c.Probabilities[i] = probabilities(scores[int(r)*outputs : (int(r)+1)*outputs])
	}
	m := c.Metrics()
	return m, m[LogLoss]
}

// loss is what training minimises, on some rows, without the other metrics.
func (t *target) loss(scores []float64, rows []int32, outputs int) float64 {
	sum := 0.0
	for _, r := range rows {
		if t.class == nil {
			d := t.value[r] - scores[r]
			sum += d * d
			continue
		}
		p := probabilities(scores[int(r)*outputs : (int(r)+1)*outputs])
		sum -= math.Log(max(p[t.class[r]], probabilityFloor))
	}
	mean := ratio(sum, float64(len(rows)))
	if t.class == nil {
		return math.Sqrt(mean)
	}
	return mean
}
