package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"strata/internal/clickhouse"
	"strata/internal/config"
)

// enginePassword holds the password that `strata clickhouse` asks for: on the
// command line everybody on the machine could read it.
const enginePassword = "STRATA_CLICKHOUSE_SERVER_PASSWORD"

// clickhouseServer serves the embedded engine over the network.
func clickhouseServer(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("strata clickhouse", flag.ContinueOnError)
	memory := config.Bytes(1 << 30)
	s := clickhouse.Standalone{
		Password: os.Getenv(enginePassword),
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	fs.StringVar(&s.Listen, "listen", "127.0.0.1:8123", "host:port to serve ClickHouse's HTTP interface on")
	fs.StringVar(&s.DataDir, "data-dir", "clickhouse-data", "directory of the engine's files; a second process on it is a standby")
	fs.StringVar(&s.Library, "chdb-lib", "", "path of libchdb; empty: looked for where serve does")
	fs.StringVar(&s.User, "user", "", "user that clients must name (default \"default\"); the password is in "+enginePassword)
	fs.StringVar(&s.CertFile, "tls-cert", "", "certificate of the server, PEM; with it only TLS is served")
	fs.StringVar(&s.KeyFile, "tls-key", "", "private key of the certificate, PEM")
	fs.StringVar(&s.ClientCAFile, "tls-client-ca", "", "authority whose certificates clients must show, PEM")
	fs.StringVar(&s.ConfigFile, "config-file", "", "ClickHouse's own configuration for the engine: remote_servers, macros…")
	fs.IntVar(&s.Connections, "connections", 6, "statements that run at once")
	fs.Func("memory-limit", "memory the engine may use (default 1 GiB)", func(text string) (err error) {
		memory, err = config.ParseBytes(text)
		return err
	})
	if err := parse(fs, args, out); err != nil {
		return err
	}
	if s.Password == "" && s.User != "" {
		return fmt.Errorf("--user needs a password in %s", enginePassword)
	}
	if s.Password != "" {
		s.User = cmp.Or(s.User, "default")
	} else if ip := hostOf(s.Listen); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--listen %s can be reached from other machines: set a password in %s", s.Listen, enginePassword)
	}
	s.MaxMemory = int64(memory)
	var announced error
	s.Ready = func(address net.Addr) {
		scheme := "http"
		if s.CertFile != "" {
			scheme = "https"
		}
		_, announced = fmt.Fprintf(out, "ClickHouse engine serves on %s://%s\n", scheme, address)
	}
	return cmp.Or(s.Serve(ctx), announced)
}

// hostOf is the address of host:port; nil when it is a name or none.
func hostOf(address string) net.IP {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	if host == "localhost" {
		return net.IPv4(127, 0, 0, 1)
	}
	return net.ParseIP(host)
}
