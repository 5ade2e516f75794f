package main

import (
	"errors"
	"net/http"
	"testing"

	"strata/domain"
)

// TestDirectoryForgetsWhatChanges: what the gateway remembers of providers and
// routes, also that there is none, is never older than the read model.
func TestDirectoryForgetsWhatChanges(t *testing.T) {
	i := start(t)
	d, ctx := i.app.directory, t.Context()
	const workspace = firstWorkspace
	missing := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	look := func() (providers, routes int, noProvider, noRoute error) {
		t.Helper()
		i.caughtUp(t)
		_, noProvider = d.Provider(ctx, workspace, "p")
		_, noRoute = d.Route(ctx, workspace, "r")
		ps, err := d.Providers(ctx, workspace)
		if err != nil {
			t.Fatal(err)
		}
		rs, err := d.Routes(ctx, workspace)
		if err != nil {
			t.Fatal(err)
		}
		return len(ps), len(rs), noProvider, noRoute
	}
	providers, routes, noProvider, noRoute := look()
	missing("a provider before it was created", noProvider)
	missing("a route before it was created", noRoute)

	path := "/api/v1/providers/" + call(t, i, "POST", "/api/v1/providers", object{"name": "p", "type": "ollama"}).must(t, http.StatusCreated).field(t, "id")
	call(t, i, "POST", "/api/v1/model-routes", object{"name": "r", "strategy": "fallback", "targets": []object{{"model": "p/m"}}}).must(t, http.StatusCreated)
	moreProviders, moreRoutes, noProvider, noRoute := look()
	if noProvider != nil || noRoute != nil || moreProviders != providers+1 || moreRoutes != routes+1 {
		t.Errorf("after creating: %v, %v, %d, %d", noProvider, noRoute, moreProviders, moreRoutes)
	}

	call(t, i, "PATCH", path, object{"priority": 7}).must(t, http.StatusOK)
	i.caughtUp(t)
	if p, err := d.Provider(ctx, workspace, "p"); err != nil || p.Priority != 7 {
		t.Errorf("after a change: %+v, %v", p, err)
	}
	call(t, i, "DELETE", path, nil)
	_, _, noProvider, _ = look()
	missing("a deleted provider", noProvider)
}
