package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"strata/internal/config"
	"strata/internal/sqlite"
	"strata/projections"
	"strata/streams"
)

// rebuild folds a read model again: at a running server beside the living rows
// (--server), else in a data directory whose server does not run, where it can
// also compare the model with a fresh fold.
func rebuild(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		return errors.New("usage: strata rebuild NAME [--compare | --server URL [--events-per-second N]] [flags]")
	}
	name := args[0]
	var compare bool
	var server string
	var rate int
	loaded, err := load("rebuild", args[1:], out, func(fs *flag.FlagSet) {
		fs.BoolVar(&compare, "compare", false, "leave the model as it is and compare it with a fresh fold of the log")
		fs.StringVar(&server, "server", "", "rebuild at a running server with this URL, beside the living rows; the API key comes from "+keyVariable)
		fs.IntVar(&rate, "events-per-second", 0, "with --server: fold at most so many events per second (0: as fast as it goes)")
	})
	if err != nil {
		return err
	}
	if server == "" {
		return rebuildHere(ctx, loaded, name, compare, out)
	}
	if compare {
		return errors.New("--compare looks at a data directory whose server does not run; a rebuild with --server always compares")
	}
	r, err := newRemote(server)
	if err != nil {
		return err
	}
	return r.rebuild(ctx, name, rate, out)
}

// rebuildHere works on a data directory. The server must not run: one process
// owns the log.
func rebuildHere(ctx context.Context, loaded *config.Loaded, name string, compare bool, out io.Writer) (err error) {
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

// rebuildEvery is how often a running rebuild is asked about.
const rebuildEvery = 500 * time.Millisecond

// rebuilt is what a server tells of a projection's rebuild.
type rebuilt struct {
	Rebuild *struct {
		State            string
		Position, Target uint64
		Parked           int
		Differences      []struct {
			Table                                        string
			RowsBefore, RowsAfter, OnlyBefore, OnlyAfter int
			Samples                                      []string
		}
		Error string
	}
}

// rebuild begins a rebuild at a server and follows it to its end. Interrupting
// the tool does not end the rebuild.
func (r *remote) rebuild(ctx context.Context, name string, rate int, out io.Writer) error {
	path := "/admin/projections/" + url.PathEscape(name)
	var p rebuilt
	if err := r.call(ctx, "POST", path+"/rebuild", map[string]any{"eventsPerSecond": rate}, &p); err != nil {
		return fmt.Errorf("rebuild %s: %w", name, err)
	}
	last := ""
	tick := time.NewTicker(rebuildEvery)
	defer tick.Stop()
	for {
		if p.Rebuild == nil {
			return fmt.Errorf("the server tells of no rebuild of %s", name)
		}
		if line := fmt.Sprintf("%s: %s, %d of %d", name, p.Rebuild.State, p.Rebuild.Position, p.Rebuild.Target); line != last {
			last = line
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
		switch p.Rebuild.State {
		case "done":
			return r.report(name, p, out)
		case "failed", "cancelled":
			return fmt.Errorf("the rebuild of %s %s %s", name, p.Rebuild.State, p.Rebuild.Error)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the rebuild of %s goes on at the server: %w", name, ctx.Err())
		case <-tick.C:
		}
		if err := r.call(ctx, "GET", path, nil, &p); err != nil {
			return fmt.Errorf("rebuild %s: %w", name, err)
		}
	}
}

// report tells what a finished rebuild has changed.
func (r *remote) report(name string, p rebuilt, out io.Writer) error {
	for _, d := range p.Rebuild.Differences {
		if _, err := fmt.Fprintf(out, "table %s: %d rows became %d, %d are gone and %d are new: %s\n",
			d.Table, d.RowsBefore, d.RowsAfter, d.OnlyBefore, d.OnlyAfter, strings.Join(d.Samples, "; ")); err != nil {
			return err
		}
	}
	verdict := "it equals what was there before"
	if len(p.Rebuild.Differences) > 0 {
		verdict = "it differs from what was there before"
	}
	if p.Rebuild.Parked > 0 {
		verdict += fmt.Sprintf("; %d events are parked", p.Rebuild.Parked)
	}
	_, err := fmt.Fprintf(out, "%s was folded again from the log: %s\n", name, verdict)
	return err
}
