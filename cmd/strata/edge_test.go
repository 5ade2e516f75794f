package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"strata/internal/config"
	"strata/internal/telemetry"
	"strata/streams"
	"strata/test/kit"
)

// cluster is an installation of several nodes behind an edge. As an installation
// it is the edge, with the clock of its first writer.
type cluster struct {
	*installation
	writers, readers []*installation
}

// startCluster starts one; change may change the configuration of its nodes before.
func startCluster(t *testing.T, log streams.Store, change ...func(*config.Config)) *cluster {
	t.Helper()
	c := &cluster{
		writers: []*installation{join(t, log, writing, change...), join(t, log, writing, change...)},
		readers: []*installation{join(t, log, reading, change...), join(t, log, reading, change...)},
	}
	cfg := testConfig(t.TempDir())
	for _, c := range change {
		c(cfg)
	}
	for _, w := range c.writers {
		cfg.Edge.Write = append(cfg.Edge.Write, w.URL)
	}
	for _, r := range c.readers {
		cfg.Edge.Read = append(cfg.Edge.Read, r.URL)
	}
	metrics := telemetry.NewMetrics(version)
	e, err := newEdge(t.Context(), cfg, slog.New(slog.DiscardHandler), metrics)
	if err != nil {
		t.Fatal(err)
	}
	c.installation = &installation{Server: httptest.NewServer(edgePages(e, metrics))}
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

// Callers without a key are limited one by one also behind a proxy and the edge, and
// nobody gets around that by making addresses up.
func TestCallersBehindTheEdgeAreToldApart(t *testing.T) {
	c := startCluster(t, shareLog(t), func(cfg *config.Config) {
		cfg.Server.TrustedProxies = []string{"127.0.0.1"} // the edge, and the proxy before it: this test
		cfg.Server.RateLimits.Anonymous = config.Limit{Key: 1}
	})
	node := strings.TrimPrefix(c.readers[0].URL, "http://") // each counts for itself
	for _, step := range []struct {
		from string
		want int
	}{
		{"203.0.113.9, 192.0.2.1", http.StatusNotFound},
		{"192.0.2.2", http.StatusNotFound},
		{"203.0.113.10, 192.0.2.1", http.StatusTooManyRequests},
	} {
		call(t, c.installation, "GET", "/api/v1/nothing", nil, "Strata-Node", node, "X-Forwarded-For", step.from).must(t, step.want)
	}
}

// The edge's pages are its own, unless a request names a node.
func TestTheEdgeTellsOfItself(t *testing.T) {
	c := startCluster(t, shareLog(t))
	node := strings.TrimPrefix(c.readers[1].URL, "http://")
	for _, p := range []struct{ page, edges, nodes string }{
		{"/metrics", `strata_edge_node_up{node="` + node + `",room="read"} 1`, "strata_projection_position"},
		{"/readyz", `"rooms":["read"]`, `"projections"`},
		{"/healthz", `"ok"`, `"ok"`},
	} {
		get := func(headers ...string) string {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+p.page, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			res, err := c.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s, %v", p.page, res.Status, err)
			}
			return string(body)
		}
		if own := get(); !strings.Contains(own, p.edges) || p.nodes != p.edges && strings.Contains(own, p.nodes) {
			t.Errorf("%s of the edge: %s", p.page, own)
		}
		if theirs := get("Strata-Node", node); !strings.Contains(theirs, p.nodes) {
			t.Errorf("%s of a node: %s", p.page, theirs)
		}
	}
}
