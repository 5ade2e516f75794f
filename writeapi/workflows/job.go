package workflows

import (
	"encoding/json"
	"maps"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/formula"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
)

// job is what performing a step needs to know of its run.
type job struct {
	node    workflow.Node
	item    int // of a loop; -1 for the node itself
	attempt int
	// execution counts how often the attempt has begun: more than once when it is not
	// known how it ended.
	execution int
	out       []way     // edges that leave the node
	due       time.Time // when the attempt has to have ended; zero: no such time

	open   *workflowrun.StepOpened // what the step has waited for
	answer *workflowrun.HumanAnswered
	ended  *workflowrun.ChildEnded // the run that it has waited for
	items  []workflowrun.Step      // of a loop, when all have ended

	inputs  json.RawMessage
	outputs map[string]json.RawMessage // by node
	sources []string
	element json.RawMessage // the item itself

	started   workflowrun.Started // without definition, inputs and carried results
	begun     time.Time
	status    workflowrun.Status
	result    json.RawMessage // outputs of the run, when it is over
	failure   *workflowrun.Failure
	usage     workflowrun.Usage
	cost      domain.Money
	cancelled bool // the run is over
}

// way is an edge that leaves a node.
type way struct {
	index             int
	handle, condition string
}

// jobOf gathers what a step needs. It copies what changes; definitions and JSON do
// not.
func jobOf(l *commands.Loaded[workflowrun.State], step string) job {
	s := l.State
	id, item := workflowrun.NodeOf(step)
	j := job{item: item, attempt: 1, inputs: s.Inputs, outputs: map[string]json.RawMessage{}, begun: s.StartedAt, status: s.Status(), result: s.Outputs,
		failure: s.Error, usage: s.Usage, cost: s.Cost, cancelled: s.End != "", started: s.Started}
	j.started.Definition, j.started.Inputs, j.started.Carried = workflow.Definition{}, nil, nil
	if st := s.Steps[step]; st != nil {
		j.attempt, j.execution, j.open, j.answer, j.ended = st.Attempt, st.Execution, st.Open, st.Answer, st.Child
		if st.Phase == workflowrun.Retrying {
			j.attempt++
		}
	}
	g := s.Graph()
	node := g.Node(id)
	if node == nil { // a step of the run itself
		return j
	}
	j.node, j.sources, j.due = *node, g.Sources(id), s.DueBy(step)
	for other := range g.Before(id) {
		if st := s.Steps[other]; st != nil && len(st.Result.Output) > 0 {
			j.outputs[other] = st.Result.Output
		}
	}
	if item >= 0 {
		j.node = *node.Body()
		if loop := s.Steps[id]; loop != nil && loop.Open != nil && item < len(loop.Open.Items) {
			j.element = loop.Open.Items[item]
		}
		return j
	}
	for _, e := range g.Out(id) {
		edge := g.Edge(e)
		j.out = append(j.out, way{e, edge.SourceHandle, edge.Condition})
	}
	if j.open != nil && j.open.Awaits == workflowrun.Items {
		for i := range j.open.Items {
			if st := s.Steps[workflowrun.Item(id, i)]; st != nil {
				j.items = append(j.items, *st)
			}
		}
	}
	return j
}

// variables are what expressions of the step see.
func (j *job) variables(run string) (map[string]any, error) {
	var inputs any
	if err := json.Unmarshal(j.inputs, &inputs); err != nil {
		return nil, err
	}
	nodes := make(map[string]any, len(j.outputs))
	for id, text := range j.outputs {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
		nodes[id] = v
	}
	vars := map[string]any{"inputs": inputs, "nodes": nodes, "input": before(j.sources, nodes, inputs),
		"run": map[string]any{"id": run, "workflow": j.started.WorkflowName, "started_at": domain.FormatTime(j.begun)}}
	if j.item >= 0 {
		var item any
		if err := json.Unmarshal(j.element, &item); err != nil {
			return nil, err
		}
		vars["item"], vars["index"] = item, float64(j.item)
	}
	return vars, nil
}

// before is what came out of the nodes before a node: of one as it is, of several
// by their ids; for the first node it is the run's inputs.
func before(sources []string, nodes map[string]any, inputs any) any {
	if len(sources) == 0 {
		return inputs
	}
	if len(sources) == 1 {
		return nodes[sources[0]]
	}
	out := map[string]any{}
	for _, id := range sources {
		if v, has := nodes[id]; has {
			out[id] = v
		}
	}
	return out
}

// fill fills in the places of the node's config and reads it into a Go value.
func (j *job) fill(vars map[string]any, into any) (config map[string]any, err error) {
	var wrong error
	t := formula.ParseTemplate(j.node.Templates(), "config", func(path, message string) {
		wrong = domain.Errorf(domain.CodeValidation, "%s %s", path, message)
	})
	if wrong != nil {
		return nil, wrong
	}
	value, err := t.Render(vars)
	if err != nil {
		return nil, err
	}
	config, _ = value.(map[string]any)
	if config == nil {
		config = map[string]any{}
	}
	if err := workflow.Read(config, into); err != nil {
		return config, domain.Errorf(domain.CodeValidation, "the config, its places filled in, has a field of the wrong type")
	}
	return config, nil
}

// eval computes an expression of the config.
func eval(text string, vars map[string]any) (any, error) {
	f, err := formula.Parse(text)
	if err != nil {
		return nil, domain.Errorf(domain.CodeValidation, "the expression %s", err)
	}
	return f.Eval(vars)
}

func holds(text string, vars map[string]any) (bool, error) {
	f, err := formula.Parse(text)
	if err != nil {
		return false, domain.Errorf(domain.CodeValidation, "the condition %s", err)
	}
	return f.True(vars)
}

// taken are the edges that a node takes after it has ended with an outcome.
func (j *job) taken(handle string, output any, vars map[string]any) ([]int, error) {
	seen := maps.Clone(vars)
	seen["output"] = output
	if nodes, is := vars["nodes"].(map[string]any); is {
		nodes = maps.Clone(nodes)
		nodes[j.node.ID] = output
		seen["nodes"] = nodes
	}
	var out []int
	for _, w := range j.out {
		if w.handle != "" && w.handle != handle {
			continue
		}
		if w.condition != "" {
			yes, err := holds(w.condition, seen)
			if err != nil {
				return nil, err
			}
			if !yes {
				continue
			}
		}
		out = append(out, w.index)
	}
	return out, nil
}
