package workflowrun

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"strata/domain"
	"strata/domain/schema"
	"strata/domain/workflow"
)

// The limits of what goes through a run, in bytes of JSON.
const (
	MaxInputs  = 1 << 20
	MaxOutput  = 1 << 20 // of one step
	maxOutputs = 2 << 20 // of the run
	maxCarried = 2 << 20
	maxDepth   = 8 // of workflows in workflows
)

// Start begins a run.
type Start struct{ Started }

// Decide implements domain.Decider.
func (c Start) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "workflow run %q was started already", s.ID)
	}
	f := c.Started
	if len(f.Definition.Nodes) == 0 {
		return nil, domain.Errorf(domain.CodeConflict, "workflow %q has no nodes, so there is nothing to run", f.WorkflowName)
	}
	if problems := workflow.Problems(&f.Definition); len(problems) > 0 {
		return nil, domain.Errorf(domain.CodeWorkflow, "the workflow cannot run: %s %s", problems[0].Field, problems[0].Message)
	}
	if f.Depth > maxDepth {
		return nil, domain.Errorf(domain.CodeWorkflow, "workflows may call each other at most %d deep", maxDepth)
	}
	if len(f.Inputs) == 0 {
		f.Inputs = json.RawMessage("{}")
	}
	if err := checkInputs(f.Inputs, f.Definition.InputSchema); err != nil {
		return nil, err
	}
	carried := 0
	for _, r := range f.Carried {
		carried += len(r.Output)
	}
	if carried > maxCarried {
		return nil, domain.Errorf(domain.CodeConflict, "the results that would be carried are larger than %d bytes; start a run from the beginning", maxCarried)
	}
	if ms, is := f.Definition.Config["timeout_ms"].(float64); is && ms > 0 {
		f.Deadline = env.Now.Add(time.Duration(ms) * time.Millisecond)
	}
	if f.Subject == "" {
		f.Subject = f.UserID
	}
	if f.Subject == "" {
		f.Subject = s.ID
	}
	return []domain.Fact{f}, nil
}

func checkInputs(inputs json.RawMessage, against map[string]any) error {
	var faults domain.Faults
	var value any
	bad := json.Unmarshal(inputs, &value) != nil || !bytes.HasPrefix(bytes.TrimLeft(inputs, " \t\r\n"), []byte("{"))
	faults.Add(bad, "inputs", "must be an object")
	faults.Add(len(inputs) > MaxInputs, "inputs", "must be at most %d bytes of JSON", MaxInputs)
	if err := faults.Err(); err != nil || against == nil {
		return err
	}
	checker, err := schema.Parse(against)
	if err != nil {
		return domain.Errorf(domain.CodeWorkflow, "the workflow's input schema %s", err)
	}
	for _, f := range checker.Faults("inputs", value) {
		faults.Add(true, f.Field, "%s", f.Message)
	}
	return faults.Err()
}

func (s *State) alive() error {
	if !s.Exists {
		return domain.NotFound(Aggregate.Noun, s.ID)
	}
	if s.Erased {
		return domain.Gone(Aggregate.Noun, s.ID)
	}
	if s.End != "" {
		return domain.Errorf(domain.CodeConflict, "workflow run %q is %s", s.ID, s.End)
	}
	return nil
}

func stale(step string) error {
	return domain.Errorf(domain.CodeConflict, "step %q is not at this point", step)
}

// Begin records that a step is about to be performed.
type Begin struct{ Intent }

// Decide implements domain.Decider.
func (c Begin) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	attempt, execution := 1, 1
	if st := s.Steps[c.Step]; st != nil {
		switch st.Phase {
		case Begun:
			attempt, execution = st.Attempt, st.Execution+1
		case Retrying:
			attempt = st.Attempt + 1
		default:
			return nil, stale(c.Step)
		}
	}
	if c.Attempt != attempt || c.Execution != execution {
		return nil, stale(c.Step)
	}
	return []domain.Fact{StepBegan{Step: c.Step, Attempt: attempt, Execution: execution}}, nil
}

// current checks that a step is at the attempt that somebody has performed.
func (s *State) current(step string, attempt int) error {
	if err := s.alive(); err != nil {
		return err
	}
	node, _ := NodeOf(step)
	n := s.Graph().Node(node)
	if n == nil {
		return domain.NotFound("step", step)
	}
	st := s.Steps[step]
	switch {
	case st == nil && attempt == 1:
	case st != nil && (st.Phase == Begun || st.Phase == Opened) && st.Attempt == attempt:
	case st != nil && st.Phase == Retrying && st.Attempt+1 == attempt:
	default:
		return stale(step)
	}
	return nil
}

