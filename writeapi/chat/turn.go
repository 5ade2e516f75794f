package chat

import (
	"cmp"
	"context"
	"errors"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/conversation"
	"strata/gateway"
	"strata/gateway/guard"
	"strata/internal/httpx"
	"strata/internal/view"
)

// DefaultModel answers when neither the app nor the message names a model.
const DefaultModel = "strata/extract-1"

// Service runs turns.
type Service struct {
	Handler        *commands.Handler
	Resources      *commands.Resources
	Gateway        *gateway.Gateway
	Catalogue      Catalogue // experts and routes, for completions
	Guard          *guard.Rules
	GuardModel     string // judges beside the rules; "": nobody
	Embedder       string // model whose embeddings the router compares
	RecordPayloads bool   // keep what was said in the inference log as well
	// Live ends when the server begins to drain: sockets finish the turn they
	// are in and close.
	Live context.Context
	// At is called with the name of a point of a turn that has been reached, for
	// tests that stop a process there; nil: nothing.
	At func(point string)

	vectors vectors
}

// Turn is one message to a conversation.
type Turn struct {
	Request    commands.Request // for whom, with which idempotency key
	AppID      string           // whose configuration applies
	ChatID     string           // "" begins a conversation
	SessionUID string
	UserID     string // with whom a conversation that begins is held; the caller when ""
	Model      string // "" takes the app's
	Message    string
	Variables  map[string]any // for the app's system prompt
}

// Sink receives a turn as it happens. An error from Token means that the
// client is gone: the model is told to stop.
type Sink interface {
	Start(runID, chatID string) error
	Token(text string) error
}

// Run runs a turn to its end. sink may be nil: then the model answers as a
// whole. Errors before the first token leave nothing with the client; the turn
// is recorded as failed in any case.
func (s *Service) Run(ctx context.Context, t Turn, sink Sink) (*view.ChatTurn, error) {
	if earlier, repeated, err := s.repeat(ctx, t.Request, t.ChatID); err != nil {
		return nil, err
	} else if repeated {
		return s.again(earlier, sink)
	}
	config, err := s.configure(ctx, &t)
	if err != nil {
		return nil, err
	}
	asked, err := s.ask(ctx, t)
	if err != nil {
		return nil, err
	}
	if asked.repeated { // the first try came in between
		return s.again(asked, sink)
	}
	// From here on the turn is on record and must be closed on record, also
	// when the client goes away.
	s.reached("turn.asked")
	answer, err := s.answer(ctx, t, config, asked, sink)
	if err != nil {
		return nil, errors.Join(err, s.fail(context.WithoutCancel(ctx), t.Request, asked, answer.text, err))
	}
	s.reached("turn.answered")
	return s.record(context.WithoutCancel(ctx), t, asked, answer)
}

func (s *Service) reached(point string) {
	if s.At != nil {
		s.At(point)
	}
}

// configure finds the app's configuration and fills in its system prompt, so
// that a message which lacks a variable leaves nothing behind.
func (s *Service) configure(ctx context.Context, t *Turn) (catalogue.AppConfig, error) {
	var config catalogue.AppConfig
	if own := t.Request.Principal.AppID; own != "" {
		if t.AppID = cmp.Or(t.AppID, own); t.AppID != own {
			return config, domain.Errorf(domain.CodeForbidden, "this key belongs to the app %q", own)
		}
	}
	if t.AppID != "" {
		doc, err := s.Resources.Load(ctx, catalogue.Apps, t.Request.Principal, t.AppID)
		if err != nil {
			return config, err
		}
		app, err := domain.Decode[catalogue.App](doc.Resource.Doc)
		if err != nil {
			return config, err
		}
		if app.Status == "archived" {
			return config, domain.Errorf(domain.CodeConflict, "app %q is archived and takes no messages", t.AppID)
		}
		config = catalogue.ReadAppConfig(app.Config, nil)
		var missing []string
		config.SystemPrompt, missing = catalogue.Render(config.SystemPrompt, nil, t.Variables)
		var f domain.Faults
		for _, name := range missing {
			f.Add(true, "variables."+name, "is needed by the app's system prompt")
		}
		if err := f.Err(); err != nil {
			return config, err
		}
	}
	if t.Model == "" {
		t.Model = config.Model
	}
	if t.Model == "" {
		t.Model = DefaultModel
	}
	return config, nil
}

