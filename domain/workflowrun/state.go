package workflowrun

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/workflow"
)

// Status of a run.
type Status string

// The statuses. A run is paused while nothing but a person can bring it on.
const (
	StatusQueued    Status = "queued"
	StatusRunning   Status = "running"
	StatusPaused    Status = "paused"
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
)

// Over tells whether a run in this status has ended.
func (s Status) Over() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusCancelled
}

// Phase is how far a step is.
type Phase string

// The phases of a step.
const (
	Begun    Phase = "begun"
	Opened   Phase = "opened"
	Retrying Phase = "retrying"
	Ended    Phase = "ended"
	Broken   Phase = "broken"  // failed, and the run with it
	Handled  Phase = "handled" // failed, and the workflow says what then
)

// Step is what is known of a step.
type Step struct {
	Phase     Phase
	Attempt   int
	Execution int
	Since     time.Time // when the attempt began
	RetryAt   time.Time
	Open      *StepOpened
	Answer    *HumanAnswered
	Child     *ChildEnded
	Past      []string // runs of earlier attempts, which have ended
	Result    Result
	Error     Failure
}

// done tells whether what comes after the step can go on.
func (s *Step) done() bool { return s != nil && (s.Phase == Ended || s.Phase == Handled) }

// State of a run. The messages of JSON in it are never changed, only replaced.
type State struct {
	ID string
	Started
	Exists     bool
	Erased     bool   // what went through it was erased with the person it was about
	End        Status // "" while it goes on
	Steps      map[string]*Step
	Outputs    json.RawMessage
	Error      *Failure
	Skipped    []string
	Usage      Usage
	Cost       domain.Money
	StartedAt  time.Time
	FinishedAt time.Time
	IsReported bool

	graph *workflow.Graph `snapshot:"derived"`
}

// Aggregate folds runs.
var Aggregate = &domain.Aggregate[State]{
	Category: "workflow_run", Prefix: "run", Noun: "workflow run", Fold: "4",
	New:   func(id string) *State { return &State{ID: id, Steps: map[string]*Step{}} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Gone:  func(s *State) bool { return s.Erased },
	Facts: FactTypes(),
}

// Graph is the run's definition, indexed.
func (s *State) Graph() *workflow.Graph {
	if s.graph == nil { // a state that was kept on disk and has seen no event since
		return workflow.NewGraph(&s.Definition)
	}
	return s.graph
}

// Item is the id of a loop's step for one of its items.
func Item(node string, i int) string { return fmt.Sprintf("%s[%d]", node, i) }

// NodeOf is the node that a step is of, and the item, -1 for the node itself.
func NodeOf(step string) (node string, item int) {
	node, rest, is := strings.Cut(step, "[")
	if !is {
		return step, -1
	}
	i, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if err != nil {
		return step, -1
	}
	return node, i
}

func (s *State) apply(e domain.Event) {
	if s.graph == nil && s.Exists {
		s.graph = workflow.NewGraph(&s.Definition)
	}
	switch f := e.Fact.(type) {
	case Started:
		s.Exists, s.Started, s.StartedAt = true, f, e.Meta.OccurredAt
		s.graph = workflow.NewGraph(&s.Definition)
		for node, r := range f.Carried {
			s.Steps[node] = &Step{Phase: Ended, Result: r}
		}
	case StepBegan:
		st := s.step(f.Step)
		if f.Execution <= 1 {
			st.Since = e.Meta.OccurredAt
		}
		st.Phase, st.Attempt, st.Execution = Begun, f.Attempt, f.Execution
	case StepOpened:
		st := s.step(f.Step)
		if st.Phase != Begun { // its beginning was not worth a fact
			st.Since = e.Meta.OccurredAt
		}
		st.Phase, st.Attempt, st.Open = Opened, f.Attempt, &f
		if st.Child != nil && st.Child.Run != f.Child { // of an earlier attempt
			st.Child = nil
		}
	case StepEnded:
		st := s.step(f.Step)
		st.Phase, st.Attempt, st.Result = Ended, f.Attempt, f.Result
		s.add(f.Usage, f.Cost)
	case StepFailed:
		s.failed(f)
	case HumanAnswered:
		s.step(f.Step).Answer = &f
	case ChildEnded:
		s.step(f.Step).Child = &f
		s.add(f.Usage, f.Cost)
	case Completed:
		s.End, s.Outputs, s.Skipped, s.FinishedAt = StatusCompleted, f.Outputs, f.Skipped, e.Meta.OccurredAt
	case Failed:
		s.End, s.Error, s.FinishedAt = StatusFailed, &f.Error, e.Meta.OccurredAt
	case Cancelled:
		s.End, s.Error, s.FinishedAt = StatusCancelled, &Failure{Code: "CANCELLED", Message: f.Reason}, e.Meta.OccurredAt
	case Reported:
		s.IsReported = true
	case domain.Erased:
		s.erase(e)
	}
}

func (s *State) failed(f StepFailed) {
	st := s.step(f.Step)
	st.Attempt, st.Error, st.Result = f.Attempt, f.Error, f.Result
	switch {
	case !f.RetryAt.IsZero():
		if st.Child != nil {
			st.Past = append(slices.Clone(st.Past), st.Child.Run)
		}
		st.Phase, st.RetryAt, st.Open, st.Answer, st.Child = Retrying, f.RetryAt, nil, nil, nil
	case f.Handled:
		st.Phase = Handled
	default:
		st.Phase = Broken
	}
}

// erase forgets everything: a run cannot go on with a part of what it knew.
func (s *State) erase(e domain.Event) {
	end := s.End
	if end == "" {
		end = StatusCancelled
	}
	*s = State{ID: s.ID, Exists: true, Erased: true, End: end, Steps: map[string]*Step{}, StartedAt: s.StartedAt, FinishedAt: e.Meta.OccurredAt,
		Usage: s.Usage, Cost: s.Cost, IsReported: true}
}

func (s *State) step(id string) *Step {
	st := s.Steps[id]
	if st == nil {
		st = &Step{}
		s.Steps[id] = st
	}
	return st
}

func (s *State) add(u Usage, cost domain.Money) {
	s.Usage.Prompt += u.Prompt
	s.Usage.Completion += u.Completion
	s.Cost += cost
}

// Status tells how the run stands.
func (s *State) Status() Status {
	if s.End != "" {
		return s.End
	}
	human, active := false, false
	for _, st := range s.Steps {
		switch {
		case st.Phase == Opened && st.Open.Awaits == Human && st.Answer == nil:
			human = true
		case !st.done():
			active = true
		}
	}
	switch {
	case human && !active:
		return StatusPaused
	case len(s.Steps) > len(s.Carried):
		return StatusRunning
	}
	return StatusQueued
}

// who is under whose key the run's data is sealed.
func (s *State) who() string { return s.Subject }

// Unfinished tells whether there is anything left to do for the run.
func (s *State) Unfinished() bool {
	if s.Erased || !s.Exists {
		return false
	}
	if s.End == "" {
		return true
	}
	var p Plan
	s.closing(&p)
	return len(p.Steps) > 0
}
