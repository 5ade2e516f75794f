package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// errURL describes what a URL of a server looks like. The one that was given
// may hold a password, so it is in no error.
var errURL = errors.New("the ClickHouse URL is not of the form http(s)://user:password@host:port,host:port/database or clickhouse://…")

// defaultPort is the one that a server listens on unless it is told otherwise.
func defaultPort(scheme string, secure bool) string {
	switch {
	case scheme != "clickhouse" && secure:
		return "8443"
	case scheme != "clickhouse":
		return "8123"
	case secure:
		return "9440"
	default:
		return "9000"
	}
}

// splitHosts takes a URL with several hosts apart: the URL with the first alone,
// and all of them.
func splitHosts(raw string) (single string, hosts []string, err error) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		return "", nil, errURL
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	user := ""
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	hosts = strings.Split(authority, ",")
	for _, host := range hosts {
		if u, err := url.Parse(scheme + "://" + host); err != nil || u.Hostname() == "" {
			return "", nil, errURL
		}
	}
	return scheme + "://" + user + hosts[0] + tail, hosts, nil
}

// serverOptions turns a configuration into options of the driver. The dialer
// is nil with the native protocol, where the driver itself chooses the address.
func serverOptions(cfg Config) (*ch.Options, *dialer, error) {
	single, hosts, err := splitHosts(cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	u, err := url.Parse(single)
	if err != nil {
		return nil, nil, errURL
	}
	switch u.Scheme {
	case "http", "https", "clickhouse":
	default:
		return nil, nil, fmt.Errorf("the ClickHouse URL begins with %q, not with http, https or clickhouse", u.Scheme)
	}
	if q := u.Query(); u.Scheme == "https" && !q.Has("secure") {
		q.Set("secure", "true")
		u.RawQuery = q.Encode()
	}
	options, err := ch.ParseDSN(u.String())
	if err != nil {
		return nil, nil, errors.New("the ClickHouse URL has a parameter that is not understood")
	}
	if options.Auth.Database == "" || options.Auth.Database == "default" {
		options.Auth.Database = Database
	}
	options.DialTimeout = dialTimeout
	if options.Compression == nil { // the URL may say compress=…
		options.Compression = &ch.Compression{Method: ch.CompressionLZ4}
	}
	if err := cfg.secure(options); err != nil {
		return nil, nil, err
	}
	options.Addr = nil
	for _, host := range hosts {
		options.Addr = append(options.Addr, withPort(host, defaultPort(u.Scheme, options.TLS != nil)))
	}
	return options, route(options), nil
}

func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// secure adds the certificates of the configuration to a connection with TLS.
func (c Config) secure(options *ch.Options) (err error) {
	if options.TLS == nil {
		if c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" {
			return errors.New("certificates for ClickHouse are given, but its URL is without TLS (https://, or clickhouse:// with secure=true)")
		}
		return nil
	}
	options.TLS.MinVersion = tls.VersionTLS12
	if c.CAFile != "" {
		if options.TLS.RootCAs, err = readPool(c.CAFile); err != nil {
			return err
		}
	}
	if c.CertFile != "" || c.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return fmt.Errorf("read the certificate for ClickHouse: %w", err)
		}
		options.TLS.Certificates = []tls.Certificate{cert}
	}
	return nil
}

// route makes connections go to the address that served last, and to the next
// one when that is away.
func route(options *ch.Options) *dialer {
	d := newDialer(options.Addr, options.TLS)
	if options.Protocol == ch.Native {
		options.DialStrategy = func(ctx context.Context, _ int, o *ch.Options, dial ch.Dial) (result ch.DialResult, err error) {
			err = d.each(ctx, func(ctx context.Context, address string) (err error) {
				result, err = dial(ctx, address, o)
				return err
			})
			return result, err
		}
		return d
	}
	options.Addr = options.Addr[:1] // what requests are addressed to; the dialer knows where they go
	options.TransportFunc = func(t *http.Transport) (http.RoundTripper, error) {
		t.DialContext = d.dial
		t.DialTLSContext = d.dialTLS
		return &patient{next: t}, nil
	}
	return d
}
