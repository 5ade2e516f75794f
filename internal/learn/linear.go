package learn

import (
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// Linear is a logistic regression: for each output a coefficient per input and
// an intercept, last. It is trained by Adam, whose moments are part of it, so
// that training can go on.
type Linear struct {
	Inputs  int         `json:"inputs"`
	Weights [][]float64 `json:"weights"`
	First   [][]float64 `json:"first_moments"`
	Second  [][]float64 `json:"second_moments"`
	Steps   int         `json:"steps"`
}

// Adam's constants, as its authors recommend.
const (
	beta1 = 0.9
	beta2 = 0.999
	tiny  = 1e-8
	// decay lowers the learning rate with the epochs, without which steps on
	// single batches would never settle.
	decay = 0.1
)

// inputWidth is how many inputs features make: what they are encoded as, and
// one more for each that may be missing.
func inputWidth(features []Feature) int {
	n := 0
	for i := range features {
		n += features[i].width()
		if features[i].Kind == Number && features[i].Gaps {
			n++
		}
	}
	return n
}

func newLinear(inputs, outputs int) *Linear {
	l := &Linear{Inputs: inputs}
	for range outputs {
		l.Weights = append(l.Weights, make([]float64, inputs+1))
		l.First = append(l.First, make([]float64, inputs+1))
		l.Second = append(l.Second, make([]float64, inputs+1))
	}
	return l
}

func (l *Linear) check(inputs, outputs int) error {
	if l.Inputs != inputs || l.Steps < 0 {
		return errors.New("the inputs are not those of the features")
	}
	for _, part := range [][][]float64{l.Weights, l.First, l.Second} {
		if len(part) != outputs {
			return errors.New("the outputs are not those of the classes")
		}
		for _, w := range part {
			if len(w) != inputs+1 || !allFinite(w) {
				return errors.New("the coefficients are not what the inputs need")
			}
		}
	}
	return nil
}

// inputs standardises encoded rows: numbers to mean 0 and deviation 1, missing
// ones to the mean with a mark beside.
func (l *Linear) inputs(x *matrix, features []Feature) *matrix {
	out := &matrix{width: l.Inputs, data: make([]float64, l.Inputs*x.rows())}
	for r := range x.rows() {
		from, to := x.row(r), out.row(r)
		for i := range features {
			f := &features[i]
			if f.Kind == Category {
				n := copy(to, from[:f.width()])
				from, to = from[n:], to[n:]
				continue
			}
			v := from[0]
			from = from[1:]
			gap := math.IsNaN(v)
			if !gap {
				to[0] = (v - f.Mean) / f.Scale
			}
			to = to[1:]
			if f.Gaps {
				if gap {
					to[0] = 1
				}
				to = to[1:]
			}
		}
	}
	return out
}

// row writes the scores of one row to out.
func (l *Linear) row(out, in []float64) {
	for k, w := range l.Weights {
		out[k] = w[l.Inputs] + floats.Dot(w[:l.Inputs], in)
	}
}

func (l *Linear) scores(x *matrix) []float64 {
	k := len(l.Weights)
	out := make([]float64, x.rows()*k)
	for r := range x.rows() {
		l.row(out[r*k:(r+1)*k], x.row(r))
	}
	return out
}

// descent trains a Linear, one pass over the rows per epoch.
type descent struct {
	l    *Linear
	opt  *Options
	x    *matrix
	t    *target
	rows []int32 // to train on
}

// epoch makes one pass in an order that only seed and epoch decide. pause is
// called after every batch and may end the pass with an error, after which the
// model is of no use.
func (d *descent) epoch(epoch int, pause func() error) error {
	order := append([]int32(nil), d.rows...)
	shuffle := rand.New(rand.NewPCG(d.opt.Seed, uint64(epoch))) //nolint:gosec // not a secret: it must repeat
	shuffle.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	rate := d.opt.LearningRate / (1 + decay*float64(epoch))
	k := len(d.l.Weights)
	gradient, scores := newLinear(d.l.Inputs, k).Weights, make([]float64, k)
	for len(order) > 0 {
		n := min(len(order), d.opt.BatchSize)
		for _, g := range gradient {
			clear(g)
		}
		for _, r := range order[:n] {
			d.accumulate(gradient, scores, int(r))
		}
		d.step(gradient, n, rate)
		order = order[n:]
		if err := pause(); err != nil {
			return err
		}
	}
	return nil
}

// accumulate adds the gradient of one row.
func (d *descent) accumulate(gradient [][]float64, scores []float64, r int) {
	in := d.x.row(r)
	d.l.row(scores, in)
	class := d.t.class[r]
	if len(scores) == 1 {
		scores[0] = sigmoid(scores[0]) - float64(class)
	} else {
		softmax(scores, scores)
		scores[class]--
	}
	for k, e := range scores {
		floats.AddScaled(gradient[k][:d.l.Inputs], e, in)
		gradient[k][d.l.Inputs] += e
	}
}

// step moves the weights against the mean gradient of n rows. Intercepts are not
// drawn to zero.
func (d *descent) step(gradient [][]float64, n int, rate float64) {
	d.l.Steps++
	fix1 := 1 - math.Pow(beta1, float64(d.l.Steps))
	fix2 := 1 - math.Pow(beta2, float64(d.l.Steps))
	for k, w := range d.l.Weights {
		m, v := d.l.First[k], d.l.Second[k]
		for i, g := range gradient[k] {
			g /= float64(n)
			if i < d.l.Inputs {
				g += d.opt.L2 * w[i]
			}
			m[i] = beta1*m[i] + (1-beta1)*g
			v[i] = beta2*v[i] + (1-beta2)*g*g
			w[i] -= rate * (m[i] / fix1) / (math.Sqrt(v[i]/fix2) + tiny)
		}
	}
}
