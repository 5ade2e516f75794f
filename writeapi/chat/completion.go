package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/conversation"
	"strata/gateway"
	"strata/gateway/replies"
	"strata/internal/view"
)

// Completion is one request of the Inference API to a chat: what is new in it,
// the question last.
type Completion struct {
	Request  commands.Request
	ChatID   string // "" begins a chat
	Name     string // of a chat that begins
	UserID   string // end user, whom a chat that begins is held with
	Given    []conversation.Given
	Question conversation.Given

	// What is empty or nil here is taken from the chat's settings, then from the
	// installation's defaults.
	Model       string
	MaxTokens   int64
	Temperature *float64
	TopP        *float64
	Guard       *bool
	Router      *bool

	GuardReasons  bool // tell in words what the guard found
	RouterReasons bool // tell in words why the router chose
	ExpertIDs     []string
	Echo          bool

	// For the inference log.
	Type     string
	Tags     []string
	Metadata map[string]string
}

// CompletionSink receives a completion as it happens. An error means that the
// client is gone.
type CompletionSink interface {
	// Start tells of the answer to come: all but what only its end tells.
	Start(head *view.ChatCompletion) error
	// Delta is a piece of the answer.
	Delta(m replies.Message) error
}

// plan is a completion with all its settings known.
type plan struct {
	Completion
	guarded, routed bool
	experts         []Expert // that the request names
}

// Complete runs a completion to its end. sink may be nil: then the answer is
// given as a whole. As with [Service.Run], the turn is closed on record in any
// case, and an error before the sink's start leaves nothing with the client.
func (s *Service) Complete(ctx context.Context, c Completion, sink CompletionSink) (*view.ChatCompletion, error) {
	if earlier, repeated, err := s.repeat(ctx, c.Request, c.ChatID); err != nil {
		return nil, err
	} else if repeated {
		return s.completedBefore(c, earlier, sink)
	}
	p, err := s.plan(ctx, c)
	if err != nil {
		return nil, err
	}
	asked, err := s.askCompletion(ctx, p)
	if err != nil {
		return nil, err
	}
	if asked.repeated { // the first try came in between
		return s.completedBefore(c, asked, sink)
	}
	s.reached("turn.asked")
	r := &completing{s: s, plan: p, asked: asked, sink: sink}
	answer, err := r.answer(ctx)
	if err != nil {
		return nil, errors.Join(err, s.fail(context.WithoutCancel(ctx), c.Request, asked, r.released.String(), err))
	}
	s.reached("turn.answered")
	return r.record(context.WithoutCancel(ctx), answer)
}

// plan lays the request over the chat's settings and finds the experts it
// names, so that a request at fault leaves nothing behind.
func (s *Service) plan(ctx context.Context, c Completion) (plan, error) {
	p := plan{Completion: c}
	var set conversation.Settings
	if c.ChatID != "" {
		var err error
		set, err = commands.Load(ctx, s.Handler, conversation.Aggregate, c.Request.Principal, c.ChatID,
			func(l *commands.Loaded[conversation.State]) conversation.Settings { return l.State.Settings })
		if err != nil {
			return p, err
		}
	}
	p.Model = cmp.Or(c.Model, set.Model)
	p.MaxTokens = cmp.Or(c.MaxTokens, set.MaxTokens)
	if p.Temperature == nil {
		p.Temperature = set.Temperature
	}
	p.guarded, p.routed = setting(c.Guard, set.GuardEnabled), setting(c.Router, set.RouterEnabled)
	var err error
	p.experts, err = s.expertsOf(ctx, c.Request.Principal, c.ExpertIDs)
	return p, err
}

func setting(asked, set *bool) bool {
	if asked == nil {
		asked = set
	}
	return asked != nil && *asked
}

