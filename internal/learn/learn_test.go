package learn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/optimize"
	"pgregory.net/rapid"

	"strata/internal/learn"
)

// table makes a frame of a numeric column a and b, a category c and the target y.
func table(n int, row func(r *rand.Rand) (a, b learn.Cell, c string, y string)) *learn.Frame {
	f := learn.NewFrame([]learn.Column{{Name: "a", Kind: learn.Number}, {Name: "b", Kind: learn.Number}, {Name: "c", Kind: learn.Category}, {Name: "y", Kind: learn.Category}})
	r := rand.New(rand.NewPCG(7, 7))
	for range n {
		a, b, c, y := row(r)
		f.Append([]learn.Cell{a, b, learn.TextCell(c), learn.TextCell(y)})
	}
	return f
}

// xor is what no line divides, with values that are missing.
func xor(n int) *learn.Frame {
	return table(n, func(r *rand.Rand) (learn.Cell, learn.Cell, string, string) {
		a, b := r.Float64()*2-1, r.Float64()*2-1
		y := "no"
		if (a > 0) != (b > 0) {
			y = "yes"
		}
		ca := learn.NumberCell(a)
		if r.IntN(20) == 0 {
			ca = learn.Cell{}
		}
		return ca, learn.NumberCell(b), []string{"x", "y", "z"}[r.IntN(3)], y
	})
}

// line is what a line divides, with some noise; the category matters, too.
func line(n int) *learn.Frame {
	return table(n, func(r *rand.Rand) (learn.Cell, learn.Cell, string, string) {
		a, b := r.NormFloat64()*50+10, r.NormFloat64()
		c := []string{"u", "v"}[r.IntN(2)]
		z := a/50 - b + r.NormFloat64()*0.3
		if c == "v" {
			z++
		}
		y := "0"
		if z > 0 {
			y = "1"
		}
		return learn.NumberCell(a), learn.NumberCell(b), c, y
	})
}

// three are three classes by the angle of a and b.
func three(n int) *learn.Frame {
	return table(n, func(r *rand.Rand) (learn.Cell, learn.Cell, string, string) {
		a, b := r.NormFloat64(), r.NormFloat64()
		y := int((math.Atan2(a, b)+math.Pi)/(2*math.Pi)*2.999) + 8 // 8, 9, 10
		return learn.NumberCell(a), learn.NumberCell(b), "x", fmt.Sprint(y)
	})
}

func options(architecture string, change ...func(*learn.Options)) learn.Options {
	o := learn.Defaults(architecture)
	o.Target, o.Features = "y", []string{"a", "b", "c"}
	for _, f := range change {
		f(&o)
	}
	return o
}

// train trains to the end and returns the model with what each epoch brought.
func train(t testing.TB, o learn.Options, f *learn.Frame, from *learn.Model) (*learn.Model, []learn.Progress) {
	t.Helper()
	tr, err := learn.NewTrainer(o, f, from)
	if err != nil {
		t.Fatal(err)
	}
	var all []learn.Progress
	for !tr.Done() {
		p, err := tr.Epoch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	m, err := tr.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m, all
}

func encoded(t testing.TB, m *learn.Model) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLearns(t *testing.T) {
	for _, c := range []struct {
		name     string
		options  learn.Options
		data     *learn.Frame
		from, to float64 // where the accuracy must be
	}{
		{"trees see what no line divides", options(learn.GradientBoostedTrees), xor(1500), 0.93, 1},
		{"a line does not", options(learn.LogisticRegression), xor(1500), 0.3, 0.65},
		{"trees, a noisy line", options(learn.GradientBoostedTrees), line(1500), 0.85, 0.99},
		{"a noisy line", options(learn.LogisticRegression), line(1500), 0.88, 0.99},
		{"trees, three classes", options(learn.GradientBoostedTrees, func(o *learn.Options) { o.Epochs = 30; o.Subsample = 0.7 }), three(1200), 0.9, 1},
		{"three classes", options(learn.LogisticRegression), three(1200), 0.85, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, all := train(t, c.options, c.data, nil)
			last := all[len(all)-1]
			if got := last.Metrics[learn.Accuracy]; got < c.from || got > c.to {
				t.Errorf("accuracy %v of rows that it was not trained on, want %v to %v: %+v", got, c.from, c.to, last)
			}
			if c.from > 0.5 && last.TrainLoss >= all[0].TrainLoss {
				t.Errorf("the loss went from %v to %v", all[0].TrainLoss, last.TrainLoss)
			}
			if last.Epoch != len(all) || last.ValidationLoss != last.Metrics[learn.LogLoss] {
				t.Errorf("the last of %d epochs: %+v", len(all), last)
			}
		})
	}
}

