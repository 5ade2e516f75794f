package identity

import (
	"slices"

	"strata/domain"
)

// UpdateOrganization changes what is set of a tenant; nil leaves a field alone.
type UpdateOrganization struct {
	Name     *string
	Slug     *string
	Settings domain.Doc // laid over the tenant's; a null removes a setting
	Plan     *Plan
}

// Decide implements domain.Decider.
func (c UpdateOrganization) Decide(_ domain.Env, o *Organization) ([]domain.Fact, error) {
	if err := o.alive(); err != nil {
		return nil, err
	}
	name, slug, plan := or(c.Name, o.Name), or(c.Slug, o.Slug), or(c.Plan, o.Plan)
	var f domain.Faults
	checkNaming(&f, name, slug)
	checkSettings(&f, o.Settings.Merge(c.Settings))
	f.Add(!slices.Contains(Plans(), plan), "plan", "must be one of %v", Plans())
	if err := f.Err(); err != nil {
		return nil, err
	}
	var facts []domain.Fact
	if name != o.Name || slug != o.Slug {
		facts = append(facts, OrganizationRenamed{Name: name, Slug: slug})
	}
	if changed := o.Settings.Changed(c.Settings); len(changed) > 0 {
		facts = append(facts, OrganizationSettingsChanged{Changed: changed})
	}
	if plan != o.Plan {
		facts = append(facts, OrganizationPlanChanged{Plan: plan})
	}
	return facts, nil
}