// question is a turn that is on record.
type question struct {
	chatID, runID   string
	userID, subject string // with whom the conversation is held, and whose key seals it
	prompt          []conversation.Message
	appID, session  string
	repeated        bool
	ended           domain.Fact // how the turn ended, when the question is a repeat; nil while it runs
	endedAt         time.Time
}

func (s *Service) ask(ctx context.Context, t Turn) (question, error) {
	cmd := conversation.Ask{Content: t.Message, Variables: variables(t.Variables)}
	req := t.Request
	req.ID = t.ChatID
	if t.ChatID == "" {
		req.Create = true
		cmd.Start = &conversation.Start{AppID: t.AppID, Model: t.Model, UserID: cmp.Or(t.UserID, t.Request.Principal.UserID), SessionUID: t.SessionUID}
	}
	out, err := commands.Run(ctx, s.Handler, conversation.Aggregate, req, cmd, seen)
	if err != nil || !out.Repeated {
		q := out.View
		q.chatID = out.ID
		return q, err
	}
	return s.earlier(ctx, req.Principal, out)
}

// repeat finds the turn that an earlier request with the same idempotency key
// began. It comes before everything else: the app may have changed since.
func (s *Service) repeat(ctx context.Context, req commands.Request, chatID string) (question, bool, error) {
	req.ID = chatID
	out, repeated, err := commands.Repeat(ctx, s.Handler, conversation.Aggregate, req, seen)
	if err != nil || !repeated {
		return question{}, false, err
	}
	q, err := s.earlier(ctx, req.Principal, out)
	return q, true, err
}

// earlier completes a turn that was begun by an earlier request with what
// became of it since.
func (s *Service) earlier(ctx context.Context, p domain.Principal, out commands.Outcome[question]) (question, error) {
	q := out.View
	q.chatID, q.repeated = out.ID, true
	err := commands.Events(ctx, s.Handler, conversation.Aggregate, p, q.chatID, func(e domain.Event) bool {
		switch f := e.Fact.(type) {
		case conversation.TurnAnswered:
			if f.RunID == q.runID {
				q.ended, q.endedAt = f, e.Meta.OccurredAt
			}
		case conversation.TurnFailed:
			if f.RunID == q.runID {
				q.ended, q.endedAt = f, e.Meta.OccurredAt
			}
		}
		return q.ended == nil
	})
	return q, err
}

// seen picks the turn that was just asked.
func seen(l *commands.Loaded[conversation.State]) question {
	if len(l.State.Open) == 0 {
		return question{}
	}
	turn := l.State.Open[len(l.State.Open)-1]
	return question{runID: turn.RunID, userID: l.State.UserID, subject: l.State.Subject(), prompt: l.State.Prompt(turn.RunID),
		appID: l.State.AppID, session: l.State.SessionUID}
}

// again answers a repeated request as the first one was.
func (s *Service) again(q question, sink Sink) (*view.ChatTurn, error) {
	switch f := q.ended.(type) {
	case conversation.TurnAnswered:
		if sink != nil {
			if err := errors.Join(sink.Start(q.runID, q.chatID), sink.Token(f.Content)); err != nil {
				return nil, err
			}
		}
		return turnOf(q, f.MessageID, f.Content, f.TokenUsage), nil
	case conversation.TurnFailed:
		return nil, failedBefore(f)
	}
	return nil, stillRunning()
}

func failedBefore(f conversation.TurnFailed) error {
	return domain.Errorf(domain.CodeConflict, "the first request with this idempotency key failed (%s); use a new key to try again", f.Message)
}

func stillRunning() error {
	return domain.Errorf(domain.CodeConflict, "the first request with this idempotency key is still running")
}

func turnOf(q question, messageID, text string, u conversation.TokenUsage) *view.ChatTurn {
	return &view.ChatTurn{RunID: q.runID, ChatID: q.chatID, MessageID: messageID, Response: text,
		TokenUsage: view.TokenUsage{Prompt: u.Prompt, Completion: u.Completion, Total: u.Total}}
}

