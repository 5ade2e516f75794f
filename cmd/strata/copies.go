package main

import (
	"context"

	"strata/projections/copies"
	"strata/streams/lease"
)

// copyLease names the lease of who copies read models for new nodes.
const copyLease = "node-snapshots"

// fetchModels begins with read models that another node has put on the shelf, as
// far as this one has none.
func (a *app) fetchModels(ctx context.Context) error {
	if a.local != nil || a.cfg.Node.Snapshots == "" {
		return nil
	}
	key, err := a.sealer.Derive("copies of read models")
	if err != nil {
		return err
	}
	a.shelf = copies.New(copies.Config{Dir: a.cfg.Node.Snapshots, Store: a.store, Key: key, Node: a.node,
		Every: a.cfg.Node.SnapshotInterval, Now: a.now, Logger: a.log, At: a.at})
	return a.shelf.Fetch(ctx, a.cfg.Data.ModelsDir(), a.role.models())
}

// startCopies copies this node's read models to the shelf whenever it holds the
// lease. Nodes that read do: they have what new ones need most.
func (a *app) startCopies(work context.Context) error {
	if a.shelf == nil || !a.role.has(reading) {
		return nil
	}
	keeper, err := lease.New(lease.Config{Store: a.store, Name: copyLease, TTL: a.term, Logger: a.log, Now: a.now})
	if err != nil {
		return err
	}
	a.run(work, "copies of read models", func(ctx context.Context) error {
		return keeper.Run(ctx, func(ctx context.Context, _ *lease.Term) error { return a.shelf.Run(ctx, a.models.runner) })
	})
	return nil
}

// clearShelf removes copies of read models that may hold what was erased.
func (a *app) clearShelf(ctx context.Context) error {
	if a.shelf == nil {
		return nil
	}
	return a.shelf.Clear(ctx)
}
