package training

import (
	"fmt"
	"math"

	"strata/domain"
)

// Enqueue says who is going to train.
type Enqueue struct {
	Attempt int
	Runner  Runner
}

// Decide implements domain.Decider.
func (c Enqueue) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.at(c.Attempt); err != nil {
		return nil, err
	}
	if s.Status == Queued && s.Runner == c.Runner {
		return nil, nil
	}
	if s.Status == Running {
		return nil, domain.Errorf(domain.CodeConflict, "training %q is running already", s.ID)
	}
	return []domain.Fact{QueuedUp(c)}, nil
}

// Start says that epochs are being trained. Going on after an interruption is
// no new start.
type Start struct {
	Attempt int
	Runner  Runner
	Epochs  int
	Rows    int
	Kept    int
}

// Decide implements domain.Decider.
func (c Start) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.at(c.Attempt); err != nil {
		return nil, err
	}
	if s.Status == Running {
		return nil, nil
	}
	return []domain.Fact{Started(c)}, nil
}

// RecordEpochs tells what epochs have brought. Those that are recorded already
// are left out: whoever goes on from a checkpoint trains some again.
type RecordEpochs struct {
	Attempt int
	Epochs  []Epoch
}

// Decide implements domain.Decider.
func (c RecordEpochs) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.at(c.Attempt); err != nil {
		return nil, err
	}
	if s.Status != Running {
		return nil, domain.Errorf(domain.CodeConflict, "training %q is %s, not running", s.ID, s.Status)
	}
	var fresh []Epoch
	last := s.LastEpoch()
	for _, e := range c.Epochs {
		if e.Epoch > last {
			fresh, last = append(fresh, e), e.Epoch
		}
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	return []domain.Fact{EpochsCompleted{Attempt: c.Attempt, Epochs: fresh}}, nil
}

// RecordCheckpoint says that a model can be had. One of the same id is recorded
// once.
type RecordCheckpoint struct {
	Checkpoint
}

// Decide implements domain.Decider.
func (c RecordCheckpoint) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.at(c.Attempt); err != nil {
		return nil, err
	}
	if s.Checkpoint(c.ID) != nil {
		return nil, nil
	}
	return []domain.Fact{CheckpointRecorded(c)}, nil
}

// CheckpointName is what a checkpoint is called after a training, for people.
func CheckpointName(name string, attempt, epoch int) string {
	if attempt > 1 {
		return fmt.Sprintf("%s #%d, epoch %d", name, attempt, epoch)
	}
	return fmt.Sprintf("%s, epoch %d", name, epoch)
}

// Finish ends a training that has reached its last epoch.
type Finish struct{ Attempt int }

// Decide implements domain.Decider.
func (c Finish) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status == Succeeded && s.Attempt == c.Attempt {
		return nil, nil
	}
	if err := s.at(c.Attempt); err != nil {
		return nil, err
	}
	return []domain.Fact{Completed(c)}, nil
}

// Fail ends a training that cannot go on.
type Fail struct {
	Attempt int
	Code    string
	Message string
}

// Decide implements domain.Decider.
func (c Fail) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.at(c.Attempt); err != nil {
		return nil, err
	}
	return []domain.Fact{Broken(c)}, nil
}

// Cancel ends a training that has not ended. Cancelling twice is no error.
type Cancel struct{}

// Decide implements domain.Decider.
func (Cancel) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if s.Status == Cancelled {
		return nil, nil
	}
	if s.Status.Ended() {
		return nil, domain.Errorf(domain.CodeConflict, "training %q has %s and cannot be cancelled", s.ID, s.Status)
	}
	return []domain.Fact{Stopped{Attempt: s.Attempt}}, nil
}

// Delete takes a training from view; one that has not ended is cancelled with it.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if s.Status.Ended() {
		return []domain.Fact{Removed{}}, nil
	}
	return []domain.Fact{Stopped{Attempt: s.Attempt}, Removed{}}, nil
}

// finiteMetrics leaves out what JSON cannot say.
func finiteMetrics(in map[string]float64) map[string]float64 {
	out := make(map[string]float64, len(in))
	for k, v := range in {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[k] = v
		}
	}
	return out
}
