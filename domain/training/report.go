package training

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"strata/domain"
)

// Report is what a cluster's manager says of a training. Reports may come in
// any order and more than once: a status that was overtaken by a newer one
// changes nothing, and epochs and checkpoints are recorded once, whenever they
// come.
type Report struct {
	Attempt     int // 0: the one there is
	Status      Status
	At          time.Time // when the manager says it was so; zero: now
	Message     string    // why it failed
	Epochs      []Epoch
	Checkpoints []Checkpoint // without id: it is drawn
}

// Update is a [Report] as it came in, with what is special to trainings in a
// payload: attempt, message, epochs and checkpoints.
type Update struct {
	Status  string
	At      time.Time
	Payload domain.Doc
}

// finishedAs are other words for states.
var finishedAs = map[string]Status{"completed": Succeeded, "success": Succeeded, "error": Failed, "canceled": Cancelled}

// Decide implements domain.Decider.
func (c Update) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	r := Report{Status: Status(c.Status), At: c.At}
	if same, ok := finishedAs[c.Status]; ok {
		r.Status = same
	}
	var f domain.Faults
	read := func(key string, into any, what string) {
		if raw, ok := c.Payload[key]; ok && string(raw) != "null" {
			f.Add(json.Unmarshal(raw, into) != nil, "payload."+key, "must be %s", what)
		}
	}
	read("attempt", &r.Attempt, "a whole number")
	read("message", &r.Message, "a text")
	read("epochs", &r.Epochs, "a list of {epoch, metrics}")
	read("checkpoints", &r.Checkpoints, "a list of {name, step, metrics, uri, final}")
	if err := f.Err(); err != nil {
		return nil, err
	}
	return r.Decide(env, s)
}

// Decide implements domain.Decider.
func (c Report) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	if c.Attempt != 0 && c.Attempt != s.Attempt {
		return nil, nil // of an attempt that is over
	}
	facts := c.status(env, s)
	if fresh := c.freshEpochs(s); len(fresh) > 0 {
		facts = append(facts, EpochsCompleted{Attempt: s.Attempt, Epochs: fresh})
	}
	facts = append(facts, c.freshCheckpoints(env, s)...)
	// What ends a training comes last: nothing may follow it in the stream but
	// reports that were late.
	slices.SortStableFunc(facts, func(a, b domain.Fact) int { return cmp.Compare(ending(a), ending(b)) })
	return facts, nil
}

func ending(f domain.Fact) int {
	switch f.(type) {
	case Completed, Broken, Stopped:
		return 1
	}
	return 0
}

func (c Report) check(s *State) error {
	var f domain.Faults
	f.Add(c.Status != "" && !slices.Contains(Statuses(), c.Status), "status", "must be one of %v", Statuses())
	for _, e := range c.Epochs {
		f.Add(e.Epoch < 1 || e.Epoch > 1_000_000, "payload.epochs", "must be numbered from 1")
	}
	f.Add(len(c.Epochs)+len(s.Metrics) > maxReported, "payload.epochs", "cannot be more than %d", maxReported)
	for _, p := range c.Checkpoints {
		f.Add(p.URI == "", "payload.checkpoints", "need a uri each")
	}
	f.Add(len(c.Checkpoints)+len(s.Checkpoints) > maxReported, "payload.checkpoints", "cannot be more than %d", maxReported)
	f.Add(s.Runner == BuiltIn, "id", "names a training that no cluster runs")
	return f.Err()
}

// maxReported bounds what is kept of one training.
const maxReported = 10_000

// status decides what the reported status means now.
func (c Report) status(env domain.Env, s *State) []domain.Fact {
	at := c.At
	if at.IsZero() {
		at = env.Now
	}
	overtaken := at.Before(s.ReportedAt)
	if c.Status == "" || s.Status.Ended() || overtaken && !c.Status.Ended() {
		return nil
	}
	var facts []domain.Fact
	if at.After(s.ReportedAt) {
		facts = append(facts, StatusReported{Attempt: s.Attempt, Status: c.Status, ReportedAt: at.UTC()})
	}
	switch c.Status {
	case Pending, Queued:
		if s.Status == Pending {
			facts = append(facts, QueuedUp{Attempt: s.Attempt, Runner: Cluster})
		}
	case Running:
		if s.Status != Running {
			facts = append(facts, Started{Attempt: s.Attempt, Runner: Cluster})
		}
	case Succeeded:
		facts = append(facts, Completed{Attempt: s.Attempt})
	case Failed:
		facts = append(facts, Broken{Attempt: s.Attempt, Code: ClusterError, Message: cmp.Or(c.Message, "the cluster says that it failed, and not why")})
	case Cancelled:
		facts = append(facts, Stopped{Attempt: s.Attempt})
	}
	return facts
}

func (c Report) freshEpochs(s *State) []Epoch {
	known := map[int]bool{}
	for _, e := range s.Metrics {
		known[e.Epoch] = true
	}
	var fresh []Epoch
	for _, e := range c.Epochs {
		if !known[e.Epoch] {
			known[e.Epoch] = true
			fresh = append(fresh, Epoch{Epoch: e.Epoch, Metrics: finiteMetrics(e.Metrics)})
		}
	}
	slices.SortFunc(fresh, func(a, b Epoch) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return fresh
}

// freshCheckpoints records those that were not known by their uri.
func (c Report) freshCheckpoints(env domain.Env, s *State) []domain.Fact {
	known := map[string]bool{}
	for _, p := range s.Checkpoints {
		known[p.URI] = true
	}
	var facts []domain.Fact
	for _, p := range c.Checkpoints {
		if known[p.URI] {
			continue
		}
		known[p.URI] = true
		facts = append(facts, CheckpointRecorded{Checkpoint{ID: env.NewID(CheckpointPrefix), Attempt: s.Attempt, Step: p.Step, URI: p.URI,
			Name: cmp.Or(p.Name, CheckpointName(s.Name, s.Attempt, p.Step)), Metrics: finiteMetrics(p.Metrics), Final: p.Final}})
	}
	return facts
}
