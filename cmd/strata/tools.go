package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"strata/internal/config"
	"strata/internal/httpx"
	"strata/streams/embedded"
)

// verifyLog checks the event log of a data directory.
func verifyLog(_ context.Context, args []string, out io.Writer) error {
	loaded, err := load("verify", args, out, nil)
	if err != nil {
		return err
	}
	if err := embeddedOnly(&loaded.Config); err != nil {
		return err
	}
	report, err := embedded.Verify(loaded.Data.LogDir())
	if err != nil {
		return err
	}
	for _, f := range report.Faults {
		if _, err := fmt.Fprintln(out, f); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "%d events in %d streams, %d removed, %d segments, %d bytes, head %d: %d faults\n",
		report.Events, report.Streams, report.Removed, report.Segments, report.Bytes, report.Head, len(report.Faults)); err != nil {
		return err
	}
	if report.Damaged() {
		return errors.New("the event log is damaged")
	}
	return nil
}

// printRoutes lists every route with the file it is registered in.
func printRoutes(ctx context.Context, _ []string, out io.Writer) error {
	routes, err := allRoutes(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, r := range routes {
		file, _, _ := strings.Cut(r.Source, ":")
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Method, r.Path, r.Operation, r.Permission, file); err != nil {
			return err
		}
	}
	return w.Flush()
}

// allRoutes lists every operation.
func allRoutes(ctx context.Context) ([]httpx.Route, error) {
	router, err := scratchRouter(ctx)
	if err != nil {
		return nil, err
	}
	return router.Routes(), nil
}

// scratchRouter registers everything over an empty installation in a scratch
// directory, which is gone when it returns: the router knows every operation and
// can serve none.
func scratchRouter(ctx context.Context) (router *httpx.Router, err error) {
	dir, err := os.MkdirTemp("", "strata-routes-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := config.Default()
	cfg.Data.Dir = dir
	cfg.Log.SegmentSize = 1 << 20
	cfg.ClickHouse.Library = filepath.Join(dir, "none") // routes need no engine
	a, err := open(ctx, &cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	return a.routes("http://localhost:8000", nil)
}
