package httpx

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
)

func TestErrorFormats(t *testing.T) {
	fields := (&domain.Error{Code: domain.CodeValidation, Message: "invalid input data", Fields: []domain.FieldError{{Field: "a", Message: "is <b>"}}})
	tests := []struct {
		err    error
		status int
		v1, oa string
	}{
		{fields, 400, `{"error":"invalid input data","code":"VALIDATION_ERROR","details":[{"field":"a","message":"is <b>"}]}`,
			`{"error":{"message":"invalid input data: a is <b>","type":"invalid_request_error","param":"a","code":"validation_error"}}`},
		{domain.ErrForbidden, 403, `{"error":"forbidden","code":"FORBIDDEN","details":[]}`,
			`{"error":{"message":"forbidden","type":"permission_error","param":null,"code":"forbidden"}}`},
		{domain.ErrQuota, 429, `{"error":"quota exceeded","code":"QUOTA_EXCEEDED","details":[]}`,
			`{"error":{"message":"quota exceeded","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{domain.Errorf(domain.CodeRateLimited, "slow down"), 429, `{"error":"slow down","code":"RATE_LIMIT_EXCEEDED","details":[]}`,
			`{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`},
		{domain.Errorf(domain.CodeAIService, "model is down").With("openai_param", "model"), 503,
			`{"error":"model is down","code":"AI_SERVICE_ERROR","details":[]}`,
			`{"error":{"message":"model is down","type":"server_error","param":"model","code":"ai_service_error"}}`},
		{&http.MaxBytesError{Limit: 5}, 413, `{"error":"the body is larger than 5 bytes","code":"PAYLOAD_TOO_LARGE","details":[]}`,
			`{"error":{"message":"the body is larger than 5 bytes","type":"invalid_request_error","param":null,"code":"payload_too_large"}}`},
		{errors.New("secret"), 500, `{"error":"internal error","code":"INTERNAL_ERROR","details":[]}`,
			`{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`},
	}
	for _, test := range tests {
		e := publicError(test.err)
		for m, want := range map[*Mount]string{V1: test.v1, OpenAI: test.oa} {
			buf := getBuffer()
			buf.error(m, e, "", testTime)
			got := string(buf.b)
			if got != want || e.Code.HTTPStatus() != test.status {
				t.Errorf("%v: got  %d %s\nwant %d %s", test.err, e.Code.HTTPStatus(), got, test.status, want)
			}
			putBuffer(buf)
		}
	}
	rec := httptest.NewRecorder() // outside of a router
	WriteError(rec, httptest.NewRequest("GET", "/", nil), domain.ErrForbidden)
	if rec.Code != 403 || rec.Body.String() != tests[1].v1 {
		t.Errorf("outside: %d %s", rec.Code, rec.Body)
	}
}

func TestRetryAfterIsInWholeSeconds(t *testing.T) {
	for value, want := range map[any]int64{1100 * time.Millisecond: 2, 3: 3, int64(4): 4, 4.2: 5, -time.Second: 0} {
		if got, ok := retryAfter(value); !ok || got != want {
			t.Errorf("%v: %d", value, got)
		}
	}
	if _, ok := retryAfter("soon"); ok {
		t.Error("a text is no time")
	}
}

func TestContentTypes(t *testing.T) {
	for header, ok := range map[string]bool{
		"": true, "application/json": true, "application/json; charset=UTF-8": true, "application/merge-patch+json": true,
		"text/plain": false, "application/json; charset=latin1": false, "application/json;;": false, "image/svg+xml": false,
	} {
		if err := jsonContent(http.Header{"Content-Type": {header}}); (err == nil) != ok {
			t.Errorf("%q: %v", header, err)
		}
	}
	if jsonContent(http.Header{"Content-Encoding": {"gzip"}}) == nil {
		t.Error("a compressed body was accepted")
	}
}

func TestParameterTypes(t *testing.T) {
	for _, test := range []struct {
		text string
		want any
	}{{"7", uint8(7)}, {"-7", int16(-7)}, {"1.5", 1.5}, {"true", true}, {"a,b", []string{"a", "b"}}, {"x", "x"}} {
		v, _, problem := parseParam([]string{test.text}, reflect.TypeOf(test.want))
		if problem != "" || !reflect.DeepEqual(v.Convert(reflect.TypeOf(test.want)).Interface(), test.want) {
			t.Errorf("%q: %v %s", test.text, v, problem)
		}
	}
	for text, zero := range map[string]any{"256": uint8(0), "x": 0, "NaN": 0.0, "1e400": 0.0, "maybe": false, "-1": uint(0)} {
		if _, _, problem := parseParam([]string{text}, reflect.TypeOf(zero)); problem == "" {
			t.Errorf("%q was taken for a %T", text, zero)
		}
	}
}

func TestWebsocketsUpgradeThroughTheRouter(t *testing.T) {
	r := New(testOptions())
	r.Raw(Op{ID: "ws", Method: "GET", Path: "/chat/stream", Mount: API, Streaming: true, Status: 101}, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, req, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		kind, text, err := conn.ReadMessage()
		if err == nil {
			err = conn.WriteMessage(kind, append([]byte(From(req.Context()).Principal.Actor+" says "), text...))
		}
		if err != nil {
			t.Error(err)
		}
	}))
	server := httptest.NewServer(r)
	defer server.Close()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/api/v1/chat/stream?access_token=admin", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.ReadMessage(); err != nil || string(text) != "key_1 says hi" {
		t.Errorf("%q %v", text, err)
	}
}

func TestAPanicAfterHalfAnAnswerCutsTheConnection(t *testing.T) {
	r := New(testOptions())
	r.Raw(Op{ID: "half", Method: "GET", Path: "/half", Mount: V1, Public: true}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half an ")
		w.(http.Flusher).Flush()
		panic("no more")
	}))
	server := httptest.NewServer(r)
	defer server.Close()
	for _, encoding := range []string{"identity", "gzip"} {
		req, err := http.NewRequest("GET", server.URL+"/v1/half", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", encoding)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(bufio.NewReader(resp.Body)); err == nil {
			t.Errorf("%s: half an answer looks like a whole one", encoding)
		}
		resp.Body.Close()
	}
}

type base struct {
	ID      string `json:"id" access:"r"`
	OwnerID string `json:"owner_id"`
}

type derived struct {
	base
	*Extra
	OwnerID int `json:"owner_id"` // hides the embedded one
	hidden  string
	Skipped string `json:"-"`
	NoTag   string
}

// Extra is exported: encoding/json cannot fill an embedded pointer that is not.
type Extra struct {
	MoreData string `json:"more_data"`
}

func TestEmbeddedFieldsAreThoseOfEncodingJSON(t *testing.T) {
	var names []string
	for _, f := range jsonFields(reflect.TypeFor[derived]()) {
		names = append(names, f.name)
	}
	raw, err := json.Marshal(derived{Extra: &Extra{}, hidden: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		delete(keys, name)
	}
	if len(names) != 4 || len(keys) != 0 {
		t.Errorf("fields %q, encoding/json has %v more", names, keys)
	}
	out, faults, err := canonical(nil, []byte(`{"ownerId":1,"moreData":"x","NoTag":"y","id":"z"}`), shapes{}.of(reflect.TypeFor[derived](), Create), true)
	if err != nil || faults != nil || string(out) != `{"owner_id":1,"more_data":"x","NoTag":"y"}` {
		t.Errorf("%s %v %v", out, faults, err)
	}
}

func TestTypesOfOneNameGetTheirPackage(t *testing.T) {
	set := newSchemaSet(true)
	set.documents = true
	set.at(Output).Schema(reflect.TypeFor[Extra](), true, "")
	type Extra struct {
		Other int `json:"other"`
	}
	set.at(Output).Schema(reflect.TypeFor[Extra](), true, "")
	if set.schemas["Extra"] == nil || set.schemas["HttpxExtra"] == nil || len(set.schemas) != 2 {
		t.Errorf("schemas %v", set.schemas)
	}
}

func TestRequestsOutsideOfTheTransport(t *testing.T) {
	if From(t.Context()).ID != "" || PathValue(t.Context(), "id") != "" {
		t.Error("there is no request")
	}
	ctx, cancel := context.WithCancel(WithRequest(t.Context(), Request{ID: "req_1"}))
	defer cancel()
	if From(ctx).ID != "req_1" {
		t.Error("the request is lost")
	}
	for given, kept := range map[string]bool{"abc-1_2.3:4": true, "a b": false, "x\"y": false, strings.Repeat("x", 129): false} {
		if got := requestID(given); (got == given) != kept {
			t.Errorf("%q became %q", given, got)
		}
	}
}
