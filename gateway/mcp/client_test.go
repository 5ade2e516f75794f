package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"strata/domain"
	"strata/gateway/mcp"
	"strata/internal/outbound"
)

// Every operation works over every transport, and errors of the server arrive.
func TestOperations(t *testing.T) {
	over := httpServer(t, nil, nil)
	events := httptest.NewServer(sdk.NewSSEHandler(func(*http.Request) *sdk.Server { return newServer(nil) }, nil))
	t.Cleanup(events.Close)
	w := newWorld(t)
	w.define("streamable", mcp.Server{Transport: "streamable_http", URL: over.URL})
	w.define("sse", mcp.Server{Transport: "sse", URL: events.URL})
	w.define("stdio", mcp.Server{Transport: "stdio", Command: self(t), Env: map[string]string{asServer: "yes"}})
	for _, server := range []string{"streamable", "sse", "stdio"} {
		t.Run(server, func(t *testing.T) {
			for method, want := range map[string]struct{ params, find string }{
				"ping":                     {``, `{}`},
				"initialize":               {`{}`, `"name":"test"`},
				"tools/call":               {`{"name":"add","arguments":{"a":2,"b":40}}`, `"structuredContent":{"sum":42}`},
				"resources/list":           {`null`, `"uri":"test://readme"`},
				"resources/templates/list": {``, `"uriTemplate":"test://{name}"`},
				"resources/read":           {`{"uri":"test://readme"}`, `"text":"read me"`},
				"prompts/list":             {``, `"name":"greet"`},
				"prompts/get":              {`{"name":"greet","arguments":{"name":"Ann"}}`, `"text":"Hello Ann"`},
				"completion/complete":      {`{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"name","value":"Ap"}}`, `"Appel"`},
			} {
				raw, err := w.Call(t.Context(), ann, server, method, json.RawMessage(want.params))
				if err != nil || !strings.Contains(string(raw), want.find) {
					t.Errorf("%s: %s, %v", method, raw, err)
				}
			}
			tools, err := w.Tools(t.Context(), ann, server)
			if err != nil || len(tools) != 6 || !slices.ContainsFunc(tools, func(x mcp.Tool) bool {
				return x.Name == "add" && strings.Contains(string(x.InputSchema), `"required"`)
			}) {
				t.Errorf("tools: %v, %v", tools, err)
			}
			if failed := w.must(t, server, "tools/call", `{"name":"fail"}`); failed["isError"] != true || !strings.Contains(fmt.Sprint(failed["content"]), "out of paper") {
				t.Errorf("a tool's failure is a result of it: %v", failed)
			}
			for what, want := range map[string]int64{
				`tools/call {"name":"none"}`: -32602, `resources/read {"uri":"test://none"}`: -32602, `tools/call {"name":7}`: -32602,
				`resources/subscribe {}`: -32601, `notifications/initialized {}`: -32601, `logging/setLevel {}`: -32601, `made/up {}`: -32601,
			} {
				method, params, _ := strings.Cut(what, " ")
				_, err := w.call(t, server, method, params)
				if e, ok := errors.AsType[*mcp.Error](err); !ok || e.Code != want || e.Message == "" {
					t.Errorf("%s: %v, want an answer with code %d", what, err, want)
				}
			}
			if c := receive(t, w.connected, "the connection"); c.Err != nil || c.Tools != 6 {
				t.Errorf("connected: %+v", c)
			}
		})
	}
}

// A session is opened once for all calls, closed when it rests, and opened again.
func TestSessionsAreKept(t *testing.T) {
	var began atomic.Int32
	ended := make(chan struct{}, 1)
	over := httpServer(t, nil, func(r *http.Request) {
		if r.Method == http.MethodDelete {
			ended <- struct{}{}
		}
		if r.Method == http.MethodPost && r.Header.Get("Mcp-Session-Id") == "" {
			began.Add(1)
		}
	})
	rests := newWorld(t, func(c *mcp.Config) { c.Idle = time.Millisecond })
	rests.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL})
	rests.must(t, "s", "ping", "")
	receive(t, ended, "the end of a session that rests")
	rests.must(t, "s", "ping", "") // it comes back
	receive(t, ended, "the end of the second session")

	w := newWorld(t)
	w.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL})
	began.Store(0)
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := w.Call(t.Context(), ann, "s", "tools/list", nil)
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := receive(t, errs, "a call"); err != nil {
			t.Error(err)
		}
	}
	sessions := began.Load() // with what the protocol asks before a session
	w.must(t, "s", "tools/list", "")
	if again := began.Load(); again != sessions || sessions > 2 {
		t.Errorf("%d requests began sessions, then %d", sessions, again)
	}
	// A changed definition is another session.
	w.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL, Headers: map[string]string{"X-New": "1"}})
	w.must(t, "s", "ping", "")
	receive(t, ended, "the end of the old definition's session")
	w.Disconnect("mcp_s")
	receive(t, ended, "the end of a session that was to end")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := w.call(t, "s", "ping", "")
	wantCode(t, err, domain.CodeUnavailable, "shutting down")
}

