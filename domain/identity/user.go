package identity

import (
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
	Category: "user", Prefix: "user", Noun: "user", Fold: "1",
	New:   func(id string) *User { return &User{ID: id} },
	Apply: func(u *User, e domain.Event) { u.apply(e) },
	Facts: []domain.FactType{
		domain.FactOf[UserCreated](),
		domain.FactOf[UserProfileChanged](),
		domain.FactOf[UserRoleChanged](),
		domain.FactOf[UserActivated](),
		domain.FactOf[UserSuspended](),
		domain.FactOf[UserRemoved](),
	},
}

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
		u.Role, u.Status, u.CreatedAt = f.Role, f.Status, e.Meta.OccurredAt
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
	u.Role, u.Status, u.Erased = Viewer, StatusRemoved, true
}

func (u *User) alive() error {
	if u.Status == "" || u.Status == StatusRemoved {
		return domain.NotFound(Users.Noun, u.ID)
	}
	return nil
}
