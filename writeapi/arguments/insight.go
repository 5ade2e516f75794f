package arguments

import (
	"context"
	"errors"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/insight"
	"strata/internal/view"
)

// InsightRequest is what an insight is asked for with.
type InsightRequest struct {
	Settings
	Model   string   `json:"model" maxLength:"200" doc:"provider/model, flotorch/<route> or a bare name; that of an action, or strata/extract-1, when absent." example:"strata/extract-1"`
	Actions []string `json:"actions" maxItems:"32" doc:"Ids of the actions to choose from."`
	Client  string   `json:"client" doc:"What is known of the client, or the id of a persona. One word is taken for an id, by which the client's data is erased." example:"A client of five years with two contracts, reads e-mail in the morning"`
}

// Look has a model look into a client. As with [Service.Argue], that it fails is
// said in the insight.
func (s *Service) Look(ctx context.Context, in InsightRequest) (view.Insight, error) {
	req := requestOf(ctx)
	open := func(s *insight.State) bool { return s.Open }
	if earlier, repeated, err := before(ctx, s, insight.Aggregate, req, open); repeated || err != nil {
		return view.InsightOf(&earlier), err
	}
	actions, err := s.actionsOf(ctx, req.Principal, in.Actions)
	if err != nil {
		return view.Insight{}, err
	}
	client, err := s.client(ctx, req.Principal, in.Client)
	if err != nil {
		return view.Insight{}, err
	}
	in.Model = modelOf(in.Model, actions)
	asked, err := commands.Run(ctx, s.Handler, insight.Aggregate, req,
		insight.Request{Actions: in.Actions, Client: in.Client, Model: in.Model}, copied[insight.State])
	if err != nil {
		return view.Insight{}, err
	}
	if asked.Repeated { // the first try came in between
		earlier, _, err := before(ctx, s, insight.Aggregate, req, open)
		return view.InsightOf(&earlier), err
	}
	s.reached("insight.requested")
	prompt := insightPrompt(actions, client)
	a := s.ask(ctx, asking{req: req, kind: insightCall, subject: asked.View.Subject(), model: in.Model, set: in.Settings, prompt: prompt})
	state, err := end(ctx, s, insight.Aggregate, req, asked.ID, insightEnd(a, actions))
	if err = errors.Join(a.err, err); err != nil {
		return view.Insight{}, err
	}
	out := view.InsightOf(&state)
	if in.Echo {
		out.Prompt = shown(prompt)
	}
	return out, nil
}

func insightEnd(a answered, actions []catalogue.Action) domain.Decider[insight.State] {
	if a.failed != nil {
		return insight.Fail{Code: a.failed.Code, Message: a.failed.Message, DurationMS: a.duration}
	}
	found := a.found()
	if found.Type == "" && len(actions) == 1 { // there was nothing else to choose
		found.Type = actions[0].Type
	}
	return insight.Complete{Completed: insight.Completed{Found: found, DurationMS: a.duration, Usage: usageOf(a.outcome),
		FinishReason: a.outcome.FinishReason, Model: a.outcome.Model, Cost: a.outcome.Cost}}
}

// client is what a model is told of a client: of a persona, all that is known.
func (s *Service) client(ctx context.Context, p domain.Principal, client string) (string, error) {
	if !domain.HasPrefix(client, catalogue.Personas.Prefix) {
		return client, nil
	}
	doc, err := s.Resources.Load(ctx, catalogue.Personas, p, client)
	if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
		var f domain.Faults
		f.Add(true, "client", "there is no persona %q", client)
		return "", f.Err()
	}
	if err != nil {
		return "", err
	}
	return document(doc.Resource.Doc)
}
