package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"strata/domain/identity"
	"strata/projections/analytics"
	"strata/streams"
)

// tablesOwner names this process and its installation to a ClickHouse server,
// which takes one writer only.
func (a *app) tablesOwner() analytics.Owner {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	dir, err := filepath.Abs(a.cfg.Data.Dir)
	if err != nil {
		dir = a.cfg.Data.Dir
	}
	return analytics.Owner{
		// The same after a restart, and another one for a copy of the data directory.
		Instance:     host + ":" + dir,
		Installation: func(ctx context.Context) (string, error) { return installationOf(ctx, a.store) },
	}
}

// installationPoll is how often a new log is asked whether it has begun.
const installationPoll = 20 * time.Millisecond

// installationOf names a log by its first organization's first event. The
// position is a part of it: rows bear positions, and the same events have others
// in another log that a dump was loaded into.
func installationOf(ctx context.Context, store streams.Store) (string, error) {
	home := identity.Organizations.Stream(firstOrganization)
	tick := time.NewTicker(installationPoll)
	defer tick.Stop()
	for {
		for e, err := range store.ReadStream(ctx, home, streams.ReadStream{Limit: 1}) {
			if errors.Is(err, streams.ErrStreamNotFound) {
				break
			}
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s@%d", e.ID, e.Position), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
