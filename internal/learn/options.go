package learn

import (
	"errors"
	"fmt"
)

// The architectures.
const (
	LogisticRegression   = "logistic_regression"
	GradientBoostedTrees = "gradient_boosted_trees"
)

// Architectures lists what can be trained here.
func Architectures() []string { return []string{GradientBoostedTrees, LogisticRegression} }

// Task is what is predicted.
type Task string

// The tasks.
const (
	Classification Task = "classification" // one of two classes or more
	Regression     Task = "regression"     // a number; trees only
)

// Options say how a model is trained. Start from [Defaults].
type Options struct {
	Architecture string   `json:"architecture"`
	Task         Task     `json:"task"`
	Target       string   `json:"target"`             // column that is predicted
	Features     []string `json:"features"`           // columns that it is predicted from
	Positive     string   `json:"positive,omitempty"` // of two classes, the one that counts as positive; else the last in order

	Epochs       int     `json:"epochs"` // passes over the data, or trees per class
	LearningRate float64 `json:"learning_rate"`
	L2           float64 `json:"l2"`         // weight of the squared coefficients, or of the values of leaves
	Validation   float64 `json:"validation"` // part of the rows that is kept to measure with, below 1
	Seed         uint64  `json:"seed"`

	BatchSize int `json:"batch_size,omitempty"` // rows per step of logistic regression

	MaxDepth   int     `json:"max_depth,omitempty"`      // of trees
	MaxBins    int     `json:"max_bins,omitempty"`       // thresholds tried per column, at most 255
	MinLeaf    float64 `json:"min_leaf,omitempty"`       // least weight of a leaf: the sum of second derivatives
	Subsample  float64 `json:"subsample,omitempty"`      // part of the rows that a tree sees
	MinimumWin float64 `json:"min_split_loss,omitempty"` // least that a split must win
}

// Defaults are options that suit most tables.
func Defaults(architecture string) Options {
	o := Options{Architecture: architecture, Task: Classification, Validation: 0.2, Seed: 1}
	if architecture == LogisticRegression {
		o.Epochs, o.LearningRate, o.L2, o.BatchSize = 20, 0.05, 1e-4, 64
	} else {
		o.Epochs, o.LearningRate, o.L2 = 100, 0.1, 1
		o.MaxDepth, o.MaxBins, o.MinLeaf, o.Subsample = 4, 64, 1, 1
	}
	return o
}

// Check returns an error that names what cannot be.
func (o *Options) Check() error {
	bad := func(wrong bool, name string, value any) error {
		if !wrong {
			return nil
		}
		return fmt.Errorf("%s cannot be %v", name, value)
	}
	trees := o.Architecture == GradientBoostedTrees
	return errors.Join(
		bad(!trees && o.Architecture != LogisticRegression, "architecture", o.Architecture),
		bad(o.Task != Classification && (o.Task != Regression || !trees), "task", o.Task),
		bad(o.Target == "", "target", "empty"),
		bad(len(o.Features) == 0, "features", "empty"),
		bad(o.Epochs < 1, "epochs", o.Epochs),
		bad(!(o.LearningRate > 0 && o.LearningRate <= 10), "learning_rate", o.LearningRate),
		bad(!(o.L2 >= 0 && o.L2 <= 1e6), "l2", o.L2),
		bad(!(o.Validation >= 0 && o.Validation < 1), "validation", o.Validation),
		bad(!trees && o.BatchSize < 1, "batch_size", o.BatchSize),
		bad(trees && (o.MaxDepth < 1 || o.MaxDepth > maxDepth), "max_depth", o.MaxDepth),
		bad(trees && (o.MaxBins < 2 || o.MaxBins > 255), "max_bins", o.MaxBins),
		bad(trees && !(o.MinLeaf >= 0), "min_leaf", o.MinLeaf),
		bad(trees && !(o.Subsample > 0 && o.Subsample <= 1), "subsample", o.Subsample),
		bad(trees && !(o.MinimumWin >= 0), "min_split_loss", o.MinimumWin),
	)
}

// maxDepth bounds trees: a tree of it has 4,096 leaves.
const maxDepth = 12
