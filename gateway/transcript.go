package gateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"strata/gateway/pricing"
	"strata/gateway/rawjson"
)

// What a provider's indexes can make us allocate is bounded.
const (
	maxChoices   = 128
	maxToolCalls = 128
)

// transcript assembles an answer from its frames (or from one whole answer,
// whose "message" is read like a delta): text, tool calls, finish reason, usage.
type transcript struct {
	id, model string
	created   []byte // as written
	choices   []*choiceText
	usage     pricing.Usage
	hasUsage  bool
}

type choiceText struct {
	text   strings.Builder
	other  strings.Builder // refusals and reasoning: paid for, but not the answer
	calls  []*toolCall
	finish string
}

type toolCall struct {
	id, kind        string
	name, arguments strings.Builder
}

// frame is what one frame says.
type frame struct {
	text      string // added to the first choice
	usageOnly bool   // carries usage and no choices: the frame include_usage asks for
}

func newTranscript() *transcript { return &transcript{choices: make([]*choiceText, 0, 1)} }

// add takes in a frame, which must be valid JSON.
func (t *transcript) add(data []byte) (f frame) {
	choices, usage := 0, false
	rawjson.Fields(data, func(key, value []byte) {
		switch string(key) {
		case "id":
			if t.id == "" {
				t.id, _ = rawjson.String(value)
			}
		case "model":
			if t.model == "" {
				t.model, _ = rawjson.String(value)
			}
		case "created":
			if t.created == nil {
				t.created = slices.Clone(value)
			}
		case "choices":
			rawjson.Elements(value, func(choice []byte) {
				choices++
				t.addChoice(choice, &f)
			})
		case "usage":
			if value[0] == '{' {
				usage = true
				t.usage, t.hasUsage = readUsage(value), true
			}
		}
	})
	f.usageOnly = usage && choices == 0
	return f
}

func (t *transcript) addChoice(raw []byte, f *frame) {
	index := 0
	var delta []byte
	finish := ""
	rawjson.Fields(raw, func(key, value []byte) {
		switch string(key) {
		case "index":
			index, _ = strconv.Atoi(string(value)) // not a number: the first
		case "delta", "message":
			delta = value
		case "finish_reason":
			finish, _ = rawjson.String(value)
		}
	})
	c := t.choice(index)
	if c == nil {
		return
	}
	if finish != "" {
		c.finish = finish
	}
	rawjson.Fields(delta, func(key, value []byte) {
		switch string(key) {
		case "content":
			if s, ok := rawjson.String(value); ok {
				c.text.WriteString(s)
				if index == 0 {
					f.text += s
				}
			}
		case "refusal", "reasoning_content", "reasoning":
			if s, ok := rawjson.String(value); ok {
				c.other.WriteString(s)
			}
		case "tool_calls":
			rawjson.Elements(value, c.addCall)
		}
	})
}

func (t *transcript) choice(index int) *choiceText {
	if index < 0 || index >= maxChoices {
		return nil
	}
	for len(t.choices) <= index {
		t.choices = append(t.choices, &choiceText{})
	}
	return t.choices[index]
}

// addCall takes in a tool call or a part of one. Without an index (whole
// answers) it is a new one.
func (c *choiceText) addCall(raw []byte) {
	index := len(c.calls)
	var function []byte
	var id, kind string
	rawjson.Fields(raw, func(key, value []byte) {
		switch string(key) {
		case "index":
			if n, err := strconv.Atoi(string(value)); err == nil {
				index = n
			}
		case "id":
			id, _ = rawjson.String(value)
		case "type":
			kind, _ = rawjson.String(value)
		case "function":
			function = value
		}
	})
	if index < 0 || index >= maxToolCalls {
		return
	}
	for len(c.calls) <= index {
		c.calls = append(c.calls, &toolCall{})
	}
	call := c.calls[index]
	if id != "" {
		call.id = id
	}
	if kind != "" {
		call.kind = kind
	}
	rawjson.Fields(function, func(key, value []byte) {
		s, ok := rawjson.String(value)
		switch {
		case ok && string(key) == "name":
			call.name.WriteString(s)
		case ok && string(key) == "arguments":
			call.arguments.WriteString(s)
		}
	})
}

