package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"strata/domain"
	"strata/internal/addresses"
	"strata/internal/config"
	"strata/internal/edge"
	"strata/internal/httpx"
	"strata/internal/telemetry"
)

// serveEdge is the one address of an installation of several nodes.
func serveEdge(ctx context.Context, args []string, out io.Writer) error {
	loaded, err := load("edge", args, out, nil)
	if err != nil {
		return err
	}
	cfg := &loaded.Config
	log, err := telemetry.Log{Level: cfg.Telemetry.LogLevel, Format: cfg.Telemetry.LogFormat}.Logger(os.Stderr)
	if err != nil {
		return err
	}
	metrics := telemetry.NewMetrics(version)
	e, err := newEdge(ctx, cfg, log, metrics)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Server.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	base, cut := context.WithCancel(context.Background())
	defer cut()
	server := &http.Server{Handler: edgePages(e, metrics), ReadHeaderTimeout: cfg.Server.HeaderTimeout, IdleTimeout: cfg.Server.IdleTimeout,
		BaseContext: func(net.Listener) context.Context { return base }, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	if err := announce(out, publicURL(cfg, listener.Addr()), ""); err != nil {
		return errors.Join(err, listener.Close())
	}
	checking, stop := context.WithCancel(ctx)
	checked := make(chan error, 1)
	go func() { checked <- e.Run(checking) }()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err = <-ended:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.Background(), cfg.Server.ShutdownTimeout)
		defer cancel()
		if err = server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
			log.Warn("some requests did not end in time and are cut")
			err = server.Close()
		}
	}
	stop()
	<-checked // it ends with the context's error, which is no news
	return err
}

// newEdge makes the proxy, which learns from the table of operations who serves what.
func newEdge(ctx context.Context, cfg *config.Config, log *slog.Logger, metrics telemetry.Metrics) (*edge.Edge, error) {
	table, err := scratchRouter(ctx)
	if err != nil {
		return nil, err
	}
	proxies, err := addresses.Parse(cfg.Server.TrustedProxies)
	if err != nil {
		return nil, err
	}
	return edge.New(edge.Config{
		Writers: cfg.Edge.Write, Readers: cfg.Edge.Read, Others: cfg.Edge.Other, Proxies: proxies, Logger: log, Metrics: metrics,
		Room: func(r *http.Request) (string, bool) {
			route, found := table.Find(r)
			return route.Room, found
		},
		Refuse: refuse,
	})
}

// refuse answers for a node that could not.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	message := "no node that serves this answers now; nothing was done"
	if errors.Is(err, edge.ErrUnknownOutcome) {
		message = "the node that served this went away; whether it was done is not known, retry with an idempotency key"
	}
	httpx.WriteError(w, r, domain.Errorf(domain.CodeUnavailable, "%s", message).With("retry_after", time.Second).Because(err))
}

// edgePages are the edge's own pages, and everything else that nodes serve: also
// their pages of these names, to a request that names a node.
func edgePages(e *edge.Edge, metrics telemetry.Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", e)
	own := func(page string, h http.Handler) {
		mux.HandleFunc(page, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(edge.HeaderNode) != "" {
				e.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	own("/metrics", metrics.Handler())
	own("/healthz", http.HandlerFunc(healthz))
	own("/readyz", edgeReady(e))
	return mux
}

// edgeReady tells how the nodes are, and whether there are some that answer.
func edgeReady(e *edge.Edge) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		out := struct {
			Status string            `json:"status"`
			Nodes  []edge.NodeStatus `json:"nodes"`
		}{Status: "ready"}
		code, ready := http.StatusOK, false
		if out.Nodes, ready = e.Status(); !ready {
			code, out.Status = http.StatusServiceUnavailable, "unavailable"
		}
		answer(w, code, out)
	}
}
