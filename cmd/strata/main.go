// Command strata is the whole product in one binary. `strata serve` runs it
// with everything embedded; the other subcommands are tools for operators.
//
// This package is the only place where the rooms meet: it reads the
// configuration, opens what the rooms need and gives it to them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"strata/internal/clickhouse"
	"strata/internal/config"
	"strata/internal/documents"
)

// version is set when the binary is built.
var version = "dev"

// subcommand is one word after `strata`.
type subcommand struct {
	name, usage, about string
	run                func(ctx context.Context, args []string, out io.Writer) error
}

func subcommands() []subcommand {
	return []subcommand{
		{"serve", "serve [flags]", "run everything on one port", untilStopped(serveRole(everything))},
		{"write", "write [flags]", "take commands and call models, over a log that nodes share", untilStopped(serveRole(writing))},
		{"read", "read [flags]", "answer queries, the console and live connections from read models of its own", untilStopped(serveRole(reading))},
		{"project", "project [flags]", "act on events, fire timers and write to ClickHouse; one of several does", untilStopped(serveRole(projecting))},
		{"edge", "edge --edge-write URLS --edge-read URLS", "be the one address of several nodes", untilStopped(serveEdge)},
		{"relay", "relay [flags]", "publish the log to Kafka; one of several does", untilStopped(serveRole(relaying))},
		{"config", "config [flags]", "print the configuration in force and where each value comes from", printConfig},
		{"verify", "verify [flags]", "check every record and index of the event log", verifyLog},
		{"audit", "audit verify FILE [--key KEY]", "check an exported file of the audit trail, anywhere", auditTool},
		{"backup", "backup --to DIR | --verify DIR", "copy log and keys, also while the server runs; or check a copy", backupTool},
		{"restore", "restore --from DIR [flags]", "put a backup into an empty data directory", restoreTool},
		{"dump", "dump [--to FILE] [flags]", "write the event log as JSON lines", dumpTool},
		{"load", "load [--from FILE] [flags]", "read a dump into a data directory without a log", loadTool},
		{"scavenge", "scavenge [flags]", "remove from the event log what no stream shows any more", scavengeLog},
		{"eventstore", "eventstore [flags]", "serve the event log to other programs, over EventStoreDB's protocol", untilStopped(serveEventStore)},
		{"rebuild", "rebuild NAME [--server URL] [flags]", "fold a read model again from the log, or compare it with a fresh one", rebuild},
		{"erase", "erase SUBJECT --workspace W [flags]", "erase a person's data: from a stopped server's directory, a running server, and a backup", erase},
		{"clickhouse", "clickhouse [flags]", "serve the embedded ClickHouse engine to other processes", untilStopped(clickhouseServer)},
		{"health", "health [--live] [flags]", "ask a running process whether it is up and can serve", health},
		{"routes", "routes", "list every route with its permission and source file", printRoutes},
		{"version", "version", "print the version", printVersion},
	}
}

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == clickhouse.ChildCommand {
		os.Exit(clickhouse.ChildMain(args[1:]))
	}
	if len(args) > 0 && args[0] == documents.ChildCommand {
		os.Exit(documents.ChildMain(args[1:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, args, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) { // -h has been answered
		fmt.Fprintln(os.Stderr, "strata:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return usage(out)
	}
	for _, c := range subcommands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], out)
		}
	}
	return fmt.Errorf("there is no subcommand %q; `strata help` lists them", args[0])
}

// untilStopped runs a server until it is told to stop. One that is told so while it
// starts has nothing to end, and its interrupted start is no failure.
func untilStopped(run func(context.Context, []string, io.Writer) error) func(context.Context, []string, io.Writer) error {
	return func(ctx context.Context, args []string, out io.Writer) error {
		err := run(ctx, args, out)
		if ctx.Err() != nil && onlyCancelled(err) {
			return nil
		}
		return err
	}
}

// onlyCancelled tells whether all that an error says is that a context was cancelled.
func onlyCancelled(err error) bool {
	switch e := err.(type) { //nolint:errorlint // it looks into every error that is joined
	case nil:
		return true
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if !onlyCancelled(one) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		return e.Unwrap() != nil && onlyCancelled(e.Unwrap())
	}
	return errors.Is(err, context.Canceled)
}

func usage(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "strata: an event-sourced backend for AI applications\n\n"); err != nil {
		return err
	}
	for _, c := range subcommands() {
		if _, err := fmt.Fprintf(out, "  strata %-34s %s\n", c.usage, c.about); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\nEvery flag of serve is also an environment variable STRATA_… and a YAML key; see docs/configuration.md.\n")
	return err
}

// load reads the configuration for a subcommand; more declares its own flags. Who
// asks for help reads it on out.
func load(name string, args []string, out io.Writer, more func(*flag.FlagSet)) (*config.Loaded, error) {
	fs := flag.NewFlagSet("strata "+name, flag.ContinueOnError)
	loader := config.NewLoader(os.Environ())
	loader.Bind(fs)
	if more != nil {
		more(fs)
	}
	if err := parse(fs, args, out); err != nil {
		return nil, err
	}
	return loader.Load()
}

// parse reads a subcommand's flags; nothing may follow them. Help is written to out, and
// the error is [flag.ErrHelp] then. A flag that is wrong gets an error only: 150 lines of
// help would bury it.
func parse(fs *flag.FlagSet, args []string, out io.Writer) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(out)
		fs.Usage()
		return err
	case err != nil:
		return fmt.Errorf("%w; -h lists the flags", err)
	case fs.NArg() > 0:
		return fmt.Errorf("%s does not take %q", fs.Name(), fs.Arg(0))
	}
	return nil
}

func printConfig(_ context.Context, args []string, out io.Writer) error {
	loaded, err := load("config", args, out, nil)
	if err != nil {
		return err
	}
	return loaded.Print(out)
}

func printVersion(_ context.Context, _ []string, out io.Writer) error {
	_, err := fmt.Fprintln(out, version)
	return err
}
