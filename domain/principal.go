package domain

import "strings"

// Principal is who a request acts as, and for which tenant.
type Principal struct {
	Actor        string          // user_…, key_… or "system": goes into event metadata
	UserID       string          // the user behind the credential, if any
	KeyID        string          // the API key used, if any
	AppID        string          // the app an app key is bound to, if any
	Organization string          // tenant
	Workspace    string          // tenant's part that the credential works in
	Kind         string          // api_key, jwt, service_token, system
	Role         string          // owner, admin, member, viewer, guest
	Grants       []string        // permissions that the user was given in this workspace beside those of the role
	Tier         string          // rate limit tier: free, pro, enterprise
	Permissions  map[string]bool // "resource:verb"; "resource:*" and "*" are wildcards
}

// System is the principal of Strata's own process managers in a workspace.
// With an empty organization it may act on what any tenant owns; what it does
// is then recorded under the owner's tenant.
func System(organization, workspace string) Principal {
	return Principal{Actor: "system", Kind: "system", Organization: organization, Workspace: workspace,
		Permissions: map[string]bool{"*": true}}
}

// AnyTenant tells whether the principal is Strata itself, for all tenants.
func (p *Principal) AnyTenant() bool { return p.Kind == "system" && p.Organization == "" }

// Can tells whether the principal holds a permission "resource:verb".
func (p *Principal) Can(permission string) bool {
	if p.Permissions["*"] || p.Permissions[permission] {
		return true
	}
	resource, verb, _ := strings.Cut(permission, ":")
	return p.Permissions[resource+":*"] || p.Permissions["*:"+verb]
}
