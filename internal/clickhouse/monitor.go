package clickhouse

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// How often a server is looked at: soon while it is away, seldom while all is well.
const (
	lookWhenAway  = time.Second
	lookWhenReady = 5 * time.Second
)

// monitor watches a server, and makes its database when it is first reached.
type monitor struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// watch is what is watched.
type watch struct {
	options *ch.Options
	dialer  *dialer
	cluster string
}

// startMonitor follows the server's state until stop.
func startMonitor(w watch, track *tracker, log *slog.Logger) *monitor {
	ctx, cancel := context.WithCancel(context.Background())
	m := &monitor{cancel: cancel}
	m.wg.Go(func() {
		defer track.set(Stopped, 0, nil)
		created := false
		for ctx.Err() == nil {
			err := w.look(ctx, created)
			pause := lookWhenReady
			if err == nil {
				created = true
				track.set(Ready, 0, nil)
			} else {
				pause = lookWhenAway
				if ctx.Err() == nil && !refused(err) {
					w.dialer.leave()
				}
				before := track.get().State
				if before == Ready {
					log.Warn("ClickHouse server is out of reach", "error", err)
					before = Restarting
				}
				track.set(before, 0, err)
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	})
	return m
}

// look pings the server, through a connection to its default database because
// ours may not exist yet.
func (w watch) look(ctx context.Context, created bool) (err error) {
	o := *w.options
	o.Auth.Database = "default"
	o.MaxOpenConns, o.MaxIdleConns = 1, 1
	var conn driver.Conn
	if conn, err = ch.Open(&o); err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if created {
		return conn.Ping(ctx)
	}
	everywhere := ""
	if w.cluster != "" {
		everywhere = " ON CLUSTER " + QuoteIdent(w.cluster)
	}
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+QuoteIdent(w.options.Auth.Database)+everywhere)
}

// QuoteIdent writes a name as an identifier of ClickHouse.
func QuoteIdent(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

func (m *monitor) stop() {
	m.cancel()
	m.wg.Wait()
}
