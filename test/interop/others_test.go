//go:build e2e

package interop

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"strata/test/kit"
)

// othersLimit bounds one run of a program in another language.
const othersLimit = 90 * time.Second

// TestNode runs the official client for Node.
func TestNode(t *testing.T) {
	t.Parallel()
	against(t, "node", "node", "--test", "eventstore.test.mjs")
}

// TestPython runs a client for Python.
func TestPython(t *testing.T) {
	t.Parallel()
	root, err := kit.Root()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(root, ".cache", "interop-venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("make interop prepares the Python environment: %v", err)
	}
	against(t, "python", python, "-m", "unittest", "-v", "test_eventstore")
}

// against runs a program against a server of every mode, whose address it reads
// from its environment.
func against(t *testing.T, dir, program string, args ...string) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			certs := t.TempDir()
			makeCertificates(t, certs)
			address := startServer(t, m, certs)
			env := append(os.Environ(), fmt.Sprintf("ESDB_SECURE=%v", m.secure), "ESDB_URL=esdb://"+address+"?tls=false")
			if m.secure {
				ca := filepath.Join(certs, "ca", "ca.crt")
				options := "?tls=true&tlsCAFile=" + url.QueryEscape(ca)
				env = append(env, "ESDB_CA="+ca, "ESDB_STRANGER_URL=esdb://"+address+options,
					"ESDB_URL=esdb://admin:"+password+"@"+address+options)
			}
			ctx, cancel := context.WithTimeout(t.Context(), othersLimit)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.Dir, cmd.Env = dir, env
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
			cmd.WaitDelay = time.Second
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(program), err)
			}
		})
	}
}
