package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/inference"
	"strata/gateway"
	"strata/gateway/gatewaytest"
	"strata/gateway/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a gateway with a provider "up" and everything around it in memory.
type rig struct {
	*gateway.Gateway
	up    *gatewaytest.Upstream
	dir   *gatewaytest.Directory
	books *gatewaytest.Books
	waits []time.Duration
	mu    sync.Mutex
}

// priced makes "m" cost a micro-dollar per token in and ten per token out.
const priced = `{"prices":{"m":{"input":1,"output":10,"max_output_tokens":100}}}`

var caller = gateway.Call{Organization: "org_1", Workspace: "wks_1", User: "user_1", APIKey: "key_1", RequestID: "req_1", Tags: []string{"test"}}

func newRig(t testing.TB, change ...func(*gateway.Config)) *rig {
	t.Helper()
	r := &rig{up: gatewaytest.NewUpstream(t), dir: &gatewaytest.Directory{}, books: &gatewaytest.Books{}}
	r.dir.AddProvider(gateway.Provider{Name: "up", BaseURL: r.up.URL, APIKey: "sk-secret-key", Config: json.RawMessage(priced)})
	transport := upstream.NewTransport(time.Second)
	t.Cleanup(transport.CloseIdleConnections)
	config := gateway.Config{
		Directory: r.dir, Budgets: r.books, Recorder: r.books, Transport: transport,
		Rand: func() float64 { return 0.5 },
		Wait: func(_ context.Context, d time.Duration) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.waits = append(r.waits, d)
			return nil
		},
	}
	for _, f := range change {
		f(&config)
	}
	g, err := gateway.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r.Gateway = g
	t.Cleanup(func() {
		if err := r.books.Check(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func chatRequest(t testing.TB, body string) *gateway.ChatRequest {
	t.Helper()
	req, err := gateway.ParseChat([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func ask(model string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"Hello?"}]}`
}

// record returns the one record there is.
func (r *rig) record(t testing.TB) inference.Recorded {
	t.Helper()
	records := r.books.Records()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	return records[0]
}

func (r *rig) wantLog(t testing.TB, want ...string) {
	t.Helper()
	if got := r.books.Log(); !reflect.DeepEqual(got, want) {
		t.Errorf("books: %q, want %q", got, want)
	}
}

func wantCode(t testing.TB, err error, want domain.Code) *domain.Error {
	t.Helper()
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || e.Code != want {
		t.Fatalf("error %v, want %s", err, want)
	}
	return e
}

func TestChatPassesEverythingOn(t *testing.T) {
	r := newRig(t)
	answer := `{"id":"x","new_field":[1.50],"model":"m-2024","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}`
	r.up.Always(gatewaytest.JSON(answer))
	req := chatRequest(t, `{"model":"up/m","messages":[{"role":"user","content":"Hello?"}],"future":{"a":1.0},"user":"jane","metadata":{"k":"v","n":1}}`)
	got, err := r.Chat(context.Background(), caller, req)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Body) != answer || got.Text != "Hi." || got.FinishReason != "stop" || got.Model != "up/m" {
		t.Errorf("got %+v", got)
	}
	sent := r.up.Requests()[0]
	if want := `{"model":"m","messages":[{"role":"user","content":"Hello?"}],"future":{"a":1.0},"user":"jane","metadata":{"k":"v","n":1}}`; string(sent.Body) != want {
		t.Errorf("sent %s", sent.Body)
	}
	if sent.URL.Path != "/v1/chat/completions" || sent.Header.Get("Authorization") != "Bearer sk-secret-key" {
		t.Errorf("sent %s with %v", sent.URL, sent.Header)
	}
	rec := r.record(t)
	if rec.InputTokens != 7 || rec.OutputTokens != 2 || rec.CachedTokens != 3 || rec.Cost != 27 || rec.User != "jane" ||
		rec.Status != inference.Success || rec.HTTPStatus != 200 || rec.Attempts != 1 || rec.Provider != "up" ||
		rec.RequestedModel != "up/m" || rec.Model != "up/m" || rec.Metadata["k"] != "v" || rec.Metadata["n"] != "1" ||
		rec.ID != got.ID || rec.Workspace != "wks_1" || rec.Type != "chat" || rec.UsageEstimated {
		t.Errorf("record %+v", rec)
	}
	r.wantLog(t, "record")
	if len(r.books.Payloads()) != 0 {
		t.Error("a payload was kept unasked")
	}
}

func TestChatWithBudget(t *testing.T) {
	r := newRig(t)
	r.books.Limit(100_000)
	if _, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m"))); err != nil {
		t.Fatal(err)
	}
	r.wantLog(t, "reserve", "record", "settle")
	if got := r.up.Requests()[0].JSON["max_tokens"]; got != 100.0 {
		t.Errorf("the answer is not limited to what was reserved: %v", got)
	}
	rec := r.record(t)
	if len(rec.Reservations) != 1 || r.books.Spent() != rec.Cost || rec.Cost != 30 {
		t.Errorf("spent %d, record %+v", r.books.Spent(), rec)
	}
	// A limit of the client's own stays, under the name this type of provider knows.
	if _, err := r.Chat(context.Background(), caller, chatRequest(t, `{"model":"up/m","max_completion_tokens":5,"messages":[{"role":"user","content":"Hello?"}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := r.up.Requests()[1].JSON; got["max_tokens"] != 5.0 || got["max_completion_tokens"] != nil {
		t.Errorf("sent %v", got)
	}
}

func TestChatOverBudget(t *testing.T) {
	r := newRig(t)
	r.books.Limit(10)
	_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
	wantCode(t, err, domain.CodeQuotaExceeded)
	r.wantLog(t, "refuse", "record")
	if rec := r.record(t); rec.HTTPStatus != 429 || rec.Status != inference.Failed || rec.Attempts != 0 || len(r.up.Requests()) != 0 {
		t.Errorf("record %+v", rec)
	}
}

func TestBudgetIsNeverOverspent(t *testing.T) {
	r := newRig(t)
	r.books.Limit(20_000) // about 15 calls at the same time, by their bounds
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[domain.Code]int{}
	for range 64 {
		wg.Go(func() {
			_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				count["ok"]++
			} else {
				count[domain.CodeOf(err)]++
			}
		})
	}
	wg.Wait()
	if count["ok"] == 0 || count["ok"]+count[domain.CodeQuotaExceeded] != 64 {
		t.Errorf("outcomes %v", count)
	}
	if r.books.Spent() != domain.Money(30*count["ok"]) {
		t.Errorf("spent %d for %d calls", r.books.Spent(), count["ok"])
	}
}

func TestProviderFailures(t *testing.T) {
	tests := map[string]struct {
		behaviour gatewaytest.Behaviour
		code      domain.Code
		status    int
		attempts  int
		says      string
		param     string
	}{
		"bad request":     {gatewaytest.Error(400, "temperature is wrong", "temperature", "bad_value"), domain.CodeInvalidRequest, 400, 1, "temperature is wrong", "temperature"},
		"unprocessable":   {gatewaytest.Error(422, "no", "", ""), domain.CodeInvalidRequest, 400, 1, "no", ""},
		"too large":       {gatewaytest.Error(413, "too big", "", ""), domain.CodePayloadTooLarge, 413, 1, "too big", ""},
		"wrong key":       {gatewaytest.Error(401, "Incorrect API key sk-secret-key", "", "invalid_api_key"), domain.CodeAIService, 503, 1, `"up" does not accept`, ""},
		"forbidden":       {gatewaytest.Error(403, "no", "", ""), domain.CodeAIService, 503, 1, `"up" does not accept`, ""},
		"no such model":   {gatewaytest.Error(404, "no model", "model", "model_not_found"), domain.CodeNotFound, 404, 1, `no model "m"`, "model"},
		"rate limited":    {gatewaytest.Error(429, "slow down", "", "rate_limit_exceeded", "Retry-After", "30"), domain.CodeRateLimited, 429, 1, "slow down", ""},
		"out of money":    {gatewaytest.Error(429, "pay", "", "insufficient_quota"), domain.CodeRateLimited, 429, 1, "pay", ""},
		"server error":    {gatewaytest.Error(500, "oops sk-secret-key", "", ""), domain.CodeAIService, 503, 2, "status 500: oops ***", ""},
		"proxy's page":    {gatewaytest.Status(502, "<html>Bad gateway</html>"), domain.CodeAIService, 503, 2, "status 502", ""},
		"redirect":        {gatewaytest.Status(302, "", "Location", "http://example.invalid/"), domain.CodeAIService, 503, 2, "cannot be understood", ""},
		"not JSON":        {gatewaytest.JSON("<html>"), domain.CodeAIService, 503, 2, "cannot be understood", ""},
		"not an object":   {gatewaytest.JSON("[1]"), domain.CodeAIService, 503, 2, "cannot be understood", ""},
		"cut off":         {gatewaytest.Die(), domain.CodeAIService, 503, 2, "broke the connection", ""},
		"never answers":   {gatewaytest.Hang(), domain.CodeAIService, 503, 2, "did not answer in time", ""},
		"error as a text": {gatewaytest.Status(400, `{"error":"plain words"}`), domain.CodeInvalidRequest, 400, 1, "plain words", ""},
	}
	for name, tt := range tests {
		for _, streamed := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " streamed"}[streamed], func(t *testing.T) {
				r := newRig(t, func(c *gateway.Config) {
					if name == "never answers" {
						c.Timeouts.FirstByte = 50 * time.Millisecond
					}
				})
				r.books.Limit(1_000_000)
				r.up.Always(tt.behaviour)
				var err error
				if streamed {
					_, err = r.ChatStream(context.Background(), caller, chatRequest(t, ask("up/m")), func(gateway.Chunk) error {
						t.Error("something was sent")
						return nil
					})
				} else {
					_, err = r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
				}
				e := wantCode(t, err, tt.code)
				if !strings.Contains(e.Message, tt.says) {
					t.Errorf("message %q, want %q", e.Message, tt.says)
				}
				if strings.Contains(err.Error(), "sk-secret-key") {
					t.Errorf("the key leaks: %v", err)
				}
				if param, _ := e.Params[gateway.ParamField].(string); param != tt.param {
					t.Errorf("param %q, want %q", param, tt.param)
				}
				rec := r.record(t)
				if rec.HTTPStatus != tt.status || rec.Attempts != tt.attempts || rec.Status != inference.Failed || rec.ErrorCode != string(tt.code) || rec.Cost != 0 {
					t.Errorf("record %+v", rec)
				}
				r.wantLog(t, "reserve", "release", "record")
			})
		}
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	r := newRig(t)
	r.up.Next(gatewaytest.Error(429, "slow down", "", "", "Retry-After", "1.5"), gatewaytest.Answer("ok"))
	got, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
	if err != nil || got.Attempts != 2 {
		t.Fatal(got, err)
	}
	if want := []time.Duration{1500 * time.Millisecond}; !reflect.DeepEqual(r.waits, want) {
		t.Errorf("waited %v, want %v", r.waits, want)
	}
	r.up.Always(gatewaytest.Error(429, "slow down", "", "", "Retry-After", "30"))
	_, err = r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
	if e := wantCode(t, err, domain.CodeRateLimited); e.Params[gateway.ParamRetryAfter] != 30 {
		t.Errorf("params %v", e.Params)
	}
}

func TestBackoffDoubles(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) {
		c.Retry = gateway.Retry{MaxAttempts: 5, Backoff: 100 * time.Millisecond, MaxBackoff: 300 * time.Millisecond}
		c.Breaker.Failures = 100
	})
	r.up.Always(gatewaytest.Error(500, "oops", "", ""))
	_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
	wantCode(t, err, domain.CodeAIService)
	ms := time.Millisecond
	if want := []time.Duration{75 * ms, 150 * ms, 225 * ms, 225 * ms}; !reflect.DeepEqual(r.waits, want) {
		t.Errorf("waited %v, want %v", r.waits, want)
	}
}

func TestClientLeavesBeforeTheAnswer(t *testing.T) {
	r := newRig(t)
	r.books.Limit(1_000_000)
	r.up.Always(gatewaytest.Hang())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-r.up.Arrived()
		cancel()
	}()
	_, err := r.Chat(ctx, caller, chatRequest(t, ask("up/m")))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	<-r.up.ClientGone()
	if rec := r.record(t); !rec.Cancelled || rec.HTTPStatus != gateway.StatusClientGone || rec.Status != inference.Failed {
		t.Errorf("record %+v", rec)
	}
	r.wantLog(t, "reserve", "release", "record")
}

func TestDeadline(t *testing.T) {
	r := newRig(t)
	r.up.Always(gatewaytest.Hang())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := r.Chat(ctx, caller, chatRequest(t, ask("up/m")))
	wantCode(t, err, domain.CodeTimeout)
	if rec := r.record(t); rec.Cancelled || rec.HTTPStatus != 504 {
		t.Errorf("record %+v", rec)
	}
}

func TestRecordFails(t *testing.T) {
	r := newRig(t)
	r.books.Limit(1_000_000)
	r.books.FailRecords(errors.New("disk full"))
	_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
	wantCode(t, err, domain.CodeUnavailable)
	r.wantLog(t, "reserve", "record failed", "settle") // what was spent is spent
}

func TestSettleFails(t *testing.T) {
	r := newRig(t)
	r.books.Limit(1_000_000)
	r.books.FailSettles(errors.New("busy"))
	if _, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m"))); err != nil {
		t.Fatalf("the record names the reservation, so the client need not suffer: %v", err)
	}
	r.wantLog(t, "reserve", "record", "settle")
}

func TestUsageIsEstimatedWhenMissing(t *testing.T) {
	r := newRig(t)
	r.up.Always(gatewaytest.JSON(`{"choices":[{"index":0,"message":{"content":"one two three four","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}`))
	got, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
	if err != nil || !got.UsageEstimated || got.Usage.OutputTokens != 6 || got.Usage.InputTokens != 9 || got.Cost != 69 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPayload(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.MaxPayload = 200 })
	call := caller
	call.RecordPayload, call.Session = true, "ses_1"
	if _, err := r.Chat(context.Background(), call, chatRequest(t, ask("strata/echo"))); err != nil {
		t.Fatal(err)
	}
	p := r.books.Payloads()[0]
	if p.Subject != "user_1" || string(p.Request) != ask("strata/echo") || p.ID != r.record(t).ID {
		t.Errorf("%+v", p)
	}
	var short struct {
		Truncated bool
		Bytes     int
		Beginning string
	}
	if err := json.Unmarshal(p.Response, &short); err != nil || !short.Truncated || short.Bytes <= 200 || len(short.Beginning) != 100 {
		t.Errorf("%s: %v", p.Response, err)
	}
}

func TestEmbed(t *testing.T) {
	r := newRig(t)
	r.books.Limit(1_000_000)
	r.up.Always(gatewaytest.JSON(`{"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":4,"total_tokens":4}}`))
	req, err := gateway.ParseEmbed([]byte(`{"model":"up/m","input":["one","two"],"x":1}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Embed(context.Background(), caller, req)
	if err != nil || got.Usage.InputTokens != 4 || got.Cost != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	if sent := r.up.Requests()[0]; string(sent.Body) != `{"model":"m","input":["one","two"],"x":1}` || sent.URL.Path != "/v1/embeddings" {
		t.Errorf("sent %s", sent.Body)
	}
	if rec := r.record(t); rec.Type != "embedding" || rec.OutputTokens != 0 {
		t.Errorf("record %+v", rec)
	}
	r.wantLog(t, "reserve", "record", "settle")
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := gateway.New(gateway.Config{})
	for _, name := range []string{"Directory", "Budgets", "Recorder"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func TestEmbedInside(t *testing.T) {
	r := newRig(t)
	req, err := gateway.NewEmbed("strata/embed-1", []string{"one", "two words"}, 16)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Embed(context.Background(), caller, req)
	if err != nil || got.Usage.InputTokens != 3 || !strings.Contains(string(got.Body), `"index":1`) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCallersMetadataWins(t *testing.T) {
	r := newRig(t)
	call := caller
	call.Metadata = map[string]string{"app": "ours", "more": "x"}
	if _, err := r.Chat(context.Background(), call, chatRequest(t, `{"model":"echo","messages":[{"role":"user","content":"a"}],"metadata":{"app":"theirs","own":"y"}}`)); err != nil {
		t.Fatal(err)
	}
	if got, want := r.record(t).Metadata, map[string]string{"app": "ours", "more": "x", "own": "y"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestPanicLeavesNothingReserved(t *testing.T) {
	r := newRig(t)
	r.books.Limit(1_000_000)
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
		r.wantLog(t, "reserve", "release")
	}()
	_, err := r.ChatStream(context.Background(), caller, chatRequest(t, streamed("")), func(gateway.Chunk) error { panic("sink") })
	t.Errorf("returned %v", err)
}

func TestSpan(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	r := newRig(t, func(c *gateway.Config) {
		c.Tracer = trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	})
	_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("nobody/x")))
	wantCode(t, err, domain.CodeNotFound)
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != "gateway.chat" || ended[0].Status().Code != codes.Error {
		t.Errorf("spans %v", ended)
	}
}
