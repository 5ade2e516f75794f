package learn

import (
	"fmt"
	"math"
)

// Model is what was learned, and what is needed to go on learning.
type Model struct {
	Options  Options   `json:"options"`
	Classes  []string  `json:"classes,omitempty"` // of a classifier; of two, the second is positive
	Features []Feature `json:"features"`
	Epoch    int       `json:"epoch"` // epochs behind it

	Linear *Linear `json:"linear,omitempty"`
	Forest *Forest `json:"forest,omitempty"`
}

// outputs is how many scores the model makes of a row: one for two classes.
func (m *Model) outputs() int {
	if n := len(m.Classes); n > 2 {
		return n
	}
	return 1
}

// Columns are what a frame must hold for [Model.Evaluate].
func (m *Model) Columns() []Column {
	out := make([]Column, 0, len(m.Features)+1)
	for _, f := range m.Features {
		out = append(out, f.Column)
	}
	return append(out, m.targetColumn())
}

func (m *Model) targetColumn() Column {
	if m.Options.Task == Regression {
		return Column{Name: m.Options.Target, Kind: Number}
	}
	return Column{Name: m.Options.Target, Kind: Category}
}

// scores are the model's raw outputs for encoded rows.
func (m *Model) scores(x *matrix) []float64 {
	if m.Linear != nil {
		return m.Linear.scores(m.Linear.inputs(x, m.Features))
	}
	return m.Forest.scores(x)
}

// Evaluation is what came of holding a model against data.
type Evaluation struct {
	Rows    int                // that were counted
	Skipped int                // rows without a target, or of a class that the model does not know
	Metrics map[string]float64 // those that are defined for the data
}

// Evaluate computes every metric of the model on a frame with its columns.
func (m *Model) Evaluate(frame *Frame) (*Evaluation, error) {
	t, err := readTarget(frame, m.Options.Target, m.Options.Task, m.Classes)
	if err != nil {
		return nil, err
	}
	x, err := encode(frame, m.Features)
	if err != nil {
		return nil, err
	}
	out := &Evaluation{Rows: len(t.rows), Skipped: frame.rows - len(t.rows)}
	out.Metrics, _ = t.measure(m.scores(x), t.rows, m.outputs())
	return out, nil
}

// Predict returns for each row the probability of each class, or the number.
// The frame needs the features only.
func (m *Model) Predict(frame *Frame) ([][]float64, error) {
	x, err := encode(frame, m.Features)
	if err != nil {
		return nil, err
	}
	scores, k := m.scores(x), m.outputs()
	out := make([][]float64, frame.rows)
	for i := range out {
		if m.Options.Task == Regression {
			out[i] = scores[i : i+1]
		} else {
			out[i] = probabilities(scores[i*k : (i+1)*k])
		}
	}
	return out, nil
}

// probabilities turns the raw scores of a row into those of its classes.
func probabilities(scores []float64) []float64 {
	if len(scores) == 1 {
		p := sigmoid(scores[0])
		return []float64{1 - p, p}
	}
	out := make([]float64, len(scores))
	softmax(out, scores)
	return out
}

func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// softmax writes to out what scores say; out may be scores.
func softmax(out, scores []float64) {
	top, sum := scores[0], 0.0
	for _, s := range scores {
		top = max(top, s)
	}
	for i, s := range scores {
		out[i] = math.Exp(s - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
}

// check returns an error for a model that cannot be used, whatever wrote it.
func (m *Model) check() error {
	if err := m.Options.Check(); err != nil {
		return err
	}
	width := 0
	for i := range m.Features {
		f := &m.Features[i]
		if f.Kind != Number && f.Kind != Category || !finite(f.Mean) || !finite(f.Scale) || f.Kind == Number && f.Scale <= 0 {
			return fmt.Errorf("feature %q cannot be", f.Name)
		}
		width += f.width()
	}
	classifies := m.Options.Task == Classification
	switch {
	case classifies != (len(m.Classes) >= 2), m.Epoch < 0:
		return fmt.Errorf("%d classes after %d epochs cannot be", len(m.Classes), m.Epoch)
	case m.Options.Architecture == LogisticRegression && m.Linear != nil && m.Forest == nil:
		return m.Linear.check(inputWidth(m.Features), m.outputs())
	case m.Options.Architecture == GradientBoostedTrees && m.Forest != nil && m.Linear == nil:
		return m.Forest.check(width, m.outputs())
	}
	return fmt.Errorf("the parameters are not those of %s", m.Options.Architecture)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func allFinite(list []float64) bool {
	for _, v := range list {
		if !finite(v) {
			return false
		}
	}
	return true
}
