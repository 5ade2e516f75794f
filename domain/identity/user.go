package identity

import (
	"maps"
	"slices"
	"strings"
	"time"

	"strata/domain"
)

// User is what is known of a person at one revision.
type User struct {
	ID             string
	OrganizationID string
	Email          string
	FirstName      string
	LastName       string
	Role           Role   // in the organization
	Status         Status // invited, active, suspended or removed
	Erased         bool   // the person asked to be forgotten: removed, for good
	Discipline     Discipline
	Grants         map[string][]string // permissions beside those of the role, by workspace, in order
	Invitations    []string            // whose grants are among them
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Name is the user's display name; the address when there is none.
func (u *User) Name() string {
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Email
}

// Users folds the streams of users.
var Users = &domain.Aggregate[User]{
	Category: "user", Prefix: "user", Noun: "user", Fold: "2",
	New:   func(id string) *User { return &User{ID: id} },
	Apply: func(u *User, e domain.Event) { u.apply(e) },
	Facts: []domain.FactType{
		domain.FactOf[UserCreated](),
		domain.FactOf[UserProfileChanged](),
		domain.FactOf[UserRoleChanged](),
		domain.FactOf[UserActivated](),
		domain.FactOf[UserSuspended](),
		domain.FactOf[UserRemoved](),
		domain.FactOf[UserDisciplineChosen](),
		domain.FactOf[UserPermissionsGranted](),
	},
}

// Discipline is what a user does with the Inference API; it permits nothing.
type Discipline string

// The disciplines.
const (
	Designer  Discipline = "designer" // of those who never said
	Developer Discipline = "developer"
)

// UserCreated brings a person into an organization. It is sealed under the
// user's own key.
type UserCreated struct {
	UserID         string `json:"user_id"`
	OrganizationID string `json:"organization_id"`
	Email          string `json:"email"`
	FirstName      string `json:"first_name,omitempty"`
	LastName       string `json:"last_name,omitempty"`
	Role           Role   `json:"org_role"`
	Status         Status `json:"status"` // invited or active
}

// EventType implements domain.Fact.
func (UserCreated) EventType() string { return "user.created.v1" }

// DataSubject implements domain.PersonalFact.
func (f UserCreated) DataSubject() string { return f.UserID }

// UserProfileChanged says how a person is called and reached now. All fields
// are there, changed or not.
type UserProfileChanged struct {
	UserID    string `json:"user_id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
}

// EventType implements domain.Fact.
func (UserProfileChanged) EventType() string { return "user.profile_changed.v1" }

// DataSubject implements domain.PersonalFact.
func (f UserProfileChanged) DataSubject() string { return f.UserID }

// UserRoleChanged gives a user another role in the organization.
type UserRoleChanged struct {
	Role Role `json:"org_role"`
}

// EventType implements domain.Fact.
func (UserRoleChanged) EventType() string { return "user.role_changed.v1" }

// UserActivated lets an invited or suspended user in.
type UserActivated struct{}

// EventType implements domain.Fact.
func (UserActivated) EventType() string { return "user.activated.v1" }

// UserSuspended locks a user out.
type UserSuspended struct{}

// EventType implements domain.Fact.
func (UserSuspended) EventType() string { return "user.suspended.v1" }

// UserRemoved takes a user out of the organization.
type UserRemoved struct{}

// EventType implements domain.Fact.
func (UserRemoved) EventType() string { return "user.removed.v1" }

// UserDisciplineChosen says what a user does.
type UserDisciplineChosen struct {
	Discipline Discipline `json:"discipline"`
}

// EventType implements domain.Fact.
func (UserDisciplineChosen) EventType() string { return "user.discipline_chosen.v1" }

// UserPermissionsGranted lets a user do more in a workspace than the role allows.
type UserPermissionsGranted struct {
	WorkspaceID  string   `json:"workspace_id"`
	Permissions  []string `json:"permissions"`             // "resource:verb", those that are new
	InvitationID string   `json:"invitation_id,omitempty"` // that was accepted, if any
}

// EventType implements domain.Fact.
func (UserPermissionsGranted) EventType() string { return "user.permissions_granted.v1" }

func (u *User) apply(e domain.Event) {
	u.UpdatedAt = e.Meta.OccurredAt
	if f, ok := e.Fact.(domain.Erased); ok {
		u.applyErased(f, e)
		return
	}
	if u.Erased {
		return
	}
	switch f := e.Fact.(type) {
	case UserCreated:
		u.OrganizationID, u.Email, u.FirstName, u.LastName = f.OrganizationID, f.Email, f.FirstName, f.LastName
		u.Role, u.Status, u.CreatedAt, u.Discipline = f.Role, f.Status, e.Meta.OccurredAt, Designer
	case UserProfileChanged:
		u.Email, u.FirstName, u.LastName = f.Email, f.FirstName, f.LastName
	case UserRoleChanged:
		u.Role = f.Role
	case UserActivated:
		u.Status = StatusActive
	case UserSuspended:
		u.Status = StatusSuspended
	case UserRemoved:
		u.Status = StatusRemoved
	case UserDisciplineChosen:
		u.Discipline = f.Discipline
	case UserPermissionsGranted:
		u.grant(f)
	}
}

// applyErased forgets the person. Nobody can act as a person who is not known
// any more, so an erased user stays removed, with the least of roles, whatever
// else the stream says.
func (u *User) applyErased(f domain.Erased, e domain.Event) {
	if f.Type == (UserCreated{}).EventType() {
		u.OrganizationID, u.CreatedAt = e.Meta.Organization, e.Meta.OccurredAt
	}
	u.Email, u.FirstName, u.LastName = "", "", ""
	u.Role, u.Status, u.Erased, u.Grants, u.Invitations = Viewer, StatusRemoved, true, nil, nil
}

// grant makes new lists: those that were there may have been handed out.
func (u *User) grant(f UserPermissionsGranted) {
	all := maps.Clone(u.Grants)
	if all == nil {
		all = map[string][]string{}
	}
	here := slices.Concat(all[f.WorkspaceID], f.Permissions)
	slices.Sort(here)
	all[f.WorkspaceID] = slices.Compact(here)
	u.Grants = all
	if f.InvitationID != "" {
		u.Invitations = append(slices.Clip(u.Invitations), f.InvitationID)
	}
}

func (u *User) alive() error {
	if u.Status == "" || u.Status == StatusRemoved {
		return domain.NotFound(Users.Noun, u.ID)
	}
	return nil
}
