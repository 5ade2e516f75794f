package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"strata/domain"
	"strata/gateway/rawjson"
	"strata/gateway/tokens"
)

// defaultMaxOutput bounds an answer whose request sets no limit, of a model that
// no table knows.
const defaultMaxOutput = 4096

// maxReadMetadata is how many entries of a request's metadata go into the record.
const maxReadMetadata = 32

// ChatRequest is a chat request in OpenAI's wire format. Only what the gateway
// acts on is decoded; everything reaches the provider as it was written.
type ChatRequest struct {
	Model        string
	Stream       bool
	IncludeUsage bool              // stream_options.include_usage
	User         string            // end user, as the client names it
	Metadata     map[string]string // texts as they are, other values as JSON

	object    rawjson.Object
	maxOutput int64 // per choice; 0 = not set
	choices   int64
}

// ParseChat reads and checks a request body, which it keeps. Errors:
// domain.CodeInvalidRequest when it is no JSON object, domain.CodeValidation
// naming every faulty field.
func ParseChat(body []byte) (*ChatRequest, error) {
	object, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	r := &ChatRequest{object: object, choices: 1}
	f := fieldReader{object: object}
	r.Model = f.text("model", true)
	f.messages()
	r.Stream = f.boolean("stream")
	r.User = f.text("user", false)
	for _, field := range []string{"max_tokens", "max_completion_tokens"} {
		r.maxOutput = max(r.maxOutput, f.integer(field, 1, math.MaxInt32))
	}
	if n := f.integer("n", 1, 128); n > 0 {
		r.choices = n
	}
	f.number("temperature", 0, 2)
	f.number("top_p", 0, 1)
	f.number("presence_penalty", -2, 2)
	f.number("frequency_penalty", -2, 2)
	f.objectField("response_format")
	if options := f.objectField("stream_options"); options != nil {
		rawjson.Fields(options, func(key, value []byte) {
			if string(key) == "include_usage" {
				r.IncludeUsage = string(value) == "true"
			}
		})
	}
	r.Metadata = f.metadata()
	return r, f.faults.Err()
}

// Message is one turn of a conversation.
type Message struct {
	Role       string            `json:"role"` // system, user, assistant, tool
	Content    string            `json:"content"`
	Name       string            `json:"name,omitempty"`
	ToolCallID string            `json:"tool_call_id,omitempty"` // that a tool's message answers
	ToolCalls  []json.RawMessage `json:"tool_calls,omitempty"`   // of the assistant, in OpenAI's form
}

// ChatParams is a chat request made inside Strata.
type ChatParams struct {
	Model       string            `json:"model"`
	Messages    []Message         `json:"messages"`
	Temperature *float64          `json:"temperature,omitempty"`
	TopP        *float64          `json:"top_p,omitempty"`
	MaxTokens   int               `json:"max_tokens,omitempty"`
	Stop        []string          `json:"stop,omitempty"`
	Tools       []json.RawMessage `json:"tools,omitempty"` // in OpenAI's form
	User        string            `json:"user,omitempty"`
	// Format asks for an answer in JSON, in OpenAI's form of response_format.
	Format json.RawMessage `json:"response_format,omitempty"`
}

// NewChat makes a request; it is checked like one that came from outside.
func NewChat(p ChatParams) (*ChatRequest, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode chat request: %w", err)
	}
	return ParseChat(body)
}

// bound returns the most tokens a candidate can read and write for this request.
func (r *ChatRequest) bound(c *candidate) (input, output int64) {
	input = tokens.Bound(r.object.Raw(), r.object.Get("messages"))
	if c.price.ContextWindow > 0 {
		input = min(input, c.price.ContextWindow)
	}
	return input, r.outputBound(c) * r.choices
}

// outputBound is the most tokens of one choice.
func (r *ChatRequest) outputBound(c *candidate) int64 {
	switch {
	case r.maxOutput > 0:
		return r.maxOutput
	case c.price.MaxOutputTokens > 0:
		return c.price.MaxOutputTokens
	}
	return defaultMaxOutput
}

// bodyFor writes the request for a candidate. bounded makes the provider keep to
// the bound the budget was asked for, when the client set no limit itself.
func (r *ChatRequest) bodyFor(c *candidate, stream, bounded bool) []byte {
	edits := make([]rawjson.Edit, 0, 4)
	edits = append(edits, rawjson.Edit{Key: "model", Value: rawjson.Quote(c.model)})
	if stream {
		edits = append(edits, rawjson.Edit{Key: "stream", Value: []byte("true")})
		if !c.config.NoStreamUsage {
			edits = append(edits, rawjson.Edit{Key: "stream_options", Value: r.streamOptions()})
		} else {
			edits = append(edits, rawjson.Edit{Key: "stream_options"})
		}
	} else {
		edits = append(edits, rawjson.Edit{Key: "stream"}, rawjson.Edit{Key: "stream_options"})
	}
	if bounded {
		edits = append(edits, r.limit(c)...)
	}
	return r.object.With(edits...)
}

// limit makes sure that the provider limits the answer as the budget expects:
// where the client set no limit, and where it set one only under the newer name
// and the provider may know only the older.
func (r *ChatRequest) limit(c *candidate) []rawjson.Edit {
	const older, newer = "max_tokens", "max_completion_tokens"
	bound := rawjson.Edit{Key: c.limitWith, Value: strconv.AppendInt(nil, r.outputBound(c), 10)}
	switch {
	case r.maxOutput == 0:
		return []rawjson.Edit{bound}
	case c.limitWith == older && r.object.Get(older) == nil:
		return []rawjson.Edit{bound, {Key: newer}}
	}
	return nil
}

// streamOptions asks for usage beside whatever the client asked for.
func (r *ChatRequest) streamOptions() []byte {
	given := r.object.Get("stream_options")
	if given == nil {
		return []byte(`{"include_usage":true}`)
	}
	options, err := rawjson.Parse(given)
	if err != nil { // a duplicate key inside: ours alone is the safe reading
		return []byte(`{"include_usage":true}`)
	}
	return options.With(rawjson.Edit{Key: "include_usage", Value: []byte("true")})
}

// estimateInput is the probable number of input tokens, for providers that do
// not say.
func (r *ChatRequest) estimateInput() int64 {
	return tokens.EstimateChat(r.object.Get("messages"), r.object.Get("tools"))
}

func parseObject(body []byte) (rawjson.Object, error) {
	object, err := rawjson.Parse(body)
	if duplicate, ok := errors.AsType[*rawjson.DuplicateKey](err); ok {
		return object, domain.Errorf(domain.CodeInvalidRequest, "%s", duplicate.Error()).With(ParamField, duplicate.Key)
	}
	if errors.Is(err, rawjson.ErrNotObject) {
		return object, domain.Errorf(domain.CodeInvalidRequest, "the request body must be a JSON object")
	}
	if err != nil {
		return object, domain.Errorf(domain.CodeInvalidRequest, "the request body is not valid JSON, or has too many fields").Because(err)
	}
	return object, checkSpelling(object)
}

// decisive are the fields the gateway decides by, or sets.
var decisive = []string{"model", "messages", "input", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"}

// checkSpelling refuses fields that differ from a decisive one by their case
// only. Some providers would read {"MAX_TOKENS": …} as the limit that was
// checked under its right name.
func checkSpelling(object rawjson.Object) error {
	var faults domain.Faults
	object.Keys(func(key string) {
		for _, name := range decisive {
			faults.Add(key != name && strings.EqualFold(key, name), key, "must be written %q", name)
		}
	})
	return faults.Err()
}
