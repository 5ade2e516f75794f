package writeapi

import (
	"context"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"strata/gateway"
	"strata/gateway/openaiapi"
	"strata/internal/httpx"
)

// models mounts the gateway where OpenAI's clients look for it. Its handlers
// speak OpenAI's wire format by themselves.
func (a *API) models() {
	for _, mount := range []struct {
		at     *httpx.Mount
		suffix string
	}{{httpx.OpenAI, ""}, {httpx.Gateway, "Gateway"}} {
		for _, route := range a.Models.Routes() {
			a.r.Raw(modelOp(route, mount.at, mount.suffix), route.Handler)
		}
	}
	a.inferenceModels()
}

// model is a model as the Inference API lists it.
type model struct {
	ID       string `json:"id" doc:"As calls name it." example:"strata/extract-1"`
	Object   string `json:"object" example:"model"`
	Name     string `json:"name" doc:"What its provider calls it." example:"extract-1"`
	Provider string `json:"provider" doc:"Who serves it." example:"strata"`
	OwnedBy  string `json:"owned_by" doc:"The same, as OpenAI spells it." example:"strata"`
	Created  int64  `json:"created" doc:"Since when it can be called, Unix seconds." example:"1705314600"`
	Type     string `json:"type" enum:"chat,embedding" doc:"What it is for. Providers do not say, so the name does: one with \"embed\" in it, or of a family known to embed (bge, e5, gte, minilm, mpnet, voyage)." example:"chat"`
	// Capabilities follow from the type.
	Capabilities []string `json:"capabilities" doc:"What calls may ask of it." example:"[\"chat\",\"streaming\"]"`
	Status       string   `json:"status" enum:"available" doc:"Models of providers and routes that are switched off are not listed." example:"available"`
}

// embeds matches the names of models that make vectors of texts. Families that do not
// say so in every name are those whose publishers make nothing else under it.
var embeds = regexp.MustCompile(`(?i)embed|(^|[/_-])(bge|e5|gte|minilm|mpnet|voyage)([-_.]|\d|$)`)

func modelOf(m gateway.Model) model {
	_, name, _ := strings.Cut(m.ID, "/")
	out := model{ID: m.ID, Object: "model", Name: name, Provider: m.OwnedBy, OwnedBy: m.OwnedBy, Created: m.Created,
		Type: "chat", Capabilities: []string{"chat", "streaming"}, Status: "available"}
	if embeds.MatchString(name) {
		out.Type, out.Capabilities = "embedding", []string{"embeddings"}
	}
	return out
}

// inferenceModels lists on the plain mount what the gateway lists in OpenAI's form.
func (a *API) inferenceModels() {
	op := httpx.Op{ID: "listInferenceModels", Method: http.MethodGet, Path: "/models", Mount: httpx.V1, Tag: "Models",
		Summary: "List inference models", Description: "Every model that calls of this space can name; there are no pages.", Permission: "models:list"}
	httpx.Register(a.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[httpx.List[model]], error) {
		found, err := a.Models.Gateway.Models(ctx, gateway.Call{Workspace: httpx.From(ctx).Principal.Workspace})
		if err != nil {
			return httpx.Reply[httpx.List[model]]{}, err
		}
		out := httpx.List[model]{Items: []model{}}
		for _, m := range found {
			out.Items = append(out.Items, modelOf(m))
		}
		return httpx.Respond(out)
	})
}

func modelOp(route openaiapi.Route, mount *httpx.Mount, suffix string) httpx.Op {
	op := httpx.Op{Method: route.Method, Mount: mount, Tag: "Models", Summary: route.Summary,
		Path: strings.Replace(route.Path, "{model_id}", "{model_id:.+}", 1)}
	switch route.Path {
	case "/chat/completions":
		op.ID, op.Permission, op.Streaming = "createChatCompletion", "models:invoke", true
		op.AlsoMedia = []string{"text/event-stream"}
		op.Description = "JSON, or with stream=true chunks ending in `data: [DONE]`. Model ids: provider/model, flotorch/<route>, or a bare name."
		op.Body, op.Result = reflect.TypeFor[openaiapi.ChatRequestDoc](), reflect.TypeFor[openaiapi.ChatResponseDoc]()
	case "/embeddings":
		op.ID, op.Permission, op.Streaming = "createEmbedding", "models:invoke", true
		op.Body, op.Result = reflect.TypeFor[openaiapi.EmbeddingRequestDoc](), reflect.TypeFor[openaiapi.EmbeddingResponseDoc]()
	case "/models":
		op.ID, op.Permission = "listModels", "models:list"
		op.Result = reflect.TypeFor[openaiapi.ModelListDoc]()
	default:
		op.ID, op.Permission = "getModel", "models:get"
		op.Result = reflect.TypeFor[openaiapi.ModelDoc]()
	}
	op.ID += suffix
	return op
}
