package catalogue

import (
	"strata/domain"
	"strata/domain/workflow"
)

// Workflow is a graph of nodes that can be run.
type Workflow struct {
	domain.Base
	Name         string          `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name, unique in the workspace; paths take it in the place of the id." example:"support-triage"`
	Description  string          `json:"description" maxLength:"2000" doc:"What it is for." example:"Sorts requests and answers the simple ones"`
	Nodes        []workflow.Node `json:"nodes" maxItems:"500" doc:"What it does."`
	Edges        []workflow.Edge `json:"edges" maxItems:"2000" doc:"What comes after what; there may be no cycle."`
	InputSchema  map[string]any  `json:"input_schema" doc:"JSON Schema of a run's inputs, which are checked against it."`
	OutputSchema map[string]any  `json:"output_schema" doc:"JSON Schema of a run's outputs; a run that comes to something else has failed."`
	Config       map[string]any  `json:"config" doc:"timeout_ms bounds a whole run; other keys are yours."`
	AppID        string          `json:"app_id" maxLength:"200" doc:"App it belongs to."`
	SolutionID   string          `json:"solution_id" maxLength:"200" doc:"Solution it belongs to."`
	Tags         []string        `json:"tags" maxItems:"50" doc:"Labels to find it by."`
	Status       string          `json:"status" enum:"draft,active,published,archived" default:"draft" doc:"An archived workflow cannot be run." example:"draft"`
	Version      int             `json:"version" access:"r" doc:"Current version, from 1; a change of what it does makes the next." example:"1"`
	LatestRunID  string          `json:"latest_run_id" access:"r" doc:"The run that was started last."`
}

// Definition is what of the workflow is run.
func (w *Workflow) Definition() workflow.Definition {
	return workflow.Definition{Nodes: w.Nodes, Edges: w.Edges, InputSchema: w.InputSchema, OutputSchema: w.OutputSchema, Config: w.Config}
}

// WorkflowVersion is one version of a workflow.
type WorkflowVersion struct {
	domain.VersionBase
	WorkflowID   string          `json:"workflow_id" access:"r" doc:"The workflow it belongs to."`
	Nodes        []workflow.Node `json:"nodes,omitempty" maxItems:"500"`
	Edges        []workflow.Edge `json:"edges,omitempty" maxItems:"2000"`
	InputSchema  map[string]any  `json:"input_schema,omitempty"`
	OutputSchema map[string]any  `json:"output_schema,omitempty"`
	Config       map[string]any  `json:"config,omitempty"`
}

// Workflows is the kind of [Workflow].
var Workflows = &domain.Kind[Workflow]{
	KindSpec: domain.KindSpec{
		Name: "workflow", Plural: "workflows", Prefix: "wf", Tag: "Workflows",
		Doc: "A graph of nodes that can be run: models, HTTP, transforms, conditions, loops, people.",
		Key: "name", ByKey: true, Search: []string{"name", "description"}, Filters: []string{"status", "app_id", "solution_id", "tags"},
		Versions: []string{"nodes", "edges", "input_schema", "output_schema", "config"}, Clone: true,
		Verbs:  []string{"run", "cancel", "resume"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/workflows", Param: "workflow_id"}, {Mount: "v1", Path: "/workflows", Param: "name"}},
	},
	Check: func(w *Workflow, f *domain.Faults) {
		d := w.Definition()
		workflow.Check(&d, f)
	},
	Example: Workflow{
		Name: "support-triage", Description: "Sorts requests and answers the simple ones", Status: "draft", Tags: []string{"support"},
		Nodes: []workflow.Node{
			{ID: "start", Type: workflow.Start},
			{ID: "answer", Type: workflow.LLM, Config: map[string]any{"model": "strata/extract-1", "prompt": "{{inputs.question}}"}},
			{ID: "end", Type: workflow.End, Config: map[string]any{"outputs": map[string]any{"answer": "{{nodes.answer.text}}"}}},
		},
		Edges: []workflow.Edge{{Source: "start", Target: "answer"}, {Source: "answer", Target: "end"}},
		InputSchema: map[string]any{"type": "object", "required": []any{"question"},
			"properties": map[string]any{"question": map[string]any{"type": "string"}}},
		OutputSchema: map[string]any{"type": "object", "required": []any{"answer"}},
		Config:       map[string]any{"timeout_ms": 600_000},
	},
	Version: WorkflowVersion{},
}
