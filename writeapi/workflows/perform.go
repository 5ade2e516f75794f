package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strata/commands/steps"
	"strata/domain"
	"strata/domain/schema"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
)

// came is what came of performing a step.
type came struct {
	input  any
	output any
	handle string // the outcome that was chosen, if the node has several
	opens  *workflowrun.StepOpened
	usage  workflowrun.Usage
	cost   domain.Money
}

// passing is a failure that may pass.
type passing struct{ error }

// Unwrap returns the failure.
func (p passing) Unwrap() error { return p.error }

// perform does a step; see steps.Machine.
func (s *Service) perform(ctx context.Context, run steps.Ref, step string, j job) (domain.Decider[workflowrun.State], error) {
	if step == workflowrun.ReportStep {
		return s.report(ctx, run, &j)
	}
	began := s.Handler.Now()
	switch {
	case j.cancelled, j.node.Type.StartsRuns() && j.ended == nil && (j.open != nil || j.late(began)):
		return s.giveUp(ctx, run, step, &j)
	case j.late(began) && j.open == nil && !j.unsure():
		return failure(step, &j, nil, j.errLate())
	}
	vars, err := j.variables(run.ID)
	if err != nil {
		return nil, fmt.Errorf("variables of %s: %w", step, err)
	}
	c, err := s.do(ctx, run, step, &j, vars)
	if ctx.Err() != nil {
		return nil, ctx.Err() // whatever it says, it says so because it was stopped
	}
	if j.computed(began, s.Handler.Now(), &c) {
		err = j.errLate()
	}
	var taken []int
	if err == nil && c.opens == nil && j.item < 0 {
		taken, err = j.taken(c.handle, c.output, vars)
	}
	return decided(step, &j, c, taken, err)
}

// decided is the command that records what came of a step.
func decided(step string, j *job, c came, taken []int, err error) (domain.Decider[workflowrun.State], error) {
	input, fault := encode(c.input)
	if fault != nil {
		return nil, fault
	}
	if err != nil {
		return failure(step, j, input, err)
	}
	if c.opens != nil {
		o := *c.opens
		o.Step, o.Attempt, o.Input = step, j.attempt, input
		return workflowrun.Open{StepOpened: o}, nil
	}
	output, fault := encode(c.output)
	if fault != nil {
		return nil, fault
	}
	if len(output) > workflowrun.MaxOutput {
		return failure(step, j, input, domain.Errorf(domain.CodePayloadTooLarge, "what came of it is larger than %d bytes", workflowrun.MaxOutput))
	}
	if len(output) == 0 {
		output = json.RawMessage("null")
	}
	return workflowrun.EndStep{StepEnded: workflowrun.StepEnded{Step: step, Attempt: j.attempt, Input: input,
		Result: workflowrun.Result{Output: output, Taken: taken}, Usage: c.usage, Cost: c.cost}}, nil
}

// encode writes a value as JSON, nil as nothing.
func encode(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if len(b) > workflowrun.MaxOutput && err == nil {
		return json.RawMessage(fmt.Sprintf(`{"truncated":true,"bytes":%d}`, len(b))), nil
	}
	return b, err
}

// failure is the command that records why a step failed. What is not an error of
// ours to show is a fault of the process, and no end of the step.
func failure(step string, j *job, input json.RawMessage, err error) (domain.Decider[workflowrun.State], error) {
	e, ours := errors.AsType[*domain.Error](err)
	if !ours {
		return nil, err
	}
	_, mayPass := errors.AsType[passing](err)
	message := e.Message
	for _, f := range e.Fields {
		message += "; " + f.Field + " " + f.Message
	}
	return workflowrun.FailStep{Step: step, Attempt: j.attempt, Input: input, Code: e.Code, Message: message, Passing: mayPass}, nil
}

