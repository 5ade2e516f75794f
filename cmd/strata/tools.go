package main

import (
	"context"
	"errors"
	"flag"
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
	"strata/internal/sqlite"
	"strata/projections"
	"strata/streams"
	"strata/streams/embedded"
)

// verifyLog checks the event log of a data directory.
func verifyLog(_ context.Context, args []string, out io.Writer) error {
	loaded, err := load("verify", args, nil)
	if err != nil {
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

// rebuild folds a read model again, or compares it with a fresh fold. The
// server must not run: one process owns the log.
func rebuild(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		return errors.New("usage: strata rebuild NAME [--compare] [flags]")
	}
	name := args[0]
	var compare bool
	loaded, err := load("rebuild", args[1:], func(fs *flag.FlagSet) {
		fs.BoolVar(&compare, "compare", false, "leave the model as it is and compare it with a fresh fold of the log")
	})
	if err != nil {
		return err
	}
	model, err := modelNamed(name)
	if err != nil {
		return err
	}
	store, err := openStore(&loaded.Config, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	_, keys, codec, err := openKeys(ctx, &loaded.Config, store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	r := rebuilding{cfg: &loaded.Config, store: store, codec: codec, model: model, out: out}
	if compare {
		return r.compare(ctx)
	}
	if err := projections.RemoveFiles(loaded.Data.ModelsDir(), model); err != nil {
		return err
	}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s was folded again from the log\n", name)
	return err
}

type rebuilding struct {
	cfg   *config.Config
	store streams.Store
	codec *streams.Codec
	model projections.Model
	out   io.Writer
}

// catchUp brings the model up to the log's head.
func (r *rebuilding) catchUp(ctx context.Context) (err error) {
	runner, err := projections.Open(ctx, projections.Config{Dir: r.cfg.Data.ModelsDir(), Store: r.store, Codec: r.codec}, r.model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runner.Stop()) }()
	if err := runner.Start(); err != nil {
		return err
	}
	if err := runner.WaitLive(ctx); err != nil {
		return err
	}
	head, err := r.store.Head(ctx)
	if err != nil {
		return err
	}
	if lag, err := runner.Wait(ctx, r.model.Name(), head); err != nil || lag > 0 {
		return errors.Join(err, ctx.Err())
	}
	parked, err := runner.Parked(ctx)
	if err == nil && len(parked) > 0 {
		err = fmt.Errorf("%d events of %s are parked, the first: %v", len(parked), r.model.Name(), parked[0])
	}
	return err
}

// compare folds the log into a scratch file and compares all rows.
func (r *rebuilding) compare(ctx context.Context) (err error) {
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	live, err := projections.LiveFile(ctx, r.cfg.Data.ModelsDir(), r.model)
	if err != nil {
		return err
	}
	fresh := live + ".compare"
	defer func() { err = errors.Join(err, sqlite.Remove(fresh)) }()
	done, err := projections.Rebuild(ctx, r.store, r.codec, r.model, fresh)
	if err != nil {
		return err
	}
	differences, err := projections.Compare(ctx, live, fresh)
	if err != nil {
		return err
	}
	for _, d := range differences {
		if _, err := fmt.Fprintln(r.out, d); err != nil {
			return err
		}
	}
	if len(differences) > 0 {
		return fmt.Errorf("%s differs from a fresh fold of %d events", r.model.Name(), done.Events)
	}
	_, err = fmt.Fprintf(r.out, "%s equals a fresh fold of %d events\n", r.model.Name(), done.Events)
	return err
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

// allRoutes registers everything over an empty installation in a scratch directory.
func allRoutes(ctx context.Context) (routes []httpx.Route, err error) {
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
	router, err := a.routes("http://localhost:8000", nil)
	if err != nil {
		return nil, err
	}
	return router.Routes(), nil
}
