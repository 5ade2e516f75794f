package arguments

import (
	"context"
	"errors"

	"strata/commands"
	"strata/domain"
	"strata/domain/argument"
	"strata/domain/catalogue"
	"strata/gateway"
	"strata/internal/view"
)

// ArgumentRequest is what an argument is asked for with.
type ArgumentRequest struct {
	Settings
	Model       string     `json:"model" required:"true" minLength:"1" maxLength:"200" doc:"provider/model, flotorch/<route> or a bare name." example:"strata/extract-1"`
	ActionID    string     `json:"action_id" maxLength:"200" doc:"The action to argue for." example:"act_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Client      domain.Doc `json:"client" required:"true" doc:"What is known of the client. Its id, if it has one, is what the client's data is erased by."`
	Product     domain.Doc `json:"product" required:"true" doc:"What is offered."`
	InsightSpec domain.Doc `json:"insight_spec" required:"true" doc:"What the text should be like: tone, length, language, what to dwell on."`
}

// Argue writes an argument. That the model fails is no error here: the argument
// says so.
func (s *Service) Argue(ctx context.Context, in ArgumentRequest) (view.ArgumentV1, error) {
	req := requestOf(ctx)
	workspace := req.Principal.Workspace
	open := func(s *argument.State) bool { return s.Open }
	if earlier, repeated, err := before(ctx, s, argument.Aggregate, req, open); repeated || err != nil {
		return view.ArgumentV1Of(&earlier, workspace), err
	}
	var offered *catalogue.Action
	if in.ActionID != "" {
		var err error
		if offered, err = s.action(ctx, req.Principal, "action_id", in.ActionID); err != nil {
			return view.ArgumentV1{}, err
		}
	}
	prompt, err := argumentPrompt(offered, in.Client, in.Product, in.InsightSpec)
	if err != nil {
		return view.ArgumentV1{}, err
	}
	asked, err := commands.Run(ctx, s.Handler, argument.Aggregate, req, argument.Request{Model: in.Model, Fields: argument.Fields{
		ActionID: in.ActionID, Client: in.Client, Product: in.Product, InsightSpec: in.InsightSpec}}, copied[argument.State])
	if err != nil {
		return view.ArgumentV1{}, err
	}
	if asked.Repeated { // the first try came in between
		earlier, _, err := before(ctx, s, argument.Aggregate, req, open)
		return view.ArgumentV1Of(&earlier, workspace), err
	}
	s.reached("argument.requested")
	a := s.ask(ctx, asking{req: req, kind: argumentCall, subject: asked.View.Subject(), model: in.Model, set: in.Settings, prompt: prompt})
	s.reached("argument.answered")
	state, err := end(ctx, s, argument.Aggregate, req, asked.ID, argumentEnd(a))
	if err = errors.Join(a.err, err); err != nil {
		return view.ArgumentV1{}, err
	}
	out := view.ArgumentV1Of(&state, workspace)
	if in.Echo {
		out.Prompt = shown(prompt)
	}
	return out, nil
}

func argumentEnd(a answered) domain.Decider[argument.State] {
	if a.failed != nil {
		return argument.Fail{Code: a.failed.Code, Message: a.failed.Message, DurationMS: a.duration}
	}
	content, thinking := a.argument()
	return argument.Complete{Completed: argument.Completed{Argument: content, Thinking: thinking, DurationMS: a.duration,
		Usage: usageOf(a.outcome), FinishReason: a.outcome.FinishReason, Model: a.outcome.Model, Cost: a.outcome.Cost}}
}

func shown(prompt []gateway.Message) *[]view.ChatSaid {
	out := make([]view.ChatSaid, len(prompt))
	for i, m := range prompt {
		out[i] = view.ChatSaid{Role: m.Role, Content: m.Content}
	}
	return &out
}
