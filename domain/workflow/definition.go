package workflow

import "slices"

// Type is what a node does.
type Type string

// The types of nodes.
const (
	Start      Type = "start"      // where a run begins; its output is the run's inputs
	LLM        Type = "llm"        // asks a model
	Agent      Type = "agent"      // runs an agent
	Tool       Type = "tool"       // calls a tool
	Code       Type = "code"       // is refused: a transform does it
	Condition  Type = "condition"  // chooses a handle
	Loop       Type = "loop"       // does something for one item after the other
	Parallel   Type = "parallel"   // does something for several items at once
	HTTP       Type = "http"       // makes an HTTP request
	Knowledge  Type = "knowledge"  // searches knowledge bases
	Connector  Type = "connector"  // reads files of a connector
	Human      Type = "human"      // waits for somebody's decision
	Transform  Type = "transform"  // computes a value
	Validation Type = "validation" // checks a value, and fails when it is wrong
	Wait       Type = "wait"       // waits for a time
	Workflow   Type = "workflow"   // runs another workflow
	End        Type = "end"        // says what comes out of the run
)

// Types lists the types, for validation and documentation.
func Types() []Type {
	return []Type{Start, LLM, Agent, Tool, Code, Condition, Loop, Parallel, HTTP, Knowledge, Connector, Human, Transform, Validation, Wait, Workflow, End}
}

// Local tells whether what a node does has no effects, so that it may be done
// again and its beginning is not worth an event.
func (t Type) Local() bool {
	return slices.Contains([]Type{Start, Condition, Transform, Validation, Wait, Loop, Parallel, Human, End}, t)
}

// Node is one thing that a workflow does.
type Node struct {
	ID        string         `json:"id" required:"true" minLength:"1" maxLength:"100" doc:"Letters, digits, _ and -, unique in the workflow." example:"answer"`
	Type      Type           `json:"type" required:"true" enum:"start,llm,agent,tool,code,condition,loop,parallel,http,knowledge,connector,human,transform,validation,wait,workflow,end" doc:"What it does." example:"llm"`
	Name      string         `json:"name,omitempty" maxLength:"200" doc:"For people." example:"Write the answer"`
	Config    map[string]any `json:"config,omitempty" doc:"What its type needs. Texts may have places {{expression}}."`
	Position  *Position      `json:"position,omitempty" doc:"Where an editor shows it."`
	Retry     *Retry         `json:"retry,omitempty" doc:"How often it is tried when it fails in a way that may pass."`
	TimeoutMS int            `json:"timeout_ms,omitempty" minimum:"0" maximum:"2592000000" doc:"How long one try may take, waiting included: a whole loop, a run that it starts, a person. 0 is its type's own." example:"30000"`
}

// Position is a place on a canvas.
type Position struct {
	X float64 `json:"x" example:"120"`
	Y float64 `json:"y" example:"80"`
}

// Retry says how often a node is tried.
type Retry struct {
	MaxAttempts int `json:"max_attempts,omitempty" minimum:"1" maximum:"20" doc:"Tries in all; 1 when absent." example:"3"`
	BackoffMS   int `json:"backoff_ms,omitempty" minimum:"0" maximum:"3600000" doc:"Wait after the first failure, doubled each time, an hour at most." example:"500"`
}

// Edge says that a node comes after another.
type Edge struct {
	ID           string `json:"id,omitempty" maxLength:"100" example:"e1"`
	Source       string `json:"source" required:"true" maxLength:"100" doc:"Id of the node it leaves." example:"start"`
	Target       string `json:"target" required:"true" maxLength:"100" doc:"Id of the node it leads to." example:"answer"`
	SourceHandle string `json:"source_handle,omitempty" maxLength:"100" doc:"Which outcome of the source takes it: true, false, a case, a decision, error." example:"true"`
	Condition    string `json:"condition,omitempty" maxLength:"4096" doc:"Expression that must hold for it to be taken." example:"inputs.urgent == true"`
}

// Definition is a workflow as it can run.
type Definition struct {
	Nodes        []Node         `json:"nodes"`
	Edges        []Edge         `json:"edges"`
	InputSchema  map[string]any `json:"input_schema,omitempty"`
	OutputSchema map[string]any `json:"output_schema,omitempty"`
	Config       map[string]any `json:"config,omitempty"`
}

// ErrorHandle is the handle of the edges that a node takes when it has failed.
const ErrorHandle = "error"

// Graph is a definition that nothing is wrong with, ready to be walked.
type Graph struct {
	Order []string // ids of nodes, each after those it comes after
	nodes map[string]*Node
	in    map[string][]int // by node: indexes of edges
	out   map[string][]int
	edges []Edge
}

// NewGraph indexes a definition. Edges to or from nodes that there are not are
// left out, and so are, from Order, the nodes on cycles and behind them.
func NewGraph(d *Definition) *Graph {
	g := &Graph{nodes: map[string]*Node{}, in: map[string][]int{}, out: map[string][]int{}, edges: d.Edges}
	for i := range d.Nodes {
		g.nodes[d.Nodes[i].ID] = &d.Nodes[i]
	}
	for i, e := range d.Edges {
		if g.nodes[e.Source] != nil && g.nodes[e.Target] != nil {
			g.out[e.Source] = append(g.out[e.Source], i)
			g.in[e.Target] = append(g.in[e.Target], i)
		}
	}
	g.sort(d.Nodes)
	return g
}

func (g *Graph) sort(nodes []Node) {
	open := map[string]int{}
	var ready []string
	for _, n := range nodes {
		if open[n.ID] = len(g.in[n.ID]); open[n.ID] == 0 {
			ready = append(ready, n.ID)
		}
	}
	for len(ready) > 0 {
		id := ready[0]
		ready = ready[1:]
		g.Order = append(g.Order, id)
		for _, e := range g.out[id] {
			to := g.edges[e].Target
			if open[to]--; open[to] == 0 {
				ready = append(ready, to)
			}
		}
	}
}

// Node returns a node; nil when there is none of the id.
func (g *Graph) Node(id string) *Node { return g.nodes[id] }

// In and Out are the indexes of the edges of a node.
func (g *Graph) In(id string) []int { return g.in[id] }

// Out is as In, of the edges that leave the node.
func (g *Graph) Out(id string) []int { return g.out[id] }

// Edge returns an edge by its index.
func (g *Graph) Edge(i int) Edge { return g.edges[i] }

// Sources are the nodes before a node, in the order of its edges.
func (g *Graph) Sources(id string) []string {
	var out []string
	for _, e := range g.in[id] {
		if s := g.edges[e].Source; !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// After are the nodes that come after a node, directly or not.
func (g *Graph) After(id string) map[string]bool {
	return reach(id, g.out, func(e int) string { return g.edges[e].Target })
}

// Before are the nodes that come before a node, directly or not.
func (g *Graph) Before(id string) map[string]bool {
	return reach(id, g.in, func(e int) string { return g.edges[e].Source })
}

func reach(id string, edges map[string][]int, end func(edge int) string) map[string]bool {
	seen := map[string]bool{}
	next := []string{id}
	for len(next) > 0 {
		from := next[0]
		next = next[1:]
		for _, e := range edges[from] {
			if to := end(e); !seen[to] {
				seen[to] = true
				next = append(next, to)
			}
		}
	}
	return seen
}
