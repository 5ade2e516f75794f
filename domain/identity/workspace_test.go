package identity_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
)

func TestCreateWorkspace(t *testing.T) {
	domaintest.Given(t, identity.Workspaces).When(identity.CreateWorkspace{Name: "Main", Description: "all of it"}).Then(wsCreated)
	domaintest.Given(t, identity.Workspaces, wsCreated).When(identity.CreateWorkspace{Name: "Main"}).ThenError(domain.CodeConflict)
	domaintest.Given(t, identity.Workspaces).
		When(identity.CreateWorkspace{Name: "你好"}).Then(identity.WorkspaceCreated{OrganizationID: domaintest.Organization, Name: "你好", Slug: "it-1"})
	domaintest.Given(t, identity.Workspaces).
		When(identity.CreateWorkspace{Slug: "No Slug", Description: strings.Repeat("x", 2001)}).
		ThenError(domain.CodeValidation, "name", "slug", "description")
}

func TestUpdateWorkspace(t *testing.T) {
	given := domaintest.Given(t, identity.Workspaces, wsCreated)
	given.When(identity.UpdateWorkspace{Name: new("Other"), Slug: new("other"), Description: new(""), Status: new(identity.StatusArchived)}).
		Then(identity.WorkspaceRenamed{Name: "Other", Slug: "other"}, identity.WorkspaceDescribed{}, identity.WorkspaceArchived{})
	given.When(identity.UpdateWorkspace{}).ThenNothing()
	given.When(identity.UpdateWorkspace{Name: new(" "), Status: new(identity.StatusDeleted)}).ThenError(domain.CodeValidation, "name", "status")
	domaintest.Given(t, identity.Workspaces, wsCreated, identity.WorkspaceArchived{}).
		When(identity.UpdateWorkspace{Status: new(identity.StatusActive)}).Then(identity.WorkspaceReinstated{})
	domaintest.Given(t, identity.Workspaces, wsCreated, identity.WorkspaceDeleted{}).When(identity.UpdateWorkspace{}).ThenError(domain.CodeNotFound)
}

func TestRestoreWorkspace(t *testing.T) {
	restored := domaintest.Given(t, identity.Workspaces, wsCreated, identity.WorkspaceArchived{}, identity.WorkspaceDeleted{}).
		When(identity.RestoreWorkspace{}).Then(identity.WorkspaceRestored{}).State()
	if restored.Status != identity.StatusActive {
		t.Errorf("restored: %+v", restored)
	}
	domaintest.Given(t, identity.Workspaces, wsCreated).When(identity.RestoreWorkspace{}).ThenError(domain.CodeConflict)
	domaintest.Given(t, identity.Workspaces).When(identity.RestoreWorkspace{}).ThenError(domain.CodeNotFound)
}

func TestDeleteWorkspace(t *testing.T) {
	domaintest.Given(t, identity.Workspaces, wsCreated).When(identity.DeleteWorkspace{}).Then(identity.WorkspaceDeleted{})
	domaintest.Given(t, identity.Workspaces, wsCreated, identity.WorkspaceDeleted{}).When(identity.DeleteWorkspace{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, identity.Workspaces).When(identity.DeleteWorkspace{}).ThenError(domain.CodeNotFound)
}
