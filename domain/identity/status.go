package identity

// Status of an organization, workspace, user or API key. Each uses some of them.
type Status string

// The statuses.
const (
	StatusActive    Status = "active"
	StatusInvited   Status = "invited"   // users who have not accepted yet
	StatusSuspended Status = "suspended" // locked out until reinstated
	StatusArchived  Status = "archived"  // workspaces: readable, nothing new
	StatusDeleted   Status = "deleted"
	StatusRemoved   Status = "removed" // users who no longer belong to the organization
	StatusRevoked   Status = "revoked" // API keys
	StatusExpired   Status = "expired" // API keys; follows from the time, never written
)