// produced is what a model answered, whole or in part.
type produced struct {
	text    string
	outcome gateway.Outcome
}

func (s *Service) answer(ctx context.Context, t Turn, config catalogue.AppConfig, q question, sink Sink) (produced, error) {
	req, err := s.modelRequest(t, config, q)
	if err != nil {
		return produced{}, err
	}
	p := t.Request.Principal
	call := gateway.Call{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID, EndUser: q.userID, Subject: q.subject, APIKey: p.KeyID, App: t.AppID,
		Session: t.SessionUID, Conversation: q.chatID, RequestID: t.Request.RequestID, CorrelationID: t.Request.CorrelationID,
		RecordPayload: s.RecordPayloads}
	if sink == nil {
		res, err := s.Gateway.Chat(ctx, call, req)
		if err != nil {
			return produced{}, err
		}
		return produced{res.Text, res.Outcome}, nil
	}
	if err := sink.Start(q.runID, q.chatID); err != nil {
		return produced{}, err
	}
	var partial []byte
	res, err := s.Gateway.ChatStream(ctx, call, req, func(c gateway.Chunk) error {
		if c.Text == "" {
			return nil
		}
		partial = append(partial, c.Text...)
		return sink.Token(c.Text)
	})
	if err != nil {
		return produced{text: string(partial)}, err
	}
	return produced{res.Text, res.Outcome}, nil
}

// modelRequest writes the conversation the way models take it.
func (s *Service) modelRequest(t Turn, config catalogue.AppConfig, q question) (*gateway.ChatRequest, error) {
	params := gateway.ChatParams{Model: t.Model, Temperature: config.Temperature, MaxTokens: config.MaxTokens}
	if config.SystemPrompt != "" {
		params.Messages = append(params.Messages, gateway.Message{Role: "system", Content: config.SystemPrompt})
	}
	for _, m := range q.prompt {
		params.Messages = append(params.Messages, modelMessage(m))
	}
	return gateway.NewChat(params)
}

// record closes the turn with its answer.
func (s *Service) record(ctx context.Context, t Turn, q question, a produced) (*view.ChatTurn, error) {
	usage := conversation.TokenUsage{Prompt: a.outcome.Usage.InputTokens, Completion: a.outcome.Usage.OutputTokens}
	usage.Total = usage.Prompt + usage.Completion
	cmd := conversation.Answer{RunID: q.runID, Content: a.text, TokenUsage: usage,
		FinishReason: a.outcome.FinishReason, Model: a.outcome.Model, Cost: a.outcome.Cost}
	messageID, err := s.close(ctx, t.Request, q, cmd)
	if err != nil {
		return nil, err
	}
	return turnOf(q, messageID, a.text, usage), nil
}

// fail closes the turn with what went wrong and what had been said.
func (s *Service) fail(ctx context.Context, req commands.Request, q question, partial string, why error) error {
	code, message := domain.CodeOf(why), "the model could not be asked"
	if e, ok := errors.AsType[*domain.Error](why); ok {
		message = e.Message
	} else if errors.Is(why, context.Canceled) {
		code, message = domain.CodeInvalidRequest, "cancelled by the client"
	}
	_, err := s.close(ctx, req, q, conversation.FailTurn{RunID: q.runID, Code: code, Message: message, PartialContent: partial})
	return err
}

func (s *Service) close(ctx context.Context, req commands.Request, q question, cmd domain.Decider[conversation.State]) (messageID string, err error) {
	req.ID, req.IdempotencyKey, req.Permission, req.IfMatch = q.chatID, "", "", nil
	out, err := commands.Run(ctx, s.Handler, conversation.Aggregate, req, cmd, func(l *commands.Loaded[conversation.State]) string {
		if n := len(l.State.Answers); n > 0 {
			return l.State.Answers[n-1]
		}
		return ""
	})
	httpx.Wrote(ctx, out.Position)
	return out.View, err
}

func variables(v map[string]any) domain.Doc {
	if len(v) == 0 {
		return nil
	}
	d, err := domain.DocOf(v)
	if err != nil { // the values came from JSON
		return nil
	}
	return d
}
