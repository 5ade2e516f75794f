package training

import (
	"slices"
	"time"

	"strata/domain"
)

// Status of a training.
type Status string

// The states of a training. The last three are final.
const (
	Pending   Status = "pending"   // created, and nobody has looked at it yet
	Queued    Status = "queued"    // waits for a place at the trainer, or at a cluster
	Running   Status = "running"   // epochs are trained
	Succeeded Status = "succeeded" // all epochs are behind it
	Failed    Status = "failed"    // see the reason
	Cancelled Status = "cancelled" // by a person or a cluster
)

// Statuses lists the states.
func Statuses() []Status { return []Status{Pending, Queued, Running, Succeeded, Failed, Cancelled} }

// Ended tells whether a state is final.
func (s Status) Ended() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Runner is who trains.
type Runner string

// The runners.
const (
	BuiltIn Runner = "built_in" // Strata itself
	Cluster Runner = "cluster"  // the manager of the workspace's cluster
)

// Source is data that is read through a connector.
type Source struct {
	ConnectorID string   `json:"connector_id"`
	Files       []string `json:"files,omitempty"`    // keys; all tables that there are when empty
	Target      string   `json:"target,omitempty"`   // column that holds the known answer
	Features    []string `json:"features,omitempty"` // columns to look at; all but the target when empty
}

func (s Source) equal(o Source) bool {
	return s.ConnectorID == o.ConnectorID && s.Target == o.Target && slices.Equal(s.Files, o.Files) && slices.Equal(s.Features, o.Features)
}

// Epoch is what one pass over the data has brought.
type Epoch struct {
	Epoch   int                `json:"epoch"`   // from 1
	Metrics map[string]float64 `json:"metrics"` // train_loss, validation_loss, accuracy …
}

// Checkpoint is a model as it was after some epoch.
type Checkpoint struct {
	ID        string             `json:"id"`
	Name      string             `json:"name"` // it keeps its name when the training is renamed
	Attempt   int                `json:"attempt"`
	Step      int                `json:"step"` // epochs behind it
	Metrics   map[string]float64 `json:"metrics,omitempty"`
	URI       string             `json:"uri"`
	Digest    string             `json:"digest,omitempty"` // "sha256:…" of the model, when it is kept here
	Size      int64              `json:"size,omitempty"`   // bytes of the model
	Final     bool               `json:"final,omitempty"`  // the last of its attempt
	CreatedAt time.Time          `json:"created_at,omitzero"`
}

// Here tells whether the model is kept in the log.
func (c *Checkpoint) Here() bool { return c.Digest != "" }

// Reason is why a training failed.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Codes of failures.
const (
	NeedsCluster = "NEEDS_CLUSTER"  // the architecture is not one of the built-in trainer's, and there is no cluster
	BadData      = "DATA_ERROR"     // the data cannot be read, or not be learned from
	ClusterError = "CLUSTER_ERROR"  // the cluster's manager refuses, or reports it
	Interrupted  = "TRAINING_ERROR" // anything else that ended it
)

// State is what is known of a training at one revision.
type State struct {
	ID            string
	Name          string
	Architecture  string
	DataModelID   string
	GPUCount      int
	BenchmarkIDs  []string
	Configuration domain.Doc
	Sources       []Source

	Status      Status // "" before creation
	Attempt     int    // from 1; a change of what is trained begins another
	Runner      Runner
	Epochs      int     // planned; 0 while it is not known
	Metrics     []Epoch // of this attempt, in order
	Checkpoints []Checkpoint
	Reason      *Reason
	ReportedAt  time.Time // of the newest status that a cluster has reported
	Deleted     bool

	CreatedAt time.Time
	CreatedBy string
	StartedAt time.Time
	EndedAt   time.Time
	UpdatedAt time.Time
	UpdatedBy string
}

