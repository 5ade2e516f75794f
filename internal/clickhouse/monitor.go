package clickhouse

import (
	"context"
	"log/slog"
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

// startMonitor follows the server's state until stop.
func startMonitor(options *ch.Options, track *tracker, log *slog.Logger) *monitor {
	ctx, cancel := context.WithCancel(context.Background())
	m := &monitor{cancel: cancel}
	m.wg.Go(func() {
		defer track.set(Stopped, 0, nil)
		created := false
		for ctx.Err() == nil {
			err := lookAt(ctx, options, created)
			pause := lookWhenReady
			if err == nil {
				created = true
				track.set(Ready, 0, nil)
			} else {
				pause = lookWhenAway
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

// lookAt pings the server, through a connection to its default database
// because ours may not exist yet.
func lookAt(ctx context.Context, options *ch.Options, created bool) (err error) {
	o := *options
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
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+options.Auth.Database)
}

func (m *monitor) stop() {
	m.cancel()
	m.wg.Wait()
}
