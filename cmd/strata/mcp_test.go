package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"strata/domain"
	"strata/domain/mcpcall"
	"strata/gateway/mcp"
	"strata/projections/resources"
)

// mcpServer serves one tool to those who show a token.
func mcpServer(t *testing.T, token string) *httptest.Server {
	t.Helper()
	s := sdk.NewServer(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	sdk.AddTool(s, &sdk.Tool{Name: "shout"}, func(_ context.Context, _ *sdk.CallToolRequest, in struct {
		Text string `json:"text"`
	}) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: strings.ToUpper(in.Text)}}}, nil, nil
	})
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, nil)
	out := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(out.Close)
	return out
}

// startOutbound opens an installation whose tenants may reach this machine.
func startOutbound(t *testing.T) *installation {
	t.Helper()
	i := &installation{}
	cfg := testConfig(t.TempDir())
	cfg.Outbound.Private = []string{"127.0.0.0/8"}
	i.begin(t, newApp(everything, cfg, slog.New(slog.DiscardHandler), i.now))
	return i
}

type rpcAnswer struct {
	ID     json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
	}
}

// proxied calls an MCP server over the plain mount.
func proxied(t *testing.T, i *installation, server, body string) (int, rpcAnswer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+"/v1/mcps/"+server+"/proxy", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := i.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	var out rpcAnswer
	_ = json.Unmarshal(raw, &out) // an error of ours has another shape
	return res.StatusCode, out, string(raw)
}

