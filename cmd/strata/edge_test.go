package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"strata/streams"
	"strata/test/kit"
)

// cluster is an installation of several nodes behind an edge. As an installation
// it is the edge, with the clock of its first writer.
type cluster struct {
	*installation
	writers, readers []*installation
}

func startCluster(t *testing.T, log streams.Store) *cluster {
	t.Helper()
	c := &cluster{
		writers: []*installation{join(t, log, writing), join(t, log, writing)},
		readers: []*installation{join(t, log, reading), join(t, log, reading)},
	}
	cfg := testConfig(t.TempDir())
	for _, w := range c.writers {
		cfg.Edge.Write = append(cfg.Edge.Write, w.URL)
	}
	for _, r := range c.readers {
		cfg.Edge.Read = append(cfg.Edge.Read, r.URL)
	}
	e, err := newEdge(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.installation = &installation{Server: httptest.NewServer(edgePages(e))}
	c.client = c.Server.Client()
	c.client.Transport = kit.Patient(c.client.Transport)
	t.Cleanup(c.Server.Close)
	return c
}

// Through the edge several nodes are as one: a caller reads what it wrote, live
// connections work, and every page is there.
func TestTheEdgeIsOneAddress(t *testing.T) {
	c := startCluster(t, shareLog(t))
	live := c.dial(t, "/api/v1/events/ws?types=app.created", testKey)
	live.expect("caught_up")
	for range 8 {
		app := call(t, c.installation, "POST", "/api/v1/apps", object{"name": "n", "type": "chat", "config": object{"model": "strata/extract-1"}}).
			must(t, http.StatusCreated).field(t, "id")
		call(t, c.installation, "GET", "/api/v1/apps/"+app, nil).must(t, http.StatusOK)
		if f := live.until("event"); f["event"].(object)["subject"] != app {
			t.Errorf("heard %v, not of %s", f, app)
		}
		call(t, c.installation, "DELETE", "/api/v1/apps/"+app, nil).must(t, http.StatusOK)
		call(t, c.installation, "GET", "/api/v1/apps/"+app, nil).must(t, http.StatusNotFound)
	}
	for _, page := range []string{"/readyz", "/healthz", "/api/v1/openapi.json"} {
		res, err := c.Client().Get(c.URL + page)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", page, res.Status)
		}
	}
}
