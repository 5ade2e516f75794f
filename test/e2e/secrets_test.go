//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// upstream is a server outside that remembers the credentials it is shown, and
// repeats them in its answers, as careless servers do.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]string // latest X-Secret by path
}

func startUpstream(t *testing.T) *upstream {
	u := &upstream{seen: map[string]string{}}
	s := sdk.NewServer(&sdk.Implementation{Name: "careless", Version: "1"}, nil)
	sdk.AddTool(s, &sdk.Tool{Name: "whoami"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "you are " + u.last("/mcp")}}}, nil, nil
	})
	mcp := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, nil)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.seen[r.URL.Path] = r.Header.Get("X-Secret")
		u.mu.Unlock()
		switch r.URL.Path {
		case "/mcp":
			mcp.ServeHTTP(w, r)
		case "/elsewhere": // the same server under another name
			http.Redirect(w, r, strings.Replace(u.URL, "127.0.0.1", "localhost", 1)+"/moved", http.StatusTemporaryRedirect)
		default:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Echo", r.Header.Get("X-Secret"))
			_ = json.NewEncoder(w).Encode(object{"got": r.Header.Get("X-Secret"), "other": r.Header.Get("X-Other")})
		}
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) last(path string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen[path]
}

// eavesdropper keeps every answer that a client gets.
type eavesdropper struct {
	inner http.RoundTripper
	mu    sync.Mutex
	heard bytes.Buffer
}

func (l *eavesdropper) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := l.inner.RoundTrip(req)
	if err != nil || strings.HasSuffix(req.URL.Path, "/reveal") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.heard, "%s %s\n%v\n%s\n", req.Method, req.URL, res.Header, body)
	return res, err
}

func (l *eavesdropper) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard.String()
}

// listen makes a client's answers heard.
func listen(c tenant) *eavesdropper {
	l := &eavesdropper{inner: c.HTTP.Transport}
	c.HTTP.Transport = l
	return l
}

const whoami = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}`

// httpWorkflow makes a workflow of one request.
func httpWorkflow(t *testing.T, c tenant, name, url string, headers object) string {
	return c.Create(t, "/api/v1/workflows", object{"name": name, "nodes": []object{
		{"id": "start", "type": "start"},
		{"id": "ask", "type": "http", "config": object{"url": url, "headers": headers}},
		{"id": "end", "type": "end", "config": object{"outputs": object{"answer": "{{nodes.ask}}"}}},
	}, "edges": []object{{"source": "start", "target": "ask"}, {"source": "ask", "target": "end"}}}).Str("data.id")
}

func runFlow(t *testing.T, c tenant, workflow string, inputs object) *kit.Answer {
	return c.Post(t, "/api/v1/workflows/"+workflow+"/run", object{"inputs": inputs})
}

// What refers to a secret sends its value, from the next call on another one when it
// was rotated, also after a crash. The value is in no answer, no log, and in no file.
func TestSecretsAreUsedAndNotShown(t *testing.T) {
	s, u := reaching(t), startUpstream(t)
	c := newTenant(t, s)
	all := listen(c)
	first, second := rand.Text()+`"\é`, rand.Text()
	c.Create(t, "/api/v1/secrets", object{"name": "door", "value": first, "tags": []string{"test"}, "rotationDays": 30, "description": "opens"}).
		Want("data.name", "door", "data.version", 1, "data.status", "active")
	c.Create(t, "/api/v1/mcp/servers", object{"name": "careless", "transport": "streamable_http", "url": u.URL + "/mcp",
		"headers": object{"X-Secret": "Key {{secret.door}}"}})
	wf := httpWorkflow(t, c, "ask", u.URL+"/ask", object{"X-Secret": "{{secret.door}}", "X-Other": "{{inputs.other}}"})
	use := func(value string) {
		t.Helper()
		c.Post(t, "/v1/mcps/careless/proxy", kit.Raw(whoami)).Want("result.content.0.text", "you are Key ***")
		if got := u.last("/mcp"); got != "Key "+value {
			t.Errorf("the MCP server was shown %q, want %q", got, value)
		}
		// What comes in from outside is no reference, whatever it looks like.
		runFlow(t, c, wf, object{"other": "{{secret.door}}"}).Want("data.status", "completed", "data.outputs.answer.body.got", "***",
			"data.outputs.answer.body.other", "{{secret.door}}")
		if got := u.last("/ask"); got != value {
			t.Errorf("the address was shown %q, want %q", got, value)
		}
	}
	use(first)
	c.Post(t, "/api/v1/secrets/door/rotate", object{"value": second}).Want("data.version", 2)
	use(second)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	use(second)
	made := c.Post(t, "/api/v1/secrets/door/rotate", object{"generate": true, "length": 40}).Want("data.version", 3)
	third := c.Post(t, "/api/v1/secrets/door/reveal", object{"reason": "test"}, made.After()...).Want("data.version", 3).Str("data.value")
	if len(third) != 40 {
		t.Errorf("generated %q", third)
	}
	use(third)
	c.Post(t, "/api/v1/secrets/door/reveal", object{"version": 1, "reason": "test"}).Want("data.value", first)
	lookEverywhere(t, c, made)
	unheard(t, all.text(), s.Log(), first, second, third)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	noFileHolds(t, s.DataDir, first, second, third)
}

