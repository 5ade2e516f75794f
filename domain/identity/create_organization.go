package identity

import (
	"slices"

	"strata/domain"
)

// CreateOrganization begins a tenant.
type CreateOrganization struct {
	Name     string
	Slug     string // made of the name when empty
	Plan     Plan   // Free when empty
	Settings domain.Doc
}

// Decide implements domain.Decider.
func (c CreateOrganization) Decide(_ domain.Env, o *Organization) ([]domain.Fact, error) {
	if o.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "organization %q exists already", o.ID)
	}
	if c.Slug == "" {
		c.Slug = Slug(c.Name)
	}
	if c.Plan == "" {
		c.Plan = Free
	}
	var f domain.Faults
	checkNaming(&f, c.Name, c.Slug)
	f.Add(!slices.Contains(Plans(), c.Plan), "plan", "must be one of %v", Plans())
	checkSettings(&f, c.Settings)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{OrganizationCreated{Name: c.Name, Slug: c.Slug, Plan: c.Plan, Settings: withoutNulls(c.Settings)}}, nil
}
