package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
)

// clusterID makes an id and writes it as Kafka does. None begins with a dash: the
// storage tool would take it for an option.
func clusterID() string {
	for {
		id := uuid.New()
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}

// identity is the certificate of the secured listener, signed by itself.
type identity struct{ certificate, key []byte } // PEM

func newIdentity() (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "kafka of tests"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &identity{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}, nil
}

// client trusts the certificate and no other.
func (i *identity) client() *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(i.certificate)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// securedProperties configure the listener with TLS and authentication.
func (b *Broker) securedProperties() []string {
	line := func(pem []byte) string { return strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", `\n`) }
	const listener = "listener.name.secured."
	const security = "org.apache.kafka.common.security."
	return []string{
		listener + "ssl.keystore.type=PEM",
		listener + "ssl.keystore.certificate.chain=" + line(b.identity.certificate),
		listener + "ssl.keystore.key=" + line(b.identity.key),
		listener + "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		listener + "plain.sasl.jaas.config=" + security + `plain.PlainLoginModule required user_ann="` + Password + `";`,
		listener + "scram-sha-256.sasl.jaas.config=" + security + "scram.ScramLoginModule required;",
		listener + "scram-sha-512.sasl.jaas.config=" + security + "scram.ScramLoginModule required;",
	}
}
