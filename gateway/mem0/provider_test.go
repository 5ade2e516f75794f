package mem0_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/commands/memories"
	"strata/commands/memories/memoriestest"
	"strata/domain"
	"strata/domain/memory"
	"strata/gateway/mem0"
	"strata/gateway/mem0/mem0test"
	"strata/internal/outbound"
)

var _ memories.Provider = (*mem0.Provider)(nil)

func guarded(t *testing.T, private ...string) *http.Client {
	t.Helper()
	guard, err := outbound.New(private)
	if err != nil {
		t.Fatal(err)
	}
	c := mem0.NewClient(guard)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func provider(t *testing.T, f *mem0test.Fake) *mem0.Provider {
	t.Helper()
	return &mem0.Provider{Name: "longterm", URL: f.URL, Key: f.Key, Server: !f.Platform, Timeout: time.Minute, Client: guarded(t, "127.0.0.0/8"), Now: f.Now}
}

func TestConformance(t *testing.T) {
	for name, platform := range map[string]bool{"platform": true, "server": false} {
		for shape, change := range map[string]func(*mem0test.Fake){
			"today": func(*mem0test.Fake) {}, "lists without a wrapper": func(f *mem0test.Fake) { f.Bare = true }, "done later": func(f *mem0test.Fake) { f.Async = f.Platform },
		} {
			t.Run(name+"/"+shape, func(t *testing.T) {
				memoriestest.Run(t, func(t *testing.T) *memoriestest.World {
					f := mem0test.New(t, platform)
					change(f)
					now := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
					f.Now = func() time.Time { return now }
					return &memoriestest.World{Provider: provider(t, f), Now: f.Now, Pass: func(d time.Duration) { now = now.Add(d) }, Settle: func(testing.TB) {}}
				})
			})
		}
	}
}

// What mem0 answers, or does not, is an error of ours that says so without its secrets.
func TestErrors(t *testing.T) {
	f := mem0test.New(t, true)
	p := provider(t, f)
	p.Timeout = 20 * time.Second
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, c := range []struct {
		answer http.HandlerFunc
		code   domain.Code
		says   string
	}{
		{status(401, `{"detail":"no"}`), domain.CodeAIService, "does not accept the API key"},
		{status(400, `{"error":"400 Bad Request","details":{"message":"too odd"}}`), domain.CodeInvalidRequest, "too odd"},
		{status(422, `{"detail":[{"loc":["body"]}]}`), domain.CodeInvalidRequest, "refuses"},
		{status(404, `<html>`), domain.CodeAIService, "answers 404"},
		{status(429, `{"detail":"slow down"}`), domain.CodeRateLimited, "slow down"},
		{status(413, ``), domain.CodePayloadTooLarge, "more than"},
		{status(500, `{"detail":"`+strings.Repeat("é", 1000)+`"}`), domain.CodeAIService, "answers 500"},
		{status(302, ``), domain.CodeAIService, "answers 302"},
		{status(200, `[`), domain.CodeAIService, "cannot be understood"},
		{status(200, `{"results":[]}`), domain.CodeAIService, "made no memory"},
		{status(200, `{}`), domain.CodeAIService, "made no memory"},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, domain.CodeUnavailable, "cannot be reached"},
	} {
		f.Answer(c.answer)
		_, err := p.Add(t.Context(), memory.By{}, memory.Fields{UserID: "bob", Content: "tea"})
		if domain.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), f.Key) || len(err.Error()) > 600 {
			t.Errorf("error %v, want %s that says %q", err, c.code, c.says)
		}
	}

	release := make(chan struct{})
	f.Answer(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	p.Timeout = time.Millisecond
	if _, err := p.Get(t.Context(), memory.By{}, "x"); domain.CodeOf(err) != domain.CodeTimeout {
		t.Errorf("too slow: %v", err)
	}
	close(release)
	p.Client = guarded(t)
	p.Timeout = time.Minute
	if _, err := p.Get(t.Context(), memory.By{}, "x"); domain.CodeOf(err) != domain.CodeForbidden || !strings.Contains(err.Error(), "outbound.private") {
		t.Errorf("a private address: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Get(ctx, memory.By{}, "x"); err == nil || !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

// What mem0 cannot keep is refused before it is asked.
func TestRefusals(t *testing.T) {
	f := mem0test.New(t, false)
	p := provider(t, f)
	for name, ask := range map[string]func() error{
		"of nobody": func() error {
			_, err := p.Add(t.Context(), memory.By{}, memory.Fields{Content: "tea", AppID: "app_1"})
			return err
		},
		"reserved metadata": func() error {
			_, err := p.Add(t.Context(), memory.By{}, memory.Fields{Content: "tea", UserID: "bob", Metadata: domain.Doc{"strata_type": []byte(`"x"`)}})
			return err
		},
		"a list of all":   func() error { _, err := p.List(t.Context(), memory.By{}, memory.Scope{}, 10, ""); return err },
		"a search in all": func() error { _, err := p.Search(t.Context(), memory.By{}, memory.Query{Text: "x"}); return err },
	} {
		if err := ask(); domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
	if asked := f.Asked(); len(asked) != 0 {
		t.Errorf("asked for %v", asked)
	}
	m, err := p.Add(t.Context(), memory.By{}, memory.Fields{Content: "tea", UserID: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Update(t.Context(), memory.By{}, m.ID, domain.Doc{"user_id": []byte(`"eve"`)}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("given to another: %v", err)
	}
}