// Open records that a step waits for something.
type Open struct{ StepOpened }

// Decide implements domain.Decider.
func (c Open) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.current(c.Step, c.Attempt); err != nil {
		return nil, err
	}
	if st := s.Steps[c.Step]; st != nil && st.Phase == Opened {
		return nil, stale(c.Step)
	}
	f := c.StepOpened
	f.Subject = s.who()
	return []domain.Fact{f}, nil
}

// EndStep records what a step came to.
type EndStep struct{ StepEnded }

// Decide implements domain.Decider.
func (c EndStep) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.current(c.Step, c.Attempt); err != nil {
		return nil, err
	}
	f := c.StepEnded
	f.Subject = s.who()
	return []domain.Fact{f}, nil
}

// FailStep records that a step failed, and decides what follows from it.
type FailStep struct {
	Step    string
	Attempt int
	Input   json.RawMessage
	Code    domain.Code
	Message string
	// Passing says that the failure may pass, so that trying again makes sense.
	Passing bool
}

// mostBackoff bounds how long a step waits before it is tried again.
const mostBackoff = time.Hour

// Decide implements domain.Decider.
func (c FailStep) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.current(c.Step, c.Attempt); err != nil {
		return nil, err
	}
	id, item := NodeOf(c.Step)
	node := s.Graph().Node(id)
	f := StepFailed{Step: c.Step, Attempt: c.Attempt, Input: c.Input, Error: Failure{Code: string(c.Code), Message: c.Message, NodeID: id}, Subject: s.who()}
	if r := node.Retry; r != nil && c.Passing && c.Attempt < r.MaxAttempts {
		wait := min(time.Duration(r.BackoffMS)*time.Millisecond<<min(c.Attempt-1, 20), mostBackoff)
		f.RetryAt = env.Now.Add(wait)
		return []domain.Fact{f}, nil
	}
	output, err := json.Marshal(map[string]any{"error": f.Error})
	if err != nil {
		return nil, err
	}
	if item >= 0 {
		f.Handled, _ = node.Config["continue_on_error"].(bool)
	}
	for _, e := range s.Graph().Out(id) {
		if item < 0 && s.Graph().Edge(e).SourceHandle == workflow.ErrorHandle {
			f.Handled, f.Taken = true, append(f.Taken, e)
		}
	}
	if f.Handled {
		f.Output = output
	}
	return []domain.Fact{f}, nil
}

// AnswerHuman is somebody's decision at a human node.
type AnswerHuman struct {
	NodeID   string
	Decision string // "" is the first that can be made
	Payload  json.RawMessage
}

// Decide implements domain.Decider.
func (c AnswerHuman) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	var faults domain.Faults
	faults.Add(c.NodeID == "", "node_id", "is required")
	if err := faults.Err(); err != nil {
		return nil, err
	}
	node, st := s.Graph().Node(c.NodeID), s.Steps[c.NodeID]
	faults.Add(node == nil, "node_id", "names no node of the workflow: %q", c.NodeID)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if st == nil || st.Phase != Opened || st.Open.Awaits != Human || st.Answer != nil {
		return nil, domain.Errorf(domain.CodeConflict, "node %q does not wait for anybody", c.NodeID)
	}
	decisions := node.Decisions()
	if c.Decision == "" {
		c.Decision = decisions[0]
	}
	faults.Add(!slices.Contains(decisions, c.Decision), "decision", "must be one of %v", decisions)
	faults.Add(len(c.Payload) > MaxInputs, "payload", "must be at most %d bytes of JSON", MaxInputs)
	var config workflow.HumanConfig
	if err := workflow.Read(node.Config, &config); err == nil && config.Schema != nil {
		checkPayload(c.Payload, config.Schema, &faults)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{HumanAnswered{Step: c.NodeID, Decision: c.Decision, Payload: c.Payload, By: env.Actor, Subject: s.who()}}, nil
}

func checkPayload(payload json.RawMessage, against map[string]any, faults *domain.Faults) {
	checker, err := schema.Parse(against)
	if err != nil { // the definition was checked when the run began
		return
	}
	var value any
	if len(payload) > 0 && json.Unmarshal(payload, &value) != nil {
		faults.Add(true, "payload", "must be JSON")
		return
	}
	for _, f := range checker.Faults("payload", value) {
		faults.Add(true, f.Field, "%s", f.Message)
	}
}