func TestLearnsNumbers(t *testing.T) {
	f := learn.NewFrame([]learn.Column{{Name: "a", Kind: learn.Number}, {Name: "y", Kind: learn.Number}})
	r := rand.New(rand.NewPCG(1, 2))
	for range 800 {
		a := r.Float64() * 6
		f.Append([]learn.Cell{learn.NumberCell(a), learn.NumberCell(math.Sin(a))})
	}
	o := options(learn.GradientBoostedTrees, func(o *learn.Options) { o.Task, o.Features = learn.Regression, []string{"a"} })
	m, all := train(t, o, f, nil)
	if last := all[len(all)-1]; last.Metrics[learn.R2] < 0.98 || last.ValidationLoss != last.Metrics[learn.RMSE] {
		t.Errorf("%+v", last)
	}
	e, err := m.Evaluate(f)
	if err != nil || e.Rows != 800 || e.Metrics[learn.MAE] > 0.1 {
		t.Errorf("%+v, %v", e, err)
	}
}

// gonum's L-BFGS finds the least loss there is; epochs come close to it.
func TestLogisticRegressionNearsTheOptimum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n = 400
	xs, ys := make([][]float64, n), make([]float64, n)
	f := learn.NewFrame([]learn.Column{{Name: "a", Kind: learn.Number}, {Name: "b", Kind: learn.Number}, {Name: "y", Kind: learn.Category}})
	for i := range n {
		a, b := r.NormFloat64(), r.NormFloat64()
		if r.Float64() < 1/(1+math.Exp(-(0.5+2*a-b))) {
			ys[i] = 1
		}
		xs[i] = []float64{a, b, 1}
		f.Append([]learn.Cell{learn.NumberCell(a), learn.NumberCell(b), learn.NumberCell(ys[i])})
	}
	problem := optimize.Problem{Func: func(w []float64) float64 {
		sum := 0.0
		for i, x := range xs {
			z := w[0]*x[0] + w[1]*x[1] + w[2]
			sum += math.Log1p(math.Exp(-math.Abs(z))) + max(z, 0) - ys[i]*z
		}
		return sum / n
	}}
	problem.Grad = func(grad, w []float64) {
		clear(grad)
		for i, x := range xs {
			e := 1/(1+math.Exp(-(w[0]*x[0]+w[1]*x[1]+w[2]))) - ys[i]
			for j := range grad {
				grad[j] += e * x[j] / n
			}
		}
	}
	best, err := optimize.Minimize(problem, make([]float64, 3), &optimize.Settings{GradientThreshold: 1e-6}, &optimize.LBFGS{})
	if err != nil {
		t.Fatal(err)
	}
	o := options(learn.LogisticRegression, func(o *learn.Options) {
		o.Features, o.Validation, o.Epochs, o.L2 = []string{"a", "b"}, 0, 200, 0
	})
	_, all := train(t, o, f, nil)
	if got := all[len(all)-1].TrainLoss; got < best.F-1e-9 || got > best.F+1e-4 {
		t.Errorf("a loss of %v after %d epochs, and the least is %v", got, len(all), best.F)
	}
}

// A training that was interrupted ends with the same bytes as one that was not.
func TestGoesOnFromACheckpoint(t *testing.T) {
	frames := map[string]*learn.Frame{"two": line(90), "three": three(90), "gaps": xor(90)}
	rapid.Check(t, func(t2 *rapid.T) {
		o := options(rapid.SampledFrom(learn.Architectures()).Draw(t2, "architecture"), func(o *learn.Options) {
			o.Epochs = 5
			if o.Architecture == learn.GradientBoostedTrees {
				o.Subsample = 0.8
			}
		})
		o.Seed = rapid.Uint64().Draw(t2, "seed")
		f := frames[rapid.SampledFrom([]string{"two", "three", "gaps"}).Draw(t2, "data")]
		whole, all := train(t, o, f, nil)
		tr, err := learn.NewTrainer(o, f, nil)
		if err != nil {
			t2.Fatal(err)
		}
		for range rapid.IntRange(0, 4).Draw(t2, "epochs before") {
			if _, err := tr.Epoch(t.Context()); err != nil {
				t2.Fatal(err)
			}
		}
		m, err := tr.Model()
		if err != nil {
			t2.Fatal(err)
		}
		kept, err := learn.Decode(encoded(t, m))
		if err != nil {
			t2.Fatal(err)
		}
		resumed, rest := train(t, o, f, kept)
		if !bytes.Equal(encoded(t, whole), encoded(t, resumed)) {
			t2.Fatal("the models differ")
		}
		if a, b := all[len(all)-1], rest[len(rest)-1]; fmt.Sprint(a) != fmt.Sprint(b) {
			t2.Fatalf("%+v, and %+v after going on", a, b)
		}
	})
}

