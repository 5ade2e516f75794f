package workflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"strata/domain"
	"strata/domain/schema"
)

// The limits of a definition.
const (
	maxNodes = 500
	maxEdges = 2000

	maxTimeoutMS = 30 * 24 * 3600 * 1000
)

// Problem is one thing that is wrong with a definition.
type Problem struct {
	NodeID  string `json:"node_id,omitempty" doc:"The node it is about, if it is about one." example:"answer"`
	EdgeID  string `json:"edge_id,omitempty" doc:"The edge it is about, if it is about one."`
	Field   string `json:"field" doc:"Where it is in the definition." example:"nodes[2].config.model"`
	Code    string `json:"code" enum:"invalid,cycle,unreachable,unknown_node,unknown_type,unsupported,missing,duplicate,expression,schema,limit" doc:"What sort of problem." example:"missing"`
	Message string `json:"message" doc:"What is wrong, for people." example:"is required"`
}

// The codes of problems.
const (
	invalid      = "invalid"
	cycle        = "cycle"
	unreachable  = "unreachable"
	unknownNode  = "unknown_node"
	unknownType  = "unknown_type"
	unsupported  = "unsupported"
	missing      = "missing"
	duplicate    = "duplicate"
	inExpression = "expression"
	inSchema     = "schema"
	limit        = "limit"
)

// idPattern is what ids of nodes look like: expressions name nodes by them.
var idPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// checker gathers problems.
type checker struct {
	found  []Problem
	known  map[string]bool // ids of nodes
	before map[string]bool // nodes whose outputs can be seen at this place
	nodeID string          // of the node that is being looked at
	edgeID string
}

