package workflow

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"

	"strata/domain/formula"
	"strata/domain/secret"
)

// node checks what a node's type needs.
func (c *checker) node(n *Node, at string) {
	config := at + ".config"
	if !slices.Contains(Types(), n.Type) {
		c.add(n.Type == "", missing, at+".type", "is required")
		c.add(n.Type != "", unknownType, at+".type", "there is no type %q of nodes", n.Type)
		return
	}
	c.templates(n, config)
	for _, field := range expressions(n.Type) {
		if text, set := n.Config[field]; set {
			s, is := text.(string)
			c.add(!is, invalid, config+"."+field, "must be a text")
			if is {
				c.expression(config+"."+field, s)
			}
		}
	}
	c.own(n, at)
	if n.Retry != nil {
		c.add(n.Retry.MaxAttempts < 0 || n.Retry.MaxAttempts > 20, limit, at+".retry.max_attempts", "must be from 1 to 20")
		c.add(n.Retry.BackoffMS < 0 || n.Retry.BackoffMS > 3_600_000, limit, at+".retry.backoff_ms", "must be from 0 to 3600000")
	}
	c.add(n.TimeoutMS < 0 || n.TimeoutMS > maxTimeoutMS, limit, at+".timeout_ms", "must be from 0 to %d", maxTimeoutMS)
}

// templates checks every place in a node's config.
func (c *checker) templates(n *Node, config string) {
	bare := n.withoutSecrets()
	templates := bare.Templates()
	for _, field := range slices.Sorted(maps.Keys(templates)) {
		at := config + "." + field
		t := formula.ParseTemplate(templates[field], at, func(path, message string) { c.add(true, inExpression, path, "%s", message) })
		c.sees(at, t.Members("nodes"))
		c.add(len(t.Members("secret")) > 0, invalid, at, "a secret may be referred to as {{secret.name}}, in a header of an http node, and nowhere else")
	}
}

// withoutSecrets is the node as its other places see it: references to secrets are
// no expressions, and whoever performs the node fills them in.
func (n *Node) withoutSecrets() Node {
	texts := map[string]string{}
	for name, text := range n.Headers() {
		texts[name] = secret.Fill(text, func(string) string { return "" })
	}
	return n.WithHeaders(texts)
}

func (c *checker) expression(field, text string) {
	f, err := formula.Parse(text)
	if err != nil {
		c.add(true, inExpression, field, "%s", err)
		return
	}
	c.sees(field, f.Members("nodes"))
	c.add(len(f.Members("secret")) > 0, invalid, field, "an expression cannot see secrets")
}

// own checks the fields that a type has of its own.
func (c *checker) own(n *Node, at string) {
	config := at + ".config"
	switch n.Type {
	case Code:
		c.add(true, unsupported, at+".type", "code cannot be run here; a transform node computes what an expression says")
	case Knowledge:
		c.knowledge(n, config)
	case Tool:
		c.tool(n, config)
	case Agent:
		c.agent(n, config)
	case Connector:
		c.connector(n, config)
	case LLM:
		c.llm(n, config)
	case HTTP:
		c.http(n, config)
	case Condition:
		c.condition(n, config)
	case Transform:
		c.transform(n, config)
	case Validation:
		c.validation(n, config)
	case Loop, Parallel:
		c.loop(n, config)
	case Human:
		var h HumanConfig
		c.read(n, config, &h)
		c.optionalText(n, config, "prompt")
		c.schema(config+".schema", h.Schema)
		for _, d := range h.Decisions {
			c.add(d == "" || d == ErrorHandle || len(d) > 100, invalid, config+".decisions", "must be words of at most 100 letters other than %q", ErrorHandle)
		}
	case Wait:
		_, lasts := n.Config["duration_ms"]
		_, until := n.Config["until"]
		c.add(!lasts && !until, missing, config, "needs duration_ms or until")
		if v, is := n.Config["duration_ms"].(float64); is {
			c.number(config+".duration_ms", v, 0, 365*24*3600*1000)
		}
	case Workflow:
		c.required(n, config, "workflow")
	}
}

// required checks that a field is a text that is not empty.
func (c *checker) required(n *Node, config, field string) {
	v, set := n.Config[field]
	s, is := v.(string)
	c.add(!set, missing, config+"."+field, "is required")
	c.add(set && (!is || strings.TrimSpace(s) == ""), invalid, config+"."+field, "must be a text that is not empty")
}

// read reads a config as a whole; texts in it may be places for other values.
func (c *checker) read(n *Node, config string, into any) {
	if Read(n.Config, into) != nil {
		c.add(true, invalid, config, "has a field of the wrong type for a node of type %s", n.Type)
	}
}

