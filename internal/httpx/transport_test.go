package httpx

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"strata/domain"
	"strata/internal/ratelimit"
)

func TestRateLimitHeadersAreOnEveryAnswer(t *testing.T) {
	o := testOptions()
	o.Limiter = ratelimit.New(ratelimit.Config{Now: o.Now, Tiers: map[string]ratelimit.Limits{
		"free": {Key: 2, Workspace: 5}, "enterprise": {Key: 1000, Workspace: 1000}, "anonymous": {Key: 1, Workspace: 1},
	}})
	r := newTestRouter(o)
	for _, target := range []string{"/api/v1/gadgets/g", "/v1/gadgets", "/v1/gadgets/g?depth=x"} {
		h := call(t, r, "GET", target, "").Header()
		if h.Get("X-RateLimit-Limit") != "1000" || h.Get("X-RateLimit-Remaining") == "" || h.Get("X-RateLimit-Reset") == "" {
			t.Errorf("%s: %v", target, h)
		}
	}
	var codes []int
	for range 3 {
		codes = append(codes, call(t, r, "GET", "/v1/gadgets", "", "Authorization: Bearer reader").Code)
	}
	if !slices.Equal(codes, []int{200, 200, 429}) {
		t.Errorf("codes %v", codes)
	}
	rec := call(t, r, "GET", "/v1/nothing", "")
	if rec.Code != 404 || rec.Header().Get("X-RateLimit-Limit") != "1" {
		t.Errorf("unknown route: %d %v", rec.Code, rec.Header())
	}
	rec = call(t, r, "GET", "/v1/gadgets", "", "Authorization: Bearer guess")
	if rec.Code != 429 || rec.Header().Get("Retry-After") != "60" {
		t.Errorf("guessing keys: %d %v", rec.Code, rec.Header())
	}
}

func TestStreamsFlushAndTakeTheTokenFromTheQuery(t *testing.T) {
	server := httptest.NewServer(newTestRouter(testOptions()))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1/events/stream?access_token=admin", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "data: key_1\n" || resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("%q %v %v", line, err, resp.Header)
	}
	if rec := call(t, newTestRouter(testOptions()), "GET", "/v1/gadgets?access_token=admin", "", "Authorization: "); rec.Code != 401 {
		t.Errorf("a token in the query of a plain operation: %d", rec.Code)
	}
}

func TestCrossOrigins(t *testing.T) {
	o := testOptions()
	o.Origins = []string{"https://app.example.com"}
	r := newTestRouter(o)
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "http://localhost:3000": true, "http://example.com": true, // httptest's own host
		"https://evil.example.org": false, "http://localhost.evil.org": false, "null": false,
	} {
		allowed := call(t, r, "GET", "/v1/gadgets", "", "Origin: "+origin).Header().Get("Access-Control-Allow-Origin")
		preflight := call(t, r, "OPTIONS", "/v1/gadgets/x", "", "Origin: "+origin, "Access-Control-Request-Method: PUT", "Authorization: ")
		if (allowed == origin) != want || (preflight.Header().Get("Access-Control-Allow-Origin") == origin) != want || preflight.Code != 204 {
			t.Errorf("%s: %q, preflight %d %v", origin, allowed, preflight.Code, preflight.Header())
		}
	}
}

func TestCompression(t *testing.T) {
	r := New(testOptions())
	long := strings.Repeat("lorem ipsum ", 500)
	Register(r, Op{ID: "long", Method: "GET", Path: "/long", Mount: V1}, func(context.Context, *struct{}) (Reply[map[string]string], error) {
		return Respond(map[string]string{"text": long})
	})
	r.Raw(Op{ID: "raw", Method: "GET", Path: "/raw", Mount: V1}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, long)
	}))
	for target, want := range map[string]string{"/v1/long": `{"text":"` + long + `"}`, "/v1/raw": long} {
		rec := call(t, r, "GET", target, "", "Accept-Encoding: br, gzip;q=0.8")
		gz, err := gzip.NewReader(rec.Body)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		if got, err := io.ReadAll(gz); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", target, len(got), err)
		}
		if rec := call(t, r, "GET", target, "", "Accept-Encoding: gzip;q=0"); rec.Body.String() != want {
			t.Errorf("%s: compressed though refused", target)
		}
	}
}

