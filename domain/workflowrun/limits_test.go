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

// limited is a run of one node that has two seconds.
func limited(kind workflow.Type, config map[string]any) workflowrun.Started {
	run := started
	run.Definition = workflow.Definition{Nodes: []workflow.Node{{ID: "n", Type: kind, Config: config, TimeoutMS: 2000}}}
	return run
}

func began(step string, attempt, execution int) workflowrun.StepBegan {
	return workflowrun.StepBegan{Step: step, Attempt: attempt, Execution: execution}
}

// The time of an attempt counts from the fact that it began.
func TestDueBy(t *testing.T) {
	retried := workflowrun.StepFailed{Step: "n", Attempt: 1, Error: workflowrun.Failure{Code: "TIMEOUT"}, RetryAt: domaintest.Now}
	loop := map[string]any{"items": "[1]", "do": map[string]any{"type": "http", "timeout_ms": 500.0}}
	items := workflowrun.StepOpened{Step: "n", Attempt: 1, Awaits: workflowrun.Items, Items: []json.RawMessage{raw("1")}}
	patient := limited(workflow.HTTP, nil)
	patient.Definition.Nodes = []workflow.Node{{ID: "n", Type: workflow.HTTP}}
	for name, c := range map[string]struct {
		facts []domain.Fact
		step  string
		want  time.Time
	}{
		"not begun":           {[]domain.Fact{limited(workflow.HTTP, nil)}, "n", time.Time{}},
		"begun":               {[]domain.Fact{limited(workflow.HTTP, nil), began("n", 1, 1)}, "n", domaintest.At(3)},
		"begun once more":     {[]domain.Fact{limited(workflow.HTTP, nil), began("n", 1, 1), began("n", 1, 2)}, "n", domaintest.At(3)},
		"between two":         {[]domain.Fact{limited(workflow.HTTP, nil), began("n", 1, 1), retried}, "n", time.Time{}},
		"the second":          {[]domain.Fact{limited(workflow.HTTP, nil), began("n", 1, 1), retried, began("n", 2, 1)}, "n", domaintest.At(5)},
		"waits for a run":     {[]domain.Fact{limited(workflow.Agent, nil), began("n", 1, 1), workflowrun.StepOpened{Step: "n", Attempt: 1, Awaits: workflowrun.Child}}, "n", domaintest.At(3)},
		"a loop":              {[]domain.Fact{limited(workflow.Loop, loop), items}, "n", domaintest.At(3)},
		"an item":             {[]domain.Fact{limited(workflow.Loop, loop), items, began("n[0]", 1, 1)}, "n[0]", domaintest.At(2).Add(500 * time.Millisecond)},
		"an item at the last": {[]domain.Fact{limited(workflow.Loop, loop), items, began("x", 1, 1), began("n[0]", 1, 1)}, "n[0]", domaintest.At(3)},
		"no time":             {[]domain.Fact{patient, began("n", 1, 1)}, "n", time.Time{}},
	} {
		if got := domaintest.Fold(workflowrun.Aggregate, "run_1", c.facts...).DueBy(c.step); !got.Equal(c.want) {
			t.Errorf("%s: due %s, want %s", name, got, c.want)
		}
	}
}

// What waits is looked at when its time is over, and not before.
func TestWhatWaitsIsEndedInTime(t *testing.T) {
	child := workflowrun.StepOpened{Step: "n", Attempt: 1, Awaits: workflowrun.Child, Child: "run_2"}
	wait := workflowrun.StepOpened{Step: "n", Attempt: 1, Awaits: workflowrun.Time, Until: domaintest.Now}
	agents := map[string]any{"items": "[1,2]", "do": map[string]any{"type": "agent"}}
	items := workflowrun.StepOpened{Step: "n", Attempt: 1, Awaits: workflowrun.Items, Items: []json.RawMessage{raw("1"), raw("2")}}
	second := child
	second.Step = "n[1]"
	told := func(step string) workflowrun.ChildEnded {
		return workflowrun.ChildEnded{Step: step, Run: "run_2", Status: workflowrun.StatusCancelled}
	}
	for name, c := range map[string]struct {
		facts         []domain.Fact
		before, after []string
	}{
		"a run":          {[]domain.Fact{limited(workflow.Workflow, nil), began("n", 1, 1), child}, nil, []string{"n"}},
		"a time":         {[]domain.Fact{limited(workflow.Wait, nil), wait, began("x", 1, 1)}, nil, []string{"n"}},
		"runs of items":  {[]domain.Fact{limited(workflow.Parallel, agents), items, began("n[0]", 1, 1), began("n[1]", 1, 1), second}, []string{"n[0]"}, []string{"n[0]", "n[1]"}},
		"one is left":    {[]domain.Fact{limited(workflow.Parallel, agents), items, began("n[0]", 1, 1), told("n[0]"), began("n[1]", 1, 1), second}, []string{"n[0]"}, []string{"n[1]"}},
		"none is left":   {[]domain.Fact{limited(workflow.Parallel, agents), items, began("n[0]", 1, 1), told("n[0]"), began("n[1]", 1, 1), second, told("n[1]")}, []string{"n[0]", "n[1]"}, []string{"n"}},
		"items for once": {[]domain.Fact{limited(workflow.Loop, map[string]any{"items": "[1,2]", "do": map[string]any{"type": "http"}}), items, began("n[0]", 1, 1)}, []string{"n[0]"}, []string{"n"}},
	} {
		s := domaintest.Fold(workflowrun.Aggregate, "run_1", c.facts...)
		due := s.DueBy("n")
		p := s.Plan(due.Add(-time.Millisecond))
		if got := stepsOf(p); !slices.Equal(got, c.before) || !p.Wake.Equal(due) {
			t.Errorf("%s: before its time is over %q are to be done, want %q; wakes at %s, want %s", name, got, c.before, p.Wake, due)
		}
		if got := stepsOf(s.Plan(due)); !slices.Equal(got, c.after) {
			t.Errorf("%s: then %q are to be done, want %q", name, got, c.after)
		}
	}
}

func stepsOf(p workflowrun.Plan) (out []string) {
	for _, i := range p.Steps {
		out = append(out, i.Step)
	}
	return out
}

// A run as a whole has the time that its workflow gives it.
func TestRunsEndInTime(t *testing.T) {
	timed := start
	timed.Definition.Config = map[string]any{"timeout_ms": 1500.0}
	want := started
	want.Definition.Config, want.Deadline = timed.Definition.Config, domaintest.Now.Add(1500*time.Millisecond)
	domaintest.Given(t, workflowrun.Aggregate).When(timed).Then(want)
	s := domaintest.Fold(workflowrun.Aggregate, "run_1", want, aEnded, bBegan)
	if p := s.Plan(want.Deadline.Add(-1)); p.Advance != nil || !p.Wake.Equal(want.Deadline) {
		t.Errorf("before: %+v", p)
	}
	p := s.Plan(want.Deadline)
	if p.Advance == nil {
		t.Fatal("it goes on")
	}
	domaintest.Given(t, workflowrun.Aggregate, want, aEnded, bBegan).Of("run_1").When(p.Advance).
		Then(workflowrun.Failed{Error: workflowrun.Failure{Code: "TIMEOUT", Message: "the run took longer than its workflow allows"}, Subject: "user_bob"})
}
