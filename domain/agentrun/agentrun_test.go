package agentrun_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/domaintest"
)

var (
	temperature = 0.5
	agent       = agentrun.Agent{ID: "agt_1", Name: "triage", Version: 2, Instructions: "Help.", Model: "mock/m", Temperature: &temperature, MaxTokens: 100,
		Tools: []string{"calculator"}, OutputSchema: nil, MaxSteps: 3, MaxCost: 100, ParallelTools: 2}
	hello   = []agentrun.Message{{Role: "user", Content: "hello"}}
	started = agentrun.Started{Agent: agent, Input: json.RawMessage(`{"message":"hello"}`), Messages: hello, SessionID: "ses_1", UserID: "user_ann",
		APIKey: "key_1", AppID: "app_1", Deadline: domaintest.Now.Add(time.Hour), Origin: &agentrun.Origin{Run: "arun_0", Step: 1}, Subject: "user_ann"}
	calls    = []agentrun.Call{{ID: "c1", Name: "calculator", Arguments: `{"expression":"1"}`, Target: "calculator"}, {ID: "c2", Name: "nothing", Arguments: "{}"}}
	asked    = agentrun.ModelAnswered{Step: 1, Content: "let me see", Calls: calls, Model: "mock/m", FinishReason: "tool_calls", Usage: agentrun.Usage{Prompt: 5, Completion: 3}, Cost: 7, Subject: "user_ann"}
	answered = agentrun.ModelAnswered{Step: 1, Content: "hi", Model: "mock/m", Subject: "user_ann"}
)

func began(step int) agentrun.StepBegan { return agentrun.StepBegan{Step: step, Execution: 1} }

func tool(step int, output string) agentrun.ToolAnswered {
	return agentrun.ToolAnswered{Step: step, Output: output, Subject: "user_ann"}
}

func TestGolden(t *testing.T) {
	corrected := asked
	corrected.Correction = "say it in JSON"
	whole := started
	whole.Agent.OutputSchema = map[string]any{"type": "object"}
	domaintest.Golden(t, agentrun.FactTypes(), whole, began(1), corrected, agentrun.ToolAnswered{Step: 2, Output: "42", Failed: true, Subject: "user_ann"},
		agentrun.ChildStarted{Step: 2, Run: "run_1"}, agentrun.ChildStopped{Step: 2},
		agentrun.SessionTold{Turn: agentrun.AnswerTurn, Problem: "it is closed"},
		agentrun.Completed{Output: json.RawMessage(`{"message":"hi"}`), Subject: "user_ann"},
		agentrun.Failed{Code: domain.CodeTimeout, Message: "too late", Step: 1, Subject: "user_ann"}, agentrun.Cancelled{Reason: "enough", Subject: "user_ann"})
}

func given(t testing.TB, history ...domain.Fact) *domaintest.Scenario[agentrun.State] {
	return domaintest.Given(t, agentrun.Aggregate, history...)
}

func TestStart(t *testing.T) {
	cmd := agentrun.Start{Started: started, Timeout: time.Hour}
	given(t).When(cmd).Then(started)
	given(t, started).When(cmd).ThenError(domain.CodeConflict)
	child := cmd
	child.Parent, child.Depth = &agentrun.Parent{Run: "run_0", Step: "a[1]"}, 8
	if s := given(t).When(child).Then(child.Started).State(); s.Parent == nil || *s.Parent != *child.Parent || s.Depth != 8 {
		t.Errorf("%+v", s)
	}
	child.Depth = 9
	given(t).When(child).ThenError(domain.CodeWorkflow)
	cmd.Messages = nil
	given(t).When(cmd).ThenError(domain.CodeValidation, "input")
	cmd.Messages, cmd.Subject, cmd.UserID = hello, "", ""
	want := cmd.Started
	want.Subject = domaintest.Subject
	given(t).When(cmd).Then(want)
}

