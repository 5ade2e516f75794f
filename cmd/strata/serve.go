package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"

	"strata/internal/config"
	"strata/internal/telemetry"
)

// serveAs runs a role on one port until ctx ends, then drains.
func serveAs(ctx context.Context, r role, args []string, out io.Writer) error {
	loaded, err := load(r.String(), args, out, nil)
	if err != nil {
		return err
	}
	cfg := &loaded.Config
	tuneGarbage(cfg.Memory)
	log, err := telemetry.Log{Level: cfg.Telemetry.LogLevel, Format: cfg.Telemetry.LogFormat}.Logger(os.Stderr)
	if err != nil {
		return err
	}
	for _, w := range loaded.Warnings {
		log.Warn(w)
	}
	tracing, flush, err := telemetry.Trace{Endpoint: cfg.Telemetry.OTLPEndpoint}.Provider(ctx, version)
	if err != nil {
		return err
	}
	if tracing != nil {
		otel.SetTracerProvider(tracing)
	}
	a, err := newApp(r, cfg, log, clock()).open(ctx)
	if err != nil {
		return err
	}
	if tracing != nil {
		a.tracing = tracing // else nil: a tracer that drops its spans still costs their making
	}
	a.onClose(func() error { return flush(context.WithoutCancel(ctx)) })
	return errors.Join(a.serve(ctx, out), a.close())
}

// serve listens, announces itself and serves until ctx ends.
func (a *app) serve(ctx context.Context, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Server.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	url := publicURL(a.cfg, listener.Addr())
	router, err := a.routes(url, a.tracing)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	stopProfiler, err := a.serveProfiler()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stopProfiler()
	if err := a.begin(ctx, out, url); err != nil {
		return errors.Join(err, listener.Close())
	}
	base, cut := context.WithCancel(context.Background())
	defer cut()
	server := &http.Server{
		Handler: a.requests.count(router), ReadHeaderTimeout: a.cfg.Server.HeaderTimeout, IdleTimeout: a.cfg.Server.IdleTimeout,
		BaseContext: func(net.Listener) context.Context { return base }, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.log.Info("draining", "within", a.cfg.Server.ShutdownTimeout)
	return a.shutdown(server, cut)
}

// begin makes what a new installation begins with, and announces the server.
func (a *app) begin(ctx context.Context, out io.Writer, url string) error {
	announced := false
	err := a.beginning(ctx, func(key string) error {
		announced = true
		defer a.reached("bootstrap.shown")
		return announce(out, url, key)
	})
	if err != nil || announced {
		return err
	}
	return announce(out, url, "")
}

// reached tells a test that a point is reached; see failpoint.
func (a *app) reached(point string) {
	if a.at != nil {
		a.at(point)
	}
}

const (
	// cutTime is what requests that are cut get to record how they ended.
	cutTime = time.Second
	// reserved is kept of the shutdown time for that and for closing what
	// requests use.
	reserved = cutTime + engineStop + time.Second
)

// shutdown lets running requests end, then cuts what is left.
func (a *app) shutdown(server *http.Server, cut context.CancelFunc) error {
	a.drain()
	patience := max(a.cfg.Server.ShutdownTimeout-reserved, time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := server.Shutdown(ctx)
	if err == nil {
		err = a.requests.ended(ctx)
	}
	if err == nil {
		return nil
	}
	cut() // requests see their context end
	a.log.Warn("some requests did not end in time and are cut")
	err = server.Close()
	last, cancelLast := context.WithTimeout(context.Background(), cutTime)
	defer cancelLast()
	if a.requests.ended(last) != nil {
		a.log.Warn("some requests did not record their end; it is made up for at the next start")
	}
	if err != nil {
		return fmt.Errorf("close connections: %w", err)
	}
	return nil
}

func publicURL(cfg *config.Config, addr net.Addr) string {
	if cfg.Server.PublicURL != "" {
		return strings.TrimRight(cfg.Server.PublicURL, "/")
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func announce(out io.Writer, url, key string) error {
	text := fmt.Sprintf("\n  Strata is running\n\n    API      %s\n    Console  %s/console/\n    Docs     %s/api/v1/docs\n", url, url, url)
	if key != "" {
		text += fmt.Sprintf("\n    Admin API key (shown only now): %s\n", key)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// serveProfiler serves Go's profiler where the configuration says, if it does.
func (a *app) serveProfiler() (stop func(), err error) {
	if a.cfg.Telemetry.PprofListen == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", a.cfg.Telemetry.PprofListen)
	if err != nil {
		return nil, fmt.Errorf("listen for the profiler: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("the profiler stopped", "error", err)
		}
	}()
	return func() { _ = server.Close(); <-done }, nil // nothing of it is worth waiting for
}
