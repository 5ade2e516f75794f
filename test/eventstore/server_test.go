//go:build e2e

// Package eventstore kills and pauses `strata eventstore` under appends from
// Strata's own adapter and from the official EventStoreDB client: nothing that was
// acknowledged is lost, retries do not double, and nobody waits longer than asked.
//
// STRATA_EVENTSTORE_ROUNDS sets the number of kills (default 5).
package eventstore

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"strata/test/kit"
)

// server is a `strata eventstore` process that is started again at its address.
type server struct {
	t       *testing.T
	binary  string
	dir     string
	address string
	cmd     *exec.Cmd
	said    *bytes.Buffer
	read    sync.WaitGroup
}

func startServer(t *testing.T) *server {
	t.Helper()
	path, err := kit.Binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, binary: path, dir: filepath.Join(t.TempDir(), "data"), address: freeAddress(t)}
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the server said last:\n%s", s.said)
		}
	})
	return s
}

// freeAddress finds a port that the system gives to nobody who asks for any, so
// that it is still free after a kill.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

func (s *server) url() string { return "esdb://" + s.address + "?tls=false" }

// start starts the process and waits until it listens.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, "eventstore", "--listen", s.address, "--data-dir", s.dir, "--log-segment-size", "256KiB")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.said = &bytes.Buffer{}
	s.cmd.Stderr = s.said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "esdb://") {
			s.read.Go(func() {
				for lines.Scan() { // the process must not wait for its reader
				}
			})
			return
		}
	}
	_ = s.cmd.Wait() // why it ended is in what it said
	s.t.Fatalf("the server does not start:\n%s", s.said)
}

// kill ends the process without asking it.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	s.read.Wait()
	_ = s.cmd.Wait() // "killed" is no news
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}
