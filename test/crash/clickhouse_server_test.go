//go:build e2e

package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"strata/internal/clickhouse/clickhousetest"
	"strata/test/kit"
)

const (
	engineUser     = "analyst"
	enginePassword = "crash:test/password"
	engineURLPart  = "analyst:crash%3Atest%2Fpassword"
)

// engines are two `strata clickhouse` on one directory: one serves, the other
// stands by and serves when the first is gone.
type engines struct {
	binary, dir string
	certs       clickhousetest.Certificates
	addresses   [2]string
	processes   [2]*engineProcess
}

// engineProcess is one of them.
type engineProcess struct {
	cmd    *exec.Cmd
	log    bytes.Buffer // to be read once exited is closed
	exited chan struct{}
}

func startEngines(t *testing.T) *engines {
	t.Helper()
	binary, err := kit.Binary()
	if err != nil {
		t.Fatal(err)
	}
	e := &engines{binary: binary, dir: t.TempDir(), certs: clickhousetest.MakeCertificates(t)}
	for i := range e.addresses {
		e.addresses[i] = clickhousetest.FreeAddress(t)
		e.start(t, i)
	}
	t.Cleanup(func() {
		for i, p := range e.processes {
			e.kill(i)
			if t.Failed() {
				t.Logf("engine %d: %s", i, &p.log)
			}
		}
	})
	return e
}

func (e *engines) start(t *testing.T, i int) {
	t.Helper()
	p := &engineProcess{exited: make(chan struct{})}
	p.cmd = exec.Command(e.binary, "clickhouse", "--listen", e.addresses[i], "--data-dir", filepath.Join(e.dir, "engine"), "--user", engineUser,
		"--tls-cert", e.certs.ServerCert, "--tls-key", e.certs.ServerKey, "--tls-client-ca", e.certs.CA)
	p.cmd.Env = append(p.cmd.Environ(), "STRATA_CLICKHOUSE_SERVER_PASSWORD="+enginePassword)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is the test's doing
		close(p.exited)
	}()
	e.processes[i] = p
}

func (e *engines) kill(i int) {
	_ = e.processes[i].cmd.Process.Kill() // it may be gone already
	<-e.processes[i].exited
}

// serving waits until one of the engines serves and tells which.
func (e *engines) serving(t *testing.T) (which int) {
	t.Helper()
	kit.Eventually(t, time.Minute, "an engine serves", func() error {
		for i, address := range e.addresses {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				which = i
				return conn.Close()
			}
		}
		return fmt.Errorf("none of %v answers", e.addresses)
	})
	return which
}

// environment points a server at the engines.
func (e *engines) environment() []string {
	return []string{
		"STRATA_CLICKHOUSE_URL=https://" + engineURLPart + "@" + e.addresses[0] + "," + e.addresses[1] + "/calls",
		"STRATA_CLICKHOUSE_CA_FILE=" + e.certs.CA,
		"STRATA_CLICKHOUSE_CERT_FILE=" + e.certs.ClientCert, "STRATA_CLICKHOUSE_KEY_FILE=" + e.certs.ClientKey,
	}
}

// The ClickHouse server is killed again and again while calls are made, another
// address takes over each time, and Strata itself is killed once: no call fails
// for it, none is lost, none is counted twice.
func TestClickHouseServerKilledUnderLoad(t *testing.T) {
	e := startEngines(t)
	server := kit.Start(t, kit.Options{Env: append(e.environment(), kit.WordsAlone)})
	l := newLoad(t, server)
	if err := server.WaitClickHouse(time.Minute); err != nil {
		t.Fatal(err)
	}
	for round := range number(t, "STRATA_CLICKHOUSE_KILLS", 4) {
		made, stop := l.callOn(t, fmt.Sprint("r", round))
		callsGoOn(t, made)
		killed := e.serving(t)
		e.kill(killed)
		if other := e.serving(t); other == killed {
			t.Fatalf("engine %d serves after it was killed", other)
		}
		e.start(t, killed) // stands by now
		callsGoOn(t, made)
		stop()
		if round == 1 {
			if err := errors.Join(server.Kill(), server.Start()); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.checkCalls(t)
}

// callsGoOn waits until some more calls have been answered.
func callsGoOn(t *testing.T, made *atomic.Int64) {
	t.Helper()
	before := made.Load()
	kit.Eventually(t, time.Minute, "calls are answered", func() error {
		if n := made.Load() - before; n < 50 {
			return fmt.Errorf("%d of 50", n)
		}
		return nil
	})
}

// callOn makes calls, and counts them, until stop, which waits for the last one.
func (l *load) callOn(t *testing.T, name string) (made *atomic.Int64, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	made = new(atomic.Int64)
	var calling sync.WaitGroup
	for _, w := range l.workers[:8] {
		calling.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := w.call(context.WithoutCancel(ctx), l.client, fmt.Sprintf("%s-w%d-%d", name, w.n, i), i%2 == 0); err != nil {
					t.Errorf("a call failed while a ClickHouse server was away: %v", err)
					return
				}
				made.Add(1)
			}
		})
	}
	return made, func() { cancel(); calling.Wait() }
}
