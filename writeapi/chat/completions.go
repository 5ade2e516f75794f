package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"strata/domain"
	"strata/domain/conversation"
	"strata/gateway/replies"
	"strata/internal/httpx"
	"strata/internal/view"
)

// SaidInput is a message of a request.
type SaidInput struct {
	Role       string          `json:"role" enum:"system,user,assistant,tool" default:"user" example:"user"`
	Content    json.RawMessage `json:"content" doc:"A text, or OpenAI's list of parts, of which only texts are taken." example:"\"What are your business hours?\""`
	Name       string          `json:"name" doc:"Of the participant." maxLength:"200"`
	ToolCallID string          `json:"tool_call_id" doc:"The call that a tool's message answers."`
	ToolCalls  []domain.Doc    `json:"tool_calls" doc:"Of the assistant, in OpenAI's form."`
}

// completionBody is the body of a completion.
type completionBody struct {
	ID              string      `json:"id" doc:"Continues this chat; a new one begins when absent."`
	Name            string      `json:"name" maxLength:"200" doc:"Of a chat that begins; the beginning of the question when absent." example:"Business hours"`
	Model           string      `json:"model" maxLength:"200" doc:"provider/model, flotorch/<route> or a bare name; the chat's own, the router's choice or strata/extract-1 when absent." example:"strata/extract-1"`
	Messages        []SaidInput `json:"messages" doc:"What is new in the chat, the question (or a tool's result) last. A client that sends the whole chat again adds only what is new in it."`
	Stream          bool        `json:"stream" default:"false" doc:"Answer in chunks of OpenAI's form, ending in data: [DONE]."`
	Echo            bool        `json:"echo" default:"false" doc:"Show in choices[0].prompt what the model was sent."`
	MaxTokens       int64       `json:"max_tokens" minimum:"1" doc:"Of the answer, at most." example:"256"`
	Temperature     *float64    `json:"temperature" minimum:"0" maximum:"2" example:"0.7"`
	TopP            *float64    `json:"top_p" minimum:"0" maximum:"1" example:"1"`
	ExpertIDs       []string    `json:"expert_ids" maxItems:"16" doc:"Experts whose context, files and tools the model is given, in this order."`
	GuardEnabled    *bool       `json:"guard_enabled" doc:"Check the question before the model is asked, and the answer before it leaves." example:"true"`
	GuardReasoning  bool        `json:"guard_reasoning_enabled" default:"false" doc:"Tell in words what the guard found."`
	RouterEnabled   *bool       `json:"router_enabled" doc:"Let the question's meaning choose the expert, of expert_ids or of all; and the model route, when no model is named." example:"true"`
	RouterReasoning bool        `json:"router_reasoning_enabled" default:"false" doc:"Tell in words why the router chose."`
	User            string      `json:"user" maxLength:"200" doc:"Your own id of the person who asks: it is what their data is erased by, and what the inference log can be filtered by." example:"user_bob"`
	Type            string      `json:"type" maxLength:"100" doc:"What the call is called in the inference log; chat when absent."`
	Tags            []string    `json:"tags" maxItems:"32" doc:"For the inference log."`
	Metadata        domain.Doc  `json:"metadata" doc:"For the inference log."`
}

type completionsInput struct{ Body completionBody }

// registerCompletions adds completions on both mounts, under their own path and
// where a chat would be created.
func (s *Service) registerCompletions(r *httpx.Router) {
	for _, at := range []struct {
		mount    *httpx.Mount
		id, path string
	}{
		{httpx.V1, "createChatCompletionV1", "/chats/completions"}, {httpx.V1, "createChatV1", "/chats"},
		{httpx.API, "completeChat", "/chats/completions"}, {httpx.API, "createChat", "/chats"},
	} {
		form := "OpenAI's chunks (`object` chat.completion.chunk, with `router` in the first, `guard` and `usage` in the last), ending in `data: [DONE]`."
		if at.mount == httpx.API {
			form = "the frames of POST /chat/completions, the last with `guard` and `router`."
		}
		ends := &completionEnds{mount: at.mount, guard: r.Speller(reflect.TypeFor[view.GuardVerdict](), at.mount),
			router: r.Speller(reflect.TypeFor[view.RouterChoice](), at.mount)}
		httpx.Stream(r, httpx.Op{
			ID: at.id, Method: http.MethodPost, Path: at.path, Mount: at.mount, Tag: "Chats", Summary: "Create chat completion",
			Description: "Asks a model, with experts, guard and router; begins a chat, or continues the one that `id` names. " +
				"Answers as a whole, or with stream=true in " + form,
			Permission: "conversations:create", Streaming: true,
			BodyExample: json.RawMessage(`{"model":"strata/extract-1","name":"Business hours","messages":[{"role":"system","content":"We are open from 9 AM to 6 PM."},` +
				`{"role":"user","content":"What are your business hours?"}],"guard_enabled":true,"user":"user_bob","tags":["help"]}`),
		}, func(w http.ResponseWriter, req *http.Request, in *completionsInput) (*httpx.Reply[view.ChatCompletion], error) {
			return s.completeHTTP(w, req, &in.Body, ends)
		})
	}
}

