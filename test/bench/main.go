// Command bench measures what Strata promises, and prints one table. It runs
// the Go benchmarks of the hot packages, and a load of its own against the real
// binary; beside every figure of the server stands the same figure of something
// bare, taken in the same run on the same machine: a net/http echo, or the model
// provider called directly. Absolute figures drift with the machine, ratios hold.
//
//	make bench
//	go run ./test/bench -markdown > table.md
//
// Two tools show what becomes of the event log when it is large: the first
// fills one through its own writer, the second measures it.
//
//	go run ./test/bench generate --events 100000000 --dir /tmp/log
//	go run ./test/bench scale --dir /tmp/log
//
// A third fills the analytics tables and measures the inference log and the
// dashboard while calls arrive.
//
//	go run ./test/bench inferences --rows 10000000 --dir /tmp/calls
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// settings are how long and what to measure.
type settings struct {
	duration  time.Duration // of every load against the server
	benchtime string        // of every Go benchmark
	only      string        // sections to run, separated by commas; "" for all
	match     string        // of the REST requests, only those whose name contains this
	profile   string        // directory for a CPU profile of the server under every load; "" for none
	markdown  bool
}

// section measures one part and adds rows to the table.
type section struct {
	name string
	run  func(ctx context.Context, s settings, t *table) error
}

func sections() []section {
	return []section{
		{"log", benchLog},
		{"eventstoredb", benchEventStoreDB},
		{"eventstore", benchEventStore},
		{"rest", benchREST},
		{"lag", benchLag},
		{"live", benchSockets},
		{"gateway", benchGateway},
		{"start", benchStart},
		{"projections", benchProjections},
		{"analytics", benchAnalytics},
		{"relay", benchRelay},
	}
}

func names() []string {
	var all []string
	for _, s := range sections() {
		all = append(all, s.name)
	}
	return all
}

// tools are what is not part of a run: they take too long, or too much space.
func tools() map[string]func(context.Context, []string, io.Writer) error {
	return map[string]func(context.Context, []string, io.Writer) error{generateCommand: generate, scaleCommand: scale, inferencesCommand: inferences}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == echoCommand {
		exit(echo(os.Stdout))
	}
	if len(os.Args) > 1 {
		if tool, ok := tools()[os.Args[1]]; ok {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			exit(tool(ctx, os.Args[2:], os.Stdout))
		}
	}
	var s settings
	flag.DurationVar(&s.duration, "duration", 4*time.Second, "length of every load against the server")
	flag.StringVar(&s.benchtime, "benchtime", "1s", "length of every Go benchmark")
	flag.StringVar(&s.only, "only", "", "run these sections only, separated by commas: "+strings.Join(names(), ", "))
	flag.StringVar(&s.match, "match", "", "of the REST requests, measure only those whose name contains this")
	flag.StringVar(&s.profile, "profile", "", "write a CPU profile of the server under every load to this directory")
	flag.BoolVar(&s.markdown, "markdown", false, "print the table in Markdown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, s settings) error {
	for _, name := range strings.Split(s.only, ",") {
		if s.only != "" && !slices.Contains(names(), name) {
			return fmt.Errorf("there is no section %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	busy := others()
	var t table
	for _, section := range sections() {
		if s.only != "" && !slices.Contains(strings.Split(s.only, ","), section.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", section.name)
		if err := section.run(ctx, s, &t); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	fmt.Printf("%s, %d CPUs, %s/%s, %s%s\n\n", runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format("2006-01-02 15:04 MST"), busy)
	if s.markdown {
		return t.markdown(os.Stdout)
	}
	return t.print(os.Stdout)
}

// others tells how much else the machine had to do before the run began, so
// that figures of a busy machine are not taken for Strata's.
func others() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	load, _, _ := strings.Cut(string(text), " ")
	return ", load before the run " + load
}
