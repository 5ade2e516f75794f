package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"strata/commands"
	"strata/domain"
	"strata/domain/identity"
	"strata/internal/authn"
	"strata/streams"
)

// Ids of what a new installation begins with. They are fixed, so that a
// bootstrap that a crash cut short is simply run again.
const (
	firstOrganization = identity.HomeOrganization
	firstWorkspace    = identity.HomeWorkspace
	firstUser         = "user_admin"
)

// bootstrap makes the first organization, workspace, user and admin key of a
// new installation. A key that it makes is given to show before it begins to
// work: should the process die in between, the next start makes and shows
// another, and never is there one that works and that nobody has seen. A key given in the configuration is added when it is new, so that
// automation can hand out access to an installation that exists.
func bootstrap(ctx context.Context, store streams.Store, h *commands.Handler, given string, show func(key string) error) error {
	p := domain.System(firstOrganization, "")
	p.Actor = firstUser
	if err := create(ctx, h, p, identity.Organizations, firstOrganization,
		identity.CreateOrganization{Name: "Default", Plan: identity.Enterprise}); err != nil {
		return err
	}
	if err := create(ctx, h, p, identity.Workspaces, firstWorkspace, identity.CreateWorkspace{Name: "Default"}); err != nil {
		return err
	}
	if err := create(ctx, h, p, identity.Users, firstUser,
		identity.CreateUser{Email: "admin@localhost", FirstName: "Admin", Role: identity.Owner}); err != nil {
		return err
	}
	if given != "" {
		key, err := authn.Chosen(given)
		if err != nil {
			return fmt.Errorf("the admin key: %w", err)
		}
		return create(ctx, h, p, identity.APIKeys, "key_"+key.Hash[:26], adminKey(key))
	}
	any, err := hasKeys(ctx, store)
	if err != nil || any {
		return err
	}
	key, err := authn.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := show(key.Token); err != nil {
		return err
	}
	return create(ctx, h, p, identity.APIKeys, "key_first", adminKey(key))
}

func adminKey(key authn.Key) identity.CreateAPIKey {
	return identity.CreateAPIKey{Name: "First admin key", Type: identity.UserKey, WorkspaceID: firstWorkspace, OwnerID: firstUser,
		RateLimitTier: identity.Enterprise, Prefix: key.Prefix, SecretHash: key.Hash}
}

// hasKeys tells whether a key was ever made here.
func hasKeys(ctx context.Context, store streams.Store) (bool, error) {
	made := &streams.Filter{Categories: []string{identity.APIKeys.Category}, Types: []string{identity.APIKeyCreated{}.EventType()}}
	for _, err := range store.ReadAll(ctx, streams.ReadAll{Filter: made, Limit: 1}) {
		return err == nil, err
	}
	return false, nil
}

// create runs a create command; what exists already is as good.
func create[S any](ctx context.Context, h *commands.Handler, p domain.Principal, agg *domain.Aggregate[S], id string, cmd domain.Decider[S]) error {
	_, err := commands.Run[S, struct{}](ctx, h, agg, commands.Request{Principal: p, ID: id, Create: true}, cmd, nil)
	if err != nil && domain.CodeOf(err) != domain.CodeConflict {
		return fmt.Errorf("make %s: %w", id, err)
	}
	return nil
}
