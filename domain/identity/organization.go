package identity

import (
	"time"

	"strata/domain"
)

// Plan is what an organization has bought; it is also the name of a rate limit tier.
type Plan string

// The plans.
const (
	Free       Plan = "free"
	Pro        Plan = "pro"
	Enterprise Plan = "enterprise"
)

// Plans lists the plans, for validation and documentation.
func Plans() []Plan { return []Plan{Free, Pro, Enterprise} }

// Organization is what is known of a tenant at one revision.
type Organization struct {
	ID        string
	Name      string
	Slug      string
	Plan      Plan
	Settings  domain.Doc
	Status    Status // active or suspended
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Organizations folds the streams of organizations.
var Organizations = &domain.Aggregate[Organization]{
	Category: "organization", Prefix: "org", Noun: "organization", Fold: "1",
	New:   func(id string) *Organization { return &Organization{ID: id} },
	Apply: func(o *Organization, e domain.Event) { o.apply(e) },
	Facts: []domain.FactType{
		domain.FactOf[OrganizationCreated](),
		domain.FactOf[OrganizationRenamed](),
		domain.FactOf[OrganizationSettingsChanged](),
		domain.FactOf[OrganizationPlanChanged](),
		domain.FactOf[OrganizationSuspended](),
		domain.FactOf[OrganizationReinstated](),
	},
}

// OrganizationCreated begins a tenant.
type OrganizationCreated struct {
	Name     string     `json:"name"`
	Slug     string     `json:"slug"`
	Plan     Plan       `json:"plan"`
	Settings domain.Doc `json:"settings,omitempty"`
}

// EventType implements domain.Fact.
func (OrganizationCreated) EventType() string { return "organization.created.v1" }

// OrganizationRenamed gives a tenant another name or slug. Both are there,
// changed or not.
type OrganizationRenamed struct {
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// EventType implements domain.Fact.
func (OrganizationRenamed) EventType() string { return "organization.renamed.v1" }

// OrganizationSettingsChanged lays settings over the tenant's; a null removes one.
type OrganizationSettingsChanged struct {
	Changed domain.Doc `json:"changed"`
}

// EventType implements domain.Fact.
func (OrganizationSettingsChanged) EventType() string { return "organization.settings_changed.v1" }

// OrganizationPlanChanged moves a tenant to another plan.
type OrganizationPlanChanged struct {
	Plan Plan `json:"plan"`
}

// EventType implements domain.Fact.
func (OrganizationPlanChanged) EventType() string { return "organization.plan_changed.v1" }

// OrganizationSuspended locks a tenant out.
type OrganizationSuspended struct {
	Reason string `json:"reason,omitempty"`
}

// EventType implements domain.Fact.
func (OrganizationSuspended) EventType() string { return "organization.suspended.v1" }

// OrganizationReinstated lets a suspended tenant in again.
type OrganizationReinstated struct{}

// EventType implements domain.Fact.
func (OrganizationReinstated) EventType() string { return "organization.reinstated.v1" }

func (o *Organization) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case OrganizationCreated:
		o.Name, o.Slug, o.Plan, o.Settings = f.Name, f.Slug, f.Plan, f.Settings
		o.Status, o.CreatedAt = StatusActive, e.Meta.OccurredAt
	case OrganizationRenamed:
		o.Name, o.Slug = f.Name, f.Slug
	case OrganizationSettingsChanged:
		o.Settings = o.Settings.Merge(f.Changed)
	case OrganizationPlanChanged:
		o.Plan = f.Plan
	case OrganizationSuspended:
		o.Status = StatusSuspended
	case OrganizationReinstated:
		o.Status = StatusActive
	}
	o.UpdatedAt = e.Meta.OccurredAt
}

func (o *Organization) alive() error {
	if o.Status == "" {
		return domain.NotFound(Organizations.Noun, o.ID)
	}
	return nil
}
