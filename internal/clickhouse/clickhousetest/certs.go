package clickhousetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are PEM files of an authority, and of a server at 127.0.0.1 and
// a client that it signed.
type Certificates struct{ CA, ServerCert, ServerKey, ClientCert, ClientKey string }

// MakeCertificates makes certificates that live as long as the test.
func MakeCertificates(t testing.TB) Certificates {
	t.Helper()
	dir := t.TempDir()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	c := Certificates{CA: writeCert(t, filepath.Join(dir, "ca.pem"), ca, ca, key, key)}
	for i, leaf := range []struct{ name, cert, key *string }{
		{new("server"), &c.ServerCert, &c.ServerKey}, {new("client"), &c.ClientCert, &c.ClientKey},
	} {
		own := newKey(t)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: *leaf.name},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		*leaf.cert = writeCert(t, filepath.Join(dir, *leaf.name+".pem"), template, ca, own, key)
		text, err := x509.MarshalPKCS8PrivateKey(own)
		if err != nil {
			t.Fatal(err)
		}
		*leaf.key = writePEM(t, filepath.Join(dir, *leaf.name+".key"), "PRIVATE KEY", text)
	}
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeCert(t testing.TB, file string, template, parent *x509.Certificate, own, signer *ecdsa.PrivateKey) string {
	t.Helper()
	text, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, file, "CERTIFICATE", text)
}

func writePEM(t testing.TB, file, kind string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
