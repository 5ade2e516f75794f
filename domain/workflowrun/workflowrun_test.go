package workflowrun_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// A run of a -> b (http) -> c, with an edge for b's failure.
var definition = workflow.Definition{
	Nodes: []workflow.Node{
		{ID: "a", Type: workflow.Start},
		{ID: "b", Type: workflow.HTTP, Config: map[string]any{"url": "https://example.com"}, Retry: &workflow.Retry{MaxAttempts: 2, BackoffMS: 1000}},
		{ID: "c", Type: workflow.End},
	},
	Edges: []workflow.Edge{{Source: "a", Target: "b"}, {Source: "b", Target: "c"}},
}

var (
	start   = workflowrun.Start{Started: workflowrun.Started{WorkflowID: "wf_1", WorkflowName: "triage", Version: 2, Definition: definition, Inputs: raw(`{"q":1}`), Trigger: "api", UserID: "user_bob"}}
	started = func() workflowrun.Started { s := start.Started; s.Subject = "user_bob"; return s }()
	aEnded  = workflowrun.StepEnded{Step: "a", Attempt: 1, Result: workflowrun.Result{Output: raw(`{"q":1}`), Taken: []int{0}}, Subject: "user_bob"}
	bBegan  = workflowrun.StepBegan{Step: "b", Attempt: 1, Execution: 1}
	bEnded  = workflowrun.StepEnded{Step: "b", Attempt: 1, Input: raw(`{}`), Result: workflowrun.Result{Output: raw(`7`), Taken: []int{1}}, Usage: workflowrun.Usage{Prompt: 3, Completion: 4}, Cost: 5, Subject: "user_bob"}
	bFailed = workflowrun.StepFailed{Step: "b", Attempt: 1, Error: workflowrun.Failure{Code: "TIMEOUT", Message: "late", NodeID: "b"}, RetryAt: domaintest.Now.Add(time.Second), Subject: "user_bob"}
	cEnded  = workflowrun.StepEnded{Step: "c", Attempt: 1, Result: workflowrun.Result{Output: raw(`{"r":7}`)}, Subject: "user_bob"}
	opened  = workflowrun.StepOpened{Step: "b", Attempt: 1, Awaits: workflowrun.Child, Child: "run_2", Until: domaintest.Now, Items: []json.RawMessage{raw(`1`)}, Input: raw(`{}`), Subject: "user_bob"}
)

func TestGolden(t *testing.T) {
	full := started
	full.Parent, full.Origin, full.Depth, full.Deadline = &workflowrun.Parent{Run: "run_0", Step: "x"}, "run_9", 1, domaintest.Now
	full.Carried = map[string]workflowrun.Result{"a": aEnded.Result}
	full.SessionID, full.APIKey, full.AppID = "ses_1", "key_1", "app_1"
	domaintest.Golden(t, workflowrun.FactTypes(), full, bBegan, opened, bEnded, bFailed,
		workflowrun.HumanAnswered{Step: "b", Decision: "approved", Payload: raw(`{"a":1}`), By: "user_ann", Subject: "user_bob"},
		workflowrun.ChildEnded{Step: "b", Run: "run_2", Status: workflowrun.StatusFailed, Outputs: raw(`{}`), Error: &workflowrun.Failure{Code: "TIMEOUT", Message: "late"}, Usage: workflowrun.Usage{Prompt: 1}, Cost: 2, Subject: "user_bob"},
		workflowrun.Completed{Outputs: raw(`{"r":7}`), Skipped: []string{"d"}, Subject: "user_bob"},
		workflowrun.Failed{Error: workflowrun.Failure{Code: "TIMEOUT", Message: "late", NodeID: "b"}, Subject: "user_bob"},
		workflowrun.Cancelled{Reason: "enough", Subject: "user_bob"}, workflowrun.Reported{})
}