func TestChunkedBodyOverTheLimit(t *testing.T) {
	server := httptest.NewServer(newTestRouter(testOptions()))
	defer server.Close()
	req, err := http.NewRequest("POST", server.URL+"/v1/gadgets", io.MultiReader(strings.NewReader(strings.Repeat(" ", 2000)), strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer admin")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestObservation(t *testing.T) {
	var log bytes.Buffer
	o := testOptions()
	o.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	registry := prometheus.NewRegistry()
	o.Metrics = registry
	r := newTestRouter(o)
	call(t, r, "GET", "/v1/gadgets/g", "")
	call(t, r, "POST", "/v1/gadgets/secret/fail", "")
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"operation":"getGadget_v1"`) ||
		!strings.Contains(lines[1], `"level":"ERROR"`) || !strings.Contains(lines[1], "hunter2") || !strings.Contains(lines[1], "req_test") {
		t.Errorf("log:\n%s", log.String())
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "strata_http_requests_total" {
				got = append(got, fmt.Sprint(m.GetLabel()[1].GetValue(), " ", m.GetLabel()[2].GetValue(), " ", m.GetCounter().GetValue()))
			}
		}
	}
	if want := []string{"/v1/gadgets/{gadget_id} 200 1", "/v1/gadgets/{id}/fail 500 1"}; !slices.Equal(got, want) {
		t.Errorf("metrics %q, want %q", got, want)
	}
}

// Who is asked to come back in a moment has met no error.
func TestWhatPassesIsNoError(t *testing.T) {
	away := domain.Errorf(domain.CodeUnavailable, "away")
	for want, err := range map[string]error{`"level":"ERROR"`: away, `"level":"INFO"`: away.With("retry_after", time.Second)} {
		var log bytes.Buffer
		o := testOptions()
		o.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		r := New(o)
		Register(r, Op{ID: "x", Method: "GET", Path: "/x", Mount: V1}, func(context.Context, *struct{}) (Reply[struct{}], error) { return Reply[struct{}]{}, err })
		call(t, r, "GET", "/v1/x", "")
		if !strings.Contains(log.String(), want) || !strings.Contains(log.String(), `"status":503`) {
			t.Errorf("want %s in %s", want, log.String())
		}
	}
}

func TestFieldsOfDomainErrorsAreSpelledForTheMount(t *testing.T) {
	r := New(testOptions())
	Register(r, Op{ID: "c", Method: "POST", Path: "/gadgets", Mount: API}, func(context.Context, *createGadget) (Reply[gadget], error) {
		var f domain.Faults
		f.Add(true, "work_steps[1].max_tries", "is odd")
		return Reply[gadget]{}, f.Err()
	})
	if got := call(t, r, "POST", "/api/v1/gadgets", `{"displayName":"ab"}`).Body.String(); !strings.Contains(got, `"field":"workSteps[1].maxTries"`) {
		t.Error(got)
	}
}

func TestRoutesNameTheirSource(t *testing.T) {
	r := newTestRouter(testOptions())
	routes := r.Routes()
	if !slices.ContainsFunc(routes, func(r Route) bool {
		return r.Path == "/v1/gadgets/{gadget_id}" && r.Permission == "gadgets:read" && strings.HasPrefix(r.Source, "internal/httpx/router_test.go:")
	}) {
		t.Errorf("%+v", routes)
	}
}

func TestMistakesInRegistrationsPanic(t *testing.T) {
	type badParam struct {
		X string `path:"nope"`
	}
	type badType struct {
		X map[string]int `query:"x"`
	}
	get := Op{ID: "x", Method: "GET", Path: "/x/{y}", Mount: V1}
	none := func(context.Context, *struct{}) (Reply[int], error) { return Respond(1) }
	for name, register := range map[string]func(r *Router){
		"same id": func(r *Router) { Register(r, get, none); Register(r, get, none) },
		"same route": func(r *Router) {
			other := get
			other.ID = "y"
			other.Path = "/x/{z}"
			Register(r, get, none)
			Register(r, other, none)
			r.Freeze()
		},
		"no such param": func(r *Router) {
			Register(r, get, func(context.Context, *badParam) (Reply[int], error) { return Respond(1) })
		},
		"no such type": func(r *Router) {
			Register(r, get, func(context.Context, *badType) (Reply[int], error) { return Respond(1) })
		},
		"too late": func(r *Router) { r.Freeze(); Register(r, get, none) },
		"no mount": func(r *Router) { Register(r, Op{ID: "x", Method: "GET", Path: "/"}, none) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			register(New(testOptions()))
		})
	}
}

func TestServedDocument(t *testing.T) {
	r := newTestRouter(testOptions())
	rec := call(t, r, "GET", "/api/v1/openapi.json", "", "Authorization: ")
	if rec.Code != 200 || !json.Valid(rec.Body.Bytes()) {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if rec := call(t, r, "GET", "/v1/openapi.json", "", "If-None-Match: "+rec.Header().Get("ETag")); rec.Code != 304 {
		t.Errorf("unchanged: %d", rec.Code)
	}
	if rec := call(t, r, "GET", "/v1/openapi.json", "", "Accept-Encoding: gzip"); rec.Header().Get("Content-Encoding") != "gzip" {
		t.Error("not compressed")
	}
}

func TestStreamAnswersEitherWay(t *testing.T) {
	r := New(testOptions())
	type input struct {
		ID   string `path:"id"`
		Body struct {
			Stream bool `json:"stream"`
			Fail   bool `json:"fail"`
		}
	}
	Stream(r, Op{ID: "s", Method: "POST", Path: "/chats/{id}", Mount: V1, Streaming: true},
		func(w http.ResponseWriter, req *http.Request, in *input) (*Reply[map[string]string], error) {
			if in.Body.Stream {
				_, _ = io.WriteString(w, "data: "+PathValue(req.Context(), "id")+"\n\n")
			}
			if in.Body.Fail {
				return nil, domain.ErrQuota
			}
			if in.Body.Stream {
				return nil, nil
			}
			return &Reply[map[string]string]{Body: map[string]string{"id": in.ID}}, nil
		})
	for body, want := range map[string]string{
		`{}`:                           `{"id":"c1"}`,
		`{"stream":true}`:              "data: c1\n\n",
		`{"stream":true,"fail":true}`:  "data: c1\n\n",
		`{"stream":false,"fail":true}`: `{"error":"quota exceeded","code":"QUOTA_EXCEEDED","details":[],"request_id":"req_test"}`,
		`{"stream":1}`:                 `{"error":"invalid input data","code":"VALIDATION_ERROR","details":[{"field":"stream","message":"expected boolean"}],"request_id":"req_test"}`,
	} {
		if got := call(t, r, "POST", "/v1/chats/c1", body).Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

// TestRoutesOfDifferentDepthsAndShapes registers the less special route first:
// the order of registration must not matter.
func TestRoutesOfDifferentDepthsAndShapes(t *testing.T) {
	r := New(testOptions())
	for _, route := range []string{
		"GET /models/{model:.+}", "POST /models/{id}/deploy", "GET /models/{id}/versions", "GET /models/mine", "GET /models",
		"PUT /models/{key}", "DELETE /models/{owner}/x/{id}",
	} {
		method, path, _ := strings.Cut(route, " ")
		Register(r, Op{ID: route, Method: method, Path: path, Mount: V1}, func(ctx context.Context, _ *struct{}) (Reply[string], error) {
			return Respond(From(ctx).Operation)
		})
	}
	for request, want := range map[string]string{
		"GET /models": "GET /models", "GET /models/mine": "GET /models/mine", "GET /models/a": "GET /models/{model:.+}",
		"GET /models/a/b/c": "GET /models/{model:.+}", "GET /models/a/versions": "GET /models/{id}/versions",
		"POST /models/a/deploy": "POST /models/{id}/deploy", "GET /models/a/deploy": "GET /models/{model:.+}",
		"PUT /models/mine": "PUT /models/{key}", "DELETE /models/a/x/b": "DELETE /models/{owner}/x/{id}",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := call(t, r, method, "/v1"+path, "").Body.String(); got != `"`+want+`"` {
			t.Errorf("%s → %s, want %q", request, got, want)
		}
	}
	for request, want := range map[string]string{
		"POST /models": "GET, HEAD", "PATCH /models/mine": "GET, HEAD, PUT", "DELETE /models/a/deploy": "GET, HEAD, POST",
	} {
		method, path, _ := strings.Cut(request, " ")
		if rec := call(t, r, method, "/v1"+path, ""); rec.Code != 405 || rec.Header().Get("Allow") != want {
			t.Errorf("%s: %d, allowed %q, want %q", request, rec.Code, rec.Header().Get("Allow"), want)
		}
	}
}

func TestTracesFollowTheCaller(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	o := testOptions()
	o.Tracing = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	call(t, newTestRouter(o), "GET", "/v1/gadgets/g", "", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	got := spans.GetSpans()
	if len(got) != 1 || got[0].Name != "GET /v1/gadgets/{gadget_id}" || got[0].SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("spans: %+v", got)
	}
}
