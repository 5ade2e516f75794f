package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// operation is one method of the protocol.
type operation struct {
	run func(ctx context.Context, s *sdk.ClientSession, params json.RawMessage) (json.RawMessage, error)
	// harmless operations change nothing at the server and may be repeated.
	harmless bool
}

// run performs an operation on the session. It ends with the client at the latest.
func (c *Client) run(ctx context.Context, s *session, op operation, params json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	result, err := op.run(ctx, s.mcp, params)
	if why := s.transport.lastFailure(); err != nil && why != nil {
		err = fmt.Errorf("%w: %w", err, why)
	}
	return result, err
}

// operationOf finds a method. The error is an *Error for one that is not forwarded.
func operationOf(method string) (operation, error) {
	switch method {
	case "initialize":
		return operation{run: initialized, harmless: true}, nil
	case "ping":
		return operation{run: func(ctx context.Context, s *sdk.ClientSession, _ json.RawMessage) (json.RawMessage, error) {
			return json.RawMessage("{}"), s.Ping(ctx, nil)
		}, harmless: true}, nil
	case "tools/list":
		return typed((*sdk.ClientSession).ListTools, true), nil
	case "tools/call":
		return typed((*sdk.ClientSession).CallTool, false), nil
	case "resources/list":
		return typed((*sdk.ClientSession).ListResources, true), nil
	case "resources/templates/list":
		return typed((*sdk.ClientSession).ListResourceTemplates, true), nil
	case "resources/read":
		return typed((*sdk.ClientSession).ReadResource, true), nil
	case "prompts/list":
		return typed((*sdk.ClientSession).ListPrompts, true), nil
	case "prompts/get":
		return typed((*sdk.ClientSession).GetPrompt, true), nil
	case "completion/complete":
		return typed((*sdk.ClientSession).Complete, true), nil
	}
	return operation{}, &Error{Code: jsonrpc.CodeMethodNotFound, Message: refusal(method)}
}

// refusal says why a method is not forwarded: most of the others make no sense for
// a caller who shares the session and gets one answer.
func refusal(method string) string {
	switch {
	case strings.HasPrefix(method, "notifications/"):
		return "notifications are not forwarded"
	case method == "resources/subscribe", method == "resources/unsubscribe", method == "subscriptions/listen":
		return "there are no subscriptions here: a call has one answer"
	case method == "logging/setLevel":
		return "the session is shared, so its log level cannot be set"
	}
	return fmt.Sprintf("the method %q is not forwarded", method)
}

// typed makes an operation of a method of the SDK.
func typed[P, R any](call func(*sdk.ClientSession, context.Context, *P) (*R, error), harmless bool) operation {
	return operation{harmless: harmless, run: func(ctx context.Context, s *sdk.ClientSession, raw json.RawMessage) (json.RawMessage, error) {
		params := new(P)
		if len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
			if err := json.Unmarshal(raw, params); err != nil {
				return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "params cannot be read: " + err.Error()}
			}
		}
		result, err := call(s, ctx, params)
		if err != nil {
			return nil, err
		}
		return json.Marshal(result)
	}}
}

// initialized answers what the server said when the session was opened.
func initialized(_ context.Context, s *sdk.ClientSession, _ json.RawMessage) (json.RawMessage, error) {
	return json.Marshal(s.InitializeResult())
}

// Tool is a tool that a server offers.
type Tool struct {
	Name        string
	Title       string
	Description string
	InputSchema json.RawMessage
}

// maxTools bounds how many tools of a server are looked at.
const maxTools = 1000

// Tools lists the tools of a server. Errors: as Call.
func (c *Client) Tools(ctx context.Context, by Caller, server string) ([]Tool, error) {
	s, err := c.cfg.Servers(ctx, by.Workspace, server)
	if err != nil {
		return nil, err
	}
	var out []Tool
	for cursor := ""; len(out) < maxTools; {
		params, err := json.Marshal(map[string]string{"cursor": cursor})
		if err != nil {
			return nil, err
		}
		if cursor == "" {
			params = nil
		}
		raw, err := c.CallServer(ctx, by, s, "tools/list", params)
		if err != nil {
			return nil, err
		}
		var page struct {
			Tools []struct {
				Name        string          `json:"name"`
				Title       string          `json:"title"`
				Description string          `json:"description"`
				InputSchema json.RawMessage `json:"inputSchema"`
			} `json:"tools"`
			NextCursor string `json:"nextCursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("read the tools of %s: %w", server, err)
		}
		for _, t := range page.Tools {
			out = append(out, Tool(t))
		}
		if page.NextCursor == "" || page.NextCursor == cursor {
			break
		}
		cursor = page.NextCursor
	}
	return out, nil
}