func TestSteps(t *testing.T) {
	given(t, started).When(agentrun.Begin{Step: 1, Execution: 1}).Then(began(1))
	given(t, started, began(1)).When(agentrun.Begin{Step: 1, Execution: 1}).ThenError(domain.CodeConflict)
	given(t, started, began(1)).When(agentrun.Begin{Step: 1, Execution: 2}).Then(agentrun.StepBegan{Step: 1, Execution: 2})
	given(t, started).When(agentrun.Begin{Step: 2, Execution: 1}).ThenError(domain.CodeConflict)
	given(t, started).When(agentrun.Answer{ModelAnswered: answered}).ThenError(domain.CodeConflict) // it has not begun
	given(t, started, began(1)).When(agentrun.Answer{ModelAnswered: answered}).Then(answered)
	given(t, started, began(1), answered).When(agentrun.Answer{ModelAnswered: answered}).ThenError(domain.CodeConflict)
	given(t, started, began(1)).When(agentrun.AnswerTool{ToolAnswered: tool(1, "x")}).ThenError(domain.CodeConflict)
	called := []domain.Fact{started, began(1), asked, began(2)}
	given(t, called...).When(agentrun.AnswerTool{ToolAnswered: tool(2, "x")}).Then(tool(2, "x"))
	given(t, called...).When(agentrun.Answer{ModelAnswered: agentrun.ModelAnswered{Step: 2}}).ThenError(domain.CodeConflict)
	given(t, started).When(agentrun.Cancel{Reason: "no"}).Then(agentrun.Cancelled{Reason: "no", Subject: "user_ann"})
	given(t, started, agentrun.Cancelled{}).When(agentrun.Cancel{}).Then()
	given(t, started, agentrun.Cancelled{}).When(agentrun.Begin{Step: 1, Execution: 1}).ThenError(domain.CodeConflict)
	given(t, started, began(1)).When(agentrun.Complete{}).ThenError(domain.CodeConflict)
	given(t, started, began(1), answered).When(agentrun.Complete{}).Then(agentrun.Completed{Output: json.RawMessage(`{"message":"hi"}`), Subject: "user_ann"})
}

func TestOutputSchema(t *testing.T) {
	strict := started
	strict.Agent.OutputSchema = map[string]any{"type": "object", "required": []any{"n"}, "properties": map[string]any{"n": map[string]any{"type": "integer"}}}
	say := func(step int, text string) agentrun.Answer {
		return agentrun.Answer{ModelAnswered: agentrun.ModelAnswered{Step: step, Content: text, Subject: "user_ann"}}
	}
	given(t, strict, began(1)).When(say(1, "```json\n{\"n\": 1}\n```")).Then(say(1, "```json\n{\"n\": 1}\n```").ModelAnswered)
	wrong := domaintest.Fold(agentrun.Aggregate, "arun_1", strict, began(1))
	facts, err := say(1, `{"n":"x"}`).Decide(domain.Env{}, wrong)
	if err != nil || len(facts) != 1 || !strings.Contains(facts[0].(agentrun.ModelAnswered).Correction, "n got string") {
		t.Fatalf("a first wrong answer is corrected: %+v %v", facts, err)
	}
	again := []domain.Fact{strict, began(1), facts[0], began(2)}
	s := given(t, again...).State()
	if len(s.Steps) != 2 || s.Messages[len(s.Messages)-1].Role != "user" {
		t.Errorf("the model is asked again: %+v", s.Steps)
	}
	facts, err = say(2, "no JSON").Decide(domain.Env{}, s)
	if err != nil || len(facts) != 2 || facts[1].(agentrun.Failed).Code != domain.CodeAIService {
		t.Errorf("a second one is the end: %+v %v", facts, err)
	}
	right := given(t, append(again, say(2, `{"n":2}`).ModelAnswered)...).State()
	if string(right.Answer) != `{"n":2}` {
		t.Errorf("answer %s", right.Answer)
	}
}

