package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"strata/domain"
)

// ErrNotReady says that the engine does not serve at this moment.
var ErrNotReady = errors.New("the ClickHouse engine does not serve now")

const (
	dialTimeout = 5 * time.Second
	readTimeout = 5 * time.Minute
)

// DB is ClickHouse, embedded or a server. It is usable at once: statements
// fail with ErrNotReady until the engine serves, and again while it restarts.
type DB struct {
	conn    driver.Conn
	track   *tracker
	child   *Supervisor // nil for a server, and when the library is missing
	monitor *monitor    // nil when embedded

	cluster  string // of the server; empty: it is none
	database string

	schema sync.Mutex
}

// AlterSchema runs what changes tables, alone in this process: several writers share a
// DB, and each of them migrates it before it writes.
func (db *DB) AlterSchema(do func() error) error {
	db.schema.Lock()
	defer db.schema.Unlock()
	return do()
}

// Open prepares ClickHouse as cfg says. It waits neither for the child nor for
// the server. A missing library is no error: the DB's status says Missing and
// how to get it, and every statement fails with that sentence, so that the
// rest of Strata works without analytics.
func Open(_ context.Context, cfg Config) (*DB, error) {
	cfg = cfg.withDefaults()
	if cfg.URL != "" {
		return openServer(cfg)
	}
	if cfg.DataDir == "" {
		return nil, errors.New("clickhouse: a data directory or a URL is needed")
	}
	db := &DB{database: Database}
	dial := func(context.Context, string) (net.Conn, error) { return nil, ErrNoLibrary }
	library, err := FindLibrary(cfg.Library, cfg.DataDir)
	if err != nil {
		cfg.Logger.Warn(err.Error())
		db.track = newTracker()
		db.track.set(Missing, 0, err)
	} else {
		if db.child, err = NewSupervisor(cfg, library); err != nil {
			return nil, err
		}
		db.track = db.child.track
		dial = func(ctx context.Context, _ string) (net.Conn, error) { return db.child.Dial(ctx) }
	}
	db.conn, err = ch.Open(&ch.Options{
		Protocol: ch.HTTP, Addr: []string{"engine"}, Auth: ch.Auth{Database: Database},
		DialContext: dial, DialTimeout: dialTimeout, ReadTimeout: readTimeout,
		MaxOpenConns: 4 * cfg.Connections, MaxIdleConns: cfg.Connections,
	})
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	return db, nil
}

// openServer connects to a server. Its database is created when the first
// connection succeeds, so credentials need that right or an existing database.
func openServer(cfg Config) (*DB, error) {
	options, dialer, err := serverOptions(cfg)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	db := &DB{track: newTracker(), cluster: cfg.Cluster, database: options.Auth.Database}
	if db.conn, err = ch.Open(options); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	db.monitor = startMonitor(watch{options: options, dialer: dialer, cluster: cfg.Cluster}, db.track, cfg.Logger)
	return db, nil
}

// Conn returns the driver's connection pool. It stays valid across restarts.
func (db *DB) Conn() driver.Conn { return db.conn }

// Embedded tells whether the engine is our own child, used by nobody else.
func (db *DB) Embedded() bool { return db.monitor == nil }

// Cluster is the name of the cluster that tables are spread over; empty: none.
func (db *DB) Cluster() string { return db.cluster }

// Database is the name of the database that holds everything.
func (db *DB) Database() string { return db.database }

// Status tells how the engine is.
func (db *DB) Status() Status { return db.track.get() }

// Ready returns a channel that is closed while the engine serves. Ask again
// after a fault.
func (db *DB) Ready() <-chan struct{} { return db.track.readyNow() }

// WaitReady waits for the engine to serve. It returns the context's error.
func (db *DB) WaitReady(ctx context.Context) error {
	select {
	case <-db.Ready():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w (%s): %w", ErrNotReady, db.Status().State, ctx.Err())
	}
}

// Explain makes an error of a statement fit to cross rooms: a
// *domain.Error "service unavailable" when the engine could not be reached,
// the context's error as it is, anything else wrapped with what was tried.
func (db *DB) Explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoLibrary):
		return domain.Errorf(domain.CodeUnavailable, "%s", ErrNoLibrary).Because(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", what, err)
	case Unreachable(err):
		return domain.Errorf(domain.CodeUnavailable, "analytics cannot be read now, try again in a moment").Because(fmt.Errorf("%s: %w", what, err))
	case refused(err):
		return domain.Errorf(domain.CodeUnavailable, "analytics cannot be read now: the ClickHouse server does not accept the user or password it is given").
			Because(fmt.Errorf("%s: %w", what, err))
	case unprepared(err):
		// What the server says of it, statement and all, would not tell more.
		return domain.Errorf(domain.CodeUnavailable, "analytics is being set up, try again in a moment").With("retry_after", time.Second).
			Because(fmt.Errorf("%s: the tables are not there yet", what))
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// ClickHouse's codes of what the first migrations have yet to make, and of a
// user it does not know.
const (
	codeUnknownTable         = 60
	codeUnknownDatabase      = 81
	codeAuthenticationFailed = 516
)

// refused tells whether a server does not know the user or the password.
func refused(err error) bool {
	e, ok := errors.AsType[*ch.Exception](err)
	return ok && e.Code == codeAuthenticationFailed
}

// unprepared tells whether an engine that serves already has no tables yet.
func unprepared(err error) bool {
	e, ok := errors.AsType[*ch.Exception](err)
	return ok && (e.Code == codeUnknownTable || e.Code == codeUnknownDatabase)
}

// Unreachable tells whether an error means that the engine was not there or
// went away, so that the same statement can succeed later.
func Unreachable(err error) bool {
	if errors.Is(err, ErrNotReady) || errors.Is(err, ErrNoLibrary) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, ch.ErrAcquireConnTimeout) || errors.Is(err, net.ErrClosed) {
		return true
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return true
	}
	_, isNet := errors.AsType[net.Error](err)
	return isNet
}

// Stop closes the connections and stops the child, if there is one.
func (db *DB) Stop(ctx context.Context) error {
	err := db.conn.Close()
	switch {
	case db.child != nil:
		err = errors.Join(err, db.child.Stop(ctx))
	case db.monitor != nil:
		db.monitor.stop()
	}
	return err
}
