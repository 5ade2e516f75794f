package agentrun

import (
	"strings"

	"strata/domain"
)

// WorkflowTool begins the targets of calls that start the run of a workflow: its
// name or id follows.
const WorkflowTool = "workflow:"

// StartsRun tells whether a step starts a run and waits for its end.
func (s *Step) StartsRun() bool {
	return s.Call != nil && strings.HasPrefix(s.Call.Target, WorkflowTool)
}

// orphans are the steps of a run that is over whose runs may go on. One that has
// begun may have started its run though it is not known to wait for it.
func (s *State) orphans() []int {
	var out []int
	for i := range s.Steps {
		if step := &s.Steps[i]; step.StartsRun() && step.Execution > 0 && !step.Done && !step.Stopped {
			out = append(out, step.Index)
		}
	}
	return out
}

// Unfinished tells whether there is anything left to do for the run.
func (s *State) Unfinished() bool {
	return s.Exists && !s.Erased && (!s.Status.Over() || len(s.orphans()) > 0)
}

// OpenChild records that a step has started a run and waits for it.
type OpenChild struct{ ChildStarted }

// Decide implements domain.Decider.
func (c OpenChild) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	step, err := s.open(c.Step)
	if err != nil {
		return nil, err
	}
	if !step.StartsRun() || step.Child != "" {
		return nil, domain.Errorf(domain.CodeConflict, "step %d is not to start a run", c.Step)
	}
	return []domain.Fact{c.ChildStarted}, nil
}

// EndChild records how the run ended that a step waits for. A run can end before the
// step that has started it is known to wait for it. What is not waited for any more
// changes nothing.
type EndChild struct {
	Run string
	ToolAnswered
}

// Decide implements domain.Decider.
func (c EndChild) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if !s.Exists {
		return nil, domain.NotFound(Aggregate.Noun, s.ID)
	}
	step := s.step(c.Step)
	if s.alive() != nil || step == nil || step.Done || step.Execution == 0 || !step.StartsRun() || step.Child != "" && step.Child != c.Run {
		return nil, nil
	}
	return AnswerTool{c.ToolAnswered}.Decide(env, s)
}

// StopChild records that the run of a step was told to stop.
type StopChild struct{ ChildStopped }

// Decide implements domain.Decider.
func (c StopChild) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	for _, index := range s.orphans() {
		if index == c.Step && s.Status.Over() && !s.Erased {
			return []domain.Fact{c.ChildStopped}, nil
		}
	}
	return nil, domain.Errorf(domain.CodeConflict, "step %d has no run that is to be stopped", c.Step)
}
