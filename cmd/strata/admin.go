package main

import (
	"errors"
	"fmt"

	"strata/adminapi"
	"strata/internal/httpx"
)

// registerAdmin registers what those who run the installation can do.
func (a *app) registerAdmin(r *httpx.Router) error {
	if err := errors.Join(a.metrics.Register(newFollowers(a.models.runner, &a.duty)), a.metrics.Register(newEngineMetrics(a.click, &a.duty))); err != nil {
		return fmt.Errorf("metrics of projections: %w", err)
	}
	deps := adminapi.Deps{
		Models: a.models.runner, Reactors: &a.duty, Handler: a.handler, Store: a.store, Codec: a.codec, View: a.models.events.View,
		Backups: a.backups, Nodes: a.nodes,
	}
	if a.local != nil {
		deps.Log, deps.Scavenges = a.local, a.scavenges
	}
	adminapi.Register(r, deps)
	return nil
}
