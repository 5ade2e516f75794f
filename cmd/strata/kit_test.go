package main

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"strata/internal/config"
)

// installation is a whole Strata in this process, without the network and the
// analytics engine.
type installation struct {
	*httptest.Server
	app   *app
	ahead atomic.Int64 // how far its clock is ahead of the machine's
}

func (i *installation) now() time.Time { return time.Now().Add(time.Duration(i.ahead.Load())) }

// pass lets time pass.
func (i *installation) pass(d time.Duration) { i.ahead.Add(int64(d)) }

// testConfig is the configuration of a small installation.
func testConfig(dir string) *config.Config {
	cfg := config.Default()
	cfg.Data.Dir = dir
	cfg.Log.SegmentSize = 1 << 20
	cfg.Server.RateLimits.Anonymous = config.Limit{}
	cfg.Server.Listen = "127.0.0.1:0"
	cfg.Server.ReadWait = 20 * time.Millisecond
	cfg.ClickHouse.Library = filepath.Join(dir, "no-library")
	return &cfg
}

// install opens an installation over a directory and serves it; prepare may
// change it before.
func install(t *testing.T, dir string, prepare ...func(*app)) *installation {
	t.Helper()
	i := &installation{}
	var err error
	if i.app, err = open(t.Context(), testConfig(dir), slog.New(slog.DiscardHandler), i.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close(t))
	for _, p := range prepare {
		p(i.app)
	}
	if _, err := bootstrap(t.Context(), i.app.store, i.app.handler, testKey); err != nil {
		t.Fatal(err)
	}
	router, err := i.app.routes("http://localhost:8000", nil)
	if err != nil {
		t.Fatal(err)
	}
	i.Server = httptest.NewServer(i.app.requests.count(router))
	return i
}

// close stops the installation; it may be called again.
func (i *installation) close(t *testing.T) func() {
	return func() {
		i.app.drain()
		if i.Server != nil {
			i.Server.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := i.app.requests.ended(ctx); err != nil {
			t.Error("requests do not end")
		}
		if err := i.app.close(); err != nil {
			t.Error(err)
		}
	}
}

// start opens a new installation.
func start(t *testing.T) *installation { return install(t, t.TempDir()) }

// eventually waits for a condition that the installation's background work
// brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
