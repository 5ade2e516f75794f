package readapi

import (
	"context"
	"net/http"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/internal/httpx"
	"strata/projections/resources"
)

type renderPrompt struct {
	ID   string `path:"prompt_id"`
	Body struct {
		Variables map[string]any `json:"variables" required:"true" doc:"Values by name." example:"{\"name\":\"Ann\"}"`
		Version   int            `json:"version" minimum:"1" doc:"Which version; the current one when absent."`
	}
}

// rendered is a prompt with its places filled.
type rendered struct {
	PromptID string   `json:"prompt_id"`
	Version  int      `json:"version" example:"1"`
	Rendered string   `json:"rendered" example:"Hello Ann, how can I help?"`
	Missing  []string `json:"missing" doc:"Places without a value; they stay as they are in the text."`
}

// prompts registers what prompts have beside what every kind has.
func (a *API) prompts() {
	httpx.Register(a.r, httpx.Op{ID: "renderPrompt", Method: http.MethodPost, Path: "/prompts/{prompt_id}/render", Mount: httpx.API,
		Tag: "Prompts", Summary: "Render with variables", Permission: "prompts:render", Reads: resources.Name}, a.renderPrompt)
}

func (a *API) renderPrompt(ctx context.Context, in *renderPrompt) (httpx.Reply[rendered], error) {
	var none httpx.Reply[rendered]
	_, ws := tenant(ctx)
	kind := catalogue.Prompts.Name
	d, err := a.Resources.Get(ctx, kind, ws, in.ID)
	if err != nil {
		return none, err
	}
	number := in.Body.Version
	if number == 0 {
		number = d.Version
	}
	v, err := a.Resources.Version(ctx, kind, ws, in.ID, number)
	if err != nil {
		return none, err
	}
	prompt, err := domain.Decode[catalogue.Prompt](v.Doc)
	if err != nil {
		return none, err
	}
	text, missing := catalogue.Render(prompt.Template, prompt.Variables, in.Body.Variables)
	if missing == nil {
		missing = []string{}
	}
	return httpx.Reply[rendered]{Body: rendered{PromptID: in.ID, Version: number, Rendered: text, Missing: missing}}, nil
}
