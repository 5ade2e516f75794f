package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"strata/streams/embedded"
)

// openScavenges lets the event log be scavenged while the server runs.
func (a *app) openScavenges(context.Context) (err error) {
	if a.local == nil {
		return nil // the log's server looks after it
	}
	if a.scavenges, err = embedded.NewScavenges(a.local); err != nil {
		return err
	}
	a.onClose(a.scavenges.Stop)
	return nil
}

// scavengeLog removes from the event log of a data directory what no stream
// shows any more. The server must not run; a running one is asked over its API.
func scavengeLog(ctx context.Context, args []string, out io.Writer) (err error) {
	o := embedded.ScavengeOptions{}
	loaded, err := load("scavenge", args, out, func(fs *flag.FlagSet) {
		fs.Int64Var(&o.BytesPerSecond, "bytes-per-second", 0, "read and write at most so much; 0 is no limit")
	})
	if err != nil {
		return err
	}
	store, err := openStore(&loaded.Config, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	r, err := store.Scavenge(ctx, o)
	_, printErr := fmt.Fprintf(out, "%d events removed, %d bytes freed, %d of %d segments rewritten, %d streams hide events, in %s\n",
		r.Removed, r.Freed, r.Rewritten, r.Segments, r.Streams, r.Took.Round(time.Millisecond))
	return errors.Join(err, printErr)
}
