package workflow

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
)

// KnowledgeConfig is the config of a knowledge node.
type KnowledgeConfig struct {
	DatasetIDs     []string        `json:"dataset_ids"` // ids or names of knowledge bases
	Query          FilledText      `json:"query"`
	TopK           int             `json:"top_k"`
	Mode           string          `json:"mode"`
	ScoreThreshold *float64        `json:"score_threshold"`
	Filter         json.RawMessage `json:"filter"`
}

// DefaultTopK is how many passages a knowledge node finds where it does not say.
const DefaultTopK = 5

// maxTopK keeps what is found within a step's output.
const maxTopK = 100

// ToolConfig is the config of a tool node.
type ToolConfig struct {
	Tool      string         `json:"tool"` // calculator, current_time, http_get or mcp:<server>/<tool>
	Arguments map[string]any `json:"arguments"`
	// Repeatable says that the tool may be called again when it is not known whether
	// it has been.
	Repeatable bool `json:"repeatable"`
}

var (
	builtinTools = []string{"calculator", "current_time", "http_get"}
	mcpTool      = regexp.MustCompile(`^mcp:[a-zA-Z0-9][a-zA-Z0-9._-]*/.+$`)
)

// IsTool tells whether a name is that of something a tool node can call.
func IsTool(name string) bool {
	return slices.Contains(builtinTools, name) || mcpTool.MatchString(name)
}

// AgentConfig is the config of an agent node.
type AgentConfig struct {
	Agent     string         `json:"agent"`   // id or name
	Version   int            `json:"version"` // 0: the current one
	Message   FilledText     `json:"message"` // for short: input of {message}
	Input     map[string]any `json:"input"`
	Variables map[string]any `json:"variables"`
}

// StartsRuns tells whether a node of the type starts a run and waits for it.
func (t Type) StartsRuns() bool { return t == Workflow || t == Agent }

// filled tells that a value is only known when its places are filled in.
func filled(v any) bool {
	s, is := v.(string)
	return is && strings.Contains(s, "{{")
}

// optionalNumber checks a number that may be absent, or a place.
func (c *checker) optionalNumber(n *Node, config, field string, least, most float64) {
	if v, set := n.Config[field]; set && !filled(v) {
		c.number(config+"."+field, v, least, most)
	}
}

// oneOf checks a text that may be absent, or a place.
func (c *checker) oneOf(n *Node, config, field string, values ...string) {
	if v, set := n.Config[field]; set && !filled(v) {
		s, is := v.(string)
		c.add(!is || !slices.Contains(values, s), invalid, config+"."+field, "must be one of %s", strings.Join(values, ", "))
	}
}

// object checks an object that may be absent, or a place.
func (c *checker) object(n *Node, config, field string) {
	if v, set := n.Config[field]; set && !filled(v) {
		_, is := v.(map[string]any)
		c.add(!is, invalid, config+"."+field, "must be an object")
	}
}

func (c *checker) knowledge(n *Node, config string) {
	c.required(n, config, "query")
	v, set := n.Config["dataset_ids"]
	list, is := v.([]any)
	c.add(!set, missing, config+".dataset_ids", "is required: ids or names of knowledge bases")
	c.add(set && !filled(v) && (!is || len(list) == 0 || len(list) > 50), invalid, config+".dataset_ids", "must be a list of 1 to 50 ids or names of knowledge bases")
	for _, one := range list {
		s, is := one.(string)
		c.add(!is || strings.TrimSpace(s) == "", invalid, config+".dataset_ids", "must be ids or names that are not empty")
	}
	c.optionalNumber(n, config, "top_k", 1, maxTopK)
	c.oneOf(n, config, "mode", "vector", "keyword", "hybrid")
	if v, set := n.Config["score_threshold"]; set && !filled(v) {
		f, is := v.(float64)
		c.add(!is || f < -1 || f > 1, limit, config+".score_threshold", "must be a number from -1 to 1")
	}
	c.object(n, config, "filter")
}

func (c *checker) tool(n *Node, config string) {
	c.required(n, config, "tool")
	name := n.Text("tool")
	c.add(name != "" && !filled(name) && !IsTool(name), invalid, config+".tool", "must be mcp:<server>/<tool>, %s", strings.Join(builtinTools, ", "))
	c.object(n, config, "arguments")
	if v, set := n.Config["repeatable"]; set {
		_, is := v.(bool)
		c.add(!is, invalid, config+".repeatable", "must be true or false")
	}
}

func (c *checker) agent(n *Node, config string) {
	c.required(n, config, "agent")
	_, message := n.Config["message"]
	_, input := n.Config["input"]
	c.add(!message && !input, missing, config, "needs message or input")
	c.add(message && input, invalid, config, "has both message and input")
	c.optionalText(n, config, "message")
	c.object(n, config, "input")
	c.object(n, config, "variables")
	c.optionalNumber(n, config, "version", 1, math.MaxInt32)
}

// optionalText checks a text that may be absent.
func (c *checker) optionalText(n *Node, config, field string) {
	if v, set := n.Config[field]; set {
		_, is := v.(string)
		c.add(!is, invalid, config+"."+field, "must be a text")
	}
}
