package workflow

import (
	"encoding/json"
	"fmt"
	"maps"
)

// expressions are the fields of a type's config that are expressions, not
// templates; raw are those that are neither.
func expressions(t Type) []string {
	switch t {
	case Condition, Transform:
		return []string{"expression"}
	case Validation:
		return []string{"value"}
	case Loop, Parallel:
		return []string{"items"}
	case Wait:
		return []string{"until"}
	}
	return nil
}

func raw(t Type) []string {
	switch t {
	case Condition:
		return []string{"cases"}
	case Transform:
		return []string{"fields"}
	case Validation:
		return []string{"schema", "rules"}
	case Loop, Parallel:
		return []string{"do"}
	}
	return nil
}

// Templates is the part of a node's config that places are filled in.
func (n *Node) Templates() map[string]any {
	out := maps.Clone(n.Config)
	for _, field := range append(expressions(n.Type), raw(n.Type)...) {
		delete(out, field)
	}
	return out
}

// Text is a field of the config that is a text, "" when it is not.
func (n *Node) Text(field string) string {
	s, _ := n.Config[field].(string)
	return s
}

// Case is a handle that a condition chooses when an expression holds.
type Case struct {
	Handle     string `json:"handle"`
	Expression string `json:"expression"`
}

// Rule is what a validation demands.
type Rule struct {
	Expression string `json:"expression"`
	Message    string `json:"message"`
}

// FilledText is a text of a config, its places filled in. One that is a single place
// comes to its expression's value, whatever that is; it is written as in any other text.
type FilledText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *FilledText) UnmarshalJSON(value []byte) error {
	var text string // null leaves it empty
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	*t = FilledText(text)
	return nil
}

// FilledTexts are such texts by name.
type FilledTexts map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (t *FilledTexts) UnmarshalJSON(value []byte) error {
	var texts map[string]FilledText
	if err := json.Unmarshal(value, &texts); err != nil {
		return err
	}
	*t = make(FilledTexts, len(texts))
	for name, text := range texts {
		(*t)[name] = string(text)
	}
	return nil
}

// ChatTurn is a message of an llm node.
type ChatTurn struct {
	Role    string     `json:"role"`
	Content FilledText `json:"content"`
}

// LLMConfig is the config of an llm node, its places filled in.
type LLMConfig struct {
	Model       string     `json:"model"`
	System      FilledText `json:"system"`
	Prompt      FilledText `json:"prompt"`
	Messages    []ChatTurn `json:"messages"`
	Temperature *float64   `json:"temperature"`
	MaxTokens   int        `json:"max_tokens"`
	JSON        bool       `json:"json"` // the answer is to be JSON, and is read as such
}

// HTTPConfig is the config of an http node.
type HTTPConfig struct {
	Method  string          `json:"method"`
	URL     string          `json:"url"`
	Headers FilledTexts     `json:"headers"`
	Query   map[string]any  `json:"query"`
	Body    json.RawMessage `json:"body"`
	Expect  []int           `json:"expect"` // statuses that are success; below 400 when absent
}

// Headers are the headers of an http node as its config has them, its places not
// filled in: places {{secret.name}} stand for secrets, here and nowhere else.
func (n *Node) Headers() map[string]string {
	fields, _ := n.Config["headers"].(map[string]any)
	if n.Type != HTTP {
		return nil
	}
	out := make(map[string]string, len(fields))
	for name, value := range fields {
		if text, is := value.(string); is {
			out[name] = text
		}
	}
	return out
}

// WithHeaders is the node with other texts in the place of some headers.
func (n *Node) WithHeaders(texts map[string]string) Node {
	if len(texts) == 0 {
		return *n
	}
	headers := map[string]any{}
	if fields, is := n.Config["headers"].(map[string]any); is {
		maps.Copy(headers, fields)
	}
	for name, text := range texts {
		headers[name] = text
	}
	out := *n
	out.Config = maps.Clone(n.Config)
	out.Config["headers"] = headers
	return out
}

// HumanConfig is the config of a human node.
type HumanConfig struct {
	Prompt    FilledText     `json:"prompt"`
	Decisions []string       `json:"decisions"`
	Schema    map[string]any `json:"schema"` // of the payload
}

// CallConfig is the config of a workflow node.
type CallConfig struct {
	Workflow string         `json:"workflow"` // id or name
	Version  int            `json:"version"`  // 0: the current one
	Inputs   map[string]any `json:"inputs"`
}

// WaitConfig is the config of a wait node.
type WaitConfig struct {
	DurationMS int64 `json:"duration_ms"`
}

// EndConfig is the config of an end node.
type EndConfig struct {
	Outputs map[string]any `json:"outputs"`
}

// LoopConfig is the config of a loop or parallel node.
type LoopConfig struct {
	Parallelism int `json:"parallelism"`
}

// MaxItems is how many items a loop may have.
const MaxItems = 1000

// Abreast is how many items a node does at once.
func (n *Node) Abreast() int {
	var c LoopConfig
	if n.Type == Loop || Read(n.Config, &c) != nil {
		return 1
	}
	if c.Parallelism == 0 {
		c.Parallelism = defaultParallelism
	}
	return min(max(c.Parallelism, 1), maxParallelism)
}

const (
	defaultParallelism = 5
	maxParallelism     = 50
)

// Body is what a loop does for each item; nil when the node is no loop. Its id and
// its retry are the loop's, its time is its own.
func (n *Node) Body() *Node {
	do, is := n.Config["do"].(map[string]any)
	if !is || n.Type != Loop && n.Type != Parallel {
		return nil
	}
	body := Node{ID: n.ID, Retry: n.Retry}
	kind, _ := do["type"].(string)
	body.Type = Type(kind)
	body.Config, _ = do["config"].(map[string]any)
	if ms, is := do["timeout_ms"].(float64); is {
		body.TimeoutMS = int(ms)
	}
	return &body
}

// Cases are the cases of a condition.
func (n *Node) Cases() (out []Case, err error) { return out, Read(n.Config["cases"], &out) }

// Rules are the rules of a validation.
func (n *Node) Rules() (out []Rule, err error) { return out, Read(n.Config["rules"], &out) }

// Read reads a value of JSON into a Go value.
func Read(value, into any) error {
	if value == nil {
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("is no JSON: %w", err)
	}
	return json.Unmarshal(text, into)
}
