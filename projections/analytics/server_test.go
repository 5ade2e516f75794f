package analytics_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"sync"
	"testing"

	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

// TestServerByURL drives everything through a URL, as with a ClickHouse
// server: here an engine behind a TCP proxy.
func TestServerByURL(t *testing.T) {
	dir := t.TempDir()
	engine := clickhousetest.Open(t, clickhouse.Config{DataDir: dir})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "clickhouse.sock"))
	}}
	defer transport.CloseIdleConnections()
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine"
		},
	})
	defer proxy.Close()

	db, err := clickhouse.Open(t.Context(), clickhouse.Config{URL: proxy.URL + "?compress=none"})
	must(t, err)
	defer func() { must(t, db.Stop(context.Background())) }()
	clickhousetest.WaitReady(t, db)
	if db.Embedded() {
		t.Fatal("a URL makes an embedded engine")
	}

	// Several processes that start at once migrate one after the other.
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := analytics.Migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var steps, versions uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count(), uniqExact(version) FROM schema_migrations").Scan(&steps, &versions))
	if steps != versions || steps == 0 {
		t.Errorf("%d migrations were recorded %d times", versions, steps)
	}

	w := analytics.NewWriter(db, quick)
	_, err = w.Resume(t.Context())
	must(t, err)
	stop := start(t, w)
	items := history(6, 300, "ws_1")
	deliver(t, w, items)
	settled(t, w, last(items))
	stop()
	check(t, engine, items)
}
