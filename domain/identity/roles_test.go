package identity_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
)

func TestRolePermissions(t *testing.T) {
	can := func(r identity.Role, permission string) bool {
		p := domain.Principal{Permissions: r.Permissions()}
		return p.Can(permission)
	}
	for _, c := range []struct {
		permission            string
		admin, member, viewer bool
	}{
		{"sessions:create", true, true, false},
		{"sessions:list", true, true, true},
		{"analytics:read", true, true, true},
		{"models:invoke", true, true, false},
		{"users:list", true, true, true},
		{"users:create", true, false, false},
		{"organizations:update", true, false, false},
		{"workspaces:delete", true, false, false},
		{"api-keys:create", true, false, false},
		{"api-keys:own", true, true, false},
		{"projections:list", true, false, false},
		{"unheard:of", true, false, false},
	} {
		got := []bool{can(identity.Owner, c.permission), can(identity.Admin, c.permission), can(identity.Member, c.permission), can(identity.Viewer, c.permission)}
		if want := []bool{c.admin, c.admin, c.member, c.viewer}; !slices.Equal(got, want) {
			t.Errorf("%s: owner, admin, member, viewer are %v, want %v", c.permission, got, want)
		}
		if can("king", c.permission) {
			t.Errorf("an unknown role may %s", c.permission)
		}
	}
}

func TestPermissionsAreInOrderAndUnique(t *testing.T) {
	var resources []string
	for _, p := range identity.Permissions() {
		resource, verb, ok := strings.Cut(p, ":")
		if !ok || resource == "" || verb == "" {
			t.Errorf("permission %q", p)
		}
		resources = append(resources, resource)
	}
	if !slices.IsSorted(resources) || len(slices.Compact(slices.Sorted(slices.Values(identity.Permissions())))) != len(resources) {
		t.Error("the table must be sorted by resource and name each permission once")
	}
}

func TestNarrow(t *testing.T) {
	for name, c := range map[string]struct {
		role   identity.Role
		scopes []string
		want   []string
	}{
		"owner, all":           {identity.Owner, nil, []string{"*"}},
		"owner, narrowed":      {identity.Owner, []string{"apps:*", "models:invoke"}, []string{"apps:*", "models:invoke"}},
		"member, beyond role":  {identity.Member, []string{"users:delete", "models:invoke"}, []string{"models:invoke"}},
		"viewer, resource":     {identity.Viewer, []string{"models:*"}, []string{"models:get", "models:list"}},
		"viewer, verb":         {identity.Viewer, []string{"*:read"}, []string{"analytics:read"}},
		"viewer, nothing left": {identity.Viewer, []string{"sessions:create"}, nil},
		"nobody, all":          {"", []string{"*"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := slices.Sorted(maps.Keys(identity.Narrow(c.role, nil, c.scopes))); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func credential() identity.Credential {
	key := domaintest.Fold(identity.APIKeys, "key_1", keyCreated)
	return identity.Credential{APIKey: *key, OwnerRole: identity.Member,
		OwnerStatus: identity.StatusActive, WorkspaceStatus: identity.StatusActive, OrganizationStatus: identity.StatusActive}
}

func TestCredentialCheck(t *testing.T) {
	ok := credential()
	if err := ok.Check(domaintest.Now); err != nil {
		t.Errorf("a good credential: %v", err)
	}
	for name, spoil := range map[string]func(*identity.Credential){
		"expired":            func(c *identity.Credential) { c.ExpiresAt = domaintest.Now },
		"revoked":            func(c *identity.Credential) { c.Status = identity.StatusRevoked },
		"organization":       func(c *identity.Credential) { c.OrganizationStatus = identity.StatusSuspended },
		"workspace archived": func(c *identity.Credential) { c.WorkspaceStatus = identity.StatusArchived },
		"workspace unknown":  func(c *identity.Credential) { c.WorkspaceStatus = "" },
		"owner suspended":    func(c *identity.Credential) { c.OwnerStatus = identity.StatusSuspended },
		"owner invited":      func(c *identity.Credential) { c.OwnerStatus = identity.StatusInvited },
		"owner unknown":      func(c *identity.Credential) { c.OwnerStatus = "" },
		"no owner":           func(c *identity.Credential) { c.OwnerID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			c := credential()
			spoil(&c)
			if err := c.Check(domaintest.Now); domain.CodeOf(err) != domain.CodeUnauthorized {
				t.Errorf("answered %v", err)
			}
		})
	}
}

func TestCredentialPrincipal(t *testing.T) {
	c := credential()
	p := c.Principal()
	if p.Actor != "key_1" || p.UserID != "user_bob" || p.AppID != "app_1" || p.Organization != domaintest.Organization ||
		p.Workspace != "ws_main" || p.Role != "member" || p.Tier != "pro" || p.Kind != "api_key" {
		t.Errorf("principal %+v", p)
	}
	if !p.Can("models:invoke") || p.Can("models:list") {
		t.Errorf("permissions %v", p.Permissions)
	}
	c.Scopes = nil
	if p := c.Principal(); !p.Can("conversations:create") || p.Can("budgets:list") {
		t.Errorf("an app key without scopes may %v", p.Permissions)
	}
	service := identity.Credential{APIKey: identity.APIKey{Type: identity.ServiceKey}, OwnerRole: identity.Owner}
	if p := service.Principal(); p.Role != "member" || p.Can("users:delete") {
		t.Errorf("a service without an owner is %s and may %v", p.Role, p.Permissions)
	}
}

func TestWhoRunsTheInstallation(t *testing.T) {
	of := func(org, ws string, r identity.Role) domain.Principal {
		return domain.Principal{Organization: org, Workspace: ws, Role: string(r), Permissions: r.Permissions()}
	}
	for _, c := range []struct {
		who  domain.Principal
		want bool
	}{
		{of(identity.HomeOrganization, identity.HomeWorkspace, identity.Owner), true},
		{of(identity.HomeOrganization, identity.HomeWorkspace, identity.Admin), true},
		{of(identity.HomeOrganization, identity.HomeWorkspace, identity.Member), false},
		{of(identity.HomeOrganization, "ws_other", identity.Owner), false},
		{of("org_other", identity.HomeWorkspace, identity.Owner), false},
	} {
		if got := identity.RunsInstallation(&c.who); got != c.want {
			t.Errorf("%+v: %v", c.who, got)
		}
	}
}