func (c *checker) number(field string, v any, least, most float64) {
	f, is := v.(float64)
	if i, whole := v.(int); whole {
		f, is = float64(i), true
	}
	c.add(!is || f < least || f > most || f != math.Trunc(f), limit, field, "must be a whole number from %.0f to %.0f", least, most)
}

func (c *checker) llm(n *Node, config string) {
	_, prompt := n.Config["prompt"]
	messages, given := n.Config["messages"]
	c.add(!prompt && !given, missing, config, "needs prompt or messages")
	c.optionalText(n, config, "prompt")
	c.optionalText(n, config, "system")
	list, is := messages.([]any)
	c.add(given && !is, invalid, config+".messages", "must be a list")
	for _, m := range list {
		object, is := m.(map[string]any)
		role, _ := object["role"].(string)
		_, text := object["content"].(string)
		c.add(!is || !text || !slices.Contains([]string{"system", "user", "assistant"}, role) && !strings.Contains(role, "{{"), invalid, config+".messages",
			"must be messages with a role of system, user or assistant, and content")
	}
}

func (c *checker) http(n *Node, config string) {
	c.required(n, config, "url")
	address := n.Text("url")
	if address != "" && !strings.Contains(address, "{{") {
		u, err := url.Parse(address)
		c.add(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "", invalid, config+".url", "must be an address that begins with http:// or https://")
	}
	method := n.Text("method")
	c.add(method != "" && !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, method), invalid, config+".method", "must be GET, HEAD, POST, PUT, PATCH or DELETE")
}

func (c *checker) condition(n *Node, config string) {
	cases, err := n.Cases()
	_, single := n.Config["expression"]
	c.add(err != nil, invalid, config+".cases", "must be a list of {handle, expression}")
	c.add(!single && len(cases) == 0, missing, config, "needs expression or cases")
	c.add(single && len(cases) > 0, invalid, config, "has both expression and cases")
	seen := map[string]bool{}
	for _, one := range cases {
		c.add(one.Handle == "" || one.Handle == ErrorHandle || one.Handle == "default", invalid, config+".cases", "need handles other than \"default\" and %q", ErrorHandle)
		c.add(seen[one.Handle], duplicate, config+".cases", "have the handle %q twice", one.Handle)
		seen[one.Handle] = true
		c.expression(config+".cases."+one.Handle, one.Expression)
	}
}

func (c *checker) transform(n *Node, config string) {
	fields, given := n.Config["fields"]
	_, single := n.Config["expression"]
	c.add(!given && !single, missing, config, "needs expression or fields")
	c.add(given && single, invalid, config, "has both expression and fields")
	object, is := fields.(map[string]any)
	c.add(given && !is, invalid, config+".fields", "must be an object of expressions")
	for _, name := range slices.Sorted(maps.Keys(object)) {
		text, is := object[name].(string)
		c.add(!is, invalid, config+".fields."+name, "must be an expression")
		if is {
			c.expression(config+".fields."+name, text)
		}
	}
}

func (c *checker) validation(n *Node, config string) {
	s, hasSchema := n.Config["schema"]
	rules, err := n.Rules()
	c.add(err != nil, invalid, config+".rules", "must be a list of {expression, message}")
	c.add(!hasSchema && len(rules) == 0, missing, config, "needs schema or rules")
	if hasSchema {
		object, is := s.(map[string]any)
		c.add(!is, invalid, config+".schema", "must be an object")
		c.schema(config+".schema", object)
	}
	for _, r := range rules {
		c.expression(config+".rules", r.Expression)
	}
}

// repeated are the types of what a loop can do for its items.
var repeated = []Type{LLM, Agent, HTTP, Knowledge, Connector, Tool, Transform, Workflow}

func words(types []Type) string {
	var out []string
	for _, t := range types {
		out = append(out, string(t))
	}
	return strings.Join(out, ", ")
}

func (c *checker) loop(n *Node, config string) {
	c.required(n, config, "items")
	if v, set := n.Config["parallelism"]; set {
		c.number(config+".parallelism", v, 1, maxParallelism)
	}
	body := n.Body()
	if body == nil {
		c.add(true, missing, config+".do", "is required: {type, config} of what is done for each item")
		return
	}
	if !slices.Contains(repeated, body.Type) {
		c.add(true, unsupported, config+".do.type", "must be one of %s; more than one node is a workflow of its own", words(repeated))
		return
	}
	if do, is := n.Config["do"].(map[string]any); is && do["timeout_ms"] != nil {
		c.number(config+".do.timeout_ms", do["timeout_ms"], 0, maxTimeoutMS)
		body.TimeoutMS = 0 // it was checked
	}
	c.node(body, config+".do")
}