// do does what a node's type says.
func (s *Service) do(ctx context.Context, run steps.Ref, step string, j *job, vars map[string]any) (came, error) {
	switch j.node.Type {
	case workflow.Start:
		return came{output: vars["inputs"]}, nil
	case workflow.End:
		return end(j, vars)
	case workflow.Condition:
		return condition(j, vars)
	case workflow.Transform:
		return transform(j, vars)
	case workflow.Validation:
		return validation(j, vars)
	case workflow.Wait:
		return s.wait(j, vars)
	case workflow.Human:
		return s.human(j, vars)
	case workflow.Loop, workflow.Parallel:
		return loop(j, vars)
	case workflow.LLM:
		return s.ask(ctx, run, j, vars)
	case workflow.HTTP:
		return s.request(ctx, run, step, j, vars)
	case workflow.Knowledge:
		return s.search(ctx, run, j, vars)
	case workflow.Tool:
		return s.useTool(ctx, run, step, j, vars)
	case workflow.Connector:
		return s.readFiles(ctx, run, j, vars)
	case workflow.Agent:
		return s.runAgent(ctx, run, step, j, vars)
	case workflow.Workflow:
		return s.call(ctx, run, step, j, vars)
	}
	return came{}, domain.Errorf(domain.CodeWorkflow, "nodes of type %s cannot be run here yet", j.node.Type)
}

func end(j *job, vars map[string]any) (came, error) {
	var c workflow.EndConfig
	if _, err := j.fill(vars, &c); err != nil {
		return came{}, err
	}
	if c.Outputs == nil {
		return came{output: vars["input"]}, nil
	}
	return came{output: c.Outputs}, nil
}

func condition(j *job, vars map[string]any) (came, error) {
	handle := "default"
	cases, err := j.node.Cases()
	if err != nil {
		return came{}, domain.Errorf(domain.CodeValidation, "the cases cannot be read")
	}
	if len(cases) == 0 {
		cases = []workflow.Case{{Handle: "true", Expression: j.node.Text("expression")}}
		handle = "false"
	}
	for _, c := range cases {
		yes, err := holds(c.Expression, vars)
		if err != nil {
			return came{}, err
		}
		if yes {
			handle = c.Handle
			break
		}
	}
	return came{output: map[string]any{"branch": handle}, handle: handle}, nil
}

func transform(j *job, vars map[string]any) (came, error) {
	if fields, is := j.node.Config["fields"].(map[string]any); is {
		out := make(map[string]any, len(fields))
		for name, e := range fields {
			text, _ := e.(string)
			v, err := eval(text, vars)
			if err != nil {
				return came{}, fmt.Errorf("field %s: %w", name, err)
			}
			out[name] = v
		}
		return came{output: out}, nil
	}
	v, err := eval(j.node.Text("expression"), vars)
	return came{output: v}, err
}

func validation(j *job, vars map[string]any) (came, error) {
	value := vars["input"]
	if text := j.node.Text("value"); text != "" {
		var err error
		if value, err = eval(text, vars); err != nil {
			return came{}, err
		}
	}
	var faults domain.Faults
	if object, is := j.node.Config["schema"].(map[string]any); is {
		checker, err := schema.Parse(object)
		if err != nil {
			return came{}, domain.Errorf(domain.CodeValidation, "the schema %s", err)
		}
		for _, f := range checker.Faults("value", value) {
			faults.Add(true, f.Field, "%s", f.Message)
		}
	}
	rules, err := j.node.Rules()
	if err != nil {
		return came{}, domain.Errorf(domain.CodeValidation, "the rules cannot be read")
	}
	for _, r := range rules {
		yes, err := holds(r.Expression, vars)
		if err != nil {
			return came{}, err
		}
		faults.Add(!yes, "value", "%s", r.Message)
	}
	if err := faults.Err(); err != nil {
		return came{input: value}, err
	}
	return came{input: value, output: map[string]any{"valid": true, "value": value}}, nil
}

