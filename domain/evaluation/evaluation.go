package evaluation

import (
	"math"
	"slices"
	"time"

	"strata/domain"
	"strata/domain/training"
)

// Status of an evaluation.
type Status string

// The states of an evaluation.
const (
	Pending   Status = "pending"   // nobody has computed it yet
	Succeeded Status = "succeeded" // there are metrics
	Failed    Status = "failed"    // see the reason
)

// Statuses lists the states.
func Statuses() []Status { return []Status{Pending, Succeeded, Failed} }

// Result is what an evaluation has brought.
type Result struct {
	Metrics   map[string]float64 `json:"metrics"`
	Undefined []string           `json:"undefined,omitempty"` // metrics that the data does not allow: of rows of one class there is no curve
	Rows      int                `json:"rows"`                // that were counted
	Skipped   int                `json:"skipped,omitempty"`   // rows without a known answer
}

// State is what is known of an evaluation at one revision.
type State struct {
	ID             string
	BenchmarkID    string
	CheckpointID   string
	CheckpointName string
	TrainingID     string
	GPUCount       int
	Metrics        []string // that are asked for
	Sources        []training.Source

	Status Status // "" before it was asked for
	Result *Result
	Reason *training.Reason

	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
	UpdatedBy string
}

// Aggregate folds the streams of evaluations.
var Aggregate = &domain.Aggregate[State]{
	Category: "evaluation", Prefix: "eva", Noun: "evaluation", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Requested:
		s.Status, s.CreatedAt, s.CreatedBy = Pending, at, e.Meta.Actor
		s.BenchmarkID, s.CheckpointID, s.CheckpointName, s.TrainingID = f.BenchmarkID, f.CheckpointID, f.CheckpointName, f.TrainingID
		s.GPUCount, s.Metrics, s.Sources = f.GPUCount, f.Metrics, f.Sources
	case Scored:
		s.Status, s.Result = Succeeded, &f.Result
	case Broken:
		s.Status, s.Reason = Failed, &training.Reason{Code: f.Code, Message: f.Message}
	}
	s.UpdatedAt, s.UpdatedBy = at, e.Meta.Actor
}

// Requested asks for an evaluation.
type Requested struct {
	BenchmarkID    string            `json:"benchmark_id"`
	CheckpointID   string            `json:"checkpoint_id"`
	CheckpointName string            `json:"checkpoint_name"`
	TrainingID     string            `json:"training_id"`
	GPUCount       int               `json:"gpu_count"`
	Metrics        []string          `json:"metrics"`
	Sources        []training.Source `json:"connectors"`
}

// EventType implements domain.Fact.
func (Requested) EventType() string { return "evaluation.requested.v1" }

// Scored answers an evaluation. It repeats what it is about: whoever ranks
// checkpoints needs no other event.
type Scored struct {
	BenchmarkID    string `json:"benchmark_id"`
	CheckpointID   string `json:"checkpoint_id"`
	CheckpointName string `json:"checkpoint_name"`
	TrainingID     string `json:"training_id"`
	Result
}

// EventType implements domain.Fact.
func (Scored) EventType() string { return "evaluation.succeeded.v1" }

// Broken ends an evaluation that cannot be computed.
type Broken struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// EventType implements domain.Fact.
func (Broken) EventType() string { return "evaluation.failed.v1" }

// FactTypes lists the facts of evaluations for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[Requested](), domain.FactOf[Scored](), domain.FactOf[Broken]()}
}

// Ask asks for an evaluation. Asking under the same id again changes nothing.
type Ask Requested

// Decide implements domain.Decider.
func (c Ask) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status != "" {
		return nil, nil
	}
	var f domain.Faults
	f.Add(c.BenchmarkID == "", "benchmark_id", "must be given")
	f.Add(c.CheckpointID == "", "checkpoint_id", "must be given")
	f.Add(c.GPUCount < 0, "gpu_count", "must be 0 or more")
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{Requested(c)}, nil
}

// Score answers an evaluation with what was computed; of that, it keeps the
// metrics that were asked for.
type Score struct{ Result }

// Decide implements domain.Decider.
func (c Score) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.open(); err != nil || s.Status != Pending {
		return nil, err
	}
	out := Scored{BenchmarkID: s.BenchmarkID, CheckpointID: s.CheckpointID, CheckpointName: s.CheckpointName, TrainingID: s.TrainingID,
		Result: Result{Metrics: map[string]float64{}, Rows: c.Rows, Skipped: c.Skipped}}
	for _, name := range s.Metrics {
		if v, ok := c.Metrics[name]; ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
			out.Metrics[name] = v
		} else if !slices.Contains(out.Undefined, name) {
			out.Undefined = append(out.Undefined, name)
		}
	}
	return []domain.Fact{out}, nil
}

// Fail ends an evaluation that cannot be computed.
type Fail Broken

// Decide implements domain.Decider.
func (c Fail) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.open(); err != nil || s.Status != Pending {
		return nil, err
	}
	return []domain.Fact{Broken(c)}, nil
}

func (s *State) open() error {
	if s.Status == "" {
		return domain.NotFound(Aggregate.Noun, s.ID)
	}
	return nil
}
