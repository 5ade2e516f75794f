package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"strata/streams/embedded"
)

// announced passes on what a server prints, line by line.
type announced struct {
	lines chan string
}

func (a *announced) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		a.lines <- strings.TrimSpace(line)
	}
	return len(b), nil
}

// eventStore runs `strata eventstore` until stop, and returns what it printed up
// to its connection string.
func eventStore(t *testing.T, args ...string) (printed []string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := &announced{lines: make(chan string, 16)}
	ended := make(chan error, 1)
	go func() {
		ended <- serveEventStore(ctx, append([]string{"--listen", "127.0.0.1:0", "--log-segment-size", "1MiB"}, args...), out)
	}()
	for {
		select {
		case line := <-out.lines:
			printed = append(printed, line)
			if strings.HasPrefix(line, "Event store: ") {
				return printed, func() {
					cancel()
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
			}
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-time.After(time.Minute):
			t.Fatal("it did not start")
		}
	}
}

// pemFiles writes a certificate for the loopback address, and its key.
func pemFiles(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestEventStoreWithTLS(t *testing.T) {
	cert, key := pemFiles(t)
	dir := t.TempDir()
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("# who may\nann:with:colons-1:people,others\n\nbob:long-enough:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--data-dir", dir, "--tls-cert", cert, "--tls-key", key, "--users", users}
	printed, stop := eventStore(t, args...)
	password := regexp.MustCompile(`^User admin has the password (\S+) `).FindStringSubmatch(printed[0])
	if len(printed) != 3 || password == nil || !strings.HasPrefix(printed[1], "User ops has the password ") {
		t.Fatalf("printed %q", printed)
	}
	append1 := func(printed []string, user string) error {
		address := strings.TrimPrefix(printed[len(printed)-1], "Event store: esdb://")
		settings, err := esdb.ParseConnectionString("esdb://" + user + "@" + address + "?tlsverifycert=false")
		if err != nil {
			t.Fatal(err)
		}
		settings.Logger = esdb.NoopLogging()
		c, err := esdb.NewClient(settings)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = c.AppendToStream(ctx, "some-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}},
			esdb.EventData{EventID: uuid.New(), EventType: "made", ContentType: esdb.ContentTypeJson, Data: []byte("{}")})
		return err
	}
	check := func(printed []string) {
		t.Helper()
		for user, ok := range map[string]bool{"admin:" + password[1]: true, "ann:with:colons-1": true, "admin:changeit": false} {
			if err := append1(printed, user); (err == nil) != ok {
				t.Errorf("append by %s: %v", user, err)
			}
		}
	}
	check(printed)
	stop()
	printed, stop = eventStore(t, args...)
	if len(printed) != 1 {
		t.Errorf("printed again %q", printed)
	}
	check(printed)
	stop()
	report, err := embedded.Verify(filepath.Join(dir, "log"))
	if err != nil || report.Damaged() || report.Events != 8 { // four users, four appends
		t.Errorf("the log holds %+v, %v", report, err)
	}
}

func TestEventStoreRefusesWhatIsUnsafe(t *testing.T) {
	cert, key := pemFiles(t)
	users := filepath.Join(t.TempDir(), "users")
	for _, k := range []struct{ name, users, want string }{
		{"no password", "ann", "line 1 is not"},
		{"short password", "ok:long-enough:\nann:short:", "line 2"},
		{"made-up group", "ann:long-enough:$root", "line 1"},
	} {
		if err := os.WriteFile(users, []byte(k.users), 0o600); err != nil {
			t.Fatal(err)
		}
		err := serveEventStore(t.Context(), []string{"--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--users", users}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), k.want) || strings.Contains(err.Error(), "long-enough") {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	for _, args := range [][]string{{"--users", users}, {"--tls-cert", cert}, {"--tls-key", key}, {"extra"}, {"--max-append-size", "-1"}} {
		if err := serveEventStore(t.Context(), append([]string{"--data-dir", t.TempDir(), "--listen", "127.0.0.1:0"}, args...), &bytes.Buffer{}); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
