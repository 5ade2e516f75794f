//go:build e2e

package e2e

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

func TestRequestIDs(t *testing.T) {
	c := onShared(t)
	a := c.Get(t, "/api/v1/apps", "X-Request-Id", "my-request-1")
	a.Want("meta.requestId", "my-request-1")
	if got := a.Header.Get("X-Request-Id"); got != "my-request-1" {
		t.Errorf("X-Request-Id %q", got)
	}
	b := c.Get(t, "/api/v1/apps", "X-Request-Id", `not sane "<>`)
	if id := b.Str("meta.requestId"); !strings.HasPrefix(id, "req_") || b.Header.Get("X-Request-Id") != id {
		t.Errorf("requestId %q", id)
	}
	e := c.Do(t, http.StatusNotFound, "GET", "/api/v1/apps/app_nobody", nil)
	e.Want("meta.requestId", e.Header.Get("X-Request-Id"))
}

func TestRateLimitHeaders(t *testing.T) {
	oneProcess(t, "every node counts for itself")
	c := onShared(t)
	key := c.Create(t, "/api/v1/user/api-keys", object{"name": "free", "rateLimitTier": "free"})
	free := shared.ClientFor(key.Str("data.key"))
	for _, path := range []string{"/api/v1/apps", "/v1/sessions", "/openai/v1/models"} {
		h := free.Get(t, path).Header
		if h.Get("X-RateLimit-Limit") != "100" || h.Get("X-RateLimit-Remaining") == "" || h.Get("X-RateLimit-Reset") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	e := free.Do(t, http.StatusNotFound, "GET", "/api/v1/apps/app_nobody", nil)
	if e.Header.Get("X-RateLimit-Remaining") == "" {
		t.Error("an error has no rate limit headers")
	}
	var refused *kit.Answer
	for range 120 {
		a, err := free.Call(t.Context(), "GET", "/api/v1/apps", nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status == http.StatusTooManyRequests {
			refused = a
			break
		}
	}
	if refused == nil {
		t.Fatal("120 requests in a row are not too many")
	}
	if code, _ := refused.Lookup("error.code"); code != "RATE_LIMIT_EXCEEDED" || refused.Header.Get("Retry-After") == "" || refused.Header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("%s %v", refused.Short(), refused.Header)
	}
	c.Get(t, "/api/v1/apps") // another key goes on
}

func TestConditionalWrites(t *testing.T) {
	c := onShared(t)
	a := c.Create(t, "/api/v1/apps", object{"name": "a", "type": "chat"})
	path, tag := "/api/v1/apps/"+a.Str("data.id"), a.Header.Get("ETag")
	if tag == "" {
		t.Fatal("a write answers no ETag")
	}
	if got := c.Get(t, path, a.After()...).Header.Get("ETag"); got != tag {
		t.Errorf("the read says %s, the write %s", got, tag)
	}
	b := c.Put(t, path, object{"description": "b"}, "If-Match", tag)
	late := c.Do(t, http.StatusConflict, "PUT", path, object{"description": "c"}, "If-Match", tag)
	late.Want("error.code", "CONFLICT")
	if late.Header.Get("ETag") != b.Header.Get("ETag") {
		t.Errorf("the conflict tells %s, the revision is %s", late.Header.Get("ETag"), b.Header.Get("ETag"))
	}
	c.Do(t, http.StatusConflict, "DELETE", path, nil, "If-Match", tag)
	c.Put(t, path, object{"description": "d"})                  // unconditional
	c.Put(t, path, object{"description": "e"}, "If-Match", "*") // whatever it is
	c.Do(t, http.StatusBadRequest, "PUT", path, object{}, "If-Match", "nonsense")

	s := c.Create(t, "/v1/sessions", object{})
	events := "/v1/sessions/" + s.Str("uid") + "/events"
	turn := object{"author": "user", "content": object{"text": "x"}}
	c.Create(t, events, turn, "If-Match", s.Header.Get("ETag"))
	c.Do(t, http.StatusConflict, "POST", events, turn, "If-Match", s.Header.Get("ETag")).Want("code", "CONFLICT")
}

func TestIdempotency(t *testing.T) {
	c := onShared(t)
	for _, x := range []struct {
		path string
		body object
		id   string
	}{
		{"/api/v1/apps", object{"name": "once", "type": "chat"}, "data.id"},
		{"/v1/sessions", object{"app_name": "once"}, "uid"},
		{memories, object{"content": "once"}, "id"},
		{"/api/v1/budgets", object{"name": "once", "scopeType": "workspace", "limitUsd": 5, "period": "total"}, "data.id"},
		{"/api/v1/prompts", object{"name": "once", "template": "x"}, "data.id"},
	} {
		first := c.Create(t, x.path, x.body, "Idempotency-Key", "key-1")
		again := c.Create(t, x.path, x.body, "Idempotency-Key", "key-1")
		if first.Str(x.id) != again.Str(x.id) {
			t.Errorf("%s: %s, then %s", x.path, first.Str(x.id), again.Str(x.id))
		}
		if x.id == "uid" {
			events := x.path + "/" + first.Str("uid") + "/events"
			turn := object{"author": "user", "content": object{"n": 1}}
			e1 := c.Create(t, events, turn, "Idempotency-Key", "turn")
			e2 := c.Create(t, events, turn, "Idempotency-Key", "turn")
			e2.Want("id", e1.Str("id"), "sequence", 1)
			c.Get(t, x.path+"/"+first.Str("uid"), e2.After()...).Want("event_count", 1)
		}
	}
	c.Do(t, http.StatusBadRequest, "POST", "/v1/sessions", object{}, "Idempotency-Key", strings.Repeat("x", 256))
	other := onShared(t)
	if a, b := c.Create(t, "/v1/sessions", object{}, "Idempotency-Key", "same"), other.Create(t, "/v1/sessions", object{}, "Idempotency-Key", "same"); a.Str("uid") == b.Str("uid") {
		t.Error("two tenants' equal keys are taken for the same request")
	}
}

func TestReadYourWrites(t *testing.T) {
	c := onShared(t)
	for range 50 {
		s := c.Create(t, "/v1/sessions", object{})
		if s.Position() == "" {
			t.Fatal("a write answers no Strata-Position")
		}
		c.Get(t, "/v1/sessions/"+s.Str("uid"), s.After()...)
		e := c.Create(t, "/v1/sessions/"+s.Str("uid")+"/events", object{"author": "u", "content": object{}})
		c.Get(t, "/v1/sessions/"+s.Str("uid")+kit.Query("min_position", e.Position())).Want("event_count", 1)
	}
	began := time.Now()
	ahead := c.Get(t, "/v1/sessions", "Strata-Min-Position", "99999999999")
	if ahead.Header.Get("Strata-Lag") == "" {
		t.Error("a read that could not wait long enough does not tell its lag")
	}
	if took := time.Since(began); took < time.Second || took > 30*time.Second {
		t.Errorf("it waited for %s, want about 2 s", took)
	}
	c.Do(t, http.StatusBadRequest, "GET", "/v1/sessions", nil, "Strata-Min-Position", "nonsense")
}

func TestCrossOrigin(t *testing.T) {
	c := onShared(t)
	preflight := func(origin string) http.Header {
		res, err := shared.ClientFor("").Send(t.Context(), "OPTIONS", "/api/v1/apps", nil,
			"Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.Header
	}
	mine := preflight("http://localhost:3000")
	if mine.Get("Access-Control-Allow-Origin") != "http://localhost:3000" || !strings.Contains(mine.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("a page of this machine may not call: %v", mine)
	}
	if foreign := preflight("https://evil.example").Get("Access-Control-Allow-Origin"); foreign != "" {
		t.Errorf("a foreign page may call: %q", foreign)
	}
	h := c.Get(t, "/api/v1/apps", "Origin", "http://localhost:3000").Header
	for _, name := range []string{"X-Request-Id", "Strata-Position", "ETag"} {
		if !strings.Contains(strings.ToLower(h.Get("Access-Control-Expose-Headers")), strings.ToLower(name)) {
			t.Errorf("pages cannot read %s: %q", name, h.Get("Access-Control-Expose-Headers"))
		}
	}
}

func TestCompression(t *testing.T) {
	c := onShared(t)
	for i := range 30 {
		c.Create(t, "/api/v1/apps", object{"name": fmt.Sprint("a", i), "type": "chat", "description": strings.Repeat("long ", 50)})
	}
	res, err := c.Send(t.Context(), "GET", "/api/v1/apps", nil, "Accept-Encoding", "gzip")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(res.Header.Get("Vary"), "Accept-Encoding") {
		t.Errorf("a long answer is not compressed: %v", res.Header)
	}
	unzipped, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unzipped); err != nil || !json.Valid(text) {
		t.Errorf("%v: %s", err, text)
	}
}

func TestBothCasesAreAccepted(t *testing.T) {
	c := onShared(t)
	a := c.Create(t, "/api/v1/apps", object{"name": "snake", "type": "workflow", "workflow_id": "wf_1", "dataset_ids": []string{"x"}})
	a.Want("data.workflowId", "wf_1", "data.datasetIds.0", "x")
	s := c.Create(t, "/v1/sessions", object{"appName": "camel", "state": object{"camelCase": 1, "snake_case": 2}})
	s.Want("app_name", "camel", "state.camelCase", 1, "state.snake_case", 2)
	c.Do(t, http.StatusBadRequest, "POST", "/v1/sessions", object{"appName": "x", "app_name": "y"})
	c.Get(t, "/v1/sessions?appName=camel", s.After()...).Want("count", 1)
}

func TestBadInput(t *testing.T) {
	c := onShared(t)
	for _, x := range []struct {
		name         string
		status       int
		method, path string
		body         any
		headers      []string
		code         string
	}{
		{"not JSON", 400, "POST", "/api/v1/apps", kit.Raw(`{"name":`), nil, "INVALID_REQUEST"},
		{"trailing text", 400, "POST", "/api/v1/apps", kit.Raw(`{"name":"a","type":"chat"} x`), nil, "INVALID_REQUEST"},
		{"a list", 400, "POST", "/api/v1/apps", kit.Raw(`[]`), nil, ""},
		{"nothing", 400, "POST", "/api/v1/apps", kit.Raw(``), nil, ""},
		{"wrong type", 400, "POST", "/api/v1/apps", object{"name": 1, "type": true}, nil, "VALIDATION_ERROR"},
		{"form", 415, "POST", "/api/v1/apps", kit.Raw(`name=a`), []string{"Content-Type", "application/x-www-form-urlencoded"}, "UNSUPPORTED_MEDIA"},
		{"no such path", 404, "GET", "/api/v1/nothing", nil, nil, "NOT_FOUND"},
		{"no such method", 405, "DELETE", "/api/v1/apps", nil, nil, "METHOD_NOT_ALLOWED"},
		{"not UTF-8", 400, "POST", "/api/v1/apps", kit.Raw("{\"name\":\"\xff\xfe\",\"type\":\"chat\"}"), nil, "INVALID_REQUEST"},
		{"deep nesting", 400, "POST", "/api/v1/apps", kit.Raw(`{"name":"a","type":"chat","config":` + strings.Repeat(`{"a":`, 20000) + `1` + strings.Repeat(`}`, 20000) + `}`), nil, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			a := c.Do(t, x.status, x.method, x.path, x.body, x.headers...)
			a.Want("success", false)
			if x.code != "" {
				a.Want("error.code", x.code)
			}
			if a.Str("error.message") == "" {
				t.Error("no message")
			}
		})
	}
	if allow := c.Do(t, 405, "DELETE", "/api/v1/apps", nil).Header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
		t.Errorf("Allow: %s", allow)
	}
	all := c.Do(t, 400, "POST", "/api/v1/budgets", object{"scopeType": "moon", "limitUsd": -1, "nobody": 1})
	named := strings.Join(all.Strings("error.details", "field"), " ")
	for _, field := range []string{"name", "scopeType", "limitUsd", "period", "nobody"} {
		if !strings.Contains(named, field) {
			t.Errorf("%s is not among the faulty fields %s", field, named)
		}
	}
	c.Do(t, 404, "GET", "/v1/nothing", nil).Want("code", "NOT_FOUND")
}

// zeros is an endless body.
type zeros struct{ sent int64 }

func (z *zeros) Read(p []byte) (int, error) {
	z.sent += int64(len(p))
	return len(p), nil
}

func TestBodiesOverTheLimit(t *testing.T) {
	c := onShared(t)
	t.Run("refused before it is read", func(t *testing.T) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(shared.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		head := "POST /api/v1/apps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + c.Key + "\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\n\r\n{"
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4096) // comes although the body never does
		n, err := conn.Read(answer)
		if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 413 ") {
			t.Errorf("answered %q, %v", answer[:n], err)
		}
	})
	for _, path := range []string{"/api/v1/apps", "/v1/sessions", chatPath} {
		t.Run("chunked to "+path, func(t *testing.T) {
			body := &zeros{}
			a, err := c.Call(t.Context(), "POST", path, io.LimitReader(body, 20<<20))
			if err != nil {
				return // refused too: the connection was closed while the body was sent
			}
			if a.Status != http.StatusRequestEntityTooLarge && a.Status != http.StatusBadRequest {
				t.Errorf("status %d: %s", a.Status, a.Short())
			}
		})
	}
	c.Get(t, "/api/v1/apps") // the server goes on
}
