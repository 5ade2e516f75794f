package view

import (
	"slices"
	"time"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/evaluation"
	"strata/domain/training"
)

// Training is a training as answers show it.
type Training struct {
	ID            string                        `json:"id" example:"trn_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name          string                        `json:"name" example:"Churn"`
	Architecture  string                        `json:"architecture" example:"gradient_boosted_trees"`
	DataModelID   string                        `json:"data_model_id" example:"dm_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	GPUCount      int                           `json:"gpu_count" example:"0"`
	BenchmarkIDs  []string                      `json:"benchmark_ids" doc:"What its final checkpoint is evaluated on." example:"[\"bmk_01jk2m3n4p5q6r7s8t9v0w1x2y\"]"`
	Configuration domain.Doc                    `json:"configuration" doc:"How it is trained." example:"{\"epochs\":50}"`
	Connectors    []catalogue.ConnectorTraining `json:"connectors" doc:"Where its data is."`
	Status        string                        `json:"status" enum:"pending,queued,running,succeeded,failed,cancelled" example:"running"`
	Reason        *TrainingReason               `json:"reason" nullable:"true" doc:"Why it failed; null unless it did."`
	Runner        string                        `json:"runner" doc:"Who trains: built_in or cluster; empty while that is not decided." example:"built_in"`
	Attempt       int                           `json:"attempt" doc:"A change of architecture, configuration or connectors begins another." example:"1"`
	Epochs        int                           `json:"epochs" doc:"How many are planned; 0 while that is not known." example:"50"`
	Metrics       []TrainingEpoch               `json:"metrics" doc:"What each epoch of this attempt has brought, in order."`
	Checkpoints   []Checkpoint                  `json:"checkpoints" doc:"Of every attempt, in the order in which they were recorded."`
	StartedAt     *time.Time                    `json:"started_at" nullable:"true"`
	EndedAt       *time.Time                    `json:"ended_at" nullable:"true"`
	CreatedAt     time.Time                     `json:"created_at"`
	CreatedBy     string                        `json:"created_by" example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	UpdatedAt     time.Time                     `json:"updated_at"`
	UpdatedBy     string                        `json:"updated_by" example:"system"`
}

// TrainingReason says why something failed.
type TrainingReason struct {
	Code    string `json:"code" doc:"NEEDS_CLUSTER, DATA_ERROR, CLUSTER_ERROR or TRAINING_ERROR." example:"DATA_ERROR"`
	Message string `json:"message" example:"churn.csv: there is no column \"churned\""`
}

// TrainingEpoch is what one pass over the data has brought.
type TrainingEpoch struct {
	Epoch   int                `json:"epoch" doc:"Its number, from 1." example:"1"`
	Metrics map[string]float64 `json:"metrics" doc:"train_loss, and of the rows that are kept to measure with validation_loss and the metrics of benchmarks." example:"{\"train_loss\":0.41,\"validation_loss\":0.43,\"accuracy\":0.82}"`
}

// Checkpoint is a model as it was after an epoch.
type Checkpoint struct {
	ID         string             `json:"id" example:"ckp_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	TrainingID string             `json:"training_id" example:"trn_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name       string             `json:"name" example:"Churn, epoch 50"`
	Step       int                `json:"step" doc:"How many epochs are behind it." example:"50"`
	Metrics    map[string]float64 `json:"metrics" doc:"Of its last epoch." example:"{\"accuracy\":0.87,\"roc_auc\":0.93}"`
	URI        string             `json:"uri" doc:"Where the model is: strata:checkpoint/… is in the event log." example:"strata:checkpoint/ckp_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Attempt    int                `json:"attempt" example:"1"`
	Final      bool               `json:"final" doc:"Whether it is the last of its attempt." example:"true"`
	SizeBytes  int64              `json:"size_bytes" doc:"Of the model; 0 when it is kept elsewhere." example:"8213"`
	Digest     string             `json:"digest" doc:"sha256 of the model; empty when it is kept elsewhere." example:"sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"`
	CreatedAt  time.Time          `json:"created_at"`
}

// Evaluation is an evaluation as answers show it.
type Evaluation struct {
	ID           string           `json:"id" example:"eva_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	BenchmarkID  string           `json:"benchmark_id" example:"bmk_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	CheckpointID string           `json:"checkpoint_id" example:"ckp_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	TrainingID   string           `json:"training_id" example:"trn_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	GPUCount     int              `json:"gpu_count" example:"0"`
	Result       EvaluationResult `json:"result"`
	CreatedAt    time.Time        `json:"created_at"`
	CreatedBy    string           `json:"created_by" example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	UpdatedAt    time.Time        `json:"updated_at"`
	UpdatedBy    string           `json:"updated_by" example:"system"`
}

// EvaluationResult is what an evaluation has brought.
type EvaluationResult struct {
	Status    string             `json:"status" enum:"pending,succeeded,failed" example:"succeeded"`
	Metrics   map[string]float64 `json:"metrics" doc:"Those that the benchmark asks for." example:"{\"accuracy\":0.87,\"roc_auc\":0.93}"`
	Undefined []string           `json:"undefined,omitempty" doc:"Metrics that the data does not allow: of rows of one class there is no curve."`
	Rows      int                `json:"rows" doc:"How many rows were counted." example:"1000"`
	Skipped   int                `json:"skipped" doc:"Rows without a known answer, or with one that the model has never seen." example:"0"`
	Reason    *TrainingReason    `json:"reason,omitempty" doc:"Why it failed."`
}

// TrainingOf shows a training's state.
func TrainingOf(s *training.State) Training {
	out := Training{ID: s.ID, Name: s.Name, Architecture: s.Architecture, DataModelID: s.DataModelID, GPUCount: s.GPUCount,
		BenchmarkIDs: append([]string{}, s.BenchmarkIDs...), Configuration: docOrEmpty(s.Configuration), Status: string(s.Status), Reason: reasonOf(s.Reason),
		Runner: string(s.Runner), Attempt: s.Attempt, Epochs: s.Epochs, Connectors: []catalogue.ConnectorTraining{},
		Metrics: make([]TrainingEpoch, len(s.Metrics)), Checkpoints: make([]Checkpoint, len(s.Checkpoints)),
		StartedAt: timeOrNil(s.StartedAt), EndedAt: timeOrNil(s.EndedAt), CreatedAt: s.CreatedAt, CreatedBy: s.CreatedBy, UpdatedAt: s.UpdatedAt, UpdatedBy: s.UpdatedBy}
	for _, c := range s.Sources {
		out.Connectors = append(out.Connectors, catalogue.ConnectorTraining(c))
	}
	for i, e := range s.Metrics {
		out.Metrics[i] = TrainingEpoch(e)
	}
	for i := range s.Checkpoints {
		out.Checkpoints[i] = CheckpointOf(s.ID, &s.Checkpoints[i])
	}
	return out
}

// CheckpointOf shows a checkpoint of a training.
func CheckpointOf(trainingID string, c *training.Checkpoint) Checkpoint {
	return Checkpoint{ID: c.ID, TrainingID: trainingID, Name: c.Name, Step: c.Step, Metrics: numbersOrEmpty(c.Metrics), URI: c.URI, Attempt: c.Attempt,
		Final: c.Final, SizeBytes: c.Size, Digest: c.Digest, CreatedAt: c.CreatedAt}
}

// EvaluationOf shows an evaluation's state.
func EvaluationOf(s *evaluation.State) Evaluation {
	out := Evaluation{ID: s.ID, BenchmarkID: s.BenchmarkID, CheckpointID: s.CheckpointID, TrainingID: s.TrainingID, GPUCount: s.GPUCount,
		Result:    EvaluationResult{Status: string(s.Status), Metrics: map[string]float64{}, Reason: reasonOf(s.Reason)},
		CreatedAt: s.CreatedAt, CreatedBy: s.CreatedBy, UpdatedAt: s.UpdatedAt, UpdatedBy: s.UpdatedBy}
	if r := s.Result; r != nil {
		out.Result.Metrics, out.Result.Undefined, out.Result.Rows, out.Result.Skipped = numbersOrEmpty(r.Metrics), slices.Clone(r.Undefined), r.Rows, r.Skipped
	}
	return out
}

func reasonOf(r *training.Reason) *TrainingReason {
	if r == nil {
		return nil
	}
	return &TrainingReason{Code: r.Code, Message: r.Message}
}

func numbersOrEmpty(m map[string]float64) map[string]float64 {
	if m == nil {
		return map[string]float64{}
	}
	return m
}