// A server that has forgotten its sessions is called on a new one; a tool too,
// because it certainly did not run.
func TestForgottenSessions(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusBadRequest} { // 400 is what many answer
		e := newEvents()
		server := newServer(e)
		h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil)
		var last, forgotten atomic.Value // session ids
		last.Store("")
		forgotten.Store("none")
		over := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get("Mcp-Session-Id")
			if id == forgotten.Load() {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprint(w, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`)
				return
			}
			if id != "" {
				last.Store(id)
			}
			h.ServeHTTP(w, r)
		}))
		t.Cleanup(over.Close)
		w := newWorld(t)
		w.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL})
		w.must(t, "s", "tools/call", `{"name":"add","arguments":{"a":1,"b":1}}`)
		forgotten.Store(last.Load())
		w.must(t, "s", "tools/call", `{"name":"add","arguments":{"a":1,"b":1}}`)
		if last.Load() == forgotten.Load() || e.calls.Load() != 2 {
			t.Errorf("HTTP %d: session %q, %d calls", status, last.Load(), e.calls.Load())
		}
	}
}

// A tool that was running when the connection broke is not run again.
func TestToolsRunAtMostOnce(t *testing.T) {
	e := newEvents()
	over := httpServer(t, e, nil)
	w := newWorld(t)
	w.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL})
	w.must(t, "s", "ping", "")
	failed := make(chan error, 1)
	go func() {
		_, err := w.Call(t.Context(), ann, "s", "tools/call", json.RawMessage(`{"name":"wait"}`))
		failed <- err
	}()
	receive(t, e.started, "the tool")
	w.Disconnect("mcp_s") // ends when the call does
	over.CloseClientConnections()
	over.Listener.Close() // nobody can come back for the answer
	err := receive(t, failed, "the failure")
	wantCode(t, err, domain.CodeUnavailable, "MCP server")
	if n := e.calls.Load(); n != 1 {
		t.Errorf("the tool ran %d times", n)
	}
}

func TestTimeoutsAndCancelling(t *testing.T) {
	e := newEvents()
	over := httpServer(t, e, nil)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client goes
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	w := newWorld(t)
	w.define("slow", mcp.Server{Transport: "streamable_http", URL: over.URL, Timeout: 300 * time.Millisecond})
	w.define("silent", mcp.Server{Transport: "streamable_http", URL: silent.URL, Timeout: 50 * time.Millisecond})
	_, err := w.call(t, "slow", "tools/call", `{"name":"wait"}`)
	wantCode(t, err, domain.CodeTimeout, "timeout_ms")
	w.must(t, "slow", "ping", "") // the session is well
	_, err = w.call(t, "silent", "ping", "")
	wantCode(t, err, domain.CodeTimeout, "silent")

	w.define("patient", mcp.Server{Transport: "streamable_http", URL: over.URL})
	receive(t, e.started, "the first wait")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := w.Call(ctx, ann, "patient", "tools/call", json.RawMessage(`{"name":"wait"}`))
		done <- err
	}()
	receive(t, e.started, "the second wait")
	cancel()
	if err := receive(t, done, "the cancelled call"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What a tenant may not reach or start is refused, with the setting's name.
func TestRefusals(t *testing.T) {
	over := httpServer(t, nil, nil)
	elsewhere := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
	t.Cleanup(other.Close)
	redirects := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirects.Close)
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(denied.Close)
	w := newWorld(t, func(c *mcp.Config) { c.MaxSize = 32 << 10 })
	w.define("shell", mcp.Server{Transport: "stdio", Command: "/bin/sh", Args: []string{"-c", "true"}})
	w.define("fails", mcp.Server{Transport: "stdio", Command: self(t), Env: map[string]string{asServer: "fails"}})
	w.define("redirects", mcp.Server{Transport: "streamable_http", URL: redirects.URL})
	w.define("denied", mcp.Server{Transport: "streamable_http", URL: denied.URL})
	w.define("gone", mcp.Server{Transport: "streamable_http", URL: "http://127.0.0.1:1"})
	w.define("gone2", mcp.Server{Transport: "sse", URL: "http://127.0.0.1:1"})
	w.define("long", mcp.Server{Transport: "streamable_http", URL: over.URL})
	w.define("websocket", mcp.Server{Transport: "websocket", URL: over.URL})
	for server, want := range map[string]struct {
		code domain.Code
		text string
	}{
		"shell": {domain.CodeForbidden, "mcp.commands"}, "fails": {domain.CodeUnavailable, "the licence has expired"},
		"redirects": {domain.CodeUnavailable, "redirects"}, "denied": {domain.CodeUnavailable, "HTTP 401"},
		"gone": {domain.CodeUnavailable, "connection refused"}, "gone2": {domain.CodeUnavailable, "connection refused"},
		"nobody": {domain.CodeNotFound, "nobody"}, "websocket": {domain.CodeConflict, "websocket"},
	} {
		_, err := w.call(t, server, "ping", "")
		wantCode(t, err, want.code, want.text)
	}
	if elsewhere {
		t.Error("a redirect was followed")
	}
	_, err := w.call(t, "long", "tools/call", `{"name":"long"}`)
	wantCode(t, err, domain.CodeUnavailable, "MCP server")

	s, err := w.find(t.Context(), "ws_1", "long")
	if err != nil {
		t.Fatal(err)
	}
	s.Enabled = false
	_, err = w.CallServer(t.Context(), ann, s, "ping", nil)
	wantCode(t, err, domain.CodeConflict, "not enabled")

	strict := newWorld(t, func(c *mcp.Config) {
		var err error
		if c.Guard, err = outbound.New(nil); err != nil {
			t.Fatal(err)
		}
	})
	for _, transport := range []string{"streamable_http", "sse"} {
		strict.define(transport, mcp.Server{Transport: transport, URL: over.URL})
		_, err = strict.call(t, transport, "ping", "")
		wantCode(t, err, domain.CodeForbidden, "outbound.private")
	}
}

// Requests carry the server's headers and credential.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		auth mcp.Auth
		name string
		want string
	}{
		{mcp.Auth{Type: "bearer", Token: "secret"}, "Authorization", "Bearer secret"},
		{mcp.Auth{Type: "basic", Username: "ann", Password: "pw"}, "Authorization", "Basic YW5uOnB3"},
		{mcp.Auth{Type: "header", Header: "X-Api-Key", Token: "secret"}, "X-Api-Key", "secret"},
		{mcp.Auth{Type: "none"}, "Authorization", ""},
	} {
		var seen atomic.Value // on a server of its own: the session before is left whenever that comes
		over := httpServer(t, nil, func(r *http.Request) { seen.Store(r.Header.Clone()) })
		w.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL, Auth: c.auth, Headers: map[string]string{"X-Tenant": "one"}})
		w.must(t, "s", "ping", "")
		h := seen.Load().(http.Header)
		if h.Get(c.name) != c.want || h.Get("X-Tenant") != "one" {
			t.Errorf("%s: %v", c.auth.Type, h)
		}
	}
}

// A program gets its own environment and nothing of ours, and what it started ends
// with it.
func TestPrograms(t *testing.T) {
	t.Setenv("STRATA_MASTER_KEY", "secret")
	w := newWorld(t)
	w.define("s", mcp.Server{Transport: "stdio", Command: self(t), Env: map[string]string{asServer: "yes", "OWN": "1"}})
	got := w.must(t, "s", "tools/call", `{"name":"environment"}`)
	env := fmt.Sprint(got["content"])
	if !strings.Contains(env, "OWN=1") || strings.Contains(env, "STRATA_MASTER_KEY") {
		t.Errorf("environment: %s", env)
	}
	spawned := w.must(t, "s", "tools/call", `{"name":"spawn"}`)
	pid, ok := spawned["structuredContent"].(float64)
	if !ok {
		t.Fatalf("spawned: %v", spawned)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	for syscall.Kill(int(pid), 0) == nil { // gone, once whoever adopted it has buried it
		select {
		case <-deadline:
			t.Fatal("what the program started lives on")
		default:
			if state := processState(int(pid)); state == "Z" || state == "" {
				return
			}
		}
	}
}

// Calls are told of, with what was said.
func TestCallsAreTold(t *testing.T) {
	over := httpServer(t, nil, nil)
	w := newWorld(t)
	w.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL})
	w.must(t, "s", "tools/call", `{"name":"add","arguments":{"a":1,"b":2}}`)
	_, err := w.call(t, "s", "tools/call", `{"name":"none"}`)
	first, second := receive(t, w.called, "a call"), receive(t, w.called, "a call")
	if first.Method != "tools/call" || first.By != ann || first.Server.Name != "s" || first.Err != nil || !strings.Contains(string(first.Result), `"sum":3`) || !strings.Contains(string(first.Params), `"a":1`) {
		t.Errorf("told: %+v", first)
	}
	if !reflect.DeepEqual(second.Err, err) || second.Result != nil || second.Duration <= 0 {
		t.Errorf("told: %+v", second)
	}
}

// A call that cannot be recorded is not answered as if nothing were wrong.
func TestCallsMustBeRecorded(t *testing.T) {
	over := httpServer(t, nil, nil)
	w := newWorld(t, func(c *mcp.Config) {
		c.OnCall = func(context.Context, mcp.Called) error {
			return domain.Errorf(domain.CodeUnavailable, "the log is full")
		}
	})
	w.define("s", mcp.Server{Transport: "streamable_http", URL: over.URL})
	_, err := w.call(t, "s", "tools/call", `{"name":"add","arguments":{"a":1,"b":2}}`)
	wantCode(t, err, domain.CodeUnavailable, "the log is full")
}

func wantCode(t *testing.T, err error, code domain.Code, text string) {
	t.Helper()
	if err == nil || domain.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v (%s), want %s with %q", err, domain.CodeOf(err), code, text)
	}
}
