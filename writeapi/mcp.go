package writeapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"strata/gateway/mcp"
	"strata/internal/httpx"
)

// mcpRequest is a JSON-RPC request to an MCP server.
type mcpRequest struct {
	Body struct {
		JSONRPC string          `json:"jsonrpc" required:"true" enum:"2.0" doc:"Version of JSON-RPC." example:"2.0"`
		ID      json.RawMessage `json:"id" doc:"Comes back with the answer: a text or a number." example:"\"1\""`
		Method  string          `json:"method" required:"true" minLength:"1" maxLength:"200" doc:"tools/list, tools/call, resources/list, resources/templates/list, resources/read, prompts/list, prompts/get, completion/complete, ping or initialize." example:"tools/call"`
		Params  json.RawMessage `json:"params" doc:"Of the method, an object." example:"{\"name\":\"find\",\"arguments\":{\"query\":\"shoes\"}}"`
	}
}

// mcpAnswer is a JSON-RPC response: a result or an error.
type mcpAnswer struct {
	JSONRPC string          `json:"jsonrpc" example:"2.0"`
	ID      json.RawMessage `json:"id" doc:"Of the request." example:"\"1\""`
	Result  json.RawMessage `json:"result,omitempty" doc:"What the server answered, an object." example:"{\"content\":[{\"type\":\"text\",\"text\":\"3 found\"}]}"`
	Error   *mcpError       `json:"error,omitempty" doc:"What the server refused, or the protocol forbids."`
}

// mcpError is the error of a JSON-RPC response.
type mcpError struct {
	Code    int64           `json:"code" example:"-32602"`
	Message string          `json:"message" example:"unknown tool \"find\""`
	Data    json.RawMessage `json:"data,omitempty"`
}

// mcpTimeout is more than a server's timeout_ms can be: connecting, and the call.
const mcpTimeout = 21 * time.Minute

// mcp registers the calling of MCP servers.
func (a *API) mcp() {
	for _, place := range []struct {
		id, path, param string
		mount           *httpx.Mount
	}{
		{"proxyMCP", "/mcps/{name}/proxy", "name", httpx.V1},
		{"proxyMCPServer", "/mcp/servers/{server_id}/proxy", "server_id", httpx.API},
	} {
		httpx.Register(a.r, httpx.Op{
			ID: place.id, Method: http.MethodPost, Path: place.path, Mount: place.mount, Tag: "MCP Tools",
			Summary: "Execute Model Context Protocol operations (tools, resources, etc.)",
			Description: "Forwards a JSON-RPC request to the server and answers its response. A JSON-RPC error of the server is " +
				"an answer with status 200; a server that cannot be reached, or may not be, is an error of this API.",
			Permission: "mcp-servers:invoke", Timeout: mcpTimeout,
		}, func(ctx context.Context, in *mcpRequest) (httpx.Reply[mcpAnswer], error) {
			result, err := a.MCP.Call(ctx, mcpCaller(ctx), httpx.PathValue(ctx, place.param), in.Body.Method, in.Body.Params)
			answer := mcpAnswer{JSONRPC: "2.0", ID: in.Body.ID, Result: result}
			if e, ok := errors.AsType[*mcp.Error](err); ok {
				answer.Error = &mcpError{Code: e.Code, Message: e.Message, Data: e.Data}
				err = nil
			}
			return httpx.Reply[mcpAnswer]{Body: answer}, err
		})
	}
}

// mcpCaller says on whose behalf a request calls a server.
func mcpCaller(ctx context.Context) mcp.Caller {
	r := httpx.From(ctx)
	p := r.Principal
	return mcp.Caller{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID, APIKey: p.KeyID, RequestID: r.ID, CorrelationID: r.CorrelationID}
}
