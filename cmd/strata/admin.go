package main

import (
	"fmt"

	"strata/adminapi"
	"strata/internal/httpx"
)

// registerAdmin registers what those who run the installation can do.
func (a *app) registerAdmin(r *httpx.Router) error {
	if err := a.metrics.Register(newFollowers(a.models.runner, a.reactors)); err != nil {
		return fmt.Errorf("metrics of projections: %w", err)
	}
	adminapi.Register(r, adminapi.Deps{
		Models: a.models.runner, Reactors: a.reactors, Handler: a.handler, Store: a.store, Codec: a.codec, View: a.models.events.View,
		Backups: a.backups,
		Log:     a.store, Scavenges: a.scavenges,
	})
	return nil
}
