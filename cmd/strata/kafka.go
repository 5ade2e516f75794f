package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"strata/internal/config"
	"strata/streams/kafka"
)

// kafkaConnection says how the configured cluster is reached.
func kafkaConnection(c config.Kafka, log *slog.Logger) (kafka.Connection, error) {
	secure, err := kafkaTLS(c)
	if err != nil {
		return kafka.Connection{}, fmt.Errorf("kafka: %w", err)
	}
	conn := kafka.Connection{Brokers: c.Brokers, TLS: secure, Logger: log,
		Topics: kafka.Topics{Partitions: c.Partitions, Replication: c.Replication}}
	if c.SASLMechanism != "none" {
		conn.SASL = kafka.SASL{Mechanism: c.SASLMechanism, User: c.User, Password: c.Password}
	}
	return conn, nil
}

// kafkaTLS is nil for connections that are not encrypted.
func kafkaTLS(c config.Kafka) (*tls.Config, error) {
	if !c.TLS && c.CAFile == "" && c.CertFile == "" {
		return nil, nil
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("authorities: %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	return secure, nil
}
