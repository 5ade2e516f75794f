package main

import (
	"context"

	"strata/internal/snapshots"
)

// openSnapshots opens the folded states of long streams.
func (a *app) openSnapshots(ctx context.Context) (*snapshots.Store, error) {
	kept, err := snapshots.Open(ctx, snapshots.Config{Path: a.cfg.Data.SnapshotsFile(), Keys: a.keys, Logger: a.log})
	if err != nil {
		return nil, err
	}
	a.onClose(kept.Close)
	return kept, nil
}