// Aggregate folds the streams of trainings.
var Aggregate = &domain.Aggregate[State]{
	Category: "training", Prefix: "trn", Noun: "training", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Created:
		s.Status, s.Attempt, s.CreatedAt, s.CreatedBy = Pending, 1, at, e.Meta.Actor
		s.Name, s.Architecture, s.DataModelID, s.GPUCount = f.Name, f.Architecture, f.DataModelID, f.GPUCount
		s.BenchmarkIDs, s.Configuration, s.Sources = f.BenchmarkIDs, f.Configuration, f.Sources
	case Renamed:
		s.Name = f.Name
	case BenchmarksChosen:
		s.BenchmarkIDs = f.BenchmarkIDs
	case Restarted:
		s.Status, s.Attempt = Pending, f.Attempt
		s.Architecture, s.Configuration, s.Sources = f.Architecture, f.Configuration, f.Sources
		s.Runner, s.Epochs, s.Metrics, s.Reason = "", 0, nil, nil
		s.StartedAt, s.EndedAt, s.ReportedAt = time.Time{}, time.Time{}, time.Time{}
	case QueuedUp:
		s.Status, s.Runner = Queued, f.Runner
	case Started:
		s.Status, s.Runner, s.Epochs, s.StartedAt = Running, f.Runner, f.Epochs, at
	case EpochsCompleted:
		s.addEpochs(f.Epochs)
	case CheckpointRecorded:
		c := f.Checkpoint
		c.CreatedAt = at
		s.Checkpoints = append(slices.Clip(s.Checkpoints), c)
	case StatusReported:
		s.ReportedAt = f.ReportedAt
	case Completed:
		s.Status, s.EndedAt = Succeeded, at
	case Broken:
		s.Status, s.Reason, s.EndedAt = Failed, &Reason{Code: f.Code, Message: f.Message}, at
	case Stopped:
		s.Status, s.EndedAt = Cancelled, at
	case Removed:
		s.Deleted = true
	}
	s.UpdatedAt, s.UpdatedBy = at, e.Meta.Actor
}

// addEpochs puts epochs in order: a cluster's reports may come in any.
func (s *State) addEpochs(epochs []Epoch) {
	list := slices.Clip(s.Metrics) // what was handed out of it stays as it was
	sorted := true
	for _, e := range epochs {
		sorted = sorted && (len(list) == 0 || list[len(list)-1].Epoch < e.Epoch)
		list = append(list, e)
	}
	if !sorted {
		slices.SortFunc(list, func(a, b Epoch) int { return a.Epoch - b.Epoch })
	}
	s.Metrics = list
}

// LastEpoch is the highest epoch that was recorded; 0 for none.
func (s *State) LastEpoch() int {
	if len(s.Metrics) == 0 {
		return 0
	}
	return s.Metrics[len(s.Metrics)-1].Epoch
}

// Latest is the newest checkpoint of this attempt that is kept here; nil for none.
func (s *State) Latest() *Checkpoint {
	var latest *Checkpoint
	for i := range s.Checkpoints {
		c := &s.Checkpoints[i]
		if c.Attempt == s.Attempt && c.Here() && (latest == nil || c.Step > latest.Step) {
			latest = c
		}
	}
	return latest
}

// Checkpoint finds a checkpoint by id; nil when there is none.
func (s *State) Checkpoint(id string) *Checkpoint {
	for i := range s.Checkpoints {
		if s.Checkpoints[i].ID == id {
			return &s.Checkpoints[i]
		}
	}
	return nil
}

// there refuses commands on a training that is not there (any more).
func (s *State) there() error {
	if s.Status == "" || s.Deleted {
		return domain.NotFound(Aggregate.Noun, s.ID)
	}
	return nil
}

// at refuses what is reported of an attempt that is over.
func (s *State) at(attempt int) error {
	if err := s.there(); err != nil {
		return err
	}
	if attempt != s.Attempt || s.Status.Ended() {
		return domain.Errorf(domain.CodeConflict, "attempt %d of training %q is over: attempt %d is %s", attempt, s.ID, s.Attempt, s.Status)
	}
	return nil
}
