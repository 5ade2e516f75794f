package catalogue

import (
	"fmt"
	"regexp"
	"slices"

	"strata/domain"
	"strata/domain/schema"
)

// Agent is a model with instructions and tools, that works on a task until it has
// an answer.
type Agent struct {
	domain.Base
	Name           string         `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name, unique in the workspace; paths take it in the place of the id." example:"triage"`
	Description    string         `json:"description" maxLength:"2000" doc:"What it is for." example:"Answers questions about orders"`
	Instructions   string         `json:"instructions" maxLength:"100000" doc:"System prompt; {{name}} places take the variables of a run." example:"You help {{customer}} with orders."`
	Model          string         `json:"model" maxLength:"200" doc:"provider/model, flotorch/route or a bare name; strata/extract-1, which uses no tools, when empty." example:"strata/extract-1"`
	Temperature    *float64       `json:"temperature,omitempty" minimum:"0" maximum:"2" example:"0.2"`
	MaxTokens      int            `json:"max_tokens,omitempty" minimum:"1" maximum:"10000000" doc:"Longest answer of one call of the model."`
	Tools          []string       `json:"tools" maxItems:"100" doc:"What it may call: mcp:<server> or mcp:<server>/<tool>, workflow:<name>, which runs a workflow and waits for its end, calculator, current_time, http_get."`
	DatasetIDs     []string       `json:"dataset_ids" maxItems:"100" doc:"Knowledge bases that its model may search with the tool search_knowledge: ids, ids of vector indexes, or names."`
	MemoryProvider string         `json:"memory_provider" maxLength:"200" doc:"Where it remembers: internal, the name of a memory provider, or nothing. What it remembers of who it speaks with is recalled before its model is asked, which has the tools remember and recall." example:"internal"`
	InputSchema    map[string]any `json:"input_schema" doc:"JSON Schema of a run's input, which is checked against it."`
	OutputSchema   map[string]any `json:"output_schema" doc:"JSON Schema that a run's answer must keep; the model gets one try to correct itself."`
	Config         map[string]any `json:"config" doc:"max_steps (calls of the model, 10), max_cost_usd, timeout_ms (600000), parallel_tools (4); other keys are yours."`
	Metadata       map[string]any `json:"metadata" doc:"Your own data."`
	Tags           []string       `json:"tags" maxItems:"50" doc:"Labels to find it by."`
	Status         string         `json:"status" enum:"draft,active,inactive,archived" default:"draft" doc:"An agent that is inactive or archived cannot be run." example:"active"`
	Version        int            `json:"version" access:"r" doc:"Current version, from 1; a change of what it does makes the next." example:"1"`
	Environment    string         `json:"environment" access:"r" enum:"development,staging,production" default:"development" doc:"Where its current version is used."`
}

// AgentVersion is one version of an agent.
type AgentVersion struct {
	domain.VersionBase
	AgentID        string         `json:"agent_id" access:"r" doc:"The agent it belongs to."`
	Instructions   string         `json:"instructions,omitempty" maxLength:"100000"`
	Model          string         `json:"model,omitempty" maxLength:"200"`
	Temperature    *float64       `json:"temperature,omitempty" minimum:"0" maximum:"2"`
	MaxTokens      int            `json:"max_tokens,omitempty" minimum:"1" maximum:"10000000"`
	Tools          []string       `json:"tools,omitempty" maxItems:"100"`
	DatasetIDs     []string       `json:"dataset_ids,omitempty" maxItems:"100"`
	MemoryProvider string         `json:"memory_provider,omitempty" maxLength:"200"`
	InputSchema    map[string]any `json:"input_schema,omitempty"`
	OutputSchema   map[string]any `json:"output_schema,omitempty"`
	Config         map[string]any `json:"config,omitempty"`
}

