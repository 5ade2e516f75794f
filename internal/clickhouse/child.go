package clickhouse

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readyFD is the descriptor on which the child says that it serves: the first
// of exec.Cmd.ExtraFiles.
const readyFD = 3

// drainTime is how long statements under way may take when the child is told to stop.
const drainTime = 5 * time.Second

// ChildMain is the body of the hidden subcommand [ChildCommand]; args follow
// the subcommand. It returns the exit status. The child serves until its
// standard input ends, which happens when its parent closes it or dies in
// whatever way.
func ChildMain(args []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	// A Ctrl-C at the terminal reaches the whole process group. It is the
	// parent's to obey: it still has rows to hand over.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := runChild(args, os.Stdin, log); err != nil {
		fmt.Fprintln(os.Stderr, "strata "+ChildCommand+":", err)
		return 1
	}
	return 0
}

type childOptions struct {
	socket, data, library, config string
	maxMemory                     int64
	connections                   int
}

func parseChildArgs(args []string) (childOptions, error) {
	var o childOptions
	flags := flag.NewFlagSet(ChildCommand, flag.ContinueOnError)
	flags.StringVar(&o.socket, "socket", "", "unix socket to serve on")
	flags.StringVar(&o.data, "data", "", "storage directory")
	flags.StringVar(&o.library, "library", "", "path of libchdb")
	flags.Int64Var(&o.maxMemory, "max-memory", 1<<30, "memory cap in bytes")
	flags.IntVar(&o.connections, "connections", 6, "statements at once")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.socket == "" || o.data == "" || o.library == "" {
		return o, errors.New("--socket, --data and --library are needed")
	}
	return o, nil
}

func (o childOptions) args() []string {
	return []string{
		"--socket", o.socket, "--data", o.data, "--library", o.library,
		"--max-memory", strconv.FormatInt(o.maxMemory, 10),
		"--connections", strconv.Itoa(o.connections),
	}
}

// engineSettings are those that the engine boots with.
func (o childOptions) engineSettings() map[string]string {
	settings := map[string]string{
		"max_server_memory_usage": strconv.FormatInt(o.maxMemory, 10),
		// Compiling to machine code costs a tenth of a second of processor
		// time per kind of statement, anew after each start, and our
		// statements take a few milliseconds without it.
		"compile_expressions": "0", "compile_aggregate_expressions": "0", "compile_sort_description": "0",
	}
	if o.config != "" {
		settings["config-file"] = o.config
	}
	return settings
}

func runChild(args []string, stdin io.Reader, log *slog.Logger) error {
	o, err := parseChildArgs(args)
	if err != nil {
		return err
	}
	orphaned := make(chan struct{})
	go func() {
		defer close(orphaned)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	lock, eng, handler, err := openEngine(o, orphaned, log)
	if err != nil {
		return err
	}
	defer lock.Close()
	listener, err := net.Listen("unix", o.socket)
	if err != nil {
		return fmt.Errorf("serve on %s: %w", o.socket, err)
	}
	if err := announce(); err != nil {
		return err
	}
	return serveEngine(eng, handler, listener, orphaned, log)
}

// lockDirectory waits until no other process uses the storage directory: a child
// whose parent was killed may still be finishing its statements.
func lockDirectory(dir string, stop <-chan struct{}) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "strata.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the storage directory: %w", err)
	}
	locked := make(chan error, 1)
	go func() { locked <- unix.Flock(int(file.Fd()), unix.LOCK_EX) }()
	select {
	case err := <-locked:
		if err != nil {
			return nil, fmt.Errorf("lock the storage directory: %w", err)
		}
		return file, nil
	case <-stop:
		return nil, errors.New("told to stop before the storage directory was free")
	}
}

// announce tells the parent that the socket is served.
func announce() error {
	ready := os.NewFile(readyFD, "ready")
	if ready == nil {
		return errors.New("started without its parent (descriptor 3 is not open)")
	}
	_, err := ready.WriteString("ready\n")
	return errors.Join(err, ready.Close())
}
