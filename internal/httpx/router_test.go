package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"strata/domain"
)

var testTime = time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)

// keys authenticates the tokens of the tests.
type keys map[string]domain.Principal

func (k keys) Authenticate(_ context.Context, token string) (domain.Principal, error) {
	if p, ok := k[token]; ok {
		return p, nil
	}
	return domain.Principal{}, domain.ErrUnauthorized
}

var testKeys = keys{
	"admin":  {Actor: "key_1", KeyID: "key_1", Workspace: "ws_1", Tier: "enterprise", Permissions: map[string]bool{"*": true}},
	"reader": {Actor: "key_2", KeyID: "key_2", Workspace: "ws_1", Tier: "free", Permissions: map[string]bool{"gadgets:read": true}},
}

type waiter struct {
	at  domain.Position
	err error
}

func (w waiter) Wait(_ context.Context, _ string, p domain.Position) (uint64, error) {
	if p > w.at {
		return uint64(p - w.at), context.DeadlineExceeded
	}
	return 0, w.err
}

type getGadget struct {
	ID      string    `path:"gadget_id"`
	Deep    bool      `query:"with_steps"`
	Since   time.Time `query:"since"`
	Tags    []string  `query:"tag_names"`
	Depth   int       `query:"depth" default:"2" minimum:"1" maximum:"9"`
	Missing *int      `query:"missing"`
}

type createGadget struct {
	Body gadget
}

type mergeGadget struct {
	ID   string `path:"id"`
	Body json.RawMessage
}

type listGadgets struct {
	ListParams
	Owner string `query:"owner_id"`
}

type id struct {
	ID string `path:"id"`
}

func testOptions() Options {
	return Options{Auth: testKeys, Now: func() time.Time { return testTime }, Waiter: waiter{at: 10}}
}

// newTestRouter has one operation of each sort on both mounts.
func newTestRouter(o Options) *Router {
	r := New(o)
	for _, m := range []*Mount{API, V1} {
		suffix := strings.ReplaceAll(m.Prefix, "/", "_")
		Register(r, Op{
			ID: "getGadget" + suffix, Method: "GET", Path: "/gadgets/{gadget_id}", Mount: m,
			Permission: "gadgets:read", Reads: "gadgets",
		}, func(_ context.Context, in *getGadget) (Reply[gadget], error) {
			return Reply[gadget]{Body: gadget{
				ID: in.ID, IsOpen: in.Deep, TopK: in.Depth, TagNames: in.Tags, SecretKey: "hush",
				FreeForm: map[string]any{"some_key": 1},
			}, Revision: RevisionOf(7)}, nil
		})
		Register(r, Op{
			ID: "createGadget" + suffix, Method: "POST", Path: "/gadgets", Mount: m, Status: 201, Permission: "gadgets:create", MaxBody: 1000,
		}, func(_ context.Context, in *createGadget) (Reply[gadget], error) {
			in.Body.ID = "gad_1"
			return Reply[gadget]{Body: in.Body, Revision: RevisionOf(0), Position: 42}, nil
		})
		Register(r, Op{
			ID: "mergeGadget" + suffix, Method: "PUT", Path: "/gadgets/{id}", Mount: m, Permission: "gadgets:update",
			Body: reflect.TypeFor[gadget](), Result: reflect.TypeFor[gadget](),
		}, func(ctx context.Context, in *mergeGadget) (Reply[json.RawMessage], error) {
			if want := From(ctx).IfMatch; want != nil && *want != 7 {
				return Reply[json.RawMessage]{}, domain.Errorf(domain.CodeConflict, "gadget has moved on").With("revision", domain.Revision(7))
			}
			return Respond(in.Body)
		})
		Register(r, Op{
			ID: "listGadgets" + suffix, Method: "GET", Path: "/gadgets", Mount: m, Permission: "gadgets:read",
			Paging: Cursor, Sort: []string{"created_at", "display_name"}, Search: true,
			Filters: []string{"status=draft|active", "start_date:date-time", "top_k:integer"},
		}, func(_ context.Context, in *listGadgets) (Reply[List[gadget]], error) {
			echo, err := json.Marshal(in)
			return Reply[List[gadget]]{Body: List[gadget]{
				Items: []gadget{{ID: "a", DisplayName: string(echo)}}, HasMore: true, Next: "n1",
			}}, err
		})
		Register(r, Op{
			ID: "deleteGadget" + suffix, Method: "DELETE", Path: "/gadgets/{id}", Mount: m, NoBody: true,
		}, func(context.Context, *id) (Reply[struct{}], error) { return Reply[struct{}]{Position: 43}, nil })
		Register(r, Op{ID: "fail" + suffix, Method: "POST", Path: "/gadgets/{id}/fail", Mount: m},
			func(_ context.Context, in *id) (Reply[struct{}], error) {
				switch in.ID {
				case "panic":
					panic("oh no")
				case "late":
					return Reply[struct{}]{}, fmt.Errorf("deep down: %w", context.DeadlineExceeded)
				case "quota":
					return Reply[struct{}]{}, domain.ErrQuota.With("retry_after", 1500*time.Millisecond)
				case "secret":
					return Reply[struct{}]{}, errors.New("password=hunter2")
				}
				return Reply[struct{}]{}, domain.NotFound("gadget", in.ID)
			})
	}
	r.Raw(Op{ID: "model", Method: "GET", Path: "/models/{model:.+}", Mount: OpenAI, Result: reflect.TypeFor[map[string]any]()},
		http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.PathValue("model") == "none" {
				WriteError(w, req, domain.NotFound("model", "none").With("openai_code", "model_not_found"))
				return
			}
			fmt.Fprintf(w, `{"id":%q}`, req.PathValue("model"))
		}))
	r.Raw(Op{ID: "stream", Method: "GET", Path: "/events/stream", Mount: API, Streaming: true, ResultMedia: "text/event-stream"},
		http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n\n", From(req.Context()).Principal.Actor)
			w.(http.Flusher).Flush()
			<-req.Context().Done()
		}))
	Register(r, Op{ID: "login", Method: "POST", Path: "/auth/login", Mount: API, Public: true},
		func(context.Context, *struct{ Body map[string]int }) (Reply[json.RawMessage], error) {
			return Reply[json.RawMessage]{Status: 202}, nil
		})
	r.Handle("/healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	r.ServeSpec()
	return r
}

