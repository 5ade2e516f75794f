package workflows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/projections/workflows"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// world is a model that runs over a log.
type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*workflows.Queries
	second int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(workflowrun.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, workflows.Model{})
	db, err := w.runner.Reader(workflows.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = workflows.NewQueries(db)
	return w
}

// given appends facts to a run, one a second.
func (w *world) given(workspace, run string, facts ...domain.Fact) *world {
	w.Helper()
	for _, f := range facts {
		w.second++
		w.log.Write(w.TB, w.codec, workflowrun.Aggregate.Stream(run), projectionstest.Meta(workspace, w.second), f)
	}
	return w
}

func (w *world) caughtUp() *world {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, workflows.Name)
	return w
}

// steps are the steps of a run: what each is, how it stands and what it cost.
func (w *world) steps(run, status string) string {
	w.Helper()
	found, err := w.Steps(w.Context(), run, status, query.Page{Limit: 100})
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, s := range found.Items {
		text := fmt.Sprintf("%s:%s:%s", s.ID, s.Type, s.Status)
		if s.Error != nil {
			text += ":" + s.Error.Code
		}
		if s.Cost > 0 {
			text += fmt.Sprintf(":%d", s.Cost)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

var definition = workflow.Definition{
	Nodes: []workflow.Node{{ID: "a", Type: workflow.Start}, {ID: "b", Type: workflow.HTTP}, {ID: "each", Type: workflow.Loop,
		Config: map[string]any{"do": map[string]any{"type": "workflow"}}}, {ID: "c", Type: workflow.End}},
	Edges: []workflow.Edge{{Source: "a", Target: "b"}, {Source: "b", Target: "each"}, {Source: "each", Target: "c"}},
}

func started(workflowID string) workflowrun.Started {
	return workflowrun.Started{WorkflowID: workflowID, WorkflowName: "triage", Version: 2, Definition: definition, Inputs: raw(`{"q":1}`), Trigger: "api", Subject: "user_bob"}
}

var (
	aEnded  = workflowrun.StepEnded{Step: "a", Attempt: 1, Result: workflowrun.Result{Output: raw(`{"q":1}`), Taken: []int{0}}}
	bBegan  = workflowrun.StepBegan{Step: "b", Attempt: 1, Execution: 1}
	bFailed = workflowrun.StepFailed{Step: "b", Attempt: 1, Error: workflowrun.Failure{Code: "TIMEOUT", Message: "late"}, RetryAt: domaintest.Now}
	bAgain  = workflowrun.StepBegan{Step: "b", Attempt: 2, Execution: 1}
	bEnded  = workflowrun.StepEnded{Step: "b", Attempt: 2, Input: raw(`{"url":"x"}`), Result: workflowrun.Result{Output: raw(`7`), Taken: []int{1}}, Cost: 5}
	opened  = workflowrun.StepOpened{Step: "each", Attempt: 1, Awaits: workflowrun.Items, Items: []json.RawMessage{raw(`1`)}}
	item    = workflowrun.StepBegan{Step: "each[0]", Attempt: 1, Execution: 1}
	waits   = workflowrun.StepOpened{Step: "each[0]", Attempt: 1, Awaits: workflowrun.Child, Child: "run_9", Until: domaintest.Now}
	child   = workflowrun.ChildEnded{Step: "each[0]", Run: "run_9", Status: workflowrun.StatusCompleted, Outputs: raw(`{}`), Cost: 3}
	itemEnd = workflowrun.StepEnded{Step: "each[0]", Attempt: 1, Result: workflowrun.Result{Output: raw(`{}`)}}
	eachEnd = workflowrun.StepEnded{Step: "each", Attempt: 1, Result: workflowrun.Result{Output: raw(`[{}]`), Taken: []int{2}}}
	cEnded  = workflowrun.StepEnded{Step: "c", Attempt: 1, Result: workflowrun.Result{Output: raw(`{"r":7}`)}}
)

// A run is shown as far as it is, after every fact.
func TestStepsAsTheyGo(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		fact         domain.Fact
		status, want string
	}{
		{started("wf_1"), "queued", ""},
		{aEnded, "running", "a:start:completed"},
		{bBegan, "running", "a:start:completed b:http:running"},
		{bFailed, "running", "a:start:completed b:http:queued:TIMEOUT"},
		{bAgain, "running", "a:start:completed b:http:running"},
		{bEnded, "running", "a:start:completed b:http:completed:5"},
		{opened, "running", "a:start:completed b:http:completed:5 each:loop:running"},
		{item, "running", "a:start:completed b:http:completed:5 each:loop:running each[0]:workflow:running"},
		{waits, "running", "a:start:completed b:http:completed:5 each:loop:running each[0]:workflow:running"},
		{child, "running", "a:start:completed b:http:completed:5 each:loop:running each[0]:workflow:running:3"},
		{itemEnd, "running", "a:start:completed b:http:completed:5 each:loop:running each[0]:workflow:completed:3"},
		{eachEnd, "running", "a:start:completed b:http:completed:5 each:loop:completed each[0]:workflow:completed:3"},
		{cEnded, "running", "a:start:completed b:http:completed:5 each:loop:completed each[0]:workflow:completed:3 c:end:completed"},
		{workflowrun.Completed{Outputs: raw(`{"r":7}`), Skipped: []string{"d"}}, "completed",
			"a:start:completed b:http:completed:5 each:loop:completed each[0]:workflow:completed:3 c:end:completed d::skipped"},
	} {
		w.given("ws_1", "run_1", c.fact).caughtUp()
		run, err := w.Get(t.Context(), "ws_1", "wf_1", "run_1")
		if err != nil || string(run.Status()) != c.status {
			t.Fatalf("after %T the run is %s, %v", c.fact, run.Status(), err)
		}
		if got := w.steps("run_1", ""); got != c.want {
			t.Errorf("after %T\n%s, want\n%s", c.fact, got, c.want)
		}
	}
	all, err := w.Steps(t.Context(), "run_1", "", query.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	b, inner := all.Items[1], all.Items[3]
	if b.Attempt != 2 || string(b.Input) != `{"url":"x"}` || string(b.Output) != "7" || !b.FinishedAt.Equal(b.StartedAt.Add(time.Second)) {
		t.Errorf("b is %+v", b)
	}
	if inner.Child != "run_9" || inner.Awaits != "child" || !inner.Until.Equal(domaintest.Now) || inner.Node != "each" {
		t.Errorf("each[0] is %+v", inner)
	}
	if got := w.steps("run_1", "skipped"); got != "d::skipped" {
		t.Errorf("skipped are %s", got)
	}
}

// What a run had not ended when it was over is over with it, whatever comes later.
func TestStepsEndWithTheirRun(t *testing.T) {
	w := newWorld(t).given("ws_1", "run_1", started("wf_1"), aEnded, bBegan, bEnded, opened, item, waits, workflowrun.Cancelled{Reason: "enough"}).caughtUp()
	want := "a:start:completed b:http:completed:5 each:loop:failed:CANCELLED each[0]:workflow:failed:CANCELLED"
	if got := w.steps("run_1", ""); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	if open, err := w.Open(t.Context(), "", 9); err != nil || len(open) != 1 {
		t.Errorf("the run that it has called is to be cancelled, open are %v, %v", open, err)
	}
	end := child
	end.Status = workflowrun.StatusCancelled
	w.given("ws_1", "run_1", end).caughtUp()
	if got := w.steps("run_1", ""); got != want+":3" {
		t.Errorf("%s, want\n%s:3", got, want)
	}
	if open, err := w.Open(t.Context(), "", 9); err != nil || len(open) > 0 {
		t.Errorf("open are %v, %v", open, err)
	}
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "run_1", started("wf_1"), workflowrun.Cancelled{}).given("ws_1", "run_2", started("wf_2"), aEnded).
		given("ws_1", "run_3", started("wf_1"), aEnded).given("ws_2", "run_4", started("wf_1")).caughtUp()
	for _, c := range []struct {
		filter workflows.Filter
		page   query.Page
		want   string
	}{
		{workflows.Filter{Workspace: "ws_1"}, query.Page{Desc: true}, "run_3 run_2 run_1"},
		{workflows.Filter{Workspace: "ws_1"}, query.Page{Limit: 2}, "run_1 run_2"},
		{workflows.Filter{Workspace: "ws_1", WorkflowID: "wf_1"}, query.Page{}, "run_1 run_3"},
		{workflows.Filter{Workspace: "ws_1", Status: "running"}, query.Page{}, "run_2 run_3"},
		{workflows.Filter{Workspace: "ws_1", WorkflowID: "wf_1", Status: "cancelled"}, query.Page{}, "run_1"},
		{workflows.Filter{Workspace: "ws_2"}, query.Page{}, "run_4"},
	} {
		found, err := w.List(t.Context(), c.filter, c.page)
		var ids []string
		for _, r := range found.Items {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != c.want {
			t.Errorf("%+v %+v: %s, want %s (%v)", c.filter, c.page, got, c.want, err)
		}
	}
	if _, err := w.List(t.Context(), workflows.Filter{Workspace: "ws_1", Status: "asleep"}, query.Page{}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("a status that there is not: %v", err)
	}
	for _, c := range [][3]string{{"ws_2", "", "run_1"}, {"ws_1", "wf_2", "run_1"}, {"ws_1", "", "run_9"}} {
		if _, err := w.Get(t.Context(), c[0], c[1], c[2]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", c, err)
		}
	}
	if id, err := w.Latest(t.Context(), "ws_1", "wf_1"); err != nil || id != "run_3" {
		t.Errorf("the latest is %s, %v", id, err)
	}
	if id, err := w.Latest(t.Context(), "ws_1", "wf_9"); err != nil || id != "" {
		t.Errorf("the latest is %s, %v", id, err)
	}
	open, err := w.Open(t.Context(), "run_2", 1)
	if err != nil || len(open) != 1 || open[0].ID != "run_3" || open[0].Workspace != "ws_1" {
		t.Errorf("open are %v, %v", open, err)
	}
}

// Rows do not depend on how they came about.
func TestRebuild(t *testing.T) {
	w := newWorld(t)
	carries := started("wf_1")
	carries.Carried = map[string]workflowrun.Result{"b": bEnded.Result, "a": aEnded.Result}
	broken := bFailed
	broken.RetryAt = time.Time{}
	w.given("ws_1", "run_1", started("wf_1"), aEnded, bBegan, bFailed, bAgain, bEnded, opened, item, waits, child, itemEnd, eachEnd, cEnded, workflowrun.Completed{Outputs: raw(`{}`)}).
		given("ws_1", "run_2", started("wf_1"), aEnded, bBegan, broken, workflowrun.Failed{Error: broken.Error}).
		given("ws_1", "run_3", carries, opened, item, waits, workflowrun.Cancelled{}, child).caughtUp()
	if got := w.steps("run_3", ""); !strings.HasPrefix(got, "a:start:completed b:http:completed each:loop:failed:CANCELLED") {
		t.Errorf("results of another run: %s", got)
	}
	projectionstest.CheckRebuild(t, w.codec, workflows.Model{}, w.log)
}
