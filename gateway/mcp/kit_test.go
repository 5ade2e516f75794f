package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/gateway/mcp"
	"strata/internal/outbound"
)

// asServer makes this program an MCP server on its standard input and output.
const asServer = "STRATA_TEST_MCP_SERVER"

func TestMain(m *testing.M) {
	switch os.Getenv(asServer) {
	case "yes":
		if err := newServer(nil).Run(context.Background(), &sdk.StdioTransport{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case "fails":
		fmt.Fprintln(os.Stderr, "the licence has expired")
		os.Exit(3)
	}
	// Sessions that a test makes its server forget stay open at the server.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/modelcontextprotocol/go-sdk/mcp.(*streamableServerConn).Read"))
}

type added struct {
	Sum int `json:"sum"`
}

type terms struct {
	A int `json:"a"`
	B int `json:"b"`
}

// events tells a test what happens at a server; nil: nobody is told.
type events struct {
	calls   atomic.Int32
	started chan struct{} // when the tool wait begins
	over    chan struct{} // ends it, whatever happens
}

func newEvents() *events {
	return &events{started: make(chan struct{}, 8), over: make(chan struct{})}
}

// newServer makes a server with tools, a resource, a template and a prompt.
func newServer(e *events) *sdk.Server {
	if e == nil {
		e = newEvents()
	}
	s := sdk.NewServer(&sdk.Implementation{Name: "test", Version: "1"}, &sdk.ServerOptions{
		CompletionHandler: func(_ context.Context, r *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
			return &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{r.Params.Argument.Value + "pel"}, Total: 1}}, nil
		},
	})
	sdk.AddTool(s, &sdk.Tool{Name: "add", Description: "adds two numbers"}, func(_ context.Context, _ *sdk.CallToolRequest, in terms) (*sdk.CallToolResult, added, error) {
		e.calls.Add(1)
		return nil, added{in.A + in.B}, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "fail"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
		return nil, nil, fmt.Errorf("out of paper")
	})
	sdk.AddTool(s, &sdk.Tool{Name: "environment"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, []string, error) {
		return nil, os.Environ(), nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "wait"}, func(ctx context.Context, _ *sdk.CallToolRequest, _ struct{}) (*sdk.CallToolResult, any, error) {
		e.calls.Add(1)
		e.started <- struct{}{}
		select {
		case <-ctx.Done():
		case <-e.over:
		}
		return nil, nil, ctx.Err()
	})
	sdk.AddTool(s, &sdk.Tool{Name: "long"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(make([]byte, 64<<10))}}}, nil, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "spawn"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, int, error) {
		child := exec.Command("sleep", "1000") // keeps standard input and output of nobody
		if err := child.Start(); err != nil {
			return nil, 0, err
		}
		return nil, child.Process.Pid, nil
	})
	s.AddResource(&sdk.Resource{URI: "test://readme", Name: "readme"}, func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: r.Params.URI, Text: "read me"}}}, nil
	})
	s.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: "test://{name}", Name: "named"}, func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return nil, sdk.ResourceNotFoundError(r.Params.URI)
	})
	s.AddPrompt(&sdk.Prompt{Name: "greet"}, func(_ context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
		return &sdk.GetPromptResult{Messages: []*sdk.PromptMessage{{Role: "user", Content: &sdk.TextContent{Text: "Hello " + r.Params.Arguments["name"]}}}}, nil
	})
	return s
}

var ann = mcp.Caller{Workspace: "ws_1", User: "user_ann"}

// world is a client with servers it knows.
type world struct {
	*mcp.Client
	mu      sync.Mutex
	servers map[string]mcp.Server

	connected chan mcp.Connected
	called    chan mcp.Called
}

func newWorld(t *testing.T, change ...func(*mcp.Config)) *world {
	t.Helper()
	w := &world{servers: map[string]mcp.Server{}, connected: make(chan mcp.Connected, 100), called: make(chan mcp.Called, 1000)}
	guard, err := outbound.New([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := mcp.Config{Servers: w.find, Guard: guard, Commands: []string{self(t)},
		OnConnect: func(_ context.Context, _ mcp.Server, c mcp.Connected) { w.connected <- c },
		OnCall: func(_ context.Context, c mcp.Called) error {
			w.called <- c
			return nil
		}}
	for _, c := range change {
		c(&cfg)
	}
	w.Client = mcp.New(cfg)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) find(_ context.Context, workspace, name string) (mcp.Server, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.servers[workspace+"/"+name]
	if !ok {
		return s, domain.NotFound("mcp server", name)
	}
	return s, nil
}

// define makes a server known as ws_1/name.
func (w *world) define(name string, s mcp.Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.ID, s.Name, s.Workspace, s.Enabled = "mcp_"+name, name, "ws_1", true
	if s.Timeout == 0 {
		s.Timeout = 20 * time.Second
	}
	w.servers["ws_1/"+name] = s
}

func (w *world) call(t *testing.T, server, method, params string) (map[string]any, error) {
	t.Helper()
	raw, err := w.Call(t.Context(), ann, server, method, json.RawMessage(params))
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v in %s", method, err, raw)
	}
	return out, nil
}

func (w *world) must(t *testing.T, server, method, params string) map[string]any {
	t.Helper()
	out, err := w.call(t, server, method, params)
	if err != nil {
		t.Fatalf("%s %s: %v", server, method, err)
	}
	return out
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// httpServer serves a server over streamable HTTP; see is told of each request.
func httpServer(t *testing.T, e *events, see func(*http.Request)) *httptest.Server {
	t.Helper()
	if e == nil {
		e = newEvents()
	}
	s := newServer(e)
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, nil)
	out := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if see != nil {
			see(r)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		close(e.over)
		out.Close()
	})
	return out
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}