// call sends a request as admin; headers are "Name: value".
func call(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer admin")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Request-Id", "req_test")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Del(name)
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

const testMeta = `"meta":{"timestamp":"2024-01-15T10:30:00Z","version":"1.0","requestId":"req_test"}`

func TestAnswers(t *testing.T) {
	r := newTestRouter(testOptions())
	fault := func(fields ...string) string {
		var out []string
		for i := 0; i < len(fields); i += 2 {
			out = append(out, fmt.Sprintf(`{"field":%q,"message":%q}`, fields[i], fields[i+1]))
		}
		return strings.Join(out, ",")
	}
	apiError := func(code, message, details string) string {
		return fmt.Sprintf(`{"success":false,"error":{"code":%q,"message":%q,"details":[%s]},%s}`, code, message, details, testMeta)
	}
	v1Error := func(code, message, details string) string {
		return fmt.Sprintf(`{"error":%q,"code":%q,"details":[%s],"request_id":"req_test"}`, message, code, details)
	}
	tests := []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       string
		wantHeaders                []string
	}{
		{"get, enveloped", "GET", "/api/v1/gadgets/g1?withSteps=true&tagNames[]=a,b&tagNames[]=c", "", nil, 200,
			`{"success":true,"data":{"id":"g1","displayName":"","status":"","topK":2,"isOpen":true,"freeForm":{"some_key":1},"workSteps":[],"tagNames":["a","b","c"],"parentId":null},` + testMeta + `}`,
			[]string{`ETag: "7"`, "X-Request-Id: req_test", "Content-Type: application/json"}},
		{"get, plain", "GET", "/v1/gadgets/g%2F1?with_steps=false&depth=9", "", nil, 200,
			`{"id":"g/1","display_name":"","status":"","top_k":9,"is_open":false,"free_form":{"some_key":1},"work_steps":[],"tag_names":[],"parent_id":null}`, nil},
		{"create", "POST", "/api/v1/gadgets", `{"display_name":"ab","secretKey":"s","freeForm":{"a_b":null}}`, nil, 201,
			`{"success":true,"data":{"id":"gad_1","displayName":"ab","status":"draft","isOpen":false,"freeForm":{"a_b":null},"workSteps":[],"tagNames":[],"parentId":null},` + testMeta + `}`,
			[]string{"Strata-Position: 42", `ETag: "0"`}},
		{"merge keeps nulls and canonical names", "PUT", "/v1/gadgets/g1", `{"topK":null,"free_form":{"aB":1},"id":"x"}`, nil, 200,
			`{"top_k":null,"free_form":{"aB":1}}`, nil},
		{"nothing to say", "DELETE", "/v1/gadgets/g1", "", nil, 204, ``, []string{"Strata-Position: 43"}},
		{"status of the reply", "POST", "/api/v1/auth/login", `{"anyKey":1}`, []string{"Authorization: "}, 202,
			`{"success":true,"data":null,` + testMeta + `}`, nil},
		{"all faults at once, enveloped", "POST", "/api/v1/gadgets", `{"top_k":0,"nope":1,"owner_id":null}`, []string{"If-Match: 7"}, 400,
			apiError("VALIDATION_ERROR", "invalid input data", fault(
				"If-Match", `must be "*" or a revision in quotes, as the ETag header gives it`,
				"topK", "expected number >= 1", "nope", "is not a known field", "ownerId", "must not be null", "displayName", "is required")), nil},
		{"all faults at once, plain", "GET", "/v1/gadgets/g?with_steps=2&since=now&depth=10&missing=x", "", nil, 400,
			v1Error("VALIDATION_ERROR", "invalid input data", fault(
				"with_steps", "must be true or false", "since", "must be an RFC 3339 time, such as 2024-01-15T10:30:00Z",
				"depth", "expected number <= 9", "missing", "must be an integer")), nil},
		{"no JSON", "POST", "/v1/gadgets", `{"display_name":}`, nil, 400,
			v1Error("INVALID_REQUEST", "the body is not valid JSON: unexpected character '}' at byte 16", ""), nil},
		{"no UTF-8", "POST", "/v1/gadgets", "{\"display_name\":\"\xff\"}", nil, 400,
			v1Error("INVALID_REQUEST", "the body is not UTF-8", ""), nil},
		{"empty body is an empty object", "POST", "/v1/gadgets", ``, nil, 400,
			v1Error("VALIDATION_ERROR", "invalid input data", fault("display_name", "is required")), nil},
		{"not JSON at all", "POST", "/v1/gadgets", `a=b`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415,
			v1Error("UNSUPPORTED_MEDIA", `Content-Type "application/x-www-form-urlencoded" is not accepted, only application/json`, ""), nil},
		{"too large", "POST", "/v1/gadgets", strings.Repeat("x", 1001), nil, 413,
			v1Error("PAYLOAD_TOO_LARGE", "the body is larger than 1000 bytes", ""), nil},
		{"no credential", "GET", "/api/v1/gadgets/g", "", []string{"Authorization: "}, 401,
			apiError("UNAUTHORIZED", "a valid bearer token is required", ""), []string{`WWW-Authenticate: Bearer realm="strata"`}},
		{"wrong credential", "GET", "/v1/gadgets/g", "", []string{"Authorization: Bearer x"}, 401, v1Error("UNAUTHORIZED", "unauthorized", ""), nil},
		{"no permission", "POST", "/v1/gadgets", "{}", []string{"Authorization: bearer reader"}, 403,
			v1Error("FORBIDDEN", `the permission "gadgets:create" is missing`, ""), nil},
		{"unknown route", "GET", "/api/v1/nothing/here", "", nil, 404, apiError("NOT_FOUND", "there is nothing at /api/v1/nothing/here", ""), nil},
		{"unknown mount", "GET", "/elsewhere", "", nil, 404, v1Error("NOT_FOUND", "there is nothing at /elsewhere", ""), nil},
		{"unknown method", "PATCH", "/v1/gadgets/g", "{}", nil, 405,
			v1Error("METHOD_NOT_ALLOWED", "PATCH is not allowed here, only DELETE, GET, HEAD, PUT", ""), []string{"Allow: DELETE, GET, HEAD, PUT"}},
		{"conflict tells the revision", "PUT", "/v1/gadgets/g", "{}", []string{`If-Match: W/"3"`}, 409,
			`{"error":"gadget has moved on","code":"CONFLICT","details":[],"params":{"revision":7},"request_id":"req_test"}`, []string{`ETag: "7"`}},
		{"match", "PUT", "/v1/gadgets/g", "{}", []string{`If-Match: "7"`}, 200, `{}`, nil},
		{"retry after", "POST", "/api/v1/gadgets/quota/fail", "", nil, 429,
			`{"success":false,"error":{"code":"QUOTA_EXCEEDED","message":"quota exceeded","details":[],"params":{"retryAfter":2}},` + testMeta + `}`,
			[]string{"Retry-After: 2"}},
		{"internal errors keep their secrets", "POST", "/v1/gadgets/secret/fail", "", nil, 500, v1Error("INTERNAL_ERROR", "internal error", ""), nil},
		{"panic", "POST", "/v1/gadgets/panic/fail", "", nil, 500, v1Error("INTERNAL_ERROR", "internal error", ""), nil},
		{"too late", "POST", "/v1/gadgets/late/fail", "", nil, 504, v1Error("TIMEOUT", "the request took too long", ""), nil},
		{"rest of the path", "GET", "/openai/v1/models/open-ai/gpt-4", "", nil, 200, `{"id":"open-ai/gpt-4"}`, nil},
		{"escaped rest of the path", "GET", "/openai/v1/models/open-ai%2Fgpt-4", "", nil, 200, `{"id":"open-ai/gpt-4"}`, nil},
		{"OpenAI's errors", "GET", "/openai/v1/models/none", "", nil, 404,
			`{"error":{"message":"model \"none\" was not found","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, nil},
		{"OpenAI's credential", "GET", "/openai/v1/models/x", "", []string{"Authorization: "}, 401,
			`{"error":{"message":"a valid bearer token is required","type":"authentication_error","param":null,"code":"invalid_api_key"}}`, nil},
		{"reads its own write", "GET", "/v1/gadgets/g?min_position=9", "", nil, 200, "", []string{"Strata-Lag: "}},
		{"lag", "GET", "/v1/gadgets/g", "", []string{"Strata-Min-Position: 15"}, 200, "", []string{"Strata-Lag: 5"}},
		{"outside of the mounts", "GET", "/healthz", "", nil, 200, "ok", nil},
		{"key too long", "DELETE", "/v1/gadgets/g", "", []string{"Idempotency-Key: " + strings.Repeat("k", 256)}, 400,
			v1Error("VALIDATION_ERROR", "invalid input data", fault("Idempotency-Key", "must not be longer than 255 bytes")), nil},
		{"head", "HEAD", "/v1/gadgets/g", "", nil, 200, "", []string{`ETag: "7"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rec := call(t, r, test.method, test.target, test.body, test.headers...)
			if got := rec.Body.String(); rec.Code != test.status || (test.want != "" && got != test.want) {
				t.Errorf("got  %d %s\nwant %d %s", rec.Code, got, test.status, test.want)
			}
			for _, header := range test.wantHeaders {
				name, want, _ := strings.Cut(header, ": ")
				if got := rec.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestLists(t *testing.T) {
	r := newTestRouter(testOptions())
	tests := []struct {
		name, target, want string
		status             int
	}{
		{"defaults", "/v1/gadgets", `{"Limit":25,"Cursor":"","After":"","Offset":0,"Page":0,"Sort":"created_at","Desc":true,"Search":"","Filters":null,"Owner":""}`, 200},
		{"all of them", "/v1/gadgets?limit=900&cursor=c&offset=3&sortBy=displayName&sortOrder=asc&search=x&status=draft&status=active&topK=4&ownerId=u",
			`{"Limit":100,"Cursor":"c","After":"","Offset":3,"Page":0,"Sort":"display_name","Desc":false,"Search":"x","Filters":{"status":"draft,active","top_k":"4"},"Owner":"u"}`, 200},
		{"faults", "/v1/gadgets?limit=0&offset=-1&sort=colour&order=up&status=gone&start_date=now&top_k=x",
			`[{"field":"limit","message":"must be an integer, at least 1"},{"field":"offset","message":"must be an integer, at least 0"},` +
				`{"field":"sort","message":"\"colour\" is not one of created_at, display_name"},{"field":"order","message":"must be asc or desc"},` +
				`{"field":"status","message":"\"gone\" is not one of draft, active"},` +
				`{"field":"start_date","message":"must be an RFC 3339 time, such as 2024-01-15T10:30:00Z"},{"field":"top_k","message":"\"x\" is not of type integer"}]`, 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rec := call(t, r, "GET", test.target, "")
			var body struct {
				Data []struct {
					DisplayName string `json:"display_name"`
				}
				Details json.RawMessage
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			got := string(body.Details)
			if rec.Code == 200 {
				got = body.Data[0].DisplayName
			}
			if rec.Code != test.status || got != test.want {
				t.Errorf("got  %d %s\nwant %d %s", rec.Code, got, test.status, test.want)
			}
		})
	}
	if got := call(t, r, "GET", "/v1/gadgets", "").Body.String(); !strings.HasPrefix(got, `{"count":1,"data":[{`) || !strings.HasSuffix(got, `}],"has_more":true}`) {
		t.Errorf("plain list: %s", got)
	}
	if got := call(t, r, "GET", "/api/v1/gadgets?limit=5", "").Body.String(); !strings.Contains(got, `],"pagination":{"hasMore":true,"nextCursor":"n1","limit":5},"meta"`) {
		t.Errorf("enveloped list: %s", got)
	}
}
