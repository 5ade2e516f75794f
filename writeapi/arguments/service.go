package arguments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/argument"
	"strata/domain/catalogue"
	"strata/gateway"
	"strata/internal/httpx"
)

// defaultModel answers when neither the request nor an action names a model.
const defaultModel = "strata/extract-1"

// Types of the calls in the inference log.
const (
	argumentCall = "argument"
	insightCall  = "insight"
)

// Service writes arguments and insights.
type Service struct {
	Handler        *commands.Handler
	Resources      *commands.Resources
	Gateway        *gateway.Gateway
	RecordPayloads bool // keep what was said in the inference log as well
	// At is called with the name of a point that has been reached, for tests that
	// stop a process there; nil: nothing.
	At func(point string)
}

func (s *Service) reached(point string) {
	if s.At != nil {
		s.At(point)
	}
}

// Settings of a model's call, as a request gives them.
type Settings struct {
	MaxTokens   int      `json:"max_tokens" minimum:"1" doc:"Of the answer, at most." example:"512"`
	Temperature *float64 `json:"temperature" minimum:"0" maximum:"2" example:"0.7"`
	TopP        *float64 `json:"top_p" minimum:"0" maximum:"1" example:"1"`
	Echo        bool     `json:"echo" default:"false" doc:"Show in prompt what the model was sent."`
}

// asking is one call of a model for something that is on record.
type asking struct {
	req     commands.Request
	kind    string // in the inference log
	subject string // whose key seals what was said
	model   string
	set     Settings
	prompt  []gateway.Message
}

// answered is how a call ended.
type answered struct {
	written
	outcome  gateway.Outcome
	duration int64 // milliseconds
	failed   *domain.Error
	err      error // what the caller is answered instead: nobody is there to read more
}

// ask calls the model. That it fails is an answer, too.
func (s *Service) ask(ctx context.Context, a asking) answered {
	began := s.Handler.Now()
	out, err := s.call(ctx, a)
	out.duration = s.Handler.Now().Sub(began).Milliseconds()
	if err == nil {
		return out
	}
	failed, ok := errors.AsType[*domain.Error](err)
	if !ok {
		out.err = err
		failed = domain.Errorf(domain.CodeAIService, "the model could not be asked")
		if errors.Is(err, context.Canceled) {
			failed = domain.Errorf(domain.CodeInvalidRequest, "cancelled by the client")
		}
	}
	// What is wrong with the caller's budget or the log is theirs to know at once.
	if code := failed.Code; code == domain.CodeQuotaExceeded || code == domain.CodeUnavailable {
		out.err = err
	}
	out.failed = failed
	return out
}

func (s *Service) call(ctx context.Context, a asking) (answered, error) {
	req, err := gateway.NewChat(gateway.ChatParams{Model: a.model, Messages: a.prompt, MaxTokens: a.set.MaxTokens,
		Temperature: a.set.Temperature, TopP: a.set.TopP})
	if err != nil {
		return answered{}, err
	}
	p := a.req.Principal
	res, err := s.Gateway.Chat(ctx, gateway.Call{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID, APIKey: p.KeyID, App: p.AppID,
		Subject: a.subject, RequestID: a.req.RequestID, CorrelationID: a.req.CorrelationID, Type: a.kind, RecordPayload: s.RecordPayloads}, req)
	if err != nil {
		return answered{}, err
	}
	return answered{written: read(res.Body), outcome: res.Outcome}, nil
}

func usageOf(o gateway.Outcome) argument.Usage {
	return argument.Usage{Prompt: o.Usage.InputTokens, Completion: o.Usage.OutputTokens, Total: o.Usage.InputTokens + o.Usage.OutputTokens}
}

// action finds an action of the caller's workspace; a fault names the field.
func (s *Service) action(ctx context.Context, p domain.Principal, field, id string) (*catalogue.Action, error) {
	doc, err := s.Resources.Load(ctx, catalogue.Actions, p, id)
	if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
		var f domain.Faults
		f.Add(true, field, "there is no action %q", id)
		return nil, f.Err()
	}
	if err != nil {
		return nil, err
	}
	a, err := domain.Decode[catalogue.Action](doc.Resource.Doc)
	return &a, err
}

// end closes what is on record; the caller may be gone.
func end[S any](ctx context.Context, s *Service, agg *domain.Aggregate[S], req commands.Request, id string, cmd domain.Decider[S]) (S, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	req.ID, req.IdempotencyKey, req.Permission, req.IfMatch, req.Create = id, "", "", nil, false
	out, err := commands.Run(ctx, s.Handler, agg, req, cmd, copied[S])
	httpx.Wrote(ctx, out.Position)
	return out.View, err
}

// endWithin bounds the recording of an end.
const endWithin = 30 * time.Second

// before finds what an earlier request with the same idempotency key asked for,
// as it is now.
func before[S any](ctx context.Context, s *Service, agg *domain.Aggregate[S], req commands.Request, open func(*S) bool) (S, bool, error) {
	out, repeated, err := commands.Repeat(ctx, s.Handler, agg, req, copied[S])
	if err != nil || !repeated {
		return out.View, false, err
	}
	now, err := commands.Load(ctx, s.Handler, agg, req.Principal, out.ID, copied[S])
	if err == nil && open(&now) {
		err = domain.Errorf(domain.CodeConflict, "the first request with this idempotency key is still running")
	}
	return now, true, err
}

// copied is the state as it stands: nothing in it is changed in place.
func copied[S any](l *commands.Loaded[S]) S { return *l.State }

// requestOf says for whom a request is.
func requestOf(ctx context.Context) commands.Request {
	r := httpx.From(ctx)
	return commands.Request{Principal: r.Principal, IdempotencyKey: r.IdempotencyKey, Route: r.Operation,
		RequestID: r.ID, CorrelationID: r.CorrelationID, Create: true}
}

// modelOf is the model to ask: the request's, else the first that an action names.
func modelOf(asked string, actions []catalogue.Action) string {
	for _, a := range actions {
		asked = cmp.Or(asked, a.ModelID)
	}
	return cmp.Or(asked, defaultModel)
}

// actionsOf finds actions by id.
func (s *Service) actionsOf(ctx context.Context, p domain.Principal, ids []string) ([]catalogue.Action, error) {
	var out []catalogue.Action
	var f domain.Faults
	for i, id := range ids {
		field := fmt.Sprintf("actions[%d]", i)
		a, err := s.action(ctx, p, field, id)
		if e, ok := errors.AsType[*domain.Error](err); ok && e.Code == domain.CodeValidation {
			f.Add(true, field, "there is no action %q", id)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, *a)
	}
	return out, f.Err()
}
