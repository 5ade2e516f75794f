package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"strata/internal/config"
	"strata/internal/eventstore"
	"strata/internal/eventstore/persistent"
	"strata/internal/telemetry"
)

// defaultEventStoreListen has the port that EventStoreDB's clients expect.
const defaultEventStoreListen = "127.0.0.1:2113"

// eventStoreFlags are the settings that only `strata eventstore` has.
type eventStoreFlags struct {
	advertise string
	maxAppend int
	cert, key string
	users     string
}

func (f *eventStoreFlags) bind(fs *flag.FlagSet) {
	fs.StringVar(&f.advertise, "advertise", "", "`host:port` that clients are told to dial; default: the one they have dialled")
	fs.IntVar(&f.maxAppend, "max-append-size", 1<<20, "largest append, in bytes of its events' data")
	fs.StringVar(&f.cert, "tls-cert", "", "`file` with the server's certificate chain, PEM; without, there is no TLS, and everybody may do everything")
	fs.StringVar(&f.key, "tls-key", "", "`file` with the certificate's key, PEM")
	fs.StringVar(&f.users, "users", "", "`file` of users to set up, a line each: name:password:group,group; needs TLS")
}

// serveEventStore serves the log of a data directory over EventStoreDB's
// protocol. No other process may have the directory open.
func serveEventStore(ctx context.Context, args []string, out io.Writer) (err error) {
	fs := flag.NewFlagSet("strata eventstore", flag.ContinueOnError)
	loader := config.NewLoader(os.Environ())
	loader.Defaults(func(c *config.Config) { c.Server.Listen = defaultEventStoreListen })
	loader.Bind(fs)
	var flags eventStoreFlags
	flags.bind(fs)
	if err := parse(fs, args, out); err != nil {
		return err
	}
	loaded, err := loader.Load()
	if err != nil {
		return err
	}
	cfg := &loaded.Config
	tuneGarbage(cfg.Memory)
	log, err := telemetry.Log{Level: cfg.Telemetry.LogLevel, Format: cfg.Telemetry.LogFormat}.Logger(os.Stderr)
	if err != nil {
		return err
	}
	store, err := openStore(cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	options := eventstore.Options{
		Log: store, Advertise: flags.advertise, MaxAppendSize: flags.maxAppend, Logger: log, Services: eventStoreServices(log),
	}
	if err := flags.secure(&options); err != nil {
		return err
	}
	server, err := eventstore.New(options)
	if err != nil {
		return err
	}
	if err := flags.setUp(ctx, server.Access(), out); err != nil {
		return errors.Join(err, server.Stop(ctx))
	}
	return runEventStore(ctx, cfg, server, &options, out)
}

// eventStoreServices are what is served beside streams.
func eventStoreServices(log *slog.Logger) []func(*eventstore.Server) (eventstore.Service, error) {
	return []func(*eventstore.Server) (eventstore.Service, error){
		persistent.Serve(persistent.Options{Logger: log}),
	}
}

// runEventStore listens, announces itself and serves until ctx ends.
func runEventStore(ctx context.Context, cfg *config.Config, server *eventstore.Server, o *eventstore.Options, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Server.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	query := ""
	if o.TLS == nil {
		query = "?tls=false"
		if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			o.Logger.Warn("everybody who reaches this address can read and change the event log: there is no TLS", "address", listener.Addr())
		}
	}
	if _, err := fmt.Fprintf(out, "Event store: esdb://%s%s\n", listener.Addr(), query); err != nil {
		return errors.Join(err, listener.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	o.Logger.Info("draining", "within", cfg.Server.ShutdownTimeout)
	drain, cancel := context.WithTimeout(context.Background(), cfg.Server.ShutdownTimeout)
	defer cancel()
	return errors.Join(server.Stop(drain), <-ended)
}