func (s *Service) completeHTTP(w http.ResponseWriter, req *http.Request, in *completionBody, ends *completionEnds) (*httpx.Reply[view.ChatCompletion], error) {
	c, err := in.completion()
	if err != nil {
		return nil, err
	}
	c.Request = requestOf(req.Context())
	c.Request.Route += " " + c.ChatID
	if !in.Stream {
		out, err := s.Complete(req.Context(), c, nil)
		if err != nil {
			return nil, questionFaults(err, len(in.Messages))
		}
		return &httpx.Reply[view.ChatCompletion]{Body: *out}, nil
	}
	sink := newEvents(w)
	to := ends.sink(sink)
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	stop := repeatedly(ctx, keepAlive, func() error {
		err := sink.comment()
		if err != nil {
			cancel() // the client is gone
		}
		return err
	})
	out, err := s.Complete(ctx, c, to)
	stop()
	if err != nil {
		if !sink.begun() {
			return nil, questionFaults(err, len(in.Messages))
		}
		return nil, errors.Join(err, to.Fail(err))
	}
	return nil, to.End(out)
}

// completion reads a request; all faults are named at once.
func (in *completionBody) completion() (Completion, error) {
	c := Completion{ChatID: in.ID, Name: in.Name, UserID: in.User, Model: in.Model, MaxTokens: in.MaxTokens, Temperature: in.Temperature,
		TopP: in.TopP, Guard: in.GuardEnabled, Router: in.RouterEnabled, GuardReasons: in.GuardReasoning, RouterReasons: in.RouterReasoning,
		ExpertIDs: in.ExpertIDs, Echo: in.Echo, Type: in.Type, Tags: in.Tags}
	var f domain.Faults
	f.Add(len(in.Messages) == 0, "messages", "is required")
	given := Given(&f, "messages", in.Messages)
	if n := len(given) - 1; n >= 0 {
		c.Given, c.Question = given[:n], given[n]
		name := fmt.Sprintf("messages[%d]", n)
		f.Add(c.Question.Role != conversation.User && c.Question.Role != conversation.Tool, name+".role", "the last message is the question: it must be user or tool")
		f.Add(strings.TrimSpace(c.Question.Content) == "", name+".content", "is required")
	}
	for key, value := range in.Metadata {
		if c.Metadata == nil {
			c.Metadata = map[string]string{}
		}
		c.Metadata[key] = replies.Text(value)
	}
	return c, f.Err()
}

// Given reads messages of a request's field. What cannot be read is a fault.
func Given(f *domain.Faults, field string, in []SaidInput) []conversation.Given {
	out := make([]conversation.Given, len(in))
	for i, m := range in {
		text, ok := contentOf(m.Content)
		f.Add(!ok, fmt.Sprintf("%s[%d].content", field, i), "must be a text, or a list of parts of the type text")
		out[i] = conversation.Given{Role: conversation.Role(m.Role), Content: text, ToolCalls: m.ToolCalls,
			Speaker: conversation.Speaker{Name: m.Name, ToolCallID: m.ToolCallID}}
		if m.Role == "" {
			out[i].Role = conversation.User
		}
	}
	return out
}

// contentOf reads a message's content: a text, null, or parts that are texts.
func contentOf(content json.RawMessage) (string, bool) {
	content = bytes.TrimSpace(content)
	if len(content) == 0 || content[0] == '"' || string(content) == "null" {
		return replies.Text(content), true
	}
	var parts []struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return "", false
	}
	for _, p := range parts {
		if p.Text == nil || p.Type != "" && p.Type != "text" {
			return "", false
		}
	}
	return replies.Text(content), len(parts) > 0
}

// questionFaults names the question as the request does: its last message.
func questionFaults(err error, messages int) error {
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || len(e.Fields) == 0 {
		return err
	}
	out := *e
	out.Fields = nil
	for _, f := range e.Fields {
		switch rest, of := strings.CutPrefix(f.Field, "message"); {
		case f.Field == "message":
			f.Field = fmt.Sprintf("messages[%d].content", messages-1)
		case of && strings.HasPrefix(rest, "."):
			f.Field = fmt.Sprintf("messages[%d]%s", messages-1, rest)
		case f.Field == "title":
			f.Field = "name"
		case f.Field == "user_id":
			f.Field = "user"
		}
		out.Fields = append(out.Fields, f)
	}
	return &out
}
