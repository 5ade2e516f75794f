package identity_test

import (
	"slices"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
)

var (
	benchmarksGranted = identity.UserPermissionsGranted{WorkspaceID: "ws_main", Permissions: []string{"benchmarks:get", "benchmarks:list"}, InvitationID: "inv_1"}
	invited           = identity.InvitationIssued{UserID: "user_bob", Email: "bob@example.com", WorkspaceID: "ws_main",
		Permissions: []string{"benchmarks:get", "benchmarks:list"}, SecretHash: hash, ExpiresAt: domaintest.Now.Add(time.Hour)}
)

func TestIssueInvitation(t *testing.T) {
	cmd := identity.IssueInvitation{UserID: "user_bob", Email: " Bob@Example.com", WorkspaceID: "ws_main",
		Permissions: []string{"benchmarks:list", "benchmarks:get", "benchmarks:list"}, SecretHash: hash, ExpiresAt: domaintest.Now.Add(time.Hour)}
	domaintest.Given(t, identity.Invitations).When(cmd).Then(invited)
	domaintest.Given(t, identity.Invitations, invited).When(cmd).ThenError(domain.CodeConflict)
	wrong := cmd
	wrong.Email, wrong.Permissions, wrong.ExpiresAt = "bob", []string{"*"}, domaintest.Now
	domaintest.Given(t, identity.Invitations).When(wrong).ThenError(domain.CodeValidation, "email", "roles[0]", "expires_at")
	wrong = cmd
	wrong.Permissions = nil
	domaintest.Given(t, identity.Invitations).When(wrong).ThenError(domain.CodeValidation, "roles")
	wrong = cmd
	wrong.SecretHash = "" // a fault of ours: anybody could accept it
	if facts, err := wrong.Decide(domaintest.NewLog().Env(), identity.Invitations.New("inv_1")); err == nil {
		t.Errorf("an invitation without a secret: %v", facts)
	}
}

func TestAcceptInvitation(t *testing.T) {
	cmd := identity.AcceptInvitation{SecretHash: hash, UserID: "user_bob"}
	domaintest.Given(t, identity.Invitations, invited).When(cmd).Then(identity.InvitationAccepted{UserID: "user_bob"})
	domaintest.Given(t, identity.Invitations, invited, identity.InvitationAccepted{UserID: "user_bob"}).When(cmd).ThenError(domain.CodeConflict)
	domaintest.Given(t, identity.Invitations).When(cmd).ThenError(domain.CodeNotFound)
	domaintest.Given(t, identity.Invitations).When(identity.AcceptInvitation{UserID: "user_bob"}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, identity.Invitations, invited).
		When(identity.AcceptInvitation{SecretHash: "other", UserID: "user_bob"}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, identity.Invitations, invited).
		When(identity.AcceptInvitation{SecretHash: hash, UserID: "user_eve"}).ThenError(domain.CodeForbidden)
	late := invited
	late.ExpiresAt = domaintest.Now
	domaintest.Given(t, identity.Invitations, late).When(cmd).ThenError(domain.CodeConflict)
	domaintest.Given(t, identity.Invitations, domain.Erased{Type: invited.EventType()}).When(cmd).ThenError(domain.CodeNotFound)
}

func TestGrantPermissions(t *testing.T) {
	accepted := identity.GrantPermissions{Workspace: "ws_main", Permissions: []string{"benchmarks:list", "benchmarks:get"}, Invitation: "inv_1"}
	asked := bobCreated
	asked.Status = identity.StatusInvited
	domaintest.Given(t, identity.Users, asked).When(accepted).Then(benchmarksGranted, identity.UserActivated{})
	domaintest.Given(t, identity.Users, bobCreated).When(accepted).Then(benchmarksGranted)
	domaintest.Given(t, identity.Users, bobCreated, benchmarksGranted).When(accepted).ThenNothing()
	domaintest.Given(t, identity.Users, bobCreated, identity.UserSuspended{}).When(accepted).Then(benchmarksGranted) // and stays out

	given := accepted
	given.Invitation, given.Permissions = "", []string{"benchmarks:list", "data-models:get"}
	user := domaintest.Given(t, identity.Users, bobCreated, benchmarksGranted).When(given).
		Then(identity.UserPermissionsGranted{WorkspaceID: "ws_main", Permissions: []string{"data-models:get"}}).State()
	if got := user.Grants["ws_main"]; !slices.Equal(got, []string{"benchmarks:get", "benchmarks:list", "data-models:get"}) {
		t.Errorf("granted %v", got)
	}
	given.Permissions = []string{"benchmarks:*", "*"}
	domaintest.Given(t, identity.Users, bobCreated).When(given).ThenError(domain.CodeValidation, "permissions[0]", "permissions[1]")
	domaintest.Given(t, identity.Users, bobCreated, identity.UserRemoved{}).When(accepted).ThenError(domain.CodeNotFound)
	if gone := domaintest.Given(t, identity.Users, bobCreated, benchmarksGranted, domain.Erased{Type: bobCreated.EventType()}).State(); len(gone.Grants) > 0 {
		t.Errorf("an erased user may do %v", gone.Grants)
	}
}

func TestChooseDiscipline(t *testing.T) {
	domaintest.Given(t, identity.Users, bobCreated).When(identity.UpdateUser{Discipline: new(identity.Developer)}).
		Then(identity.UserDisciplineChosen{Discipline: identity.Developer})
	domaintest.Given(t, identity.Users, bobCreated).When(identity.UpdateUser{Discipline: new(identity.Designer)}).ThenNothing()
	domaintest.Given(t, identity.Users, bobCreated).When(identity.UpdateUser{Discipline: new(identity.Discipline("admin"))}).
		ThenError(domain.CodeValidation, "role")
}

// Grants widen what a role permits in one workspace, and scopes narrow both.
func TestCredentialsWithGrants(t *testing.T) {
	c := identity.Credential{APIKey: identity.APIKey{OwnerID: "user_bob", Type: identity.UserKey}, OwnerRole: identity.Guest, OwnerGrants: []string{"benchmarks:get", "trainings:create"}}
	p := c.Principal()
	if !p.Can("benchmarks:get") || !p.Can("trainings:create") || p.Can("benchmarks:list") || p.Can("sessions:get") {
		t.Errorf("a guest may %v", p.Permissions)
	}
	c.Scopes = []string{"benchmarks:*"}
	if p = c.Principal(); !p.Can("benchmarks:get") || p.Can("trainings:create") || p.Can("benchmarks:list") {
		t.Errorf("a guest with a narrowed key may %v", p.Permissions)
	}
}
