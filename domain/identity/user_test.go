package identity_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
)

func TestCreateUser(t *testing.T) {
	u := domaintest.Given(t, identity.Users).
		When(identity.CreateUser{Email: " Bob@Example.com", FirstName: "Bob", LastName: "Builder"}).
		Then(bobCreated).State()
	if u.Name() != "Bob Builder" {
		t.Errorf("name %q", u.Name())
	}
	s := domaintest.Given(t, identity.Users).When(identity.CreateUser{Email: "eve@example.com", Role: identity.Viewer, Invited: true}).State()
	if s.Status != identity.StatusInvited || s.Role != identity.Viewer || s.Name() != "eve@example.com" {
		t.Errorf("user %+v", s)
	}
	domaintest.Given(t, identity.Users, bobCreated).When(identity.CreateUser{Email: "eve@example.com"}).ThenError(domain.CodeConflict)
}

func TestCreateUserNamesEveryFault(t *testing.T) {
	long := strings.Repeat("x", 201)
	domaintest.Given(t, identity.Users).
		When(identity.CreateUser{Email: "nobody", FirstName: long, LastName: long, Role: "king"}).
		ThenError(domain.CodeValidation, "email", "first_name", "last_name", "role")
	for _, email := range []string{"", "Bob <bob@example.com>", "a@b, c@d", strings.Repeat("x", 250) + "@example.com"} {
		domaintest.Given(t, identity.Users).When(identity.CreateUser{Email: email}).ThenError(domain.CodeValidation, "email")
	}
}

func TestUpdateUser(t *testing.T) {
	given := domaintest.Given(t, identity.Users, bobCreated)
	given.When(identity.UpdateUser{FirstName: new("Robert"), Role: new(identity.Admin), Status: new(identity.StatusSuspended)}).Then(
		identity.UserProfileChanged{UserID: domaintest.Subject, Email: "bob@example.com", FirstName: "Robert", LastName: "Builder"},
		identity.UserRoleChanged{Role: identity.Admin}, identity.UserSuspended{})
	given.When(identity.UpdateUser{Email: new("BOB@example.com")}).ThenNothing()
	given.When(identity.UpdateUser{Email: new("-"), Role: new(identity.Role("")), Status: new(identity.StatusRemoved)}).
		ThenError(domain.CodeValidation, "email", "role", "status")
	domaintest.Given(t, identity.Users, bobCreated, identity.UserSuspended{}).
		When(identity.UpdateUser{Status: new(identity.StatusActive)}).Then(identity.UserActivated{})
	domaintest.Given(t, identity.Users, bobCreated, identity.UserRemoved{}).When(identity.UpdateUser{}).ThenError(domain.CodeNotFound)
}

func TestRemoveUser(t *testing.T) {
	domaintest.Given(t, identity.Users, bobCreated).When(identity.RemoveUser{}).Then(identity.UserRemoved{})
	domaintest.Given(t, identity.Users, bobCreated, identity.UserRemoved{}).When(identity.RemoveUser{}).ThenError(domain.CodeNotFound)
}

// Nobody can act as a person who is not known any more.
func TestErasedUserStaysRemoved(t *testing.T) {
	u := domaintest.Fold(identity.Users, "user_1",
		domain.Erased{Type: bobCreated.EventType()}, identity.UserRoleChanged{Role: identity.Owner},
		identity.UserSuspended{}, identity.UserActivated{}, domain.Erased{Type: identity.UserProfileChanged{}.EventType()})
	if u.Status != identity.StatusRemoved || u.Role != identity.Viewer || u.Email != "" || u.OrganizationID != domaintest.Organization {
		t.Errorf("user %+v", u)
	}
}
