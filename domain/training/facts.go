package training

import (
	"time"

	"strata/domain"
)

// Created begins a training, which nobody has looked at yet.
type Created struct {
	Name          string     `json:"name"`
	Architecture  string     `json:"architecture"`
	DataModelID   string     `json:"data_model_id"`
	GPUCount      int        `json:"gpu_count"`
	BenchmarkIDs  []string   `json:"benchmark_ids,omitempty"`
	Configuration domain.Doc `json:"configuration"`
	Sources       []Source   `json:"connectors"`
}

// EventType implements domain.Fact.
func (Created) EventType() string { return "training.created.v1" }

// Renamed gives a training another name.
type Renamed struct {
	Name string `json:"name"`
}

// EventType implements domain.Fact.
func (Renamed) EventType() string { return "training.renamed.v1" }

// BenchmarksChosen says on what checkpoints are evaluated from now on.
type BenchmarksChosen struct {
	BenchmarkIDs []string `json:"benchmark_ids"`
}

// EventType implements domain.Fact.
func (BenchmarksChosen) EventType() string { return "training.benchmarks_chosen.v1" }

// Restarted changes what is trained: the training begins anew.
type Restarted struct {
	Attempt       int        `json:"attempt"`
	Architecture  string     `json:"architecture"`
	Configuration domain.Doc `json:"configuration"`
	Sources       []Source   `json:"connectors"`
}

// EventType implements domain.Fact.
func (Restarted) EventType() string { return "training.restarted.v1" }

// QueuedUp says who is going to train.
type QueuedUp struct {
	Attempt int    `json:"attempt"`
	Runner  Runner `json:"runner"`
}

// EventType implements domain.Fact.
func (QueuedUp) EventType() string { return "training.queued.v1" }

// Started says that epochs are being trained.
type Started struct {
	Attempt int    `json:"attempt"`
	Runner  Runner `json:"runner"`
	Epochs  int    `json:"epochs,omitempty"` // planned, when it is known
	Rows    int    `json:"rows,omitempty"`   // that are learned from
	Kept    int    `json:"kept,omitempty"`   // rows that are measured with
}

// EventType implements domain.Fact.
func (Started) EventType() string { return "training.started.v1" }

// EpochsCompleted tells what epochs have brought: those of a moment together,
// because on small data thousands of them pass in a second.
type EpochsCompleted struct {
	Attempt int     `json:"attempt"`
	Epochs  []Epoch `json:"epochs"`
}

// EventType implements domain.Fact.
func (EpochsCompleted) EventType() string { return "training.epochs_completed.v1" }

// CheckpointRecorded says that a model can be had as it was after an epoch.
type CheckpointRecorded struct {
	Checkpoint
}

// EventType implements domain.Fact.
func (CheckpointRecorded) EventType() string { return "training.checkpoint_recorded.v1" }

// StatusReported keeps the time of a cluster's report, so that one that was
// overtaken is told from it.
type StatusReported struct {
	Attempt    int       `json:"attempt"`
	Status     Status    `json:"status"`
	ReportedAt time.Time `json:"reported_at"`
}

// EventType implements domain.Fact.
func (StatusReported) EventType() string { return "training.status_reported.v1" }

// Completed ends a training that has reached its last epoch.
type Completed struct {
	Attempt int `json:"attempt"`
}

// EventType implements domain.Fact.
func (Completed) EventType() string { return "training.succeeded.v1" }

// Broken ends a training that cannot go on.
type Broken struct {
	Attempt int    `json:"attempt"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// EventType implements domain.Fact.
func (Broken) EventType() string { return "training.failed.v1" }

// Stopped ends a training that somebody has cancelled.
type Stopped struct {
	Attempt int `json:"attempt"`
}

// EventType implements domain.Fact.
func (Stopped) EventType() string { return "training.cancelled.v1" }

// Removed takes a training from view, with its checkpoints and rankings.
type Removed struct{}

// EventType implements domain.Fact.
func (Removed) EventType() string { return "training.deleted.v1" }

// FactTypes lists the facts of trainings for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Created](), domain.FactOf[Renamed](), domain.FactOf[BenchmarksChosen](), domain.FactOf[Restarted](),
		domain.FactOf[QueuedUp](), domain.FactOf[Started](), domain.FactOf[EpochsCompleted](), domain.FactOf[CheckpointRecorded](),
		domain.FactOf[StatusReported](), domain.FactOf[Completed](), domain.FactOf[Broken](), domain.FactOf[Stopped](), domain.FactOf[Removed](),
	}
}