func TestPlan(t *testing.T) {
	now := domaintest.Now
	ids := func(p agentrun.Plan) (out []int) {
		for _, b := range p.Steps {
			out = append(out, b.Step)
		}
		return out
	}
	if p := given(t, started).State().Plan(now); len(p.Steps) != 1 || p.Steps[0] != (agentrun.Begin{Step: 1, Execution: 1}) || !p.Wake.Equal(started.Deadline) {
		t.Errorf("the model comes first: %+v", p)
	}
	two := given(t, started, began(1), asked, began(2)).State().Plan(now)
	if got := ids(two); len(got) != 2 || got[0] != 2 || two.Steps[0].Execution != 2 || got[1] != 3 {
		t.Errorf("both tools at once: %+v", two)
	}
	out := given(t, started, began(1), asked, began(2), began(3), tool(3, "b"), tool(2, "a")).State()
	if got := ids(out.Plan(now)); len(got) != 1 || got[0] != 4 || out.Messages[2].Content != "a" || out.Messages[3].ToolCallID != "c2" {
		t.Errorf("then the model, with the results in the order of the calls: %v %+v", got, out.Messages)
	}
	late := given(t, started).State().Plan(started.Deadline)
	if f, ok := late.Advance.(agentrun.Fail); !ok || f.Code != domain.CodeTimeout {
		t.Errorf("late: %+v", late)
	}
	done := given(t, started, began(1), answered).State().Plan(started.Deadline)
	if _, ok := done.Advance.(agentrun.Complete); !ok {
		t.Errorf("an answer ends it, however late: %+v", done)
	}
	spent := started
	spent.Agent.MaxCost = 7
	poor := given(t, spent, began(1), asked, began(2), tool(2, "a"), began(3), tool(3, "b")).State().Plan(now)
	if f, ok := poor.Advance.(agentrun.Fail); !ok || f.Code != domain.CodeQuotaExceeded {
		t.Errorf("spent: %+v", poor)
	}
	brief := started
	brief.Agent.MaxSteps = 1
	over := given(t, brief, began(1), asked, began(2), tool(2, "a"), began(3), tool(3, "b")).State().Plan(now)
	if f, ok := over.Advance.(agentrun.Fail); !ok || f.Code != domain.CodeWorkflow {
		t.Errorf("too many steps: %+v", over)
	}
	if p := given(t, started, agentrun.Cancelled{}).State().Plan(now); p.Advance != nil || p.Steps != nil || !p.Wake.IsZero() {
		t.Errorf("cancelled: %+v", p)
	}
}

func TestFork(t *testing.T) {
	s := given(t, started, began(1), asked, began(2), tool(2, "a"), began(3), tool(3, "b"), began(4)).State()
	for step, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 4} {
		if f, err := s.Fork(step); err != nil || len(f.Messages) != want || f.Recall || f.Origin.Step != step {
			t.Errorf("from step %d: %d messages, want %d (%v)", step, len(f.Messages), want, err)
		}
	}
	if _, err := s.Fork(5); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("a step that is not there: %v", err)
	}
}

func TestErased(t *testing.T) {
	s := domaintest.Fold(agentrun.Aggregate, "arun_1", domain.Erased{Type: started.EventType()}, began(1), domain.Erased{Type: asked.EventType()})
	if !s.Erased || s.Messages != nil || s.Input != nil || len(s.Plan(domaintest.Now).Steps) != 0 {
		t.Errorf("an erased run says nothing and does nothing: %+v", s)
	}
	if _, err := (agentrun.Cancel{}).Decide(domain.Env{}, s); domain.CodeOf(err) != domain.CodeGone {
		t.Errorf("an erased run is gone: %v", err)
	}
}

// Whatever models answer and in whatever order tools do: a run that goes on always
// has something to do, its calls all get an answer in their order, and it ends.
func TestRunsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), agentrun.Aggregate.New("arun_1")
		do := func(cmd domain.Decider[agentrun.State]) {
			facts, err := cmd.Decide(domain.NewEnv(domaintest.Now, domain.Principal{}, nil), s)
			if err != nil {
				t.Fatalf("%T: %v", cmd, err)
			}
			for _, e := range log.Append("agent_run-arun_1", facts...) {
				agentrun.Aggregate.Apply(s, e)
			}
		}
		do(agentrun.Start{Started: started, Timeout: time.Hour})
		for range 100 {
			if s.Status.Over() {
				break
			}
			p := s.Plan(domaintest.Now)
			if p.Advance != nil {
				do(p.Advance)
				continue
			}
			if len(p.Steps) == 0 {
				t.Fatalf("nothing to do in %+v", s)
			}
			b := rapid.SampledFrom(p.Steps).Draw(t, "step")
			do(b)
			if rapid.Bool().Draw(t, "crash") {
				continue
			}
			if s.Steps[b.Step-1].Type == agentrun.Tool {
				do(agentrun.AnswerTool{ToolAnswered: tool(b.Step, "x")})
				continue
			}
			a := agentrun.ModelAnswered{Step: b.Step, Content: "x"}
			a.Calls = calls[:rapid.IntRange(0, 2).Draw(t, "calls")]
			do(agentrun.Answer{ModelAnswered: a})
		}
		var open []string
		for _, m := range s.Messages {
			if m.Role == "tool" {
				if len(open) == 0 || open[0] != m.ToolCallID {
					t.Fatalf("an answer to %s, waiting are %v", m.ToolCallID, open)
				}
				open = open[1:]
			}
			for _, c := range m.Calls {
				open = append(open, c.ID)
			}
		}
	})
}

