// Command run starts a whole distributed Strata on this machine and stops it on
// Ctrl-C: see package topology. With a command behind its flags it runs that, which
// finds the address in STRATA_E2E_URL, and stops when it ends:
//
//	go run ./test/cluster/run -- go test -tags e2e ./test/e2e
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"strata/test/cluster/topology"
	"strata/test/kafka/broker"
	"strata/test/kit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir := flag.String("dir", "", "`directory` of data and logs; empty: a new one, removed at the end")
	engine := flag.Bool("clickhouse", true, "start the analytics engine")
	queue := flag.Bool("kafka", true, "start Apache Kafka, where there is a Java to run it, and nodes that relay to it")
	flag.Parse()
	if *dir == "" {
		made, err := os.MkdirTemp("", "strata-cluster-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(made)
		*dir = made
	}
	if *dir, err = filepath.Abs(*dir); err != nil {
		return err
	}
	if lacks := broker.Available(); *queue && lacks != nil {
		fmt.Printf("  no Kafka and no relay: %v (it needs Java 17 and Maven)\n", lacks)
		*queue = false
	}
	c, err := topology.Start(topology.Options{Dir: *dir, ClickHouse: *engine, Kafka: *queue, Progress: func(line string) { fmt.Println(" ", line) }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	fmt.Printf("\n  Strata runs as %d processes\n\n    API      %s\n    Console  %s/console/\n    Key      %s\n    Logs     %s\n\n  Ctrl-C stops all of them.\n",
		c.Processes(), c.Edge.URL, c.Edge.URL, kit.AdminKey, filepath.Join(*dir, "logs"))
	if flag.NArg() > 0 {
		return command(ctx, c.Edge.URL, flag.Args())
	}
	<-ctx.Done()
	fmt.Println("\n  stopping")
	return nil
}

// command runs a program against the cluster.
func command(ctx context.Context, url string, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "STRATA_E2E_URL="+url)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
