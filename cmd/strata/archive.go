package main

import (
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"strata/internal/backup"
	"strata/internal/config"
	"strata/streams/archive"
	"strata/streams/embedded"
)

// dumpTool writes the log as JSON lines. The server must not run: one process
// owns the log.
func dumpTool(ctx context.Context, args []string, out io.Writer) error {
	var to string
	loaded, err := load("dump", args, out, func(fs *flag.FlagSet) {
		fs.StringVar(&to, "to", "", "`file` to write, compressed when its name ends with .gz; default: standard output")
	})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if to == "" {
		_, err := dump(ctx, &loaded.Config, log, out)
		return err
	}
	tmp := to + ".tmp"
	stats, err := dumpFile(ctx, &loaded.Config, log, tmp, strings.HasSuffix(to, ".gz"))
	if err == nil {
		err = os.Rename(tmp, to)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	_, err = fmt.Fprintf(out, "%s holds %d events up to position %d\n", to, stats.Events, stats.Head)
	return err
}

func dump(ctx context.Context, cfg *config.Config, log *slog.Logger, out io.Writer) (_ archive.Stats, err error) {
	if cfg.EventStore.URL == "" {
		if _, err := os.Stat(cfg.Data.LogDir()); err != nil { // opening it would make one
			return archive.Stats{}, fmt.Errorf("there is no event log: %w", err)
		}
	}
	store, err := openAnyLog(cfg, log)
	if err != nil {
		return archive.Stats{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return archive.Dump(ctx, store, out)
}

func dumpFile(ctx context.Context, cfg *config.Config, log *slog.Logger, path string, compressed bool) (_ archive.Stats, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return archive.Stats{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if !compressed {
		stats, err := dump(ctx, cfg, log, f)
		return stats, errors.Join(err, f.Sync())
	}
	z := gzip.NewWriter(f)
	stats, err := dump(ctx, cfg, log, z)
	return stats, errors.Join(err, z.Close(), f.Sync())
}

// loadTool reads a dump into a data directory without a log.
func loadTool(ctx context.Context, args []string, out io.Writer) (err error) {
	var from, keys string
	loaded, err := load("load", args, out, func(fs *flag.FlagSet) {
		fs.StringVar(&keys, "keys", "", "subject keys of the installation that was dumped (its keys/subjects.db, a `file`), for a log that a server keeps")
		fs.StringVar(&from, "from", "", "`file` to read, compressed when its name ends with .gz; default: standard input")
	})
	if err != nil {
		return err
	}
	var in io.Reader = os.Stdin
	if from != "" {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close() // only read
		in = f
	}
	if strings.HasSuffix(from, ".gz") {
		if in, err = gzip.NewReader(in); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	if loaded.EventStore.URL != "" {
		return moveToServer(ctx, &loaded.Config, in, keys, out)
	}
	if keys != "" {
		return errors.New("--keys is for a log that a server keeps; an embedded installation takes the file into its keys directory")
	}
	stats, err := loadLog(ctx, &loaded.Config, in)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d events were loaded into %s, up to position %d: %d at another position than before, %d with a time of recording that was put right; %d revisions stay empty\n",
		stats.Events, loaded.Data.Dir, stats.Head, stats.Moved, stats.Adjusted, stats.Filled)
	return err
}

// loadLog loads a dump into a new log, which gets its place when it is whole.
func loadLog(ctx context.Context, cfg *config.Config, in io.Reader) (_ archive.Stats, err error) {
	name := filepath.Base(cfg.Data.LogDir())
	a, err := backup.Arrive(cfg.Data.Dir, false, name)
	if err != nil {
		return archive.Stats{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Abandon())
		}
	}()
	store, err := embedded.Open(a.Path(name), embedded.Options{
		SegmentSize: int64(cfg.Log.SegmentSize), MaxEventSize: int(cfg.Log.MaxEventSize),
	})
	if err != nil {
		return archive.Stats{}, err
	}
	stats, err := archive.Load(ctx, store, in)
	if err = errors.Join(err, store.Close()); err != nil {
		return stats, err
	}
	return stats, a.Finish()
}
