package builtin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"strata/gateway/rawjson"
	"strata/gateway/upstream"
)

// Backend serves the built-in models as a provider.
type Backend struct {
	now   func() time.Time
	newID func(prefix string) string
	echo  bool
}

var _ upstream.Backend = (*Backend)(nil)

// New returns the built-in provider, with the clock and the source of ids its
// answers show.
func New(now func() time.Time, newID func(prefix string) string) *Backend {
	return &Backend{now: now, newID: newID}
}

// AsEcho returns a backend under which every chat model is echo: a provider of
// type "echo", for trying out routes and clients under any model name.
func (b *Backend) AsEcho() *Backend {
	c := *b
	c.echo = true
	return &c
}

// Models implements upstream.Backend.
func (b *Backend) Models(context.Context) ([]string, error) { return Names(), nil }

// Do implements upstream.Backend.
func (b *Backend) Do(ctx context.Context, op upstream.Operation, model string, body []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, &upstream.Failure{Kind: upstream.Cancelled, Cause: err}
	}
	if op == upstream.Embeddings {
		return b.embed(model, body)
	}
	a, err := b.answer(model, body)
	if err != nil {
		return nil, err
	}
	choices := make([]choice, a.n)
	for i := range choices {
		choices[i] = choice{Index: i, Message: &delta{Role: "assistant", Content: &a.text}, FinishReason: &a.finish}
	}
	return marshal(completion{ID: a.id, Object: "chat.completion", Created: a.created, Model: a.model, Choices: choices, Usage: &a.usage})
}

// Stream implements upstream.Backend: one frame per token.
func (b *Backend) Stream(ctx context.Context, model string, body []byte) (upstream.Stream, error) {
	a, err := b.answer(model, body)
	if err != nil {
		return nil, err
	}
	return &tokenStream{ctx: ctx, answer: a}, nil
}

// The wire format, as far as the built-in models speak it.
type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index        int     `json:"index"`
	Message      *delta  `json:"message,omitempty"`
	Delta        *delta  `json:"delta,omitempty"`
	FinishReason *string `json:"finish_reason"`
}

type delta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// answer is a finished answer, the same for every choice.
type answer struct {
	id, model    string
	created      int64
	text, finish string
	tokens       []string
	n            int
	includeUsage bool
	usage        usage
}

type message struct{ role, text string }

type chatRequest struct {
	Messages            []json.RawMessage `json:"messages"`
	N                   int               `json:"n"`
	MaxTokens           *int              `json:"max_tokens"`
	MaxCompletionTokens *int              `json:"max_completion_tokens"`
	Stop                json.RawMessage   `json:"stop"`
	ResponseFormat      struct {
		Type string `json:"type"`
	} `json:"response_format"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// maxChoices bounds n: the answers are all the same anyway.
const maxChoices = 16

func (b *Backend) answer(model string, body []byte) (*answer, error) {
	if model != Echo && model != Extract && !b.echo {
		return nil, notFound(model, "chat")
	}
	var req chatRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, refuse("", "the request cannot be read: "+err.Error())
	}
	if req.N > maxChoices {
		return nil, refuse("n", fmt.Sprintf("must be at most %d for the built-in models", maxChoices))
	}
	messages, prompt := make([]message, len(req.Messages)), 0
	for i, raw := range req.Messages {
		messages[i] = readMessage(raw)
		prompt += len(Tokenize(messages[i].text))
	}
	text := ""
	if model == Extract && !b.echo {
		text = extract(messages)
	} else {
		text = echo(messages)
	}
	switch req.ResponseFormat.Type {
	case "json_object":
		text = `{"answer":` + string(rawjson.Quote(text)) + `}`
	case "json_schema":
		return nil, refuse("response_format", "the built-in models cannot follow a JSON schema; use json_object or text")
	}
	a := &answer{
		id: b.newID("chatcmpl"), model: "strata/" + model, created: b.now().Unix(),
		finish: "stop", n: max(req.N, 1), includeUsage: req.StreamOptions.IncludeUsage,
	}
	if b.echo {
		a.model = model
	}
	a.tokens = Tokenize(cutAtStop(text, req.Stop))
	for _, limit := range []*int{req.MaxTokens, req.MaxCompletionTokens} {
		if limit != nil && len(a.tokens) > max(*limit, 0) {
			a.tokens, a.finish = a.tokens[:max(*limit, 0)], "length"
		}
	}
	a.text = strings.Join(a.tokens, "")
	completion := len(a.tokens) * a.n
	a.usage = usage{Prompt: prompt, Completion: completion, Total: prompt + completion}
	return a, nil
}

// echo repeats the last user message.
func echo(messages []message) string {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].role == "user" {
			return messages[i].text
		}
	}
	return ""
}

// readMessage takes the text of a message, whose content is a string or parts.
func readMessage(raw []byte) (m message) {
	rawjson.Fields(raw, func(key, value []byte) {
		switch string(key) {
		case "role":
			m.role, _ = rawjson.String(value)
		case "content":
			if s, ok := rawjson.String(value); ok {
				m.text = s
				return
			}
			var texts []string
			rawjson.Elements(value, func(part []byte) {
				rawjson.Fields(part, func(key, value []byte) {
					if s, ok := rawjson.String(value); ok && string(key) == "text" {
						texts = append(texts, s)
					}
				})
			})
			m.text = strings.Join(texts, "\n")
		}
	})
	return m
}

// cutAtStop ends a text before the first of the stop sequences (a string or several).
func cutAtStop(text string, stop []byte) string {
	cut := func(value []byte) {
		if s, ok := rawjson.String(value); ok && s != "" {
			text, _, _ = strings.Cut(text, s)
		}
	}
	cut(stop)
	rawjson.Elements(stop, cut)
	return text
}

// tokenStream sends an answer token by token, every choice in turn.
type tokenStream struct {
	ctx    context.Context
	answer *answer
	step   int
}

// Next implements upstream.Stream. The frames of a choice are: its role, its
// tokens, its finish reason.
func (s *tokenStream) Next() ([]byte, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, &upstream.Failure{Kind: upstream.Cancelled, Cause: err}
	}
	a := s.answer
	perChoice := len(a.tokens) + 2
	index, at := s.step/perChoice, s.step%perChoice
	s.step++
	frame := completion{ID: a.id, Object: "chat.completion.chunk", Created: a.created, Model: a.model, Choices: []choice{}}
	switch {
	case index > a.n || index == a.n && (at > 0 || !a.includeUsage):
		return nil, io.EOF
	case index == a.n:
		frame.Usage = &a.usage
	default:
		c := choice{Index: index, Delta: &delta{}}
		switch at {
		case 0:
			empty := ""
			c.Delta.Role, c.Delta.Content = "assistant", &empty
		case perChoice - 1:
			c.FinishReason = &a.finish
		default:
			c.Delta.Content = &a.tokens[at-1]
		}
		frame.Choices = append(frame.Choices, c)
	}
	return marshal(frame)
}

// Close implements upstream.Stream.
func (s *tokenStream) Close() error { return nil }

func marshal(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, &upstream.Failure{Kind: upstream.Malformed, Cause: err}
	}
	return text, nil
}

func notFound(model, purpose string) error {
	return &upstream.Failure{Kind: upstream.NotFound, Status: 404, Message: fmt.Sprintf("there is no built-in %s model %q", purpose, model), Code: "model_not_found"}
}

func refuse(param, message string) error {
	return &upstream.Failure{Kind: upstream.Refused, Status: 400, Message: message, Param: param}
}
