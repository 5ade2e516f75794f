package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" { // up, and not ready
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	var out bytes.Buffer
	if err := health(t.Context(), []string{"--url", server.URL, "--live"}, &out); err != nil || out.String() != "ok\n" {
		t.Errorf("%q, %v", &out, err)
	}
	if err := health(t.Context(), []string{"--url", server.URL}, &out); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a server that is not ready: %v", err)
	}
	listen := strings.TrimPrefix(server.URL, "http://127.0.0.1")
	if err := health(t.Context(), []string{"--listen", "0.0.0.0" + listen, "--live"}, &out); err != nil {
		t.Errorf("by the address listened on: %v", err)
	}
	server.Close()
	if err := health(t.Context(), []string{"--url", server.URL}, &out); err == nil {
		t.Error("nobody is there, and that is fine")
	}
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:8000": "127.0.0.1:8000", ":8000": "127.0.0.1:8000", "[::]:1": "127.0.0.1:1", "10.0.0.1:2": "10.0.0.1:2", "name:3": "name:3",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}
