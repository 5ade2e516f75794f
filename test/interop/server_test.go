//go:build e2e

package interop

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strata/test/kit"
)

// Passwords of the users that a server with TLS has; the official tests know
// this one.
const password = "changeit"

// mode is how a server is run.
type mode struct {
	name   string
	secure bool
}

var modes = [...]mode{{"insecure", false}, {"tls", true}}

// environment is what `strata eventstore` reads of it with TLS.
func environment() []string {
	return append(os.Environ(), "STRATA_EVENTSTORE_ADMIN_PASSWORD="+password, "STRATA_EVENTSTORE_OPS_PASSWORD="+password)
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := kit.Binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startServer starts a server that stops with the test, and returns its address.
func startServer(t *testing.T, m mode, certs string) string {
	t.Helper()
	args := []string{"eventstore", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(t.TempDir(), "data")}
	if m.secure {
		args = append(args, secureFlags(certs)...)
	}
	cmd := exec.Command(binary(t), args...)
	cmd.Env, cmd.Dir = environment(), t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := announced(out)
	var read sync.WaitGroup
	read.Go(func() { _, _ = io.Copy(io.Discard, out) })
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		read.Wait()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("the server ended with %v; it said:\n%s", err, &log)
		}
	})
	if address == "" {
		t.Fatal("the server did not announce its address")
	}
	return address
}

// announced reads the address that a server says it listens at.
func announced(out io.Reader) string {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if _, rest, found := strings.Cut(line, "esdb://"); found {
			address, _, _ := strings.Cut(rest, "?")
			return strings.TrimSpace(address)
		}
		if err != nil {
			return ""
		}
	}
}

func secureFlags(certs string) []string {
	return []string{"--tls-cert", filepath.Join(certs, "node", "node.crt"), "--tls-key", filepath.Join(certs, "node", "node.key")}
}

// makeCertificates writes a certificate of a server on this machine, signed by an
// authority, and one of another authority, under the names that the official
// tests expect.
func makeCertificates(t *testing.T, dir string) {
	t.Helper()
	key, der, ca := certificate(t, "ca", nil, nil)
	writePEM(t, filepath.Join(dir, "ca", "ca.crt"), "CERTIFICATE", der)
	nodeKey, nodeDER, _ := certificate(t, "node", ca, key)
	writePEM(t, filepath.Join(dir, "node", "node.crt"), "CERTIFICATE", nodeDER)
	keyDER, err := x509.MarshalPKCS8PrivateKey(nodeKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "node", "node.key"), "PRIVATE KEY", keyDER)
	_, other, _ := certificate(t, "untrusted", nil, nil)
	writePEM(t, filepath.Join(dir, "untrusted-ca", "ca.crt"), "CERTIFICATE", other)
}

// certificate makes a certificate; without a parent it is an authority's own.
func certificate(t *testing.T, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		template.DNSNames, template.IPAddresses, template.ExtKeyUsage = nil, nil, nil
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, der, cert
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
