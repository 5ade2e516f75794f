package agentrun

import (
	"slices"
	"time"

	"strata/domain"
)

// Plan is what a run needs now.
type Plan struct {
	Advance domain.Decider[State] // what follows without any effect; nil: nothing
	Steps   []Begin               // to be performed
	Tell    string                // a turn that is to be added to the session; "": none
	Stop    []int                 // steps of a run that is over, whose runs are to be stopped
	Wake    time.Time             // when to look again; zero: never
}

// Plan says what is next.
func (s *State) Plan(now time.Time) Plan {
	if s.Status.Over() && !s.Erased {
		return Plan{Stop: s.orphans()}
	}
	if s.alive() != nil {
		return Plan{}
	}
	stop := func(code domain.Code, message string) Plan {
		return Plan{Advance: Fail{Failed{Code: code, Message: message}}}
	}
	if s.tells(InputTurn) { // first, so that who comes next in the session sees it
		return Plan{Tell: InputTurn}
	}
	if s.Answer != nil && s.tells(AnswerTurn) {
		return Plan{Tell: AnswerTurn}
	}
	if s.Answer != nil {
		return Plan{Advance: Complete{}}
	}
	if !now.Before(s.Deadline) {
		return stop(domain.CodeTimeout, "the run took longer than its timeout_ms")
	}
	out := Plan{Wake: s.Deadline}
	active := 0
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.Done {
			continue
		}
		if step.Type == LLM && step.Execution == 0 {
			switch {
			case s.ModelCalls() > s.Agent.MaxSteps:
				return stop(domain.CodeWorkflow, "the agent has no answer after max_steps calls of its model")
			case s.Agent.MaxCost > 0 && s.Cost >= s.Agent.MaxCost:
				return stop(domain.CodeQuotaExceeded, "the run has spent its max_cost_usd")
			case size(s.Messages) > MaxTranscript:
				return stop(domain.CodeWorkflow, "what the model would have to read has become too long")
			}
		}
		if step.Child == "" { // one that has started a run waits for it to end
			out.Steps = append(out.Steps, Begin{Step: step.Index, Execution: step.Execution + 1})
		}
		if active++; active == max(1, s.Agent.ParallelTools) {
			break
		}
	}
	return out
}

// Fork is what a run begins with that repeats another from one of its steps: as
// the model was asked then, with what had been recalled. A tool's step is repeated
// with the call of the model that asked for it. It shares nothing that changes with
// the state. Errors: NOT_FOUND when there is no such step.
func (s *State) Fork(index int) (Started, error) {
	step := s.step(index)
	if step == nil {
		return Started{}, domain.Errorf(domain.CodeNotFound, "agent run %q has no step %d", s.ID, index)
	}
	origin := &Origin{Run: s.ID, Step: index}
	for step.Type == Tool {
		index--
		step = s.step(index)
	}
	f := Started{Agent: s.Agent, Input: s.Input, Messages: slices.Clone(s.Messages[:step.Message]), SessionID: s.SessionID, Person: s.Person,
		Origin: origin, Memories: s.Memories, Subject: s.Subject}
	if step.Type == Memory {
		f.Recall, f.Memories = true, ""
	}
	return f, nil
}
