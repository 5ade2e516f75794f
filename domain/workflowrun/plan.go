package workflowrun

import (
	"time"

	"strata/domain"
	"strata/domain/workflow"
)

// ReportStep is the id of the step that tells the parent how a run ended.
const ReportStep = "~report"

// Intent is a step that is to be performed.
type Intent struct {
	Step      string
	Attempt   int
	Execution int
	// Begins says that the beginning is to be recorded, because of the effects.
	Begins bool
}

// Plan is what is to be done for a run.
type Plan struct {
	Steps   []Intent
	Wake    time.Time             // when to look again; zero: when something happens
	Advance domain.Decider[State] // what follows without doing anything; nil: nothing
}

func (p *Plan) wake(at time.Time) {
	if p.Wake.IsZero() || at.Before(p.Wake) {
		p.Wake = at
	}
}

// Plan says what is to be done for the run now.
func (s *State) Plan(now time.Time) Plan {
	var p Plan
	if !s.Exists || s.Erased {
		return p
	}
	if s.End != "" {
		s.closing(&p)
		return p
	}
	if !s.Deadline.IsZero() {
		if !now.Before(s.Deadline) {
			return Plan{Advance: fail{Failure{Code: string(domain.CodeTimeout), Message: "the run took longer than its workflow allows"}}}
		}
		p.wake(s.Deadline)
	}
	w := s.walk()
	if w.broken != "" {
		node, _ := NodeOf(w.broken)
		f := s.Steps[w.broken].Error
		f.NodeID = node
		return Plan{Advance: fail{f}}
	}
	for _, id := range w.ready {
		s.planNode(id, now, &p)
	}
	if len(w.ready) == 0 {
		return Plan{Advance: complete{}}
	}
	return p
}

// closing is what is left to do for a run that is over: those that it waits for
// are not needed any more, and who waits for it wants to know.
func (s *State) closing(p *Plan) {
	for _, id := range s.Graph().Order {
		for _, step := range append([]string{id}, s.items(id)...) {
			if s.mayHaveChild(step) {
				p.Steps = append(p.Steps, Intent{Step: step, Attempt: s.Steps[step].Attempt})
			}
		}
	}
	if s.Parent != nil && !s.IsReported {
		p.Steps = append(p.Steps, Intent{Step: ReportStep})
	}
}

// startsRuns tells whether a step starts a run: one that has begun may have done so
// though it is not known to wait for it.
func (s *State) startsRuns(step string) bool {
	id, item := NodeOf(step)
	node := s.Graph().Node(id)
	if item >= 0 {
		node = node.Body()
	}
	return node.Type.StartsRuns()
}

// items are the ids of the steps of a loop's items.
func (s *State) items(node string) []string {
	st := s.Steps[node]
	if st == nil || st.Open == nil || st.Open.Awaits != Items {
		return nil
	}
	out := make([]string, len(st.Open.Items))
	for i := range out {
		out[i] = Item(node, i)
	}
	return out
}

// walked is where a run stands in its graph.
type walked struct {
	ready   []string // nodes whose turn it is, and that have not ended
	skipped []string
	broken  string // a step that failed for good
}

// walk goes through the graph.
func (s *State) walk() walked {
	var w walked
	g := s.Graph()
	skipped := map[string]bool{}
	for _, id := range g.Order {
		st := s.Steps[id]
		if st != nil && st.Phase == Broken {
			w.broken = id
			return w
		}
		if st.done() {
			continue
		}
		known, taken := true, len(g.In(id)) == 0
		for _, e := range g.In(id) {
			source := g.Edge(e).Source
			switch {
			case skipped[source]:
			case !s.Steps[source].done():
				known = false
			default:
				taken = taken || has(s.Steps[source].Result.Taken, e)
			}
		}
		switch {
		case !known:
		case taken:
			w.ready = append(w.ready, id)
		default:
			skipped[id] = true
			w.skipped = append(w.skipped, id)
		}
	}
	return w
}

func has(list []int, n int) bool {
	for _, v := range list {
		if v == n {
			return true
		}
	}
	return false
}

// planNode adds what is to be done for a node whose turn it is.
func (s *State) planNode(id string, now time.Time, p *Plan) {
	node := s.Graph().Node(id)
	st := s.Steps[id]
	if st == nil || st.Phase != Opened {
		s.planStep(id, node.Type.Local(), now, p)
		return
	}
	finish := Intent{Step: id, Attempt: st.Attempt}
	switch st.Open.Awaits {
	case Time:
		if now.Before(st.Open.Until) && !s.late(id, now, p) {
			p.wake(st.Open.Until)
			return
		}
	case Human:
		if until := st.Open.Until; st.Answer == nil && (until.IsZero() || now.Before(until)) {
			if !until.IsZero() {
				p.wake(until)
			}
			return
		}
	case Child:
		if !s.childOver(id, now, p) {
			return
		}
	case Items:
		if s.left(id) && s.late(id, now, p) {
			s.planLate(id, p)
			return
		}
		if s.planItems(id, node, now, p) {
			return
		}
	}
	p.Steps = append(p.Steps, finish)
}

// childOver tells whether a step has waited long enough for another run: it has ended,
// or its time is up.
func (s *State) childOver(step string, now time.Time, p *Plan) bool {
	return s.Steps[step].Child != nil || s.late(step, now, p)
}

// left tells whether a loop's items have not all ended, and none has failed.
func (s *State) left(loop string) (left bool) {
	for _, step := range s.items(loop) {
		st := s.Steps[step]
		if st != nil && st.Phase == Broken {
			return false
		}
		left = left || !st.done()
	}
	return left
}

// planItems adds what is to be done for the items of a loop, in their order and
// not too many at once. It tells whether there are any left.
func (s *State) planItems(id string, node *workflow.Node, now time.Time, p *Plan) (left bool) {
	local := node.Body() != nil && node.Body().Type.Local()
	active := 0
	for _, step := range s.items(id) {
		st := s.Steps[step]
		if st != nil && st.Phase == Broken {
			return false // the loop fails with its item
		}
		if st.done() {
			continue
		}
		left = true
		if active++; active > node.Abreast() {
			break
		}
		if st != nil && st.Phase == Opened {
			if s.childOver(step, now, p) {
				p.Steps = append(p.Steps, Intent{Step: step, Attempt: st.Attempt})
			}
			continue
		}
		s.planStep(step, local, now, p)
	}
	return left
}

// planStep adds a step that is not open.
func (s *State) planStep(id string, local bool, now time.Time, p *Plan) {
	next := Intent{Step: id, Attempt: 1, Execution: 1, Begins: !local}
	if st := s.Steps[id]; st != nil {
		switch st.Phase {
		case Begun:
			next.Attempt, next.Execution = st.Attempt, st.Execution+1
		case Retrying:
			if now.Before(st.RetryAt) {
				p.wake(st.RetryAt)
				return
			}
			next.Attempt = st.Attempt + 1
		}
	}
	p.Steps = append(p.Steps, next)
}
