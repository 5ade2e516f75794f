package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"strata/domain"
	"strata/gateway"
	"strata/gateway/gatewaytest"
)

func TestResolve(t *testing.T) {
	r := newRig(t)
	url := r.up.URL
	r.dir.AddProvider(gateway.Provider{Name: "house", BaseURL: url, Models: []string{"small", "meta/llama"}, IsDefault: true})
	r.dir.AddProvider(gateway.Provider{Name: "late", BaseURL: url, Models: []string{"rare"}, Priority: 9})
	r.dir.AddProvider(gateway.Provider{Name: "early", BaseURL: url, Models: []string{"rare", "small"}, Priority: 1})
	r.dir.AddProvider(gateway.Provider{Name: "off", Type: gateway.OpenAI, BaseURL: url, Models: []string{"gone"}})
	r.dir.AddProvider(gateway.Provider{Name: "parrot", Type: gateway.EchoType, Enabled: true})
	r.dir.AddRoute(gateway.Route{Name: "smart", Targets: []gateway.Target{{Model: "up/m"}}})
	r.dir.AddRoute(gateway.Route{Name: "loop", Targets: []gateway.Target{{Model: "flotorch/smart"}}})
	r.dir.AddRoute(gateway.Route{Name: "partly", Targets: []gateway.Target{{Model: "nobody/x"}, {Model: "rare"}}})
	tests := map[string]struct {
		model string      // that answers
		code  domain.Code // or why none does
	}{
		"up/m":             {model: "up/m"},
		"up/any/thing":     {model: "up/any/thing"}, // no list: every name is passed on
		"house/small":      {model: "house/small"},
		"house/other":      {code: domain.CodeNotFound}, // listed models only
		"small":            {model: "house/small"},      // the default provider first
		"rare":             {model: "early/rare"},       // then by priority
		"meta/llama":       {model: "house/meta/llama"}, // a bare name with a slash
		"nobody/x":         {code: domain.CodeNotFound},
		"unknown":          {code: domain.CodeNotFound},
		"off/gone":         {code: domain.CodeNotFound},
		"gone":             {code: domain.CodeNotFound},
		"up/":              {code: domain.CodeNotFound},
		"flotorch/smart":   {model: "up/m"},
		"smart":            {model: "up/m"},
		"flotorch/unknown": {code: domain.CodeNotFound},
		"flotorch/loop":    {code: domain.CodeAIService},
		"flotorch/partly":  {model: "early/rare"},
		"strata/echo":      {model: "strata/echo"},
		"echo":             {model: "strata/echo"},
		"strata/unknown":   {code: domain.CodeNotFound},
		"strata/embed-1":   {code: domain.CodeNotFound}, // not a chat model
		"parrot/whatever":  {model: "parrot/whatever"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := r.Chat(context.Background(), caller, chatRequest(t, ask(name)))
			if tt.code != "" {
				e := wantCode(t, err, tt.code)
				if tt.code == domain.CodeNotFound && (e.Params[gateway.ParamField] != "model" || e.Params[gateway.ParamReason] != "model_not_found") {
					t.Errorf("params %v", e.Params)
				}
				return
			}
			if err != nil || got.Model != tt.model {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestModels(t *testing.T) {
	r := newRig(t)
	created := time.Unix(1_700_000_000, 0)
	r.dir.AddProvider(gateway.Provider{Name: "house", BaseURL: r.up.URL, Models: []string{"small"}, IsDefault: true, Created: created})
	r.dir.AddRoute(gateway.Route{Name: "smart", Targets: []gateway.Target{{Model: "up/m"}}})
	list, err := r.Models(context.Background(), caller)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	if want := []string{"flotorch/smart", "house/small", "strata/echo", "strata/embed-1", "strata/extract-1"}; !slices.Equal(ids, want) {
		t.Errorf("got %q", ids)
	}
	for id, owner := range map[string]string{"house/small": "house", "small": "house", "smart": "flotorch", "strata/echo": "strata", "echo": "strata"} {
		if m, err := r.Model(context.Background(), caller, id); err != nil || m.ID != id || m.OwnedBy != owner {
			t.Errorf("%s: %+v, %v", id, m, err)
		}
	}
	for _, id := range []string{"", "house/other", "nobody/x", "up/not-listed"} {
		if _, err := r.Model(context.Background(), caller, id); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// chain is a rig with three providers a, b, c and a route over them.
func chain(t *testing.T, s gateway.Strategy, targets []gateway.Target, change ...func(*gateway.Config)) (*rig, map[string]*gatewaytest.Upstream) {
	t.Helper()
	r := newRig(t, change...)
	ups := map[string]*gatewaytest.Upstream{}
	for name, price := range map[string]string{"a": `{"input":3}`, "b": `{"input":1}`, "c": `{"input":2}`} {
		ups[name] = gatewaytest.NewUpstream(t)
		r.dir.AddProvider(gateway.Provider{Name: name, BaseURL: ups[name].URL, Config: json.RawMessage(`{"prices":{"m":` + price + `}}`)})
	}
	r.dir.AddRoute(gateway.Route{Name: "chain", Strategy: s, Targets: targets, Retry: gateway.Retry{MaxAttempts: 1}})
	return r, ups
}

func (r *rig) answeredBy(t *testing.T) string {
	t.Helper()
	got, err := r.Chat(context.Background(), caller, chatRequest(t, ask("flotorch/chain")))
	if err != nil {
		t.Fatal(err)
	}
	if got.Route != "chain" {
		t.Errorf("route %q", got.Route)
	}
	return got.Provider
}

var three = []gateway.Target{{Model: "a/m", Priority: 2}, {Model: "b/m", Priority: 3}, {Model: "c/m", Priority: 1}}

func TestFallback(t *testing.T) {
	r, ups := chain(t, gateway.Fallback, three)
	r.books.Limit(1_000_000)
	if got := r.answeredBy(t); got != "c" {
		t.Errorf("%s answered", got)
	}
	ups["c"].Always(gatewaytest.Error(500, "oops", "", ""))
	ups["a"].Always(gatewaytest.Error(401, "who are you", "", ""))
	if got := r.answeredBy(t); got != "b" {
		t.Errorf("%s answered", got)
	}
	r.wantLog(t, "reserve", "record", "settle", "reserve", "release", "reserve", "release", "reserve", "record", "settle")
	if rec := r.books.Records()[1]; rec.Attempts != 3 || rec.Model != "b/m" || rec.Route != "chain" || rec.RequestedModel != "flotorch/chain" || len(rec.Reservations) != 1 {
		t.Errorf("record %+v", rec)
	}
	// What one provider finds wrong with a request, the next would too.
	ups["c"].Always(gatewaytest.Error(400, "bad", "", ""))
	_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("flotorch/chain")))
	wantCode(t, err, domain.CodeInvalidRequest)
}

func TestFallbackToWhatTheBudgetAllows(t *testing.T) {
	r, _ := chain(t, gateway.Fallback, []gateway.Target{{Model: "a/m"}, {Model: "b/m", Priority: 1}})
	r.books.Limit(150) // the bound of about 80 tokens fits at 1, not at 3 micro-dollars
	if got := r.answeredBy(t); got != "b" {
		t.Errorf("%s answered", got)
	}
	r.wantLog(t, "refuse", "reserve", "record", "settle")
}

func TestRoundRobin(t *testing.T) {
	r, _ := chain(t, gateway.RoundRobin, three)
	got := ""
	for range 6 {
		got += r.answeredBy(t)
	}
	if got != "abcabc" {
		t.Errorf("order %s", got)
	}
}

func TestLowestCost(t *testing.T) {
	r, ups := chain(t, gateway.LowestCost, append([]gateway.Target{{Model: "up/unpriced"}}, three...))
	got := ""
	for _, name := range []string{"b", "c", "a", "up"} {
		got += r.answeredBy(t)
		if u := ups[name]; u != nil {
			u.Always(gatewaytest.Error(404, "gone", "", ""))
		}
	}
	if got != "bcaup" {
		t.Errorf("order %s", got)
	}
}

func TestWeighted(t *testing.T) {
	var draws []float64
	r, ups := chain(t, gateway.Weighted, []gateway.Target{{Model: "a/m", Weight: 1}, {Model: "b/m", Weight: 3}, {Model: "c/m"}}, func(c *gateway.Config) {
		c.Rand = func() float64 {
			d := draws[0]
			draws = draws[1:]
			return d
		}
	})
	for want, first := range map[string]float64{"a": 0.2, "b": 0.3} {
		draws = []float64{first, 0}
		if got := r.answeredBy(t); got != want {
			t.Errorf("drawn %f: %s answered", first, got)
		}
	}
	// Without a weight a target is the last resort, but it is one.
	ups["a"].Always(gatewaytest.Error(404, "gone", "", ""))
	ups["b"].Always(gatewaytest.Error(404, "gone", "", ""))
	draws = []float64{0.9, 0.9}
	if got := r.answeredBy(t); got != "c" {
		t.Errorf("%s answered", got)
	}
}

// clock is a time that only moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestLowestLatency(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	r, ups := chain(t, gateway.LowestLatency, three, func(config *gateway.Config) { config.Now = c.Now })
	took := func(d time.Duration) gatewaytest.Behaviour {
		return func(w httpWriter, req *gatewaytest.Request) {
			c.advance(d)
			gatewaytest.Answer("ok")(w, req)
		}
	}
	ups["a"].Always(took(300 * time.Millisecond))
	ups["b"].Always(took(100 * time.Millisecond))
	ups["c"].Always(took(200 * time.Millisecond))
	got := ""
	for range 5 {
		got += r.answeredBy(t)
	}
	if got != "abcbb" { // each is measured once, then the fastest is taken
		t.Errorf("order %s", got)
	}
	c.advance(time.Hour) // what was measured counts no more
	if got := r.answeredBy(t); got != "a" {
		t.Errorf("%s answered", got)
	}
}

func TestBreaker(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	var states []bool
	r := newRig(t, func(config *gateway.Config) {
		config.Now, config.Breaker = c.Now, gateway.Breaker{Failures: 3, OpenFor: time.Minute}
		config.Retry = gateway.Retry{MaxAttempts: 1}
		config.Metrics = breakerMetrics{func(open bool) { states = append(states, open) }}
	})
	r.books.Limit(1_000_000)
	call := func() error {
		_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
		return err
	}
	r.up.Always(gatewaytest.Error(500, "oops", "", ""))
	for range 3 {
		wantCode(t, call(), domain.CodeAIService)
	}
	e := wantCode(t, call(), domain.CodeAIService) // open: not asked any more
	if len(r.up.Requests()) != 3 || e.Params[gateway.ParamRetryAfter] != 60 {
		t.Errorf("%d requests, params %v", len(r.up.Requests()), e.Params)
	}
	c.advance(time.Minute)
	wantCode(t, call(), domain.CodeAIService) // half open: one probe fails
	wantCode(t, call(), domain.CodeAIService) // open again
	if len(r.up.Requests()) != 4 {
		t.Errorf("%d requests", len(r.up.Requests()))
	}
	c.advance(time.Minute)
	r.up.Always(gatewaytest.Answer("back"))
	for range 3 {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(states, []bool{true, false}) {
		t.Errorf("states %v", states)
	}
}

func TestBreakerCountsBrokenStreams(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.Breaker.Failures = 2 })
	r.up.Always(gatewaytest.DieAfter("half "))
	for range 3 {
		if _, _, _, err := r.stream(t, caller, streamed("")); err == nil {
			t.Error("no error")
		}
	}
	if len(r.up.Requests()) != 2 {
		t.Errorf("%d requests", len(r.up.Requests()))
	}
}

func TestBreakerIgnoresRefusals(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.Breaker.Failures = 1 })
	r.up.Always(gatewaytest.Error(400, "bad", "", ""))
	for range 3 {
		_, err := r.Chat(context.Background(), caller, chatRequest(t, ask("up/m")))
		wantCode(t, err, domain.CodeInvalidRequest)
	}
}

type breakerMetrics struct{ changed func(open bool) }

func (breakerMetrics) InFlight(int)                  {}
func (breakerMetrics) Observe(*inferenceRecorded)    {}
func (breakerMetrics) Attempt(string, string)        {}
func (m breakerMetrics) Breaker(_ string, open bool) { m.changed(open) }