// An agent that remembers begins with what it recalls; a run that is forked later
// has the same, one that is forked there recalls anew.
func TestRecall(t *testing.T) {
	recalling := started
	recalling.Agent.Memory, recalling.Recall = "internal", true
	recalling.Messages = []agentrun.Message{{Role: "user", Content: "I am Ann"}, {Role: "assistant", Content: "hello"}, {Role: "user", Content: "Who am I?"}}
	s := given(t, recalling).State()
	if len(s.Steps) != 1 || s.Steps[0].Kind() != agentrun.Memory || s.Steps[0].Call.Arguments != `{"query":"Who am I?"}` {
		t.Fatalf("it does not begin with recalling: %+v", s.Steps)
	}
	if p := s.Plan(domaintest.Now); len(p.Steps) != 1 || p.Steps[0].Step != 1 {
		t.Errorf("the model does not wait: %+v", p)
	}
	given(t, recalling, began(1)).When(agentrun.Answer{ModelAnswered: answered}).ThenError(domain.CodeConflict)
	given(t, recalling, began(1)).When(agentrun.AnswerTool{ToolAnswered: tool(1, "m")}).Then(tool(1, "m"))
	s = given(t, recalling, began(1), tool(1, "m")).State()
	if s.Memories != "m" || len(s.Messages) != 3 || len(s.Steps) != 2 || s.Steps[1].Type != agentrun.LLM {
		t.Errorf("what was recalled is not known: %+v", s)
	}
	if f, err := s.Fork(2); err != nil || f.Recall || f.Memories != "m" || len(f.Messages) != 3 {
		t.Errorf("forked from the model's call: %+v %v", f, err)
	}
	if f, err := s.Fork(1); err != nil || !f.Recall || f.Memories != "" {
		t.Errorf("forked from recalling: %+v %v", f, err)
	}
	broken := given(t, recalling, began(1), agentrun.ToolAnswered{Step: 1, Output: "away", Failed: true, Subject: "user_ann"}).State()
	if broken.Memories != "" || len(broken.Steps) != 2 {
		t.Errorf("without memories it does not go on: %+v", broken)
	}
}