func TestStart(t *testing.T) {
	domaintest.Given(t, workflowrun.Aggregate).When(start).Then(started)
	domaintest.Given(t, workflowrun.Aggregate, started).When(start).ThenError(domain.CodeConflict)
	empty := start
	empty.Definition = workflow.Definition{}
	domaintest.Given(t, workflowrun.Aggregate).When(empty).ThenError(domain.CodeConflict)
	deep := start
	deep.Depth = 9
	domaintest.Given(t, workflowrun.Aggregate).When(deep).ThenError(domain.CodeWorkflow)
	strict := start
	strict.Definition.InputSchema = map[string]any{"type": "object", "required": []any{"name"}, "properties": map[string]any{"q": map[string]any{"type": "string"}}}
	domaintest.Given(t, workflowrun.Aggregate).When(strict).ThenError(domain.CodeValidation, "inputs", "inputs.q")
	list := start
	list.Inputs = raw(`[1]`)
	domaintest.Given(t, workflowrun.Aggregate).When(list).ThenError(domain.CodeValidation, "inputs")
}

// steps are what a history's state wants to have done.
func steps(t *testing.T, now time.Time, facts ...domain.Fact) []string {
	t.Helper()
	var out []string
	for _, s := range domaintest.Fold(workflowrun.Aggregate, "run_1", facts...).Plan(now).Steps {
		out = append(out, s.Step)
	}
	return out
}

