package clickhouse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"strata/internal/clickhouse/chserver"
	"strata/internal/clickhouse/engine"
)

// Standalone says how the embedded engine is served over the network, to other
// processes, as if it were a ClickHouse server.
type Standalone struct {
	Listen      string // host:port
	DataDir     string // storage directory of the engine; a second process on it waits for the first to end
	Library     string // path of libchdb; empty: the usual places (see FindLibrary)
	User        string // who may use it; with Password
	Password    string // empty: everybody who reaches the address
	MaxMemory   int64  // bytes; 0: 1 GiB
	Connections int    // statements at once; 0: 6
	ConfigFile  string // ClickHouse's own configuration for the engine (remote_servers, macros…); empty: none

	CertFile, KeyFile string // of the server; empty: no TLS
	ClientCAFile      string // who signs clients' certificates; empty: none is asked for

	Ready  func(net.Addr) `json:"-"` // told once it serves; nil: nobody
	Logger *slog.Logger   `json:"-"` // nil: none
}

// Serve runs the engine in this process and serves it until ctx ends, then lets
// statements under way end. Strata itself never does this to the process that
// takes commands; it is the body of `strata clickhouse`.
func (s Standalone) Serve(ctx context.Context) error {
	defaults := Config{MaxMemory: s.MaxMemory, Connections: s.Connections, Logger: s.Logger}.withDefaults()
	if s.Password == "" && s.User != "" {
		return errors.New("a user without a password is given")
	}
	secure, err := s.tls()
	if err != nil {
		return err
	}
	library, err := FindLibrary(s.Library, s.DataDir)
	if err != nil {
		return err
	}
	o := childOptions{data: s.DataDir, library: library, maxMemory: defaults.MaxMemory, connections: defaults.Connections, config: s.ConfigFile}
	lock, eng, handler, err := openEngine(o, ctx.Done(), defaults.Logger)
	if err != nil {
		return err
	}
	defer lock.Close()
	if s.Password != "" {
		handler = chserver.Authenticate(handler, s.User, s.Password)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	if s.Ready != nil {
		s.Ready(listener.Addr())
	}
	return serveEngine(eng, handler, listener, ctx.Done(), defaults.Logger)
}

// tls reads the certificates, if there are any.
func (s Standalone) tls() (*tls.Config, error) {
	if s.CertFile == "" && s.KeyFile == "" {
		if s.ClientCAFile != "" {
			return nil, errors.New("certificates of clients need a certificate of the server")
		}
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the server's certificate: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if s.ClientCAFile != "" {
		if c.ClientCAs, err = readPool(s.ClientCAFile); err != nil {
			return nil, err
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// readPool reads certificates of authorities.
func readPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// openEngine opens the engine on its directory, once nobody else uses it. The
// caller closes the returned lock after the engine.
func openEngine(o childOptions, stop <-chan struct{}, log *slog.Logger) (*os.File, *engine.Engine, http.Handler, error) {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, nil, nil, fmt.Errorf("storage directory: %w", err)
	}
	lock, err := lockDirectory(o.data, stop)
	if err != nil {
		return nil, nil, nil, err
	}
	eng, err := engine.Open(engine.Options{Library: o.library, Path: o.data, Settings: o.engineSettings()})
	if err != nil {
		return nil, nil, nil, errors.Join(err, lock.Close())
	}
	handler, err := chserver.New(eng, o.connections, Database, log)
	if err != nil {
		return nil, nil, nil, errors.Join(err, lock.Close())
	}
	return lock, eng, handler, nil
}

// receiveTime is how long a client may take to send a statement and its rows:
// those of one that hangs must not arrive when another has taken its place.
const receiveTime = 10 * time.Second

// serveEngine serves until stop, then lets statements under way end.
func serveEngine(eng *engine.Engine, handler http.Handler, listener net.Listener, stop <-chan struct{}, log *slog.Logger) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: receiveTime, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	closeNewcomers(server, newcomerTime)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("statements still ran when the time to stop was over: %w", err)
	}
	eng.Close()
	return nil
}
