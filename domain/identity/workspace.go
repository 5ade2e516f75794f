package identity

import (
	"time"

	"strata/domain"
)

// Workspace is what is known of a part of a tenant at one revision.
type Workspace struct {
	ID             string
	OrganizationID string
	Name           string
	Slug           string
	Description    string
	Status         Status // active, archived or deleted
	CreatedAt      time.Time
	UpdatedAt      time.Time
	CreatedBy      string
	UpdatedBy      string
}

// Workspaces folds the streams of workspaces.
var Workspaces = &domain.Aggregate[Workspace]{
	Category: "workspace", Prefix: "ws", Noun: "workspace", Fold: "2",
	New:   func(id string) *Workspace { return &Workspace{ID: id} },
	Apply: func(w *Workspace, e domain.Event) { w.apply(e) },
	Facts: []domain.FactType{
		domain.FactOf[WorkspaceCreated](),
		domain.FactOf[WorkspaceRenamed](),
		domain.FactOf[WorkspaceDescribed](),
		domain.FactOf[WorkspaceArchived](),
		domain.FactOf[WorkspaceReinstated](),
		domain.FactOf[WorkspaceDeleted](),
		domain.FactOf[WorkspaceRestored](),
	},
}

// WorkspaceCreated begins a workspace.
type WorkspaceCreated struct {
	OrganizationID string `json:"organization_id"`
	Name           string `json:"name"`
	Slug           string `json:"slug"`
	Description    string `json:"description,omitempty"`
}

// EventType implements domain.Fact.
func (WorkspaceCreated) EventType() string { return "workspace.created.v1" }

// WorkspaceRenamed gives a workspace another name or slug. Both are there,
// changed or not.
type WorkspaceRenamed struct {
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// EventType implements domain.Fact.
func (WorkspaceRenamed) EventType() string { return "workspace.renamed.v1" }

// WorkspaceDescribed says what a workspace is for.
type WorkspaceDescribed struct {
	Description string `json:"description"`
}

// EventType implements domain.Fact.
func (WorkspaceDescribed) EventType() string { return "workspace.described.v1" }

// WorkspaceArchived sets a workspace aside: its keys stop working.
type WorkspaceArchived struct{}

// EventType implements domain.Fact.
func (WorkspaceArchived) EventType() string { return "workspace.archived.v1" }

// WorkspaceReinstated takes an archived workspace into use again.
type WorkspaceReinstated struct{}

// EventType implements domain.Fact.
func (WorkspaceReinstated) EventType() string { return "workspace.reinstated.v1" }

// WorkspaceDeleted ends a workspace, until it is restored: its keys stop working
// and nobody sees it. What it holds stays.
type WorkspaceDeleted struct{}

// EventType implements domain.Fact.
func (WorkspaceDeleted) EventType() string { return "workspace.deleted.v1" }

// WorkspaceRestored brings a deleted workspace back as it was.
type WorkspaceRestored struct{}

// EventType implements domain.Fact.
func (WorkspaceRestored) EventType() string { return "workspace.restored.v1" }

func (w *Workspace) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case WorkspaceCreated:
		w.OrganizationID, w.Name, w.Slug, w.Description = f.OrganizationID, f.Name, f.Slug, f.Description
		w.Status, w.CreatedAt, w.CreatedBy = StatusActive, e.Meta.OccurredAt, e.Meta.Actor
	case WorkspaceRenamed:
		w.Name, w.Slug = f.Name, f.Slug
	case WorkspaceDescribed:
		w.Description = f.Description
	case WorkspaceArchived:
		w.Status = StatusArchived
	case WorkspaceReinstated, WorkspaceRestored:
		w.Status = StatusActive
	case WorkspaceDeleted:
		w.Status = StatusDeleted
	}
	w.UpdatedAt, w.UpdatedBy = e.Meta.OccurredAt, e.Meta.Actor
}

func (w *Workspace) alive() error {
	if w.Status == "" || w.Status == StatusDeleted {
		return domain.NotFound(Workspaces.Noun, w.ID)
	}
	return nil
}