func (s *Service) askCompletion(ctx context.Context, p plan) (question, error) {
	cmd := conversation.Ask{Content: p.Question.Content, Role: p.Question.Role, Speaker: p.Question.Speaker, Given: p.Given}
	req := p.Request
	req.ID = p.ChatID
	if p.ChatID == "" {
		req.Create = true
		cmd.Start = &conversation.Start{AppID: req.Principal.AppID, Model: p.Completion.Model, Title: p.Name,
			UserID: cmp.Or(p.UserID, req.Principal.UserID)}
	}
	out, err := commands.Run(ctx, s.Handler, conversation.Aggregate, req, cmd, seen)
	if err != nil || !out.Repeated {
		q := out.View
		q.chatID = out.ID
		return q, err
	}
	return s.earlier(ctx, req.Principal, out)
}

// completedBefore answers a repeated request as the first one was.
func (s *Service) completedBefore(c Completion, q question, sink CompletionSink) (*view.ChatCompletion, error) {
	switch f := q.ended.(type) {
	case conversation.TurnAnswered:
		out, err := completionOf(q, f, q.endedAt)
		if err != nil || sink == nil {
			return out, err
		}
		if err := sink.Start(out); err != nil {
			return nil, err
		}
		return out, sink.Delta(replies.Message{Content: f.Content, ToolCalls: f.ToolCalls})
	case conversation.TurnFailed:
		return nil, failedBefore(f)
	}
	return nil, stillRunning()
}

// completionOf shows an answered turn.
func completionOf(q question, f conversation.TurnAnswered, at time.Time) (*view.ChatCompletion, error) {
	out := &view.ChatCompletion{ID: q.chatID, Object: "chat.completion", Model: f.Model, CreatedAt: at, RunID: q.runID, MessageID: f.MessageID,
		Guard: view.GuardVerdict{Allowed: true, Categories: []string{}, CheckedBy: []string{}},
		Choices: []view.ChatChoice{{FinishReason: f.FinishReason,
			Message: view.ChatSaid{Role: string(conversation.Assistant), Content: f.Content, ToolCalls: f.ToolCalls}}},
		Usage: view.CompletionUsed{PromptTokens: f.TokenUsage.Prompt, CompletionTokens: f.TokenUsage.Completion, TotalTokens: f.TokenUsage.Total}}
	if f.Guard != nil {
		v, err := domain.Decode[view.GuardVerdict](f.Guard)
		if err != nil {
			return nil, err
		}
		out.Guard = v
	}
	if f.Router != nil {
		v, err := domain.Decode[view.RouterChoice](f.Router)
		if err != nil {
			return nil, err
		}
		out.Router = v
	}
	return out, nil
}

// saidBy are messages as a model is sent them.
func saidBy(messages []gateway.Message) *[]view.ChatSaid {
	out := make([]view.ChatSaid, len(messages))
	for i, m := range messages {
		out[i] = view.ChatSaid{Role: m.Role, Content: m.Content, Name: m.Name, ToolCallID: m.ToolCallID}
		for _, call := range m.ToolCalls {
			var d domain.Doc
			if json.Unmarshal(call, &d) == nil { // it was made of a document
				out[i].ToolCalls = append(out[i].ToolCalls, d)
			}
		}
	}
	return &out
}

// modelMessage is a message of a conversation as models take it.
func modelMessage(m conversation.Message) gateway.Message {
	out := gateway.Message{Role: string(m.Role), Content: m.Content, Name: m.Name, ToolCallID: m.ToolCallID}
	for _, call := range m.ToolCalls {
		if b, err := json.Marshal(call); err == nil { // it came from JSON
			out.ToolCalls = append(out.ToolCalls, b)
		}
	}
	return out
}

// texts are what is new in a request and was not written by the assistant: what
// the guard looks at before a model is asked.
func (p *plan) texts() []string {
	var out []string
	for _, g := range append(slices.Clone(p.Given), p.Question) {
		if g.Role != conversation.Assistant {
			out = append(out, g.Content)
		}
	}
	return out
}
