package training

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"strata/domain"
)

// The architectures of the built-in trainer. Any other needs a cluster.
const (
	LogisticRegression   = "logistic_regression"
	GradientBoostedTrees = "gradient_boosted_trees"
)

// Architectures lists what the built-in trainer can train.
func Architectures() []string { return []string{GradientBoostedTrees, LogisticRegression} }

// IsBuiltIn tells whether the built-in trainer knows an architecture.
func IsBuiltIn(architecture string) bool { return slices.Contains(Architectures(), architecture) }

// Settings are the configuration of a training by the built-in trainer. Which
// keys there are depends on the architecture; every one may be left out.
type Settings struct {
	Target      string   // column to predict; else the target of the connectors
	Features    []string // columns to look at; else those of the connectors; else all but the target
	Categorical []string // columns of categories that look like numbers
	Task        string   // classification (default) or regression
	Positive    string   // of two classes, the one that counts as positive
	Every       int      // epochs between checkpoints; 0: a tenth of them

	Epochs       int
	LearningRate float64
	L2           float64
	Validation   float64
	Seed         uint64
	BatchSize    int
	MaxDepth     int
	MaxBins      int
	MinLeaf      float64
	Subsample    float64
	MinSplitLoss float64
}

// MaxEpochs bounds what the built-in trainer is asked for: each epoch is kept
// with its metrics.
const MaxEpochs = 2000

// defaults of an architecture.
func defaults(architecture string) Settings {
	s := Settings{Task: "classification", Validation: 0.2, Seed: 1}
	if architecture == LogisticRegression {
		s.Epochs, s.LearningRate, s.L2, s.BatchSize = 20, 0.05, 1e-4, 64
	} else {
		s.Epochs, s.LearningRate, s.L2 = 100, 0.1, 1
		s.MaxDepth, s.MaxBins, s.MinLeaf, s.Subsample = 4, 64, 1, 1
	}
	return s
}

// SettingsOf reads the configuration of a training by the built-in trainer.
// Errors name every faulty field, "configuration.epochs", those that it does not
// know included.
func SettingsOf(architecture string, configuration domain.Doc, sources []Source) (Settings, error) {
	s := defaults(architecture)
	r := settingsReader{doc: configuration}
	r.text("target", &s.Target)
	r.texts("features", &s.Features)
	r.texts("categorical", &s.Categorical)
	r.text("positive", &s.Positive)
	r.whole("epochs", &s.Epochs, 1, MaxEpochs)
	r.whole("checkpoint_every", &s.Every, 1, MaxEpochs)
	r.number("learning_rate", &s.LearningRate, math.SmallestNonzeroFloat64, 10)
	r.number("l2", &s.L2, 0, 1e6)
	r.number("validation_split", &s.Validation, 0, 0.9)
	seed := 1
	r.whole("seed", &seed, 0, math.MaxInt32)
	s.Seed = uint64(seed) //nolint:gosec // not negative
	if architecture == LogisticRegression {
		r.whole("batch_size", &s.BatchSize, 1, 1<<20)
	} else {
		r.text("task", &s.Task)
		r.faults.Add(s.Task != "classification" && s.Task != "regression", "configuration.task", "must be classification or regression")
		r.whole("max_depth", &s.MaxDepth, 1, 12)
		r.whole("max_bins", &s.MaxBins, 2, 255)
		r.number("min_leaf_weight", &s.MinLeaf, 0, 1e9)
		r.number("subsample", &s.Subsample, 0.01, 1)
		r.number("min_split_loss", &s.MinSplitLoss, 0, 1e9)
	}
	r.rest(architecture)
	s.fromSources(sources, &r.faults)
	return s, r.faults.Err()
}

// fromSources takes over what the connectors say of columns. All of them must
// say the same: they are parts of one table.
func (s *Settings) fromSources(sources []Source, f *domain.Faults) {
	for i, src := range sources {
		if s.Target == "" {
			s.Target = src.Target
		}
		f.Add(src.Target != "" && src.Target != s.Target, fmt.Sprintf("connectors[%d].target", i), "must be the target of all, %q", s.Target)
		if len(s.Features) == 0 {
			s.Features = src.Features
		}
		f.Add(len(src.Features) > 0 && !slices.Equal(src.Features, s.Features), fmt.Sprintf("connectors[%d].features", i), "must be the features of all")
	}
	f.Add(s.Target == "", "configuration.target", "must name the column to predict, here or as the target of a connector")
	f.Add(s.Target != "" && slices.Contains(s.Features, s.Target), "configuration.features", "cannot hold the target %q", s.Target)
}

// CheckpointAt tells whether a checkpoint is due after an epoch.
func (s *Settings) CheckpointAt(epoch int) bool {
	every := s.Every
	if every == 0 {
		every = max(1, s.Epochs/10)
	}
	return epoch%every == 0 || epoch >= s.Epochs
}

// settingsReader reads a document key by key and remembers which it was asked for.
type settingsReader struct {
	doc    domain.Doc
	asked  []string
	faults domain.Faults
}

func (r *settingsReader) read(key string, into any, what string) bool {
	r.asked = append(r.asked, key)
	raw, ok := r.doc[key]
	if !ok || string(raw) == "null" {
		return false
	}
	err := json.Unmarshal(raw, into)
	r.faults.Add(err != nil, "configuration."+key, "must be %s", what)
	return err == nil
}

func (r *settingsReader) text(key string, into *string) { r.read(key, into, "a text") }

func (r *settingsReader) texts(key string, into *[]string) {
	r.read(key, into, "a list of texts")
	seen := map[string]bool{}
	for _, t := range *into {
		r.faults.Add(seen[t], "configuration."+key, "holds %q twice", t)
		seen[t] = true
	}
}

func (r *settingsReader) whole(key string, into *int, least, most int) {
	v := *into
	if r.read(key, &v, "a whole number") {
		r.faults.Add(v < least || v > most, "configuration."+key, "must be between %d and %d", least, most)
		*into = v
	}
}

func (r *settingsReader) number(key string, into *float64, least, most float64) {
	v := *into
	if r.read(key, &v, "a number") {
		if least == math.SmallestNonzeroFloat64 {
			r.faults.Add(v <= 0 || v > most, "configuration."+key, "must be above 0 and at most %v", most)
		} else {
			r.faults.Add(v < least || v > most, "configuration."+key, "must be between %v and %v", least, most)
		}
		*into = v
	}
}

// rest refuses what nobody asked for: it would be taken and forgotten.
func (r *settingsReader) rest(architecture string) {
	for _, key := range slices.Sorted(maps.Keys(r.doc)) {
		r.faults.Add(!slices.Contains(r.asked, key), "configuration."+key, "is not a setting of %s", architecture)
	}
}