// AgentConfig is the part of an agent's configuration that Strata reads.
type AgentConfig struct {
	MaxSteps      int     // calls of the model
	MaxCostUSD    float64 // 0: no limit of its own
	TimeoutMS     int
	ParallelTools int
}

// ReadAgentConfig reads what Strata uses of an agent's configuration and names
// what is wrong with it. f may be nil.
func ReadAgentConfig(config map[string]any, f *domain.Faults) AgentConfig {
	if f == nil {
		f = &domain.Faults{}
	}
	out := AgentConfig{MaxSteps: 10, TimeoutMS: 600_000, ParallelTools: 4}
	number := func(low, high float64, whole bool, keys ...string) (float64, bool) {
		for _, k := range keys {
			v, given := config[k]
			if !given {
				continue
			}
			n, isNumber := asNumber(v)
			bad := !isNumber || n < low || n > high || whole && n != float64(int(n))
			f.Add(bad, "config."+k, "must be a number from %g to %g", low, high)
			return n, !bad
		}
		return 0, false
	}
	if n, given := number(1, 100, true, "max_steps", "maxSteps"); given {
		out.MaxSteps = int(n)
	}
	if n, given := number(0, 1_000_000, false, "max_cost_usd", "maxCostUsd"); given {
		out.MaxCostUSD = n
	}
	if n, given := number(1, 86_400_000, true, "timeout_ms", "timeoutMs"); given {
		out.TimeoutMS = int(n)
	}
	if n, given := number(1, 32, true, "parallel_tools", "parallelTools"); given {
		out.ParallelTools = int(n)
	}
	return out
}

var otherTool = regexp.MustCompile(`^(mcp:[a-zA-Z0-9][a-zA-Z0-9._-]*(/.+)?|workflow:.{1,200})$`)

// builtinTools are the tools that need nothing to be set up.
var builtinTools = []string{"calculator", "current_time", "http_get"}

// Agents is the kind of [Agent].
var Agents = &domain.Kind[Agent]{
	KindSpec: domain.KindSpec{
		Name: "agent", Plural: "agents", Prefix: "agt", Tag: "Agents",
		Doc: "A model with instructions and tools, that works on a task until it has an answer.",
		Key: "name", ByKey: true, Search: []string{"name", "description"}, Filters: []string{"status", "tags"},
		Versions: []string{"instructions", "model", "temperature", "max_tokens", "tools", "dataset_ids", "memory_provider", "input_schema", "output_schema", "config"},
		Clone:    true, Verbs: []string{"run"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/agents", Param: "agent_id"}, {Mount: "v1", Path: "/agents", Param: "name"}},
	},
	Check: func(a *Agent, f *domain.Faults) {
		seen := map[string]bool{}
		for i, tool := range a.Tools {
			at := fmt.Sprintf("tools[%d]", i)
			f.Add(!slices.Contains(builtinTools, tool) && !otherTool.MatchString(tool), at, "is %q, not mcp:<server>, mcp:<server>/<tool>, workflow:<name>, calculator, current_time or http_get", tool)
			f.Add(seen[tool], at, "is there twice")
			seen[tool] = true
		}
		for field, document := range map[string]map[string]any{"input_schema": a.InputSchema, "output_schema": a.OutputSchema} {
			if len(document) > 0 {
				_, err := schema.Parse(document)
				f.Add(err != nil, field, "%v", err)
			}
		}
		ReadAgentConfig(a.Config, f)
	},
	Example: Agent{
		Name: "triage", Description: "Answers questions about orders", Instructions: "You help with orders.", Model: "strata/extract-1",
		Tools: []string{"calculator", "mcp:search/find"}, DatasetIDs: []string{},
		InputSchema: map[string]any{"type": "object"}, OutputSchema: map[string]any{"type": "object"},
		Config: map[string]any{"max_steps": 10}, Metadata: map[string]any{"team": "orders"}, Tags: []string{"support"},
		Status: "active", Environment: "development",
	},
	Version: AgentVersion{},
}
