package identity

import (
	"time"

	"strata/domain"
)

// Credential is an API key with what decides whether and how far it works: the
// standing of its owner, workspace and organization.
type Credential struct {
	APIKey
	OwnerRole          Role     // of the user the key acts as
	OwnerStatus        Status   // "" when no such user is known
	OwnerGrants        []string // permissions the user was given in the key's workspace
	WorkspaceStatus    Status
	OrganizationStatus Status
}

// The organization and workspace that a new installation begins with. Who
// administers them runs the installation.
const (
	HomeOrganization = "org_default"
	HomeWorkspace    = "ws_default"
)

// RunsInstallation tells whether a principal may look after the installation as
// a whole, all tenants' data included: an owner or admin of the home
// organization, with a credential of its home workspace.
func RunsInstallation(p *domain.Principal) bool {
	return p.Organization == HomeOrganization && p.Workspace == HomeWorkspace &&
		(p.Role == string(Owner) || p.Role == string(Admin))
}

// Check refuses a credential that does not work at a time, with UNAUTHORIZED.
// Whoever gets here has shown the secret, so the reason may be told.
func (c *Credential) Check(now time.Time) error {
	reason := ""
	switch {
	case c.StatusAt(now) == StatusRevoked:
		reason = "this API key was revoked"
	case c.StatusAt(now) == StatusExpired:
		reason = "this API key has expired"
	case c.OrganizationStatus != StatusActive:
		reason = "the organization of this API key is not active"
	case c.WorkspaceStatus != StatusActive:
		reason = "the workspace of this API key is not active"
	case c.OwnerID != "" && c.OwnerStatus != StatusActive:
		reason = "the owner of this API key is not an active user"
	case c.OwnerID == "" && c.Type != ServiceKey:
		reason = "this API key has no owner"
	default:
		return nil
	}
	return domain.Errorf(domain.CodeUnauthorized, "%s", reason)
}

// Principal is who acts with the credential. It holds the permissions of the
// owner's role (a member's, for a service without an owner), narrowed by the
// key's scopes.
func (c *Credential) Principal() domain.Principal {
	role, scopes := c.OwnerRole, c.Scopes
	if c.OwnerID == "" {
		role = Member
	}
	if c.Type == AppKey && len(scopes) == 0 {
		scopes = appScopes
	}
	return domain.Principal{
		Actor: c.ID, UserID: c.OwnerID, KeyID: c.ID, AppID: c.AppID,
		Organization: c.OrganizationID, Workspace: c.WorkspaceID,
		Kind: "api_key", Role: string(role), Tier: string(c.RateLimitTier),
		Grants: c.OwnerGrants, Permissions: Narrow(role, c.OwnerGrants, scopes),
	}
}
