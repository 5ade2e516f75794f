package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"strata/internal/config"
	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/streams"
	"strata/streams/archive"
	"strata/streams/embedded"
	"strata/streams/eventstoredb"
)

// errEmbeddedOnly says that a tool works on the files of an embedded log.
var errEmbeddedOnly = errors.New("the event log is kept by a server of its own (eventstore.url is set), and this works on the files of an embedded log: " +
	"use the server's own tools, or give the data directory of `strata eventstore` and no STRATA_EVENTSTORE_URL")

// embeddedOnly refuses what cannot be done to a log that a server keeps.
func embeddedOnly(cfg *config.Config) error {
	if cfg.EventStore.URL != "" {
		return errEmbeddedOnly
	}
	return nil
}

// openServersLog opens the log that a server keeps.
func openServersLog(cfg *config.Config, log *slog.Logger) (*eventstoredb.Store, error) {
	return eventstoredb.Open(cfg.EventStore.URL, eventstoredb.Options{Patience: cfg.EventStore.Timeout, Logger: log})
}

// openAnyLog opens the log that the configuration names, wherever it is.
func openAnyLog(cfg *config.Config, log *slog.Logger) (streams.Store, error) {
	if cfg.EventStore.URL != "" {
		return openServersLog(cfg, log)
	}
	return openStore(cfg, log)
}

// useServersLog opens the log that a server keeps, and waits for the server: what
// is opened next reads from it. A server that starts later is waited for.
//
// The data directory, which holds the node's own read models, has one owner, as
// it would by the lock of an embedded log.
func (a *app) useServersLog(ctx context.Context) error {
	lock, err := embedded.LockDirectory(a.cfg.Data.Dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	a.onClose(lock.Close)
	store, err := openServersLog(a.cfg, a.log)
	if err != nil {
		return err
	}
	a.store = store
	a.onClose(store.Close)
	for {
		_, err := store.Head(ctx)
		if err == nil || !errors.Is(err, streams.ErrUnavailable) || errors.Is(err, eventstoredb.ErrCredentials) || ctx.Err() != nil {
			return wrapLog(err)
		}
		a.log.WarnContext(ctx, "waiting for the server of the event log", "error", err)
	}
}

func wrapLog(err error) error {
	if err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	return nil
}

// logPatience is what a look at the log's health waits for.
const logPatience = time.Second

// logHealth tells where the log ends, and whether it takes events.
func (a *app) logHealth(ctx context.Context) (head uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	p, err := a.store.Head(ctx)
	if s, ok := a.store.(interface{ Err() error }); ok && err == nil {
		err = s.Err()
	}
	return uint64(p), err
}

// moveToServer loads a dump into the log that a server keeps, and tells of it.
func moveToServer(ctx context.Context, cfg *config.Config, in io.Reader, keyFile string, out io.Writer) error {
	stats, keys, err := loadServersLog(ctx, cfg, in, keyFile)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d events and %d subject keys were loaded into the server's log, up to position %d: %d at another position than before, %d under another revision; "+
		"the server gave them its own time, that of their first recording is in their metadata\n", stats.Events, keys, stats.Head, stats.Moved, stats.Renumbered)
	return err
}

// loadServersLog loads a dump, and the subject keys of the installation that was
// dumped, into an empty log that a server keeps.
func loadServersLog(ctx context.Context, cfg *config.Config, in io.Reader, keyFile string) (stats archive.Stats, keys int, err error) {
	store, err := openServersLog(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return stats, 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if stats, err = archive.Load(ctx, store, in); err != nil || keyFile == "" {
		return stats, 0, err
	}
	keys, err = shareKeys(ctx, cfg, keyFile, store)
	return stats, keys, err
}

// shareKeys writes the keys of a file into the log. The master key must be the one
// that wrapped them; none is made here.
func shareKeys(ctx context.Context, cfg *config.Config, keyFile string, store streams.Store) (n int, err error) {
	for _, file := range []string{keyFile, cfg.Data.KeyFile()} {
		if _, err := os.Stat(file); err != nil && (file == keyFile || cfg.Secrets.MasterKey == "") {
			return 0, fmt.Errorf("subject keys: %w", err)
		}
	}
	sealer, err := secrets.Load(cfg.Secrets.MasterKey, cfg.Data.KeyFile())
	if err != nil {
		return 0, err
	}
	from, err := subjectkeys.Open(ctx, keyFile, sealer)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	return from.Share(ctx, store)
}
