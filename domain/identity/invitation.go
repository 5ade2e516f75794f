package identity

import (
	"time"

	"strata/domain"
)

// Invitation asks a person into a workspace, with permissions. Whoever holds
// its token may accept it, once.
type Invitation struct {
	ID             string
	OrganizationID string
	WorkspaceID    string
	UserID         string // who is invited
	Email          string
	Permissions    []string
	SecretHash     string // SHA-256 of the token, in hex
	ExpiresAt      time.Time
	Status         Status // invited, then active when it was accepted
	Erased         bool
}

// Invitations folds the streams of invitations.
var Invitations = &domain.Aggregate[Invitation]{
	Category: "invitation", Prefix: "inv", Noun: "invitation", Fold: "1",
	New:   func(id string) *Invitation { return &Invitation{ID: id} },
	Apply: func(i *Invitation, e domain.Event) { i.apply(e) },
	Gone:  func(i *Invitation) bool { return i.Erased },
	Facts: []domain.FactType{domain.FactOf[InvitationIssued](), domain.FactOf[InvitationAccepted]()},
}

// InvitationIssued invites a person. It is sealed under the person's own key.
type InvitationIssued struct {
	UserID      string    `json:"user_id"`
	Email       string    `json:"email"`
	WorkspaceID string    `json:"workspace_id"`
	Permissions []string  `json:"permissions"`
	SecretHash  string    `json:"secret_hash"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// EventType implements domain.Fact.
func (InvitationIssued) EventType() string { return "invitation.issued.v1" }

// DataSubject implements domain.PersonalFact.
func (f InvitationIssued) DataSubject() string { return f.UserID }

// InvitationAccepted uses an invitation up.
type InvitationAccepted struct {
	UserID string `json:"user_id"`
}

// EventType implements domain.Fact.
func (InvitationAccepted) EventType() string { return "invitation.accepted.v1" }

func (i *Invitation) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case InvitationIssued:
		i.OrganizationID, i.WorkspaceID, i.UserID, i.Email = e.Meta.Organization, f.WorkspaceID, f.UserID, f.Email
		i.Permissions, i.SecretHash, i.ExpiresAt, i.Status = f.Permissions, f.SecretHash, f.ExpiresAt, StatusInvited
	case InvitationAccepted:
		i.Status = StatusActive
	case domain.Erased: // nobody can accept what nobody is invited by any more
		*i = Invitation{ID: i.ID, OrganizationID: e.Meta.Organization, Status: StatusRemoved, Erased: true}
	}
}