// lookEverywhere asks for all that there is to see of the secret "door".
func lookEverywhere(t *testing.T, c tenant, at *kit.Answer) {
	t.Helper()
	for _, path := range []string{"/secrets", "/secrets?tag=test&status=active&search=oo", "/secrets/door", "/secrets/door?at=0", "/secrets/door/history",
		"/secrets/door/diff", "/secrets/door/diff?from=0", "/secrets/door/versions", "/secrets/door/access-log?limit=100", "/events?limit=100", "/audit/logs?limit=100",
		"/mcp/servers", "/mcp/servers/careless", "/workflows", "/workflows/ask", "/workflows/ask/executions"} {
		a, err := c.Call(t.Context(), "GET", "/api/v1"+path, nil, at.After()...)
		if err != nil || a.Status >= 400 {
			t.Fatalf("GET %s: %v %v", path, err, a.Short())
		}
	}
	versions := c.Get(t, "/api/v1/secrets/door/versions")
	if got := fmt.Sprint(versions.Strings("data", "status")); got != "[current previous previous]" {
		t.Errorf("versions: %s", got)
	}
	log := c.Get(t, "/api/v1/secrets/door/access-log?limit=100&sortOrder=asc", at.After()...)
	// One use of each version by each of the two, unless a day ended meanwhile.
	want := "[use use rotate use use rotate reveal use use reveal]"
	days := map[string]bool{}
	for _, at := range log.Strings("data", "timestamp") {
		days[at[:len("2006-01-02")]] = true
	}
	if got := fmt.Sprint(log.Strings("data", "action")); got != want && len(days) == 1 {
		t.Errorf("accesses: %s, want %s", got, want)
	}
}

func unheard(t *testing.T, answers, log string, values ...string) {
	t.Helper()
	for _, v := range values {
		encoded, _ := json.Marshal(v)
		for _, form := range []string{v, string(encoded[1 : len(encoded)-1])} {
			if i := strings.Index(answers, form); i >= 0 {
				t.Errorf("an answer holds a value: %s", answers[max(0, i-500):i])
			}
			if strings.Contains(log, form) {
				t.Error("the server's output holds a value")
			}
		}
	}
}

