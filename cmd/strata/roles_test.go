package main

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"strata/streams"
	"strata/streams/embedded"
)

// shareLog opens a log for several nodes of this process.
func shareLog(t *testing.T) *embedded.Log {
	t.Helper()
	log, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// join opens a node of a role over a shared log and serves it.
func join(t *testing.T, log streams.Store, r role) *installation {
	t.Helper()
	i := &installation{}
	cfg := testConfig(t.TempDir())
	cfg.Secrets.MasterKey = base64.StdEncoding.EncodeToString(make([]byte, 32))
	a := newApp(r, cfg, slog.New(slog.DiscardHandler), i.now)
	a.store = log
	var err error
	if i.app, err = a.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close(t))
	if _, err := beginning(t.Context(), i.app.store, i.app.handler, testKey); err != nil {
		t.Fatal(err)
	}
	router, err := i.app.routes("http://localhost:8000", nil)
	if err != nil {
		t.Fatal(err)
	}
	i.Server = httptest.NewServer(i.app.requests.count(router))
	i.client = i.Server.Client()
	return i
}

// What is written through any node is read at any other, personal data too.
func TestNodesShareALog(t *testing.T) {
	log := shareLog(t)
	writers := []*installation{join(t, log, writing), join(t, log, writing)}
	readers := []*installation{join(t, log, reading), join(t, log, reading)}
	uid := writers[0].addSession(t, testKey)
	for n := range 10 {
		writers[n%2].addEvent(t, uid, "said to "+string(rune('a'+n%2)), testKey)
	}
	for _, r := range readers {
		eventually(t, "ten events are read", func() bool {
			var said []json.RawMessage
			got := call(t, r, "GET", "/v1/sessions/"+uid+"/events?limit=100", nil)
			return got.Status == http.StatusOK && json.Unmarshal(got.Data, &said) == nil && len(said) == 10
		})
		call(t, r, "POST", "/api/v1/apps", object{"name": "x", "type": "chat"}).must(t, http.StatusServiceUnavailable)
	}
	call(t, writers[0], "GET", "/api/v1/apps", nil).must(t, http.StatusServiceUnavailable)
}
