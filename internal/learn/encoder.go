package learn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// MaxCells bounds what is held in memory: rows times columns, of a table and of
// what it is encoded as. A cell takes eight bytes.
const MaxCells = 16 << 20

// maxLevels is how many levels of a category get a column of their own.
const maxLevels = 32

// Feature is one column that a model looks at, and how it becomes numbers.
type Feature struct {
	Column
	Mean   float64  `json:"mean,omitempty"`   // of the numbers in training
	Scale  float64  `json:"scale,omitempty"`  // their standard deviation, 1 for a constant
	Gaps   bool     `json:"gaps,omitempty"`   // whether values were missing in training
	Levels []string `json:"levels,omitempty"` // of a category, the most frequent first
}

// width is how many numbers a feature becomes.
func (f *Feature) width() int {
	if f.Kind == Number {
		return 1
	}
	return len(f.Levels)
}

// fitFeatures looks at the rows that a model is trained on.
func fitFeatures(frame *Frame, names []string, rows []int32) ([]Feature, error) {
	out := make([]Feature, len(names))
	for i, name := range names {
		at := frame.find(name)
		if at < 0 {
			return nil, fmt.Errorf("the data has no column %q", name)
		}
		out[i] = Feature{Column: frame.columns[at]}
		if out[i].Kind == Number {
			out[i].fitNumbers(frame.numbers[at], rows)
		} else {
			out[i].fitLevels(frame, at, rows)
		}
	}
	return out, nil
}

// fitNumbers finds mean and deviation in one pass (Welford).
func (f *Feature) fitNumbers(values []float64, rows []int32) {
	var n, mean, m2 float64
	for _, r := range rows {
		v := values[r]
		if math.IsNaN(v) {
			f.Gaps = true
			continue
		}
		n++
		d := v - mean
		mean += d / n
		m2 += d * (v - mean)
	}
	f.Mean, f.Scale = mean, 1
	if n > 1 {
		if s := math.Sqrt(m2 / n); s > 0 && !math.IsInf(s, 0) {
			f.Scale = s
		}
	}
}

func (f *Feature) fitLevels(frame *Frame, column int, rows []int32) {
	counts := make([]int, len(frame.levels[column]))
	for _, r := range rows {
		if code := frame.codes[column][r]; code >= 0 {
			counts[code]++
		} else {
			f.Gaps = true
		}
	}
	var seen []int
	for code, n := range counts {
		if n > 0 {
			seen = append(seen, code)
		}
	}
	names := frame.levels[column]
	slices.SortFunc(seen, func(a, b int) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(names[a], names[b])) })
	for _, code := range seen[:min(len(seen), maxLevels)] {
		f.Levels = append(f.Levels, names[code])
	}
}

// matrix is numbers by row, without gaps between rows.
type matrix struct {
	width int
	data  []float64
}

func (m *matrix) row(i int) []float64 { return m.data[i*m.width : (i+1)*m.width] }

func (m *matrix) rows() int {
	if m.width == 0 {
		return 0
	}
	return len(m.data) / m.width
}

// encode turns a frame into what models look at: numbers as they are, NaN where
// they are missing, and 0 or 1 for each level of a category.
func encode(frame *Frame, features []Feature) (*matrix, error) {
	m := &matrix{}
	for i := range features {
		m.width += features[i].width()
	}
	if m.width*frame.rows > MaxCells {
		return nil, fmt.Errorf("%d rows of %d numbers are more than %d: use fewer features or rows", frame.rows, m.width, MaxCells)
	}
	m.data = make([]float64, m.width*frame.rows)
	at := 0
	for i := range features {
		f := &features[i]
		column := frame.find(f.Name)
		if column < 0 {
			return nil, fmt.Errorf("the data has no column %q, which the model looks at", f.Name)
		}
		if frame.columns[column].Kind != f.Kind {
			return nil, fmt.Errorf("column %q is read as a %s, and the model was trained with a %s", f.Name, frame.columns[column].Kind, f.Kind)
		}
		if f.Kind == Number {
			for r, v := range frame.numbers[column] {
				m.data[r*m.width+at] = v
			}
		} else {
			f.encodeLevels(frame, column, m, at)
		}
		at += f.width()
	}
	return m, nil
}

func (f *Feature) encodeLevels(frame *Frame, column int, m *matrix, at int) {
	place := make([]int, len(frame.levels[column])) // of a code, from 1
	for i, level := range f.Levels {
		if code, ok := frame.index[column][level]; ok {
			place[code] = i + 1
		}
	}
	for r, code := range frame.codes[column] {
		if code >= 0 && place[code] > 0 {
			m.data[r*m.width+at+place[code]-1] = 1
		}
	}
}
