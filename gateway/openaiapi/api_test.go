package openaiapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/gateway"
	"strata/gateway/gatewaytest"
	"strata/gateway/openaiapi"
	"strata/gateway/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type rig struct {
	url    string
	client *http.Client
	up     *gatewaytest.Upstream
	dir    *gatewaytest.Directory
	books  *gatewaytest.Books
}

func newRig(t testing.TB, change ...func(*openaiapi.Config)) *rig {
	t.Helper()
	r := &rig{up: gatewaytest.NewUpstream(t), dir: &gatewaytest.Directory{}, books: &gatewaytest.Books{}}
	r.dir.AddProvider(gateway.Provider{Name: "up", BaseURL: r.up.URL, Models: []string{"m", "org/m2"}})
	transport := upstream.NewTransport(time.Second)
	t.Cleanup(transport.CloseIdleConnections)
	g, err := gateway.New(gateway.Config{
		Directory: r.dir, Budgets: r.books, Recorder: r.books, Transport: transport,
		Wait: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	config := openaiapi.Config{Gateway: g, MaxBody: 1 << 20, Call: func(r *http.Request) (gateway.Call, error) {
		if r.Header.Get("Authorization") == "" {
			return gateway.Call{}, domain.Errorf(domain.CodeUnauthorized, "no API key was given")
		}
		return gateway.Call{Workspace: "wks_1", RequestID: "req_1"}, nil
	}}
	for _, f := range change {
		f(&config)
	}
	api, err := openaiapi.New(config)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, route := range api.Routes() {
		mux.HandleFunc(route.Method+" /openai/v1"+strings.Replace(route.Path, "{model_id}", "{model_id...}", 1), route.Handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.url, r.client = server.URL+"/openai/v1", server.Client()
	return r
}

func (r *rig) do(t testing.TB, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer key")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

const question = `"messages":[{"role":"user","content":"Hello?"}]`

func TestChatCompletions(t *testing.T) {
	r := newRig(t)
	resp, body := r.do(t, "POST", "/chat/completions", `{"model":"up/m",`+question+`}`,
		"Strata-Tags", "a, b,,", "Strata-Session", "ses_1", "X-Correlation-Id", "cor-1")
	if resp.StatusCode != 200 || !strings.Contains(body, `"content":"Hello there."`) || !strings.Contains(body, `"system_fingerprint"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	rec := r.books.Records()[0]
	if !reflect.DeepEqual(rec.Tags, []string{"a", "b"}) || rec.Session != "ses_1" || rec.CorrelationID != "cor-1" {
		t.Errorf("record %+v", rec)
	}
	h := resp.Header
	if h.Get("X-Request-Id") != "req_1" || h.Get("Strata-Inference-Id") != rec.ID || h.Get("Strata-Model") != "up/m" || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", h)
	}
}

func TestStream(t *testing.T) {
	r := newRig(t)
	resp, body := r.do(t, "POST", "/chat/completions", `{"model":"up/m","stream":true,`+question+`}`)
	h := resp.Header
	if h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-cache" || h.Get("Strata-Model") != "up/m" || h.Get("Strata-Inference-Id") == "" {
		t.Errorf("headers %v", h)
	}
	frames := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	if len(frames) != 4 || frames[3] != "data: [DONE]" || !strings.HasPrefix(frames[0], `data: {"id":"chatcmpl-up"`) {
		t.Errorf("frames %q", frames)
	}
}

func TestStreamThatBreaks(t *testing.T) {
	r := newRig(t)
	r.up.Always(gatewaytest.DieAfter("half "))
	resp, body := r.do(t, "POST", "/chat/completions", `{"model":"up/m","stream":true,`+question+`}`)
	if resp.StatusCode != 200 || strings.Contains(body, "[DONE]") || !strings.Contains(body, "\n\ndata: {\"error\":{\"message\":") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestUnrecordedStreamHasNoEndMark(t *testing.T) {
	r := newRig(t)
	r.books.FailRecords(errors.New("disk full"))
	_, body := r.do(t, "POST", "/chat/completions", `{"model":"up/m","stream":true,`+question+`}`)
	if strings.Contains(body, "[DONE]") || !strings.Contains(body, `"code":"service_unavailable"`) || strings.Contains(body, "disk full") {
		t.Errorf("%q", body)
	}
}

func TestErrors(t *testing.T) {
	r := newRig(t)
	tests := map[string]struct {
		path, body          string
		behaviour           gatewaytest.Behaviour
		status              int
		kind, param, code   string
		header, headerValue string
	}{
		"not JSON":         {"/chat/completions", `{`, nil, 400, "invalid_request_error", "", "", "", ""},
		"faulty fields":    {"/chat/completions", `{"model":"m","n":0}`, nil, 400, "invalid_request_error", "messages", "invalid_value", "", ""},
		"unknown model":    {"/chat/completions", `{"model":"x/y",` + question + `}`, nil, 404, "invalid_request_error", "model", "model_not_found", "", ""},
		"unknown, stream":  {"/chat/completions", `{"stream":true,"model":"x/y",` + question + `}`, nil, 404, "invalid_request_error", "model", "model_not_found", "", ""},
		"too long":         {"/chat/completions", strings.Repeat("x", 2<<20), nil, 413, "invalid_request_error", "", "request_too_large", "", ""},
		"refused":          {"/chat/completions", `{"model":"up/m",` + question + `}`, gatewaytest.Error(400, "no", "tools", "bad_tools"), 400, "invalid_request_error", "tools", "bad_tools", "", ""},
		"rate limit":       {"/chat/completions", `{"model":"up/m",` + question + `}`, gatewaytest.Error(429, "no", "", "", "Retry-After", "7"), 429, "rate_limit_error", "", "rate_limit_exceeded", "Retry-After", "7"},
		"provider is down": {"/chat/completions", `{"model":"up/m",` + question + `}`, gatewaytest.Die(), 503, "server_error", "", "ai_service_error", "", ""},
		"embedding input":  {"/embeddings", `{"model":"strata/embed-1","input":[]}`, nil, 400, "invalid_request_error", "input", "invalid_value", "", ""},
		"embedding model":  {"/embeddings", `{"model":"strata/echo","input":"a"}`, nil, 404, "invalid_request_error", "model", "model_not_found", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.behaviour != nil {
				r.up.Always(tt.behaviour)
			}
			resp, body := r.do(t, "POST", tt.path, tt.body)
			var got struct {
				Error struct {
					Message, Type string
					Param, Code   *string
				}
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			text := func(s *string) string {
				if s == nil {
					return ""
				}
				return *s
			}
			if resp.StatusCode != tt.status || got.Error.Type != tt.kind || text(got.Error.Param) != tt.param || text(got.Error.Code) != tt.code || got.Error.Message == "" {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if tt.header != "" && resp.Header.Get(tt.header) != tt.headerValue {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
}

func TestErrorMessageNamesEveryFault(t *testing.T) {
	_, body := newRig(t).do(t, "POST", "/chat/completions", `{"n":0}`)
	for _, field := range []string{"model", "messages", "n must be"} {
		if !strings.Contains(body, field) {
			t.Errorf("%s does not name %s", body, field)
		}
	}
}

func TestQuota(t *testing.T) {
	r := newRig(t)
	r.books.Limit(-1)
	resp, body := r.do(t, "POST", "/chat/completions", `{"model":"up/m",`+question+`}`)
	if resp.StatusCode != 429 || resp.Header.Get("X-Should-Retry") != "false" || !strings.Contains(body, `"type":"insufficient_quota"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestUnauthorized(t *testing.T) {
	resp, body := newRig(t).do(t, "GET", "/models", "", "Authorization", "")
	if resp.StatusCode != 401 || !strings.Contains(body, `"code":"invalid_api_key"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestBadHeaders(t *testing.T) {
	resp, body := newRig(t).do(t, "POST", "/chat/completions", `{}`, "Strata-Tags", strings.Repeat("x", 65), "Strata-Session", strings.Repeat("x", 129))
	if resp.StatusCode != 400 || !strings.Contains(body, `"param":"Strata-Tags"`) || !strings.Contains(body, "Strata-Session") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestInternalErrorsAreNotShown(t *testing.T) {
	status, body := openaiapi.Describe(fmt.Errorf("secret path /etc/x"))
	if status != 500 || !strings.Contains(string(body), `"message":"internal error"`) {
		t.Errorf("%d %s", status, body)
	}
}

// A body that says it is too long is refused before it is sent.
func TestLongBodyIsNotRead(t *testing.T) {
	r := newRig(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(r.url, "/openai/v1"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /openai/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: 20000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestModels(t *testing.T) {
	r := newRig(t)
	_, body := r.do(t, "GET", "/models", "")
	var list struct {
		Object string
		Data   []struct {
			ID, Object string
			Created    int64
			OwnedBy    string `json:"owned_by"`
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	if list.Object != "list" || len(list.Data) != 5 || list.Data[3].ID != "up/m" || list.Data[3].Object != "model" || list.Data[3].OwnedBy != "up" || list.Data[3].Created == 0 {
		t.Errorf("%s", body)
	}
	for _, path := range []string{"/models/strata/extract-1", "/models/up/org/m2", "/models/up%2Forg%2Fm2"} {
		if resp, body := r.do(t, "GET", path, ""); resp.StatusCode != 200 || !strings.Contains(body, `"object":"model"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, body := r.do(t, "GET", "/models/up/none", ""); resp.StatusCode != 404 || !strings.Contains(body, "model_not_found") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestEmbeddings(t *testing.T) {
	_, body := newRig(t).do(t, "POST", "/embeddings", `{"model":"strata/embed-1","input":["a b","c"],"dimensions":4}`)
	var got struct {
		Object string
		Data   []struct{ Embedding []float32 }
		Usage  struct {
			Prompt int `json:"prompt_tokens"`
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Object != "list" || len(got.Data) != 2 || len(got.Data[0].Embedding) != 4 || got.Usage.Prompt != 3 {
		t.Errorf("%s: %v", body, err)
	}
}

func TestClientThatLeavesIsRecorded(t *testing.T) {
	r := newRig(t)
	r.up.Always(gatewaytest.Endless("word ", time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", r.url+"/chat/completions", strings.NewReader(`{"model":"up/m","stream":true,`+question+`}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer k")
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	<-r.up.ClientGone()
	wait, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	if err := r.books.WaitFor(wait, "record", 1); err != nil {
		t.Fatal(err)
	}
	if rec := r.books.Records()[0]; !rec.Cancelled || rec.OutputTokens == 0 {
		t.Errorf("record %+v", rec)
	}
}

// In silence comments keep the connection alive, and no frame waits for them.
func TestKeepAlive(t *testing.T) {
	r := newRig(t, func(c *openaiapi.Config) { c.KeepAlive = 5 * time.Millisecond })
	release := make(chan struct{})
	r.up.Always(gatewaytest.Between("first ", release, "second"))
	req, err := http.NewRequest("POST", r.url+"/chat/completions", strings.NewReader(`{"model":"up/m","stream":true,`+question+`}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer k")
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all bytes.Buffer
	lines := bufio.NewReader(io.TeeReader(resp.Body, &all))
	for comments := 0; comments < 2; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == ": keep-alive\n" {
			comments++
		}
	}
	close(release)
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Fatal(err)
	}
	if text := all.String(); !strings.HasPrefix(text, "data: {") || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Errorf("%q", text)
	}
}
