package workflowrun

import (
	"time"

	"strata/domain/workflow"
)

// DueBy is when the attempt that a step is at has to have ended, as its node's
// timeout says; zero: there is no such time. It counts from the fact that the attempt
// began, so that it is the same however often the process is restarted. What is done
// for a loop's item is due when its own time or the loop's is over.
func (s *State) DueBy(step string) time.Time {
	id, item := NodeOf(step)
	node, st := s.Graph().Node(id), s.Steps[step]
	if node == nil || item < 0 {
		return due(node, st, time.Time{})
	}
	loop := s.Steps[id]
	own, whole := due(node.Body(), st, loop.since()), due(node, loop, time.Time{})
	if own.IsZero() || !whole.IsZero() && whole.Before(own) {
		return whole
	}
	return own
}

// due is when an attempt at a node is due that does not count from before earliest.
func due(node *workflow.Node, st *Step, earliest time.Time) time.Time {
	since := st.since()
	if node == nil || node.TimeoutMS <= 0 || since.IsZero() {
		return time.Time{}
	}
	if since.Before(earliest) { // a loop goes on with what an earlier attempt has begun
		since = earliest
	}
	return since.Add(time.Duration(node.TimeoutMS) * time.Millisecond)
}

// since is when the attempt that a step is at began; zero: it has not begun.
func (s *Step) since() time.Time {
	if s == nil || s.Phase != Begun && s.Phase != Opened {
		return time.Time{}
	}
	return s.Since
}

// late tells whether a step's time is over. If it is not, the run is looked at again
// when it will be.
func (s *State) late(step string, now time.Time, p *Plan) bool {
	at := s.DueBy(step)
	if at.IsZero() {
		return false
	}
	if now.Before(at) {
		p.wake(at)
		return false
	}
	return true
}

// planLate adds what is left to do for a loop whose time is over: the runs that its
// items wait for are cancelled, then it fails.
func (s *State) planLate(loop string, p *Plan) {
	before := len(p.Steps)
	for _, step := range s.items(loop) {
		if st := s.Steps[step]; s.mayHaveChild(step) {
			p.Steps = append(p.Steps, Intent{Step: step, Attempt: st.Attempt})
		}
	}
	if len(p.Steps) == before {
		p.Steps = append(p.Steps, Intent{Step: loop, Attempt: s.Steps[loop].Attempt})
	}
}

// mayHaveChild tells whether a step has started a run that is not known to have
// ended, or may have done so though it is not known to wait for it.
func (s *State) mayHaveChild(step string) bool {
	st := s.Steps[step]
	return st != nil && st.Child == nil && (st.Phase == Opened && st.Open.Awaits == Child || st.Phase == Begun && s.startsRuns(step))
}
