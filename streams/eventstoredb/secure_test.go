package eventstoredb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/internal/eventstore"
	"strata/internal/eventstore/access"
	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/eventstoredb"
)

// certificate makes a certificate for the loopback address, and a file of it.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestUserOverTLS(t *testing.T) {
	cert, file := certificate(t)
	server := eventstoretest.Start(t, eventstoretest.With(func(o *eventstore.Options) {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		o.Users = true
	}))
	if err := server.Server().Access().Set(t.Context(), "strata", "long-enough", access.Operators); err != nil {
		t.Fatal(err)
	}
	as := func(user, settings string, patience time.Duration) *eventstoredb.Store {
		return open(t, "esdb://"+user+server.Addr+"?"+settings, eventstoredb.Options{Patience: patience})
	}
	mustAppend(t, as("strata:long-enough@", "tlscafile="+file, long), "secure-1", streams.NoStream, made(0))
	ctx := within(t, long)
	if _, err := as("strata:wrong@", "tlscafile="+file, time.Second).Head(ctx); !errors.Is(err, streams.ErrUnavailable) {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := as("strata:long-enough@", "", 100*time.Millisecond).Head(ctx); !errors.Is(err, streams.ErrUnavailable) {
		t.Errorf("without trust in the certificate: %v", err)
	}
}