// EndChild records how a run ended that a step waits for. It is recorded of runs
// that are over, too: then it is known that nothing is left of them.
type EndChild struct{ ChildEnded }

// Decide implements domain.Decider.
func (c EndChild) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if !s.Exists {
		return nil, domain.NotFound(Aggregate.Noun, s.ID)
	}
	st := s.Steps[c.Step]
	if s.Erased || st == nil || st.Child != nil && st.Child.Run == c.Run || slices.Contains(st.Past, c.Run) {
		return nil, nil
	}
	// A run can end before the step that has started it is known to wait for it: it is
	// quick, or the process died in between. Its end is kept for then.
	waits := st.Phase == Opened && st.Open.Awaits == Child && st.Open.Child == c.Run && st.Child == nil
	if !waits && st.Phase != Begun {
		return nil, nil
	}
	f := c.ChildEnded
	f.Subject = s.who()
	return []domain.Fact{f}, nil
}

// Cancel ends a run that somebody does not want any more.
type Cancel struct{ Reason string }

// Decide implements domain.Decider.
func (c Cancel) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	var faults domain.Faults
	faults.Add(len(c.Reason) > 2000, "reason", "must be at most 2000 bytes long")
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{Cancelled{Reason: c.Reason, Subject: s.who()}}, nil
}

// Report records that the parent knows how the run ended.
type Report struct{}

// Decide implements domain.Decider.
func (Report) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if !s.Exists || s.IsReported || s.Parent == nil || s.End == "" {
		return nil, stale(ReportStep)
	}
	return []domain.Fact{Reported{}}, nil
}

// fail ends a run that cannot go on.
type fail struct{ why Failure }

// Decide implements domain.Decider.
func (c fail) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{Failed{Error: c.why, Subject: s.who()}}, nil
}

// complete ends a run that has come to its end.
type complete struct{}

// Decide implements domain.Decider.
func (complete) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	w := s.walk()
	if len(w.ready) > 0 || w.broken != "" {
		return nil, stale("the end")
	}
	outputs, err := s.outputs()
	if err != nil {
		return nil, err
	}
	if against := s.Definition.OutputSchema; against != nil {
		var faults domain.Faults
		var value any
		if err := json.Unmarshal(outputs, &value); err != nil {
			return nil, err
		}
		if checker, err := schema.Parse(against); err == nil {
			for _, f := range checker.Faults("outputs", value) {
				faults.Add(true, f.Field, "%s", f.Message)
			}
		}
		if err := faults.Err(); err != nil {
			return fail{Failure{Code: string(domain.CodeValidation), Message: "the outputs are not what the workflow's output schema says: " + err.Error()}}.Decide(env, s)
		}
	}
	if len(outputs) > maxOutputs {
		return fail{Failure{Code: string(domain.CodePayloadTooLarge), Message: "the outputs are too large"}}.Decide(env, s)
	}
	return []domain.Fact{Completed{Outputs: outputs, Skipped: w.skipped, Subject: s.who()}}, nil
}

// outputs are what the run's end nodes came to; where there is none, the outputs
// of the nodes that nothing comes after, by their ids.
func (s *State) outputs() (json.RawMessage, error) {
	out, ends := map[string]json.RawMessage{}, false
	g := s.Graph()
	for _, id := range g.Order {
		ends = ends || g.Node(id).Type == workflow.End
	}
	for _, id := range g.Order {
		st := s.Steps[id]
		if !st.done() || len(st.Result.Output) == 0 {
			continue
		}
		switch {
		case g.Node(id).Type == workflow.End:
			var object map[string]json.RawMessage
			if json.Unmarshal(st.Result.Output, &object) == nil && object != nil {
				maps.Copy(out, object)
			} else {
				out[id] = st.Result.Output
			}
		case !ends && len(g.Out(id)) == 0:
			out[id] = st.Result.Output
		}
	}
	return json.Marshal(out)
}

// Carry picks the results that another run can begin with: those of the nodes that
// have ended, but not of node from, or of what comes after it, if from is named.
func (s *State) Carry(from string) map[string]Result {
	g := s.Graph()
	dropped := map[string]bool{}
	if from != "" {
		dropped = g.After(from)
		dropped[from] = true
	}
	out := map[string]Result{}
	for _, id := range g.Order {
		if st := s.Steps[id]; st.done() && !dropped[id] {
			out[id] = st.Result
		}
	}
	return out
}
