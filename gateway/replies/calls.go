package replies

import (
	"encoding/json"
	"strings"

	"strata/domain"
)

// maxCalls bounds what a stream's indexes can make us keep.
const maxCalls = 128

// Calls puts the tool calls of a stream together from its frames. The zero
// value is ready.
type Calls struct{ calls []*call }

type call struct {
	id, kind, name string
	arguments      strings.Builder
}

type callDelta struct {
	Index    int    `json:"index"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// Add takes in what a frame says of calls. What is no call is left out.
func (c *Calls) Add(deltas []domain.Doc) {
	for _, d := range deltas {
		text, err := json.Marshal(d)
		if err != nil { // it came from JSON
			continue
		}
		var delta callDelta
		if json.Unmarshal(text, &delta) != nil || delta.Index < 0 || delta.Index >= maxCalls {
			continue
		}
		for len(c.calls) <= delta.Index {
			c.calls = append(c.calls, &call{kind: "function"})
		}
		to := c.calls[delta.Index]
		if delta.ID != "" {
			to.id = delta.ID
		}
		if delta.Type != "" {
			to.kind = delta.Type
		}
		to.name += delta.Function.Name
		to.arguments.WriteString(delta.Function.Arguments)
	}
}

// Whole are the calls as a whole answer has them.
func (c *Calls) Whole() []domain.Doc {
	var out []domain.Doc
	for _, k := range c.calls {
		d, err := domain.DocOf(map[string]any{"id": k.id, "type": k.kind,
			"function": map[string]string{"name": k.name, "arguments": k.arguments.String()}})
		if err == nil { // texts are JSON
			out = append(out, d)
		}
	}
	return out
}
