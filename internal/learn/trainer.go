package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
)

// Progress is what an epoch has brought.
type Progress struct {
	Epoch          int                // from 1
	TrainLoss      float64            // log loss, or the root of the mean squared error
	ValidationLoss float64            // of the rows kept to measure with; 0 without any
	Metrics        map[string]float64 // of those rows; nil without any
}

// Trainer trains one model, an epoch at a time. It belongs to one goroutine.
type Trainer struct {
	model      *Model
	t          *target
	train      []int32
	validation []int32
	descent    *descent // one of the two
	boosting   *boosting
	broken     error
}

// The least rows to learn from.
const minRows = 2

// NewTrainer prepares to train on a frame. With a model, which must come of the
// same data and options, it goes on where that ended.
//
// Errors are about the data: a column that is missing, a target of one class,
// too few rows.
func NewTrainer(o Options, frame *Frame, from *Model) (*Trainer, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	t, err := readTarget(frame, o.Target, o.Task, nil)
	if err != nil {
		return nil, err
	}
	if err := t.prefer(o.Positive); err != nil {
		return nil, err
	}
	if o.Task == Classification && len(t.classes) < 2 {
		return nil, fmt.Errorf("the target %q needs two classes at least and has %d", o.Target, len(t.classes))
	}
	if most := maxClasses; len(t.classes) > most {
		return nil, fmt.Errorf("the target %q has %d classes, more than %d: is it a number?", o.Target, len(t.classes), most)
	}
	tr := &Trainer{t: t}
	tr.train, tr.validation = divideRows(t.rows, o.Validation, o.Seed)
	if len(tr.train) < minRows {
		return nil, fmt.Errorf("%d rows with a target are too few to learn from", len(tr.train))
	}
	features, err := fitFeatures(frame, o.Features, tr.train)
	if err != nil {
		return nil, err
	}
	tr.model = &Model{Options: o, Classes: t.classes, Features: features}
	if from != nil {
		if err := tr.goOn(from); err != nil {
			return nil, err
		}
	}
	return tr, tr.prepare(frame)
}

// maxClasses bounds what can be told apart: a tree for each is grown per epoch.
const maxClasses = 100

// divideRows keeps a part of the rows apart, as seed decides.
func divideRows(rows []int32, part float64, seed uint64) (train, kept []int32) {
	n := int(part * float64(len(rows)))
	if n == 0 {
		return rows, nil
	}
	order := slices.Clone(rows)
	r := rand.New(rand.NewPCG(seed, splitStream)) //nolint:gosec // not a secret: it must repeat
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	kept, train = order[:n], order[n:]
	slices.Sort(kept)
	slices.Sort(train)
	return train, kept
}

// splitStream keeps the division apart from the orders of epochs.
const splitStream = 1 << 63

// goOn takes over what a checkpoint has learned, if it is of this data.
func (tr *Trainer) goOn(from *Model) error {
	was, err := json.Marshal(from.header())
	if err != nil {
		return err
	}
	is, err := json.Marshal(tr.model.header())
	if err != nil {
		return err
	}
	if string(was) != string(is) {
		return ErrOtherData
	}
	copied, err := from.clone()
	if err != nil {
		return err
	}
	tr.model = copied
	return nil
}

// ErrOtherData says that a checkpoint does not belong to the data or the options:
// training must begin anew.
var ErrOtherData = errors.New("the checkpoint is of other data or options")

func (m *Model) header() Model {
	return Model{Options: m.Options, Classes: m.Classes, Features: m.Features}
}

func (tr *Trainer) prepare(frame *Frame) error {
	m := tr.model
	x, err := encode(frame, m.Features)
	if err != nil {
		return err
	}
	if x.width == 0 {
		return errors.New("the features have no value in any row")
	}
	if m.Options.Architecture == LogisticRegression {
		if m.Linear == nil {
			m.Linear = newLinear(inputWidth(m.Features), m.outputs())
		}
		tr.descent = &descent{l: m.Linear, opt: &m.Options, x: m.Linear.inputs(x, m.Features), t: tr.t, rows: tr.train}
		return nil
	}
	if m.Forest == nil {
		m.Forest = newForest(tr.t, tr.train, m.outputs())
	}
	tr.boosting = newBoosting(m.Forest, &m.Options, x, tr.t, tr.train)
	return nil
}

// Done tells whether all epochs are behind the model.
func (tr *Trainer) Done() bool { return tr.model.Epoch >= tr.model.Options.Epochs }

// Rows is how many rows are trained on, and how many are kept to measure with.
func (tr *Trainer) Rows() (train, validation int) { return len(tr.train), len(tr.validation) }

// Epoch trains one epoch. It steps aside for other goroutines all the time. When
// ctx ends it returns its error, and the trainer is of no use any more: go on
// from a checkpoint.
func (tr *Trainer) Epoch(ctx context.Context) (Progress, error) {
	if tr.broken != nil {
		return Progress{}, tr.broken
	}
	pause := func() error {
		runtime.Gosched()
		return ctx.Err()
	}
	m := tr.model
	var scores []float64
	if tr.descent != nil {
		if tr.broken = tr.descent.epoch(m.Epoch, pause); tr.broken == nil {
			scores = m.Linear.scores(tr.descent.x)
		}
	} else {
		tr.broken = tr.boosting.epoch(m.Epoch, pause)
		scores = tr.boosting.scores
	}
	if tr.broken != nil {
		return Progress{}, tr.broken
	}
	m.Epoch++
	p := Progress{Epoch: m.Epoch, TrainLoss: tr.t.loss(scores, tr.train, m.outputs())}
	if !finite(p.TrainLoss) {
		tr.broken = fmt.Errorf("training diverged in epoch %d: lower learning_rate", m.Epoch)
		return Progress{}, tr.broken
	}
	if len(tr.validation) > 0 {
		p.Metrics, p.ValidationLoss = tr.t.measure(scores, tr.validation, m.outputs())
	}
	return p, nil
}

// Model is a copy of the model as it is now.
func (tr *Trainer) Model() (*Model, error) { return tr.model.clone() }