func TestDoesNotGoOnWithOtherData(t *testing.T) {
	o := options(learn.GradientBoostedTrees, func(o *learn.Options) { o.Epochs = 2 })
	m, _ := train(t, o, line(200), nil)
	if _, err := learn.NewTrainer(o, line(201), m); !errors.Is(err, learn.ErrOtherData) {
		t.Errorf("other rows: %v", err)
	}
	o.L2 = 3
	if _, err := learn.NewTrainer(o, line(200), m); !errors.Is(err, learn.ErrOtherData) {
		t.Errorf("other options: %v", err)
	}
}

func TestEvaluatesOtherData(t *testing.T) {
	m, _ := train(t, options(learn.GradientBoostedTrees, func(o *learn.Options) { o.Positive = "0" }), line(1000), nil)
	m, err := learn.Decode(encoded(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Classes, " "); got != "1 0" {
		t.Errorf("classes %q, and 0 should be the positive one", got)
	}
	f := learn.NewFrame(m.Columns())
	for _, row := range [][]learn.Cell{
		{learn.NumberCell(200), learn.NumberCell(-3), learn.TextCell("v"), learn.NumberCell(1)},
		{learn.TextCell("-200"), learn.NumberCell(3), learn.TextCell("never seen"), learn.TextCell("0")},
		{learn.Cell{}, learn.NumberCell(3), learn.TextCell("u"), learn.TextCell("another class")},
		{learn.Cell{}, learn.NumberCell(3), learn.TextCell("u"), {}},
	} {
		f.Append(row)
	}
	e, err := m.Evaluate(f)
	if err != nil || e.Rows != 2 || e.Skipped != 2 || e.Metrics[learn.Accuracy] != 1 || e.Metrics[learn.ROCAUC] != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	said, err := m.Predict(f)
	if err != nil || len(said) != 4 || said[0][0] < 0.8 || said[1][1] < 0.8 || math.Abs(said[2][0]+said[2][1]-1) > 1e-12 {
		t.Errorf("%v, %v", said, err)
	}
	if _, err := m.Evaluate(learn.NewFrame([]learn.Column{{Name: "y", Kind: learn.Category}})); err == nil {
		t.Error("data without the features was evaluated")
	}
}

func TestRefuses(t *testing.T) {
	one := table(50, func(*rand.Rand) (learn.Cell, learn.Cell, string, string) {
		return learn.NumberCell(1), learn.NumberCell(2), "x", "same"
	})
	for name, c := range map[string]struct {
		options learn.Options
		frame   *learn.Frame
	}{
		"a target of one class":          {options(learn.LogisticRegression), one},
		"a target that is not there":     {options(learn.LogisticRegression, func(o *learn.Options) { o.Target = "z" }), line(50)},
		"a feature that is not":          {options(learn.LogisticRegression, func(o *learn.Options) { o.Features = []string{"z"} }), line(50)},
		"a positive class of none":       {options(learn.LogisticRegression, func(o *learn.Options) { o.Positive = "7" }), line(50)},
		"no row":                         {options(learn.GradientBoostedTrees), line(0)},
		"numbers by logistic regression": {options(learn.LogisticRegression, func(o *learn.Options) { o.Task = learn.Regression }), line(50)},
		"another architecture":           {options("transformer"), line(50)},
	} {
		if _, err := learn.NewTrainer(c.options, c.frame, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestStopsAtOnce(t *testing.T) {
	for _, a := range learn.Architectures() {
		tr, err := learn.NewTrainer(options(a), line(400), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := tr.Epoch(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", a, err)
		}
		if _, err := tr.Epoch(t.Context()); err == nil {
			t.Errorf("%s goes on with half an epoch", a)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, a := range learn.Architectures() {
		m, _ := train(f, options(a, func(o *learn.Options) { o.Epochs = 1 }), line(60), nil)
		data := encoded(f, m)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte("STML"))
	frame := line(3)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := learn.Decode(data)
		if err != nil {
			if !errors.Is(err, learn.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		_, _ = m.Predict(frame) // whatever it says, it must not panic
		if _, err := m.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	m, _ := train(t, options(learn.LogisticRegression, func(o *learn.Options) { o.Epochs = 1 }), line(60), nil)
	data := encoded(t, m)
	for i := range data {
		bent := bytes.Clone(data)
		bent[i] ^= 1 << (i % 8)
		if _, err := learn.Decode(bent); !errors.Is(err, learn.ErrCorrupt) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}
