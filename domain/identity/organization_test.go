package identity_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
)

func TestCreateOrganization(t *testing.T) {
	o := domaintest.Given(t, identity.Organizations).
		When(identity.CreateOrganization{Name: "Acme Ltd", Plan: identity.Pro, Settings: domain.Doc{"region": raw(`"eu"`), "none": raw("null")}}).
		Then(orgCreated).State()
	if o.Status != identity.StatusActive || o.Slug != "acme-ltd" {
		t.Errorf("organization %+v", o)
	}
	domaintest.Given(t, identity.Organizations).
		When(identity.CreateOrganization{Name: "Acme"}).
		Then(identity.OrganizationCreated{Name: "Acme", Slug: "acme", Plan: identity.Free})
	domaintest.Given(t, identity.Organizations, orgCreated).When(identity.CreateOrganization{Name: "Acme"}).ThenError(domain.CodeConflict)
}

func TestCreateOrganizationNamesEveryFault(t *testing.T) {
	big := domain.Doc{"k": raw(`"` + strings.Repeat("x", 70<<10) + `"`)}
	domaintest.Given(t, identity.Organizations).
		When(identity.CreateOrganization{Name: strings.Repeat("x", 201), Slug: "No Slug", Plan: "gold", Settings: big}).
		ThenError(domain.CodeValidation, "name", "slug", "plan", "settings")
	domaintest.Given(t, identity.Organizations).When(identity.CreateOrganization{}).ThenError(domain.CodeValidation, "name")
	domaintest.Given(t, identity.Organizations).When(identity.CreateOrganization{Name: "你好"}).ThenError(domain.CodeValidation, "slug")
}

func TestUpdateOrganization(t *testing.T) {
	given := domaintest.Given(t, identity.Organizations, orgCreated)
	given.When(identity.UpdateOrganization{
		Name: new("Acme"), Settings: domain.Doc{"region": raw("null"), "tz": raw(`"UTC"`)}, Plan: new(identity.Enterprise),
	}).Then(
		identity.OrganizationRenamed{Name: "Acme", Slug: "acme-ltd"},
		identity.OrganizationSettingsChanged{Changed: domain.Doc{"region": raw("null"), "tz": raw(`"UTC"`)}},
		identity.OrganizationPlanChanged{Plan: identity.Enterprise},
	)
	given.When(identity.UpdateOrganization{Name: new("Acme Ltd"), Settings: orgCreated.Settings}).ThenNothing()
	given.When(identity.UpdateOrganization{Name: new(""), Slug: new("-"), Plan: new(identity.Plan("gold"))}).
		ThenError(domain.CodeValidation, "name", "slug", "plan")
	domaintest.Given(t, identity.Organizations).When(identity.UpdateOrganization{}).ThenError(domain.CodeNotFound)
}

func TestSuspendAndReinstateOrganization(t *testing.T) {
	suspended := identity.OrganizationSuspended{Reason: "unpaid"}
	domaintest.Given(t, identity.Organizations, orgCreated).When(identity.SuspendOrganization{Reason: "unpaid"}).Then(suspended)
	domaintest.Given(t, identity.Organizations, orgCreated, suspended).When(identity.SuspendOrganization{}).ThenNothing()
	domaintest.Given(t, identity.Organizations, orgCreated, suspended).When(identity.ReinstateOrganization{}).Then(identity.OrganizationReinstated{})
	domaintest.Given(t, identity.Organizations, orgCreated).When(identity.ReinstateOrganization{}).ThenNothing()
	domaintest.Given(t, identity.Organizations).When(identity.SuspendOrganization{}).ThenError(domain.CodeNotFound)
}