func (c *checker) add(bad bool, code, field, format string, args ...any) {
	if bad {
		c.found = append(c.found, Problem{NodeID: c.nodeID, EdgeID: c.edgeID, Field: field, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

// Problems names everything that is wrong with a definition, in the order of its
// parts.
func Problems(d *Definition) []Problem {
	c := &checker{}
	c.add(len(d.Nodes) > maxNodes, limit, "nodes", "must be at most %d", maxNodes)
	c.add(len(d.Edges) > maxEdges, limit, "edges", "must be at most %d", maxEdges)
	if len(c.found) > 0 {
		return c.found
	}
	g := NewGraph(d)
	c.nodes(d, g)
	c.edges(d, g)
	c.shape(d)
	c.schema("input_schema", d.InputSchema)
	c.schema("output_schema", d.OutputSchema)
	if v, set := d.Config["timeout_ms"]; set {
		c.number("config.timeout_ms", v, 1, maxTimeoutMS)
	}
	return c.found
}

// Check adds the problems of a definition to faults.
func Check(d *Definition, f *domain.Faults) {
	for _, p := range Problems(d) {
		about := ""
		if p.NodeID != "" {
			about = fmt.Sprintf(" (node %q)", p.NodeID)
		}
		f.Add(true, p.Field, "%s%s", p.Message, about)
	}
}

// sees checks that what an expression refers to can be seen there.
func (c *checker) sees(field string, nodes []string) {
	for _, id := range nodes {
		c.add(!c.known[id], unknownNode, field, "refers to nodes.%s, but there is no such node", id)
		c.add(c.known[id] && !c.before[id], invalid, field, "refers to nodes.%s, which does not come before", id)
	}
}

func (c *checker) nodes(d *Definition, g *Graph) {
	c.known = map[string]bool{}
	for _, n := range d.Nodes {
		c.known[n.ID] = true
	}
	seen := map[string]bool{}
	starts := 0
	for i := range d.Nodes {
		n := &d.Nodes[i]
		at := fmt.Sprintf("nodes[%d]", i)
		c.nodeID, c.before = n.ID, g.Before(n.ID)
		c.add(n.ID == "", missing, at+".id", "is required")
		c.add(n.ID != "" && (!idPattern.MatchString(n.ID) || len(n.ID) > 100), invalid, at+".id", "must be letters, digits, _ or -, begin with a letter or _, and be at most 100 long")
		c.add(n.ID != "" && seen[n.ID], duplicate, at+".id", "is the id of another node, too")
		seen[n.ID] = true
		if n.Type == Start {
			starts++
			c.add(starts > 1, duplicate, at+".type", "is the second start node; there may be one")
		}
		c.node(n, at)
	}
	c.nodeID = ""
}

func (c *checker) edges(d *Definition, g *Graph) {
	nodes := map[string]*Node{}
	for i := range d.Nodes {
		nodes[d.Nodes[i].ID] = &d.Nodes[i]
	}
	ids := map[string]bool{}
	for i, e := range d.Edges {
		at := fmt.Sprintf("edges[%d]", i)
		c.edgeID = e.ID
		c.add(e.ID != "" && ids[e.ID], duplicate, at+".id", "is the id of another edge, too")
		ids[e.ID] = true
		c.end(nodes, at+".source", e.Source)
		c.end(nodes, at+".target", e.Target)
		c.add(e.Source != "" && e.Source == e.Target, cycle, at, "leads from a node to itself")
		if to := nodes[e.Target]; to != nil {
			c.add(to.Type == Start, invalid, at+".target", "a start node comes after no other")
		}
		if from := nodes[e.Source]; from != nil {
			c.add(from.Type == End, invalid, at+".source", "no node comes after an end node")
			c.handle(from, e, at)
		}
		if e.Condition != "" {
			c.before = g.Before(e.Source)
			c.before[e.Source] = true
			c.expression(at+".condition", e.Condition)
		}
	}
	c.edgeID = ""
}

// end checks one end of an edge.
func (c *checker) end(nodes map[string]*Node, field, id string) {
	c.add(id == "", missing, field, "is required")
	c.add(id != "" && nodes[id] == nil, unknownNode, field, "names no node: %q", id)
}

// handle checks that a node can choose an edge's handle.
func (c *checker) handle(from *Node, e Edge, at string) {
	if e.SourceHandle == "" || e.SourceHandle == ErrorHandle {
		return
	}
	handles := from.Handles()
	c.add(handles != nil && !slices.Contains(handles, e.SourceHandle), invalid, at+".source_handle", "must be one of %s", strings.Join(append(handles, ErrorHandle), ", "))
	c.add(handles == nil, invalid, at+".source_handle", "a node of type %s has no handle but %s", from.Type, ErrorHandle)
}

// Handles are the outcomes that a node chooses among; nil when it has but one.
func (n *Node) Handles() []string {
	switch n.Type {
	case Condition:
		cases, err := n.Cases()
		if err != nil || len(cases) == 0 {
			return []string{"true", "false"}
		}
		var out []string
		for _, c := range cases {
			out = append(out, c.Handle)
		}
		return append(out, "default")
	case Human:
		return n.Decisions()
	}
	return nil
}

// Decisions are those that a person can make at a human node.
func (n *Node) Decisions() []string {
	var c HumanConfig
	if Read(n.Config, &c) != nil || len(c.Decisions) == 0 {
		return []string{"approved", "rejected"}
	}
	return c.Decisions
}

// shape finds cycles, and nodes that no run can come to.
func (c *checker) shape(d *Definition) {
	g := NewGraph(d)
	if len(g.Order) < len(g.nodes) {
		c.cycles(d, g)
		return
	}
	start := ""
	for _, n := range d.Nodes {
		if n.Type == Start {
			start = n.ID
		}
	}
	if start == "" {
		return
	}
	reached := g.After(start)
	for i, n := range d.Nodes {
		c.nodeID = n.ID
		c.add(n.ID != start && !reached[n.ID], unreachable, fmt.Sprintf("nodes[%d]", i), "cannot be reached from the start node")
	}
	c.nodeID = ""
}

// cycles names the nodes that are on a cycle: they come after themselves.
func (c *checker) cycles(d *Definition, g *Graph) {
	for i, n := range d.Nodes {
		c.nodeID = n.ID
		c.add(g.After(n.ID)[n.ID], cycle, fmt.Sprintf("nodes[%d]", i), "is on a cycle: it comes after itself")
	}
	c.nodeID = ""
}

func (c *checker) schema(field string, s map[string]any) {
	if s == nil {
		return
	}
	if _, err := schema.Parse(s); err != nil {
		c.add(true, inSchema, field, "%s", err)
	}
}