func noFileHolds(t *testing.T, dir string, values ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, v := range values {
			if bytes.Contains(content, []byte(v[:min(len(v), 20)])) {
				t.Errorf("%s holds a value", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A reference to what is not there is refused when it is made, and fails honestly
// when it is used; nothing is deleted under those who use it unless that is asked for.
func TestSecretReferences(t *testing.T) {
	s, u := reaching(t), startUpstream(t)
	c := newTenant(t, s)
	server := func(name, header string) object {
		return object{"name": name, "transport": "streamable_http", "url": u.URL + "/mcp", "headers": object{"X-Secret": header}}
	}
	bad := func(path string, body object, field string) {
		t.Helper()
		c.Do(t, http.StatusBadRequest, "POST", path, body).Want("error.code", "VALIDATION_ERROR", "error.details.0.field", field)
	}
	bad("/api/v1/mcp/servers", server("a", "{{secret.none}}"), "headers.X-Secret")
	bad("/api/v1/mcp/servers", server("a", "{{secret.}}"), "headers.X-Secret")
	node := func(config object) object {
		return object{"name": "a", "nodes": []object{{"id": "n", "type": "http", "config": config}}, "edges": []object{}}
	}
	bad("/api/v1/workflows", node(object{"url": u.URL, "headers": object{"X-A": "{{secret.none}}"}}), "nodes[0].config.headers.X-A")
	bad("/api/v1/workflows", node(object{"url": u.URL + "/{{secret.none}}"}), "nodes[0].config.url")

	c.Create(t, "/api/v1/secrets", object{"name": "door", "value": "open sesame"})
	c.Do(t, http.StatusConflict, "POST", "/api/v1/secrets", object{"name": "DOOR", "value": "x"})
	c.Create(t, "/api/v1/mcp/servers", server("careless", "{{secret.door}}"))
	wf := httpWorkflow(t, c, "moved", u.URL+"/elsewhere", object{"X-Secret": "{{secret.door}}"})
	runFlow(t, c, wf, object{}).Want("data.status", "completed")
	if u.last("/elsewhere") != "open sesame" || u.last("/moved") != "" {
		t.Errorf("the secret went to %q and, where that leads, to %q", u.last("/elsewhere"), u.last("/moved"))
	}
	held := c.Do(t, http.StatusConflict, "DELETE", "/api/v1/secrets/door", nil)
	for _, who := range []string{"careless", "moved"} {
		if !strings.Contains(held.Str("error.message"), who) {
			t.Errorf("who uses it: %s", held.Short())
		}
	}
	c.Delete(t, "/api/v1/secrets/door?force=true").Want("data.deleted", true)
	c.Do(t, http.StatusNotFound, "GET", "/api/v1/secrets/door", nil)
	c.Do(t, http.StatusNotFound, "POST", "/api/v1/secrets/door/reveal", object{"reason": "x"})
	c.Do(t, http.StatusConflict, "POST", "/v1/mcps/careless/proxy", kit.Raw(whoami))
	runFlow(t, c, wf, object{}).Want("data.status", "failed", "data.error.code", "CONFLICT")
	if got := c.Get(t, "/api/v1/secrets/door/access-log?sortOrder=desc").Str("data.0.action"); got != "delete" {
		t.Errorf("the log of accesses ends with %s", got)
	}
	// One of the same name takes its place.
	c.Create(t, "/api/v1/secrets", object{"name": "door", "value": "open again"}).Want("data.version", 1)
	runFlow(t, c, wf, object{}).Want("data.status", "completed")
	if got := u.last("/elsewhere"); got != "open again" {
		t.Errorf("shown %q", got)
	}
	other := newTenant(t, s)
	other.Do(t, http.StatusNotFound, "GET", "/api/v1/secrets/door", nil)
	other.Do(t, http.StatusBadRequest, "POST", "/api/v1/mcp/servers", server("b", "{{secret.door}}"))
}

// A provider whose key is a reference is called with the secret's value.
func TestSecretOfProvider(t *testing.T) {
	c := onShared(t)
	up := gatewaytest.NewUpstream(t)
	c.Create(t, "/api/v1/secrets", object{"name": "llm", "value": "sk-first"})
	c.Create(t, "/api/v1/providers", object{"name": "up", "type": "openai_compatible", "baseUrl": up.URL, "apiKey": "{{secret.llm}}",
		"models": []string{"m"}, "config": object{"prices": prices}})
	called := func(key string) {
		t.Helper()
		c.Post(t, chatPath, say("up/m", "hello"))
		c.Post(t, chatPath, say("m", "hello"))
		requests := up.Requests()
		for _, r := range requests[len(requests)-2:] {
			if got := r.Header.Get("Authorization"); got != "Bearer "+key {
				t.Errorf("called with %q", got)
			}
		}
	}
	called("sk-first")
	made := c.Post(t, "/api/v1/secrets/llm/rotate", object{"value": "sk-second"})
	c.Header = http.Header{"Strata-Min-Position": {made.Position()}}
	called("sk-second")
	c.Do(t, http.StatusConflict, "DELETE", "/api/v1/secrets/llm", nil)
	c.Delete(t, "/api/v1/secrets/llm?force=true")
	c.Do(t, http.StatusConflict, "POST", chatPath, say("up/m", "hello"))
}

// A connector whose credentials are references reads its bucket with the secrets'
// values, which nobody is shown.
func TestSecretsOfConnector(t *testing.T) {
	s, s3 := reaching(t), kit.StartS3(t)
	c := newTenant(t, s)
	all := listen(c)
	s3.Put(t, "churn", "a.csv", []byte("a\n1\n"))
	bucket := func(key string) object {
		return object{"name": "Churn", "type": "aws-s3", "s3": object{"bucket": "churn", "endpoint": s3.URL, "region": "us-east-1",
			"access_key_id": "{{secret.bucket-id}}", "secret_access_key": key}}
	}
	c.Create(t, "/api/v1/secrets", object{"name": "bucket-id", "value": s3.AccessKeyID})
	c.Do(t, http.StatusBadRequest, "POST", "/v1/connectors", bucket("{{secret.bucket-key}}")).
		Want("code", "VALIDATION_ERROR", "details.0.field", "s3.secret_access_key")
	c.Create(t, "/api/v1/secrets", object{"name": "bucket-key", "value": s3.SecretAccessKey})
	id := c.Create(t, "/v1/connectors", bucket("{{secret.bucket-key}}")).Want("status", "active").Str("id")
	one := "/v1/connectors/" + id
	c.Get(t, one+"/files")
	other := c.Post(t, "/api/v1/secrets/bucket-key/rotate", object{"value": "another"})
	c.Post(t, one+"/test", nil, other.After()...).Want("ok", false)
	c.Post(t, "/api/v1/secrets/bucket-key/rotate", object{"value": s3.SecretAccessKey})
	c.Post(t, one+"/test", nil).Want("ok", true)

	held := c.Do(t, http.StatusConflict, "DELETE", "/api/v1/secrets/bucket-key", nil)
	if says := held.Str("error.message"); !strings.Contains(says, `connector "Churn" (secret_access_key)`) {
		t.Errorf("who uses it: %s", says)
	}
	log := c.Get(t, "/api/v1/secrets/bucket-key/access-log?limit=100")
	if !strings.Contains(log.Short(), "connector/"+id) {
		t.Errorf("the log of accesses does not tell of the connector: %s", log.Short())
	}
	for _, path := range []string{one, "/v1/connectors", "/api/v1/connectors/aws-s3/instances/" + id, "/api/v1/events?limit=100"} {
		c.Get(t, path)
	}
	c.Delete(t, "/api/v1/secrets/bucket-key?force=true")
	gone := c.Do(t, http.StatusConflict, "GET", one+"/files", nil)
	if says := gone.Str("error"); !strings.Contains(says, "secret_access_key") {
		t.Errorf("what is missing: %s", gone.Short())
	}
	c.Post(t, one+"/test", nil).Want("ok", false)
	c.Get(t, one).Want("status", "error")
	unheard(t, all.text(), s.Log(), s3.SecretAccessKey, s3.AccessKeyID)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	noFileHolds(t, s.DataDir, s3.SecretAccessKey)
}
