package chat

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/domain"
	"strata/gateway/replies"
	"strata/internal/httpx"
	"strata/internal/view"
)

// completionEnds makes the sinks of streamed completions on one mount.
type completionEnds struct {
	mount         *httpx.Mount
	guard, router func(canonical []byte) ([]byte, error) // spell them as the mount does
}

// streamedCompletion is a sink with the ends of a stream.
type streamedCompletion interface {
	CompletionSink
	// End is the regular end; Fail tells why there is none.
	End(*view.ChatCompletion) error
	Fail(error) error
}

func (e *completionEnds) sink(to *events) streamedCompletion {
	if e.mount.Camel {
		return &frameSink{to: to, ends: e}
	}
	return &chunkSink{to: to}
}

// chunk is a frame in OpenAI's form, with the Inference API's fields beside it.
type chunk struct {
	ID        string               `json:"id"`
	Object    string               `json:"object"`
	Created   int64                `json:"created"` // Unix seconds, for OpenAI's clients
	CreatedAt time.Time            `json:"created_at"`
	Model     string               `json:"model"`
	Choices   []chunkChoice        `json:"choices"`
	Router    *view.RouterChoice   `json:"router,omitempty"`
	Guard     *view.GuardVerdict   `json:"guard,omitempty"`
	Usage     *view.CompletionUsed `json:"usage,omitempty"`
	MessageID string               `json:"message_id,omitempty"`
	RunID     string               `json:"run_id,omitempty"`
}

type chunkChoice struct {
	Index        int              `json:"index"`
	Delta        chunkDelta       `json:"delta"`
	FinishReason *string          `json:"finish_reason"`
	Prompt       *[]view.ChatSaid `json:"prompt,omitempty"`
}

type chunkDelta struct {
	Role      string       `json:"role,omitempty"`
	Content   *string      `json:"content,omitempty"`
	Reasoning string       `json:"reasoning_content,omitempty"`
	ToolCalls []domain.Doc `json:"tool_calls,omitempty"`
}

// chunkSink sends chunks in OpenAI's form.
type chunkSink struct {
	to   *events
	head chunk
}

func (s *chunkSink) send(c chunk) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.to.sendText(b)
}

// Start implements CompletionSink: the role, and what the router chose.
func (s *chunkSink) Start(head *view.ChatCompletion) error {
	s.head = chunk{ID: head.ID, Object: "chat.completion.chunk", Created: head.CreatedAt.Unix(), CreatedAt: head.CreatedAt, Model: head.Model}
	c := s.head
	empty := ""
	c.Choices = []chunkChoice{{Delta: chunkDelta{Role: "assistant", Content: &empty}, Prompt: head.Choices[0].Prompt}}
	c.Router, c.RunID = &head.Router, head.RunID
	return s.send(c)
}

// Delta implements CompletionSink.
func (s *chunkSink) Delta(m replies.Message) error {
	c := s.head
	d := chunkDelta{Reasoning: m.Thinking, ToolCalls: indexed(m.ToolCalls)}
	if m.Content != "" {
		d.Content = &m.Content
	}
	c.Choices = []chunkChoice{{Delta: d}}
	return s.send(c)
}

// indexed gives calls that come whole the index that OpenAI's clients put
// pieces together by.
func indexed(calls []domain.Doc) []domain.Doc {
	out := slices.Clone(calls)
	for i, call := range out {
		if _, has := call["index"]; !has {
			out[i] = call.Merge(domain.Doc{"index": json.RawMessage(strconv.Itoa(i))})
		}
	}
	return out
}

// End implements streamedCompletion.
func (s *chunkSink) End(out *view.ChatCompletion) error {
	c := s.head
	reason := out.Choices[0].FinishReason
	c.Choices = []chunkChoice{{FinishReason: &reason}}
	c.Model, c.Guard, c.Usage, c.MessageID = out.Model, &out.Guard, &out.Usage, out.MessageID
	return errors.Join(s.send(c), s.to.sendText([]byte("[DONE]")))
}

// Fail implements streamedCompletion: an error in OpenAI's form, and no [DONE].
func (s *chunkSink) Fail(err error) error {
	f := errorFrame(err).Error
	kind := "api_error"
	if domain.CodeOf(err) == domain.CodeInternal {
		kind = "server_error"
	}
	b, err := json.Marshal(map[string]any{"error": map[string]any{"message": f.Message, "type": kind, "param": nil, "code": strings.ToLower(string(f.Code))}})
	if err != nil {
		return err
	}
	return s.to.sendText(b)
}

// frameSink sends the frames of the enveloped mount's chats.
type frameSink struct {
	to   *events
	ends *completionEnds
}

// Start implements CompletionSink.
func (s *frameSink) Start(head *view.ChatCompletion) error { return s.to.Start(head.RunID, head.ID) }

// Delta implements CompletionSink. Calls of tools are in the frame at the end.
func (s *frameSink) Delta(m replies.Message) error {
	if m.Content == "" {
		return nil
	}
	return s.to.Token(m.Content)
}

// End implements streamedCompletion.
func (s *frameSink) End(out *view.ChatCompletion) error {
	guard, err := spelled(out.Guard, s.ends.guard)
	if err != nil {
		return err
	}
	router, err := spelled(out.Router, s.ends.router)
	if err != nil {
		return err
	}
	b, err := json.Marshal(struct {
		Frame
		FinishReason string          `json:"finishReason"`
		ToolCalls    []domain.Doc    `json:"toolCalls,omitempty"`
		Guard        json.RawMessage `json:"guard"`
		Router       json.RawMessage `json:"router"`
	}{Frame{Type: "end", RunID: out.RunID, ChatID: out.ID, MessageID: out.MessageID, TokenUsage: &view.TokenUsage{
		Prompt: out.Usage.PromptTokens, Completion: out.Usage.CompletionTokens, Total: out.Usage.TotalTokens}},
		out.Choices[0].FinishReason, out.Choices[0].Message.ToolCalls, guard, router})
	if err != nil {
		return err
	}
	return s.to.sendText(b)
}

func spelled(v any, spell func([]byte) ([]byte, error)) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return spell(b)
}

// Fail implements streamedCompletion.
func (s *frameSink) Fail(err error) error { return s.to.write(errorFrame(err)) }