func TestPlan(t *testing.T) {
	now := domaintest.Now
	for name, c := range map[string]struct {
		facts []domain.Fact
		want  []string
	}{
		"the first":                     {[]domain.Fact{started}, []string{"a"}},
		"the next":                      {[]domain.Fact{started, aEnded}, []string{"b"}},
		"begun is to be ended":          {[]domain.Fact{started, aEnded, bBegan}, []string{"b"}},
		"not before its time":           {[]domain.Fact{started, aEnded, bBegan, bFailed}, nil},
		"the last":                      {[]domain.Fact{started, aEnded, bBegan, bEnded}, []string{"c"}},
		"nothing when over":             {[]domain.Fact{started, workflowrun.Cancelled{}}, nil},
		"the child of one that is over": {[]domain.Fact{started, aEnded, opened, workflowrun.Cancelled{}}, []string{"b"}},
	} {
		if got := steps(t, now, c.facts...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	s := domaintest.Fold(workflowrun.Aggregate, "run_1", started, aEnded, bBegan, bFailed)
	if p := s.Plan(now); !p.Wake.Equal(bFailed.RetryAt) {
		t.Errorf("wakes at %s", p.Wake)
	}
	if p := s.Plan(bFailed.RetryAt); len(p.Steps) != 1 || p.Steps[0] != (workflowrun.Intent{Step: "b", Attempt: 2, Execution: 1, Begins: true}) {
		t.Errorf("%+v", p.Steps)
	}
	child := started
	child.Parent = &workflowrun.Parent{Run: "run_0", Step: "x"}
	if got := steps(t, now, child, workflowrun.Completed{}); !slices.Equal(got, []string{workflowrun.ReportStep}) {
		t.Errorf("a child that is over: %q", got)
	}
}

func TestStepsAreFenced(t *testing.T) {
	begin := func(attempt, execution int) workflowrun.Begin {
		return workflowrun.Begin{Intent: workflowrun.Intent{Step: "b", Attempt: attempt, Execution: execution}}
	}
	given := func(facts ...domain.Fact) *domaintest.Scenario[workflowrun.State] {
		return domaintest.Given(t, workflowrun.Aggregate, append([]domain.Fact{started, aEnded}, facts...)...).Of("run_1")
	}
	given().When(begin(1, 1)).Then(bBegan)
	given(bBegan).When(begin(1, 1)).ThenError(domain.CodeConflict)
	given(bBegan).When(begin(1, 2)).Then(workflowrun.StepBegan{Step: "b", Attempt: 1, Execution: 2})
	given(bBegan, bEnded).When(begin(1, 2)).ThenError(domain.CodeConflict)
	given(bBegan, bFailed).When(begin(2, 1)).Then(workflowrun.StepBegan{Step: "b", Attempt: 2, Execution: 1})
	end := workflowrun.EndStep{StepEnded: bEnded}
	given(bBegan).When(end).Then(bEnded)
	given(bBegan, bEnded).When(end).ThenError(domain.CodeConflict)
	given(bBegan, bFailed, workflowrun.StepBegan{Step: "b", Attempt: 2, Execution: 1}).When(end).ThenError(domain.CodeConflict)
	given(bBegan, workflowrun.Cancelled{}).When(end).ThenError(domain.CodeConflict)
	given(bBegan).When(workflowrun.EndStep{StepEnded: workflowrun.StepEnded{Step: "nowhere", Attempt: 1}}).ThenError(domain.CodeNotFound)
}

func TestFailStep(t *testing.T) {
	fail := workflowrun.FailStep{Step: "b", Attempt: 1, Code: domain.CodeTimeout, Message: "late", Passing: true}
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded, bBegan).When(fail).Then(bFailed)
	last := bFailed
	last.RetryAt = time.Time{}
	fail.Passing = false
	s := domaintest.Given(t, workflowrun.Aggregate, started, aEnded, bBegan).When(fail).Then(last).State()
	if p := s.Plan(domaintest.Now); p.Advance == nil {
		t.Error("the run does not fail with its node")
	}
	caught := started
	caught.Definition.Edges = append(slices.Clone(definition.Edges), workflow.Edge{Source: "b", Target: "c", SourceHandle: "error"})
	handled := last
	handled.Handled, handled.Taken, handled.Output = true, []int{2}, raw(`{"error":{"code":"TIMEOUT","message":"late","node_id":"b"}}`)
	s = domaintest.Given(t, workflowrun.Aggregate, caught, aEnded, bBegan).When(fail).Then(handled).State()
	if p := s.Plan(domaintest.Now); len(p.Steps) != 1 || p.Steps[0].Step != "c" {
		t.Errorf("%+v", p)
	}
}

func TestHuman(t *testing.T) {
	run := started
	run.Definition = workflow.Definition{Nodes: []workflow.Node{{ID: "h", Type: workflow.Human, Config: map[string]any{"decisions": []any{"yes", "no"},
		"schema": map[string]any{"type": "object", "required": []any{"why"}}}}}}
	waits := workflowrun.StepOpened{Step: "h", Attempt: 1, Awaits: workflowrun.Human, Subject: "user_bob"}
	answer := workflowrun.AnswerHuman{NodeID: "h", Decision: "no", Payload: raw(`{"why":1}`)}
	answered := workflowrun.HumanAnswered{Step: "h", Decision: "no", Payload: raw(`{"why":1}`), By: domaintest.Actor, Subject: "user_bob"}
	if s := domaintest.Fold(workflowrun.Aggregate, "run_1", run, waits); s.Status() != workflowrun.StatusPaused || len(s.Plan(domaintest.Now).Steps) > 0 {
		t.Errorf("status %s", s.Status())
	}
	domaintest.Given(t, workflowrun.Aggregate, run, waits).When(answer).Then(answered)
	domaintest.Given(t, workflowrun.Aggregate, run, waits, answered).When(answer).ThenError(domain.CodeConflict)
	domaintest.Given(t, workflowrun.Aggregate, run).When(answer).ThenError(domain.CodeConflict)
	domaintest.Given(t, workflowrun.Aggregate, run, waits).When(workflowrun.AnswerHuman{NodeID: "h", Decision: "perhaps", Payload: raw(`{}`)}).
		ThenError(domain.CodeValidation, "decision", "payload")
	domaintest.Given(t, workflowrun.Aggregate, run, waits).When(workflowrun.AnswerHuman{}).ThenError(domain.CodeValidation, "node_id")
	domaintest.Given(t, workflowrun.Aggregate, run, waits).When(workflowrun.AnswerHuman{NodeID: "z"}).ThenError(domain.CodeValidation, "node_id")
}

func TestComplete(t *testing.T) {
	s := domaintest.Fold(workflowrun.Aggregate, "run_1", started, aEnded, bBegan, bEnded, cEnded)
	done := s.Plan(domaintest.Now).Advance
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded, bBegan, bEnded, cEnded).When(done).Then(workflowrun.Completed{Outputs: raw(`{"r":7}`), Subject: "user_bob"})
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded).When(done).ThenError(domain.CodeConflict)
	if s.Usage.Prompt != 3 || s.Cost != 5 {
		t.Errorf("usage %+v", s.Usage)
	}
	strict := started
	strict.Definition.OutputSchema = map[string]any{"required": []any{"other"}}
	out := domaintest.Given(t, workflowrun.Aggregate, strict, aEnded, bBegan, bEnded, cEnded).When(done).State()
	if out.Status() != workflowrun.StatusFailed || out.Error.Code != string(domain.CodeValidation) {
		t.Errorf("%s %+v", out.Status(), out.Error)
	}
}

