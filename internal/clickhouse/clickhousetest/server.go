package clickhousetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strata/internal/clickhouse"
)

// serverCommand makes a test binary a server: see [Serve].
const serverCommand = "clickhouse-server-for-tests"

// serverMain is the body of the server; order is a clickhouse.Standalone as JSON.
func serverMain(order string) int {
	var s clickhouse.Standalone
	if err := json.Unmarshal([]byte(order), &s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // the test is gone: so are we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	s.Ready = func(a net.Addr) { fmt.Println(a) }
	if err := s.Serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Server is the engine in a process of its own, as a ClickHouse server would be.
type Server struct {
	Address string // host:port

	order  clickhouse.Standalone
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// Serve starts a server that is killed when the test ends, and waits until it
// serves. Without Listen it gets a free port, without DataDir a directory.
func Serve(t testing.TB, order clickhouse.Standalone) *Server {
	t.Helper()
	s := Standby(t, order)
	s.WaitServing(t)
	return s
}

// Standby is Serve without the wait: for a server whose directory another one
// still has. Its port must be given.
func Standby(t testing.TB, order clickhouse.Standalone) *Server {
	t.Helper()
	Need(t)
	if order.Listen == "" {
		order.Listen = FreeAddress(t)
	}
	if order.DataDir == "" {
		order.DataDir = t.TempDir()
	}
	s := &Server{Address: order.Listen, order: order}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// FreeAddress is a loopback address that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start starts the server again, at the same address, after Kill.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	order, err := json.Marshal(s.order)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(exe, serverCommand, string(order))
	s.cmd.Stderr = (*serverLog)(s)
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // how it ended is the test's doing
		close(exited)
	}(s.cmd)
}

// WaitServing waits until the server takes connections.
func (s *Server) WaitServing(t testing.TB) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		conn, err := net.DialTimeout("tcp", s.Address, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-s.exited:
			t.Fatalf("the server ended: %s", s.Log())
		case <-deadline.C:
			t.Fatalf("the server does not serve: %v; %s", err, s.Log())
		}
	}
}

// Kill ends the process at once (kill -9) and waits for that.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.exited
	_ = s.stdin.Close()
}

// Signal sends the process a signal.
func (s *Server) Signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// Log is what the server printed.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for scan := bufio.NewScanner(bytes.NewReader(s.log.Bytes())); scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	return strings.Join(lines, "\n")
}

// serverLog is a Server as the writer of its log.
type serverLog Server

// Write implements io.Writer.
func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}