// wait opens a step until a time, and ends it when the time has come.
func (s *Service) wait(j *job, vars map[string]any) (came, error) {
	if j.open != nil {
		if s.Handler.Now().Before(j.open.Until) {
			return came{}, j.errLate()
		}
		return came{output: map[string]any{"waited_until": domain.FormatTime(j.open.Until)}}, nil
	}
	var c workflow.WaitConfig
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	until := s.Handler.Now().Add(time.Duration(c.DurationMS) * time.Millisecond)
	if text := j.node.Text("until"); text != "" {
		v, err := eval(text, vars)
		if err != nil {
			return came{}, err
		}
		said, _ := v.(string)
		if until, err = time.Parse(time.RFC3339, said); err != nil {
			return came{}, domain.Errorf(domain.CodeValidation, "until must come to a time such as 2024-01-15T10:30:00Z")
		}
	}
	return came{input: config, opens: &workflowrun.StepOpened{Awaits: workflowrun.Time, Until: until.UTC().Truncate(time.Microsecond)}}, nil
}

// human opens a step until somebody decides.
func (s *Service) human(j *job, vars map[string]any) (came, error) {
	switch {
	case j.open == nil:
		var c workflow.HumanConfig
		config, err := j.fill(vars, &c)
		if err != nil {
			return came{}, err
		}
		config["decisions"] = j.node.Decisions()
		return came{input: config, opens: &workflowrun.StepOpened{Awaits: workflowrun.Human, Until: s.until(j)}}, nil
	case j.answer == nil:
		return came{}, passing{domain.Errorf(domain.CodeTimeout, "nobody decided in time")}
	}
	var payload any
	if len(j.answer.Payload) > 0 {
		if err := json.Unmarshal(j.answer.Payload, &payload); err != nil {
			return came{}, domain.Errorf(domain.CodeValidation, "the payload is no JSON")
		}
	}
	return came{handle: j.answer.Decision, output: map[string]any{"decision": j.answer.Decision, "payload": payload, "by": j.answer.By}}, nil
}

// until is when a step that opens now has waited as long as its node allows; zero:
// the node does not say.
func (s *Service) until(j *job) time.Time {
	if j.node.TimeoutMS == 0 {
		return time.Time{}
	}
	return s.Handler.Now().Add(time.Duration(j.node.TimeoutMS) * time.Millisecond).Truncate(time.Microsecond)
}

// loop opens a step for its items, and gathers what came of them.
func loop(j *job, vars map[string]any) (came, error) {
	if j.open == nil {
		v, err := eval(j.node.Text("items"), vars)
		if err != nil {
			return came{}, err
		}
		list, is := v.([]any)
		if !is || len(list) > workflow.MaxItems {
			return came{}, domain.Errorf(domain.CodeValidation, "items must come to a list of at most %d", workflow.MaxItems)
		}
		o := &workflowrun.StepOpened{Awaits: workflowrun.Items, Items: make([]json.RawMessage, len(list))}
		for i := range list {
			if o.Items[i], err = json.Marshal(list[i]); err != nil {
				return came{}, fmt.Errorf("write item %d: %w", i, err)
			}
		}
		return came{opens: o}, nil
	}
	out, done := make([]json.RawMessage, len(j.open.Items)), 0
	for i := range j.items {
		if st := &j.items[i]; st.Phase == workflowrun.Broken {
			return came{}, domain.Errorf(domain.Code(st.Error.Code), "item %d: %s", i, st.Error.Message)
		}
		if st := &j.items[i]; st.Phase == workflowrun.Ended || st.Phase == workflowrun.Handled {
			out[i], done = st.Result.Output, done+1
		}
	}
	if done < len(out) {
		return came{}, domain.Errorf(domain.CodeTimeout, "the node took longer than its timeout_ms: %d of its %d items had ended", done, len(out))
	}
	var value any
	text, err := json.Marshal(out)
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	return came{output: value}, err
}

// mark notes of which errors it is that they may pass.
func mark(err error) error {
	switch domain.CodeOf(err) {
	case domain.CodeAIService, domain.CodeUnavailable, domain.CodeTimeout, domain.CodeRateLimited:
		return passing{err}
	}
	return err
}