func TestDeadline(t *testing.T) {
	late := started
	late.Deadline = domaintest.Now
	s := domaintest.Fold(workflowrun.Aggregate, "run_1", late)
	out := domaintest.Given(t, workflowrun.Aggregate, late).When(s.Plan(domaintest.Now).Advance).State()
	if out.Status() != workflowrun.StatusFailed || out.Error.Code != "TIMEOUT" {
		t.Errorf("%s %+v", out.Status(), out.Error)
	}
}

func TestCancelAndReport(t *testing.T) {
	domaintest.Given(t, workflowrun.Aggregate, started).When(workflowrun.Cancel{Reason: "enough"}).Then(workflowrun.Cancelled{Reason: "enough", Subject: "user_bob"})
	domaintest.Given(t, workflowrun.Aggregate, started, workflowrun.Completed{}).When(workflowrun.Cancel{}).ThenError(domain.CodeConflict)
	domaintest.Given(t, workflowrun.Aggregate).When(workflowrun.Cancel{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, workflowrun.Aggregate, started).When(workflowrun.Report{}).ThenError(domain.CodeConflict)
	ended := workflowrun.EndChild{ChildEnded: workflowrun.ChildEnded{Step: "b", Run: "run_2", Status: workflowrun.StatusCompleted, Outputs: raw(`{}`)}}
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded, opened).When(ended).Then(workflowrun.ChildEnded{Step: "b", Run: "run_2", Status: workflowrun.StatusCompleted, Outputs: raw(`{}`), Subject: "user_bob"})
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded).When(ended).ThenNothing()
}

// A step that has begun may have started a run without being known to wait for it:
// that is looked for when its own run is over.
func TestABegunChildIsCancelled(t *testing.T) {
	calls := started
	calls.Definition = workflow.Definition{Nodes: []workflow.Node{{ID: "b", Type: workflow.Workflow, Config: map[string]any{"workflow": "w"}}}}
	over := workflowrun.Cancelled{Reason: "enough", Subject: "user_bob"}
	if got := steps(t, domaintest.Now, calls, bBegan, over); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%q", got)
	}
	if got := steps(t, domaintest.Now, started, aEnded, bBegan, over); len(got) > 0 {
		t.Errorf("an http node: %q", got)
	}
	ended := workflowrun.ChildEnded{Step: "b", Run: "run_2", Status: workflowrun.StatusCancelled, Subject: "user_bob"}
	out := domaintest.Given(t, workflowrun.Aggregate, calls, bBegan, over).When(workflowrun.EndChild{ChildEnded: ended}).Then(ended).State()
	if out.Unfinished() {
		t.Error("there is something left to do")
	}
}

