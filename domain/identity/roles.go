package identity

import (
	"slices"
	"strings"

	"strata/domain"
	"strata/domain/catalogue"
)

// Role is a set of permissions that users have in an organization.
type Role string

// The roles.
const (
	Owner  Role = "owner"  // everything
	Admin  Role = "admin"  // everything
	Member Role = "member" // everything but running the organization
	Viewer Role = "viewer" // looking, nothing else
	Guest  Role = "guest"  // what was granted, workspace by workspace, and nothing else
)

// Roles lists the roles, for validation and documentation.
func Roles() []Role { return []Role{Owner, Admin, Member, Viewer, Guest} }

// permissionTable is the one reviewed list of what can be permitted: by
// resource, its verbs. Searching is part of "list". A new rich resource is one
// line; plain kinds add themselves, see [permitted].
var permissionTable = permitKinds([]permitted{
	{resource: "analytics", verbs: []string{"read"}},
	{resource: "arguments", verbs: crud()},
	{resource: "audit", verbs: []string{"list", "get", "verify", "export"}, administrative: true},
	{resource: "api-keys", verbs: crud("own"), administrative: true, own: []string{"own"}}, // own: make and revoke keys for oneself
	{resource: "backups", verbs: []string{"list", "get", "create"}, hidden: true},
	{resource: "budgets", verbs: crud("reset")},
	{resource: "clusters", verbs: []string{"get", "create", "update", "delete"}},
	{resource: "connectors", verbs: crud("scan")},
	{resource: "conversations", verbs: crud()},
	{resource: "evaluations", verbs: []string{"list", "get", "create"}},
	{resource: "events", verbs: []string{"list", "get"}},
	{resource: "inference-logs", verbs: []string{"list", "get"}},
	{resource: "insights", verbs: crud()},
	{resource: "knowledge-bases", verbs: crud()},
	{resource: "leaderboards", verbs: []string{"list"}},
	{resource: "memories", verbs: crud()},
	{resource: "models", verbs: []string{"list", "get", "invoke"}},
	{resource: "organizations", verbs: crud(), administrative: true},
	{resource: "projections", verbs: []string{"list", "get", "rebuild", "inspect", "retry", "discard"}, hidden: true},
	{resource: "privacy", verbs: []string{"list", "get", "erase"}, administrative: true},
	{resource: "secrets", verbs: crud("reveal"), administrative: true, own: []string{"create", "update", "delete"}}, // to reveal is for those who run things
	{resource: "sessions", verbs: crud()},
	{resource: "trainings", verbs: crud()},
	{resource: "users", verbs: crud("invite"), administrative: true},
	{resource: "workspaces", verbs: crud(), administrative: true},
})

// permitted is what can be permitted on one resource.
type permitted struct {
	resource string
	verbs    []string
	// administrative resources are run by owners and admins; members may look,
	// and do what own names.
	administrative bool
	own            []string
	// hidden resources are about the whole installation, every tenant's data
	// included: members and viewers do not even look.
	hidden bool
}

// permitKinds adds the plain kinds of the catalogue and puts all in order.
func permitKinds(rich []permitted) []permitted {
	for _, k := range catalogue.All() {
		rich = append(rich, permitted{resource: k.Spec().Plural, verbs: crud(domain.KindVerbs(k)...)})
	}
	slices.SortFunc(rich, func(a, b permitted) int { return strings.Compare(a.resource, b.resource) })
	return rich
}

// appScopes is what a key of an app may do when it names no scopes: what a
// program that talks with its users needs.
var appScopes = []string{
	"apps:get", "conversations:*", "knowledge-bases:list", "memories:*", "models:*", "sessions:*",
}

func crud(more ...string) []string {
	return append([]string{"list", "get", "create", "update", "delete"}, more...)
}

// Permissions lists every permission, "resource:verb", in order.
func Permissions() []string {
	var out []string
	for _, r := range permissionTable {
		for _, verb := range r.verbs {
			out = append(out, r.resource+":"+verb)
		}
	}
	return out
}

// Permissions is what a role permits. Owners and admins hold the wildcard "*".
// An unknown role permits nothing.
func (r Role) Permissions() map[string]bool {
	out := map[string]bool{}
	for _, res := range permissionTable {
		if res.hidden {
			continue
		}
		for _, verb := range res.verbs {
			if r == Viewer && looks(verb) ||
				r == Member && (!res.administrative || looks(verb) || slices.Contains(res.own, verb)) {
				out[res.resource+":"+verb] = true
			}
		}
	}
	if r == Owner || r == Admin {
		out["*"] = true
	}
	return out
}

func looks(verb string) bool { return verb == "list" || verb == "get" || verb == "read" }

// ValidScope tells whether a scope names at least one permission: "*",
// "resource:verb", "resource:*" or "*:verb".
func ValidScope(scope string) bool {
	return scope == "*" || slices.ContainsFunc(Permissions(), func(p string) bool { return covers(scope, p) })
}

// Narrow is what remains of a role's permissions and of what was granted beside
// them under scopes; no scopes leave them as they are.
func Narrow(r Role, grants, scopes []string) map[string]bool {
	granted := r.Permissions()
	for _, p := range grants {
		granted[p] = true
	}
	if len(scopes) == 0 || slices.Contains(scopes, "*") {
		return granted
	}
	out := map[string]bool{}
	for _, scope := range scopes {
		if granted["*"] {
			out[scope] = true
			continue
		}
		for p := range granted {
			if covers(scope, p) {
				out[p] = true
			}
		}
	}
	return out
}

// covers tells whether a scope includes a permission.
func covers(scope, permission string) bool {
	if scope == "*" || scope == permission {
		return true
	}
	resource, verb, ok := strings.Cut(scope, ":")
	pr, pv, _ := strings.Cut(permission, ":")
	return ok && (resource == "*" || resource == pr) && (verb == "*" || verb == pv)
}