// The session is told what was asked before the model is, and the answer before the
// run has ended: whoever sees its end sees the answer in the session.
func TestSession(t *testing.T) {
	talking := started
	talking.Messages = []agentrun.Message{{Role: "user", Content: "earlier"}, {Role: "assistant", Content: "yes"}, {Role: "user", Content: "hello"}}
	talking.Own = 1
	toldInput, toldAnswer := agentrun.SessionTold{Turn: agentrun.InputTurn}, agentrun.SessionTold{Turn: agentrun.AnswerTurn, Problem: "it is closed"}
	s := given(t, talking).State()
	if p := s.Plan(domaintest.Now); p.Tell != agentrun.InputTurn || p.Steps != nil || p.Advance != nil {
		t.Errorf("first: %+v", p)
	}
	if m := s.Turns(agentrun.InputTurn); len(m) != 1 || m[0].Content != "hello" {
		t.Errorf("its own messages: %+v", m)
	}
	given(t, talking).When(agentrun.TellSession{SessionTold: toldInput}).Then(toldInput)
	given(t, talking, toldInput).When(agentrun.TellSession{SessionTold: toldInput}).ThenError(domain.CodeConflict)
	given(t, started).When(agentrun.TellSession{SessionTold: toldInput}).ThenError(domain.CodeConflict)
	if p := given(t, talking, toldInput).State().Plan(domaintest.Now); p.Tell != "" || len(p.Steps) != 1 {
		t.Errorf("then the model: %+v", p)
	}
	s = given(t, talking, toldInput, began(1), answered).State()
	if p := s.Plan(domaintest.Now); p.Tell != agentrun.AnswerTurn || p.Advance != nil {
		t.Errorf("then the answer: %+v", p)
	}
	if m := s.Turns(agentrun.AnswerTurn); len(m) != 1 || m[0].Content != "hi" || m[0].Role != "assistant" {
		t.Errorf("its answer: %+v", m)
	}
	if m := s.Turns(agentrun.InputTurn); len(m) != 1 || m[0].Content != "hello" {
		t.Errorf("its own messages afterwards: %+v", m)
	}
	if _, ends := given(t, talking, toldInput, began(1), answered, toldAnswer).State().Plan(domaintest.Now).Advance.(agentrun.Complete); !ends {
		t.Error("it does not end when the session takes no more")
	}
	if f, err := s.Fork(1); err != nil || f.Own != 0 {
		t.Errorf("a fork is no part of the session: %+v %v", f, err)
	}
}

// A step that starts a run waits for it, is answered with what came of it, and the run
// is stopped with its own.
func TestChildren(t *testing.T) {
	calling := asked
	calling.Calls = []agentrun.Call{{ID: "c1", Name: "workflow__w", Arguments: "{}", Target: "workflow:w"}}
	begun := []domain.Fact{started, began(1), calling, began(2)}
	opened := agentrun.ChildStarted{Step: 2, Run: "run_1"}
	open := append(begun[:4:4], opened)
	end := agentrun.EndChild{Run: "run_1", ToolAnswered: agentrun.ToolAnswered{Step: 2, Output: "{}", Prompt: 2, Cost: 5}}
	ended := end.ToolAnswered
	ended.Subject = "user_ann"
	given(t, begun...).When(agentrun.OpenChild{ChildStarted: opened}).Then(opened)
	given(t, open...).When(agentrun.OpenChild{ChildStarted: opened}).ThenError(domain.CodeConflict)
	given(t, started, began(1)).When(agentrun.OpenChild{ChildStarted: agentrun.ChildStarted{Step: 1, Run: "run_1"}}).ThenError(domain.CodeConflict)
	if p := given(t, open...).State().Plan(domaintest.Now); len(p.Steps) != 0 || p.Advance != nil || p.Wake.IsZero() {
		t.Errorf("it does not wait: %+v", p)
	}
	if s := given(t, open...).When(end).Then(ended).State(); s.Cost != 12 || s.Usage.Prompt != 7 || len(s.Steps) != 3 {
		t.Errorf("what it has cost: %+v", s)
	}
	given(t, begun...).When(end).Then(ended) // it was quick
	other := end
	other.Run = "run_2"
	given(t, open...).When(other).ThenNothing()
	given(t, append(open, ended)...).When(end).ThenNothing()
	given(t, append(open, agentrun.Cancelled{})...).When(end).ThenNothing()
	for _, history := range [][]domain.Fact{begun, open} {
		over := append(history[:len(history):len(history)], agentrun.Cancelled{Reason: "enough"})
		s := given(t, over...).State()
		if p := s.Plan(domaintest.Now); len(p.Stop) != 1 || p.Stop[0] != 2 || !s.Unfinished() {
			t.Errorf("its run goes on: %+v", p)
		}
		stopped := agentrun.ChildStopped{Step: 2}
		s = given(t, over...).When(agentrun.StopChild{ChildStopped: stopped}).Then(stopped).State()
		if p := s.Plan(domaintest.Now); len(p.Stop) != 0 || s.Unfinished() {
			t.Errorf("something is left: %+v", p)
		}
	}
	given(t, open...).When(agentrun.StopChild{ChildStopped: agentrun.ChildStopped{Step: 2}}).ThenError(domain.CodeConflict)
}