func TestMCPProxy(t *testing.T) {
	over := mcpServer(t, "s3cret")
	i := startOutbound(t)
	created := call(t, i, "POST", "/api/v1/mcp/servers", map[string]any{"name": "shouts", "transport": "streamable_http", "url": over.URL,
		"auth": map[string]any{"type": "bearer", "token": "s3cret"}, "headers": map[string]any{"X-Own": "h1dden"}}).must(t, http.StatusCreated)
	if s := created.field(t, "status"); s != "disconnected" {
		t.Errorf("a new server is %s", s)
	}
	if body := string(created.Data); strings.Contains(body, "s3cret") || strings.Contains(body, "sealed") || strings.Contains(body, "auth") {
		t.Errorf("secrets are shown: %s", body)
	}
	status, answer, raw := proxied(t, i, "shouts", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"shout","arguments":{"text":"hello"}}}`)
	if status != http.StatusOK || string(answer.ID) != "7" || !strings.Contains(string(answer.Result), `"HELLO"`) || answer.Error != nil {
		t.Fatalf("%d %s", status, raw)
	}
	status, answer, raw = proxied(t, i, created.field(t, "id"), `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"none"}}`)
	if status != http.StatusOK || string(answer.ID) != `"a"` || answer.Error == nil || answer.Error.Code != -32602 || answer.Result != nil {
		t.Errorf("the server's error: %d %s", status, raw)
	}
	for body, want := range map[string]string{`{"jsonrpc":"1.0","id":1}`: "method", `{"jsonrpc":"2.0","method":"ping","params":[1`: "JSON"} {
		if status, _, raw := proxied(t, i, "shouts", body); status != http.StatusBadRequest || !strings.Contains(raw, want) {
			t.Errorf("%s: %d %s", body, status, raw)
		}
	}
	if status, _, raw := proxied(t, i, "nobody", `{"jsonrpc":"2.0","method":"ping"}`); status != http.StatusNotFound {
		t.Errorf("a server that is not there: %d %s", status, raw)
	}
	eventually(t, "the server is shown as connected", func() bool {
		got := call(t, i, "GET", "/api/v1/mcp/servers/shouts", nil).must(t, http.StatusOK)
		return got.field(t, "status") == "connected" && got.field(t, "toolCount") == "1" && got.field(t, "lastConnectedAt") != ""
	})
	made := logged[mcpcall.Made](t, i)
	said := logged[mcpcall.PayloadRecorded](t, i)
	if len(made) != 2 || len(said) != 2 || made[0].Target != "shout" || made[0].ErrorCode != "" || made[1].ErrorCode != "JSONRPC_ERROR" ||
		made[0].APIKey == "" || !strings.Contains(string(said[0].Params), "hello") || !strings.Contains(string(said[0].Result), "HELLO") {
		t.Errorf("recorded: %+v %s", made, said)
	}

	// A wrong credential is the server's state, and an error of ours.
	call(t, i, "PUT", "/api/v1/mcp/servers/shouts", map[string]any{"auth": map[string]any{"type": "bearer", "token": "wrong"}}).must(t, http.StatusOK)
	if status, _, raw := proxied(t, i, "shouts", `{"jsonrpc":"2.0","method":"ping"}`); status != http.StatusServiceUnavailable || !strings.Contains(raw, "HTTP 401") {
		t.Errorf("a wrong credential: %d %s", status, raw)
	}
	eventually(t, "the failure is shown", func() bool {
		got := call(t, i, "GET", "/api/v1/mcp/servers/shouts", nil).must(t, http.StatusOK)
		return got.field(t, "status") == "error" && strings.Contains(got.field(t, "lastError"), "HTTP 401")
	})
}

// Sessions come and go; what is recorded of them is what is new.
func TestConnectionsAreRecordedSparingly(t *testing.T) {
	i := start(t)
	created := call(t, i, "POST", "/api/v1/mcp/servers", map[string]any{"name": "s", "transport": "sse", "url": "https://mcp.example.com"}).must(t, http.StatusCreated)
	s := mcp.Server{ID: created.field(t, "id")}
	refused := domain.Errorf(domain.CodeUnavailable, "no").Because(errors.New("a secret"))
	for n, step := range []struct {
		mcp.Connected
		news bool
	}{
		{mcp.Connected{At: i.now(), Tools: 1}, true},
		{mcp.Connected{At: i.now().Add(time.Minute), Tools: 1}, false},
		{mcp.Connected{At: i.now().Add(time.Minute), Tools: 2}, true},
		{mcp.Connected{At: i.now(), Err: refused}, true},
		{mcp.Connected{At: i.now(), Err: refused}, false},
		{mcp.Connected{At: i.now(), Tools: 2}, true},
		{mcp.Connected{At: i.now().Add(2 * time.Hour), Tools: 2}, true},
	} {
		before := call(t, i, "GET", "/api/v1/mcp/servers/s", nil).must(t, http.StatusOK)
		if err := i.app.recordConnection(t.Context(), s, step.Connected); err != nil {
			t.Fatal(err)
		}
		if _, err := i.app.models.runner.Wait(t.Context(), resources.Name, head(t, i)); err != nil {
			t.Fatal(err)
		}
		after := call(t, i, "GET", "/api/v1/mcp/servers/s", nil).must(t, http.StatusOK)
		if news := before.Header.Get("ETag") != after.Header.Get("ETag"); news != step.news {
			t.Errorf("step %d: recorded %v, want %v: %s", n, news, step.news, after.Data)
		}
		if (after.field(t, "lastError") == "no") != (step.Err != nil) || strings.Contains(string(after.Data), "a secret") {
			t.Errorf("step %d: %s", n, after.Data)
		}
	}
}

func head(t *testing.T, i *installation) domain.Position {
	t.Helper()
	at, err := i.app.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// What may not be reached or started is refused, when it is defined or used.
func TestMCPRefusals(t *testing.T) {
	over := mcpServer(t, "")
	i := start(t)
	call(t, i, "POST", "/api/v1/mcp/servers", map[string]any{"name": "local", "transport": "streamable_http", "url": over.URL}).must(t, http.StatusCreated)
	if status, _, raw := proxied(t, i, "local", `{"jsonrpc":"2.0","method":"ping"}`); status != http.StatusForbidden || !strings.Contains(raw, "outbound.private") {
		t.Errorf("a private address: %d %s", status, raw)
	}
	refused := call(t, i, "POST", "/api/v1/mcp/servers", map[string]any{"name": "sh", "transport": "stdio", "command": "/bin/sh"}).must(t, http.StatusBadRequest)
	if len(refused.Error.Details) != 1 || refused.Error.Details[0].Field != "command" || !strings.Contains(refused.Error.Details[0].Message, "mcp.commands") {
		t.Errorf("a program: %+v", refused.Error)
	}
	refused = call(t, i, "POST", "/api/v1/mcp/servers", map[string]any{"name": "ws", "transport": "websocket", "url": "wss://x"}).must(t, http.StatusBadRequest)
	if !strings.Contains(refused.Error.Details[0].Message, "not supported") {
		t.Errorf("websocket: %+v", refused.Error)
	}
}
