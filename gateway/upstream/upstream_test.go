package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClient(t *testing.T, e Endpoint, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	transport := NewTransport(time.Second)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	e.BaseURL = server.URL
	return NewClient(e, transport)
}

func failure(t *testing.T, err error) *Failure {
	t.Helper()
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		t.Fatalf("%v is no failure", err)
	}
	return f
}

func TestDescribe(t *testing.T) {
	tests := map[string]struct{ body, message, param, code string }{
		"openai":          {`{"error":{"message":"m","param":"p","code":"c","type":"t"}}`, "m", "p", "c"},
		"code is null":    {`{"error":{"message":"m","param":null,"code":null,"type":"t"}}`, "m", "", ""},
		"code is missing": {`{"error":{"message":"m","type":"t"}}`, "m", "", "t"},
		"code is number":  {`{"error":{"message":"m","code":400,"type":"t"}}`, "m", "", "t"},
		"text":            {`{"error":"m"}`, "m", "", ""},
		"other":           {`{"detail":"m"}`, "", "", ""},
		"page":            {`<html>`, "", "", ""},
		"our key":         {`{"error":{"message":"wrong key sk-123456 of org-secret"}}`, "wrong key *** of ***", "", ""},
		"long":            {`{"error":{"message":"` + strings.Repeat("é", 2000) + `"}}`, strings.Repeat("é", 500) + "…", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Endpoint{APIKey: "sk-123456", Headers: map[string]string{"X-Org": "org-secret"}}, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				_, _ = io.WriteString(w, tt.body)
			})
			_, err := c.Do(context.Background(), Chat, "m", []byte("{}"))
			if f := failure(t, err); f.Kind != Refused || f.Message != tt.message || f.Param != tt.param || f.Code != tt.code && name != "text" {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := func() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }
	for want, header := range map[time.Duration]http.Header{
		7 * time.Second:        {"Retry-After": {"7"}},
		300 * time.Millisecond: {"Retry-After-Ms": {"300"}, "Retry-After": {"1"}},
		time.Minute:            {"Retry-After": {"Wed, 01 Jan 2025 00:01:00 GMT"}},
		0:                      {"Retry-After": {"soon"}},
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%v: %v, want %v", header, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {"Tue, 31 Dec 2024 00:00:00 GMT"}}, now); got != 0 {
		t.Errorf("in the past: %v", got)
	}
}

func TestSlowBodyTimesOut(t *testing.T) {
	c := newClient(t, Endpoint{Timeouts: Timeouts{Idle: 20 * time.Millisecond}}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"half":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	_, err := c.Do(context.Background(), Chat, "m", []byte("{}"))
	if f := failure(t, err); f.Kind != TimedOut {
		t.Errorf("%+v", f)
	}
}

func TestNobodyListens(t *testing.T) {
	transport := NewTransport(time.Second)
	c := NewClient(Endpoint{BaseURL: "http://127.0.0.1:1/v1"}, transport)
	_, err := c.Do(context.Background(), Chat, "m", []byte("{}"))
	if f := failure(t, err); f.Kind != Unavailable || !f.Again() || !f.Sick() {
		t.Errorf("%+v", f)
	}
	_, err = NewClient(Endpoint{BaseURL: "::"}, transport).Do(context.Background(), Chat, "m", []byte("{}"))
	if f := failure(t, err); f.Kind != Unavailable {
		t.Errorf("%+v", f)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	count := 0
	c := newClient(t, Endpoint{APIKey: "sk-123456"}, func(w http.ResponseWriter, r *http.Request) {
		count++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := c.Do(context.Background(), Chat, "m", []byte("{}"))
	if f := failure(t, err); f.Kind != Malformed || count != 1 {
		t.Errorf("%+v after %d requests", f, count)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	addresses := map[string]bool{}
	c := newClient(t, Endpoint{}, func(w http.ResponseWriter, r *http.Request) {
		addresses[r.RemoteAddr] = true
		if r.Header.Get("Accept") == "text/event-stream" {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {\"a\":1}\n\ndata: [DONE]\n\n")
			return
		}
		w.WriteHeader(500)
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	})
	for range 5 {
		s, err := c.Stream(context.Background(), "m", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = s.Next()
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(context.Background(), Chat, "m", []byte("{}")); err == nil {
			t.Fatal("no error")
		}
	}
	if len(addresses) != 1 {
		t.Errorf("%d connections for 10 requests", len(addresses))
	}
}