// A run can end before the step that started it is known to wait for it.
func TestAChildMayBeQuick(t *testing.T) {
	end := func(run string) workflowrun.ChildEnded {
		return workflowrun.ChildEnded{Step: "b", Run: run, Status: workflowrun.StatusCompleted, Outputs: raw(`{}`), Subject: "user_bob"}
	}
	told := func(run string) workflowrun.EndChild { return workflowrun.EndChild{ChildEnded: end(run)} }
	waits := workflowrun.StepOpened{Step: "b", Attempt: 1, Awaits: workflowrun.Child, Child: "run_2"}
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded, bBegan).When(told("run_2")).Then(end("run_2"))
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded, bBegan, end("run_2")).When(told("run_2")).ThenNothing()
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded, bBegan, end("run_1")).When(told("run_2")).Then(end("run_2"))
	domaintest.Given(t, workflowrun.Aggregate, started, aEnded, bBegan, waits).When(told("run_1")).ThenNothing() // of an earlier attempt
	wanted := func(before ...domain.Fact) bool {
		return slices.Contains(steps(t, domaintest.Now, append([]domain.Fact{started, aEnded, bBegan}, before...)...), "b")
	}
	if wanted(waits) || !wanted(end("run_2"), waits) || !wanted(waits, end("run_2")) || wanted(end("run_1"), waits) {
		t.Error("a step that waits for a run is finished when that has ended, whenever it was told")
	}
}

func TestErased(t *testing.T) {
	s := domaintest.Fold(workflowrun.Aggregate, "run_1", started, aEnded, domain.Erased{Type: (workflowrun.StepEnded{}).EventType()})
	if !s.Erased || len(s.Inputs)+len(s.Steps) > 0 || s.Unfinished() || !s.Status().Over() || len(s.Plan(domaintest.Now).Steps) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestCarry(t *testing.T) {
	s := domaintest.Fold(workflowrun.Aggregate, "run_1", started, aEnded, bBegan, bEnded, cEnded)
	if got := s.Carry("b"); len(got) != 1 || string(got["a"].Output) != `{"q":1}` {
		t.Errorf("%v", got)
	}
	again := started
	again.Carried = s.Carry("c")
	if got := steps(t, domaintest.Now, again); !slices.Equal(got, []string{"c"}) {
		t.Errorf("%q", got)
	}
}

// A step waits for another run no longer than until its time, and what a run of an
// earlier attempt reports then is not taken for an end of the next.
func TestRunsThatAreWaitedForTooLong(t *testing.T) {
	timed, waits := started, opened
	timed.Definition.Nodes = slices.Clone(timed.Definition.Nodes)
	timed.Definition.Nodes[1].TimeoutMS = 1000
	waits.Until, waits.Items = time.Time{}, nil
	history := []domain.Fact{timed, aEnded, bBegan, waits}
	s := domaintest.Fold(workflowrun.Aggregate, "run_1", history...)
	due := domaintest.At(3) // a second after it began
	if p := s.Plan(due.Add(-1)); len(p.Steps) != 0 || !p.Wake.Equal(due) {
		t.Errorf("before its time: %+v", p)
	}
	if p := s.Plan(due); len(p.Steps) != 1 || p.Steps[0] != (workflowrun.Intent{Step: "b", Attempt: 1}) {
		t.Errorf("at its time: %+v", p)
	}
	late := workflowrun.ChildEnded{Step: "b", Run: "run_2", Status: workflowrun.StatusCancelled, Usage: workflowrun.Usage{Prompt: 5}, Subject: "user_bob"}
	report := workflowrun.EndChild{ChildEnded: late}
	given := func(facts ...domain.Fact) *domaintest.Scenario[workflowrun.State] {
		return domaintest.Given(t, workflowrun.Aggregate, append(slices.Clone(history), facts...)...).Of("run_1")
	}
	again := workflowrun.StepBegan{Step: "b", Attempt: 2, Execution: 1}
	given().When(report).Then(late)
	given(late).When(report).Then()
	given(late, bFailed).When(report).Then()
	given(late, bFailed, again).When(report).Then()
	next := late
	next.Run = "run_3"
	given(late, bFailed, again).When(workflowrun.EndChild{ChildEnded: next}).Then(next)
}