// readUsage reads OpenAI's usage object, for chats and embeddings.
func readUsage(raw []byte) (u pricing.Usage) {
	number := func(value []byte) int64 {
		n, err := strconv.ParseFloat(string(value), 64) // some write 12.0
		if err != nil || n < 0 || n > 1e15 {
			return 0
		}
		return int64(n)
	}
	rawjson.Fields(raw, func(key, value []byte) {
		switch string(key) {
		case "prompt_tokens":
			u.InputTokens = number(value)
		case "completion_tokens":
			u.OutputTokens = number(value)
		case "prompt_cache_hit_tokens": // DeepSeek
			u.CachedTokens = number(value)
		case "prompt_tokens_details":
			rawjson.Fields(value, func(key, value []byte) {
				if string(key) == "cached_tokens" {
					u.CachedTokens = number(value)
				}
			})
		}
	})
	u.CachedTokens = min(u.CachedTokens, u.InputTokens)
	return u
}

func (t *transcript) text() string {
	if len(t.choices) == 0 {
		return ""
	}
	return t.choices[0].text.String()
}

func (t *transcript) finishReason() string {
	if len(t.choices) == 0 {
		return ""
	}
	return t.choices[0].finish
}

// finished tells whether every choice seen so far has come to its end.
func (t *transcript) finished() bool {
	for _, c := range t.choices {
		if c.finish == "" {
			return false
		}
	}
	return len(t.choices) > 0
}

// wireUsage is usage as OpenAI writes it.
type wireUsage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
}

func usageOf(u pricing.Usage) wireUsage {
	return wireUsage{u.InputTokens, u.OutputTokens, u.InputTokens + u.OutputTokens}
}

func (t *transcript) createdAt() json.RawMessage {
	if len(t.created) == 0 {
		return json.RawMessage("0")
	}
	return t.created
}

// usageFrame writes the frame that include_usage promises, for providers that
// do not send it.
func (t *transcript) usageFrame(u pricing.Usage) ([]byte, error) {
	return json.Marshal(struct {
		ID      string          `json:"id"`
		Object  string          `json:"object"`
		Created json.RawMessage `json:"created"`
		Model   string          `json:"model"`
		Choices []struct{}      `json:"choices"`
		Usage   wireUsage       `json:"usage"`
	}{t.id, "chat.completion.chunk", t.createdAt(), t.model, []struct{}{}, usageOf(u)})
}

// whole writes the assembled answer as if it had not been streamed.
func (t *transcript) whole(u pricing.Usage) ([]byte, error) {
	type function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	type call struct {
		ID       string   `json:"id"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	type message struct {
		Role      string `json:"role"`
		Content   string `json:"content"`
		ToolCalls []call `json:"tool_calls,omitempty"`
	}
	type choice struct {
		Index        int     `json:"index"`
		Message      message `json:"message"`
		FinishReason *string `json:"finish_reason"`
	}
	choices := make([]choice, len(t.choices))
	for i, c := range t.choices {
		choices[i] = choice{Index: i, Message: message{Role: "assistant", Content: c.text.String()}}
		if c.finish != "" {
			choices[i].FinishReason = &c.finish
		}
		for _, tc := range c.calls {
			choices[i].Message.ToolCalls = append(choices[i].Message.ToolCalls, call{tc.id, tc.kind, function{tc.name.String(), tc.arguments.String()}})
		}
	}
	return json.Marshal(struct {
		ID      string          `json:"id"`
		Object  string          `json:"object"`
		Created json.RawMessage `json:"created"`
		Model   string          `json:"model"`
		Choices []choice        `json:"choices"`
		Usage   wireUsage       `json:"usage"`
	}{t.id, "chat.completion", t.createdAt(), t.model, choices, usageOf(u)})
}
