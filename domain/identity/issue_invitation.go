package identity

import (
	"encoding/hex"
	"fmt"
	"time"

	"strata/domain"
)

// IssueInvitation invites a user of the acting principal's organization into a
// workspace of it. The token is made by the caller, who alone sees it.
type IssueInvitation struct {
	UserID      string
	Email       string
	WorkspaceID string
	Permissions []string
	SecretHash  string // SHA-256 of the token, in hex
	ExpiresAt   time.Time
}

// Decide implements domain.Decider.
func (c IssueInvitation) Decide(env domain.Env, i *Invitation) ([]domain.Fact, error) {
	if i.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "invitation %q exists already", i.ID)
	}
	if b, err := hex.DecodeString(c.SecretHash); err != nil || len(b) != 32 || c.UserID == "" || c.WorkspaceID == "" {
		return nil, fmt.Errorf("an invitation needs a user, a workspace and the SHA-256 of its token")
	}
	var f domain.Faults
	checkEmail(&f, c.Email)
	checkPermissions(&f, "roles", c.Permissions)
	f.Add(!c.ExpiresAt.After(env.Now), "expires_at", "must be in the future")
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{InvitationIssued{UserID: c.UserID, Email: NormalEmail(c.Email), WorkspaceID: c.WorkspaceID,
		Permissions: canonicalScopes(c.Permissions), SecretHash: c.SecretHash, ExpiresAt: c.ExpiresAt.UTC()}}, nil
}
