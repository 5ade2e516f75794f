package writeapi

import (
	"reflect"
	"strings"

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
