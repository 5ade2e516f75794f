package identity

import "strata/domain"

// UpdateWorkspace changes what is set of a workspace; nil leaves a field alone.
type UpdateWorkspace struct {
	Name        *string
	Slug        *string
	Description *string
	Status      *Status // active or archived
}

// Decide implements domain.Decider.
func (c UpdateWorkspace) Decide(_ domain.Env, w *Workspace) ([]domain.Fact, error) {
	if err := w.alive(); err != nil {
		return nil, err
	}
	name, slug := or(c.Name, w.Name), or(c.Slug, w.Slug)
	description, status := or(c.Description, w.Description), or(c.Status, w.Status)
	var f domain.Faults
	checkNaming(&f, name, slug)
	checkDescription(&f, description)
	f.Add(status != StatusActive && status != StatusArchived, "status", "must be one of %v", []Status{StatusActive, StatusArchived})
	if err := f.Err(); err != nil {
		return nil, err
	}
	var facts []domain.Fact
	if name != w.Name || slug != w.Slug {
		facts = append(facts, WorkspaceRenamed{Name: name, Slug: slug})
	}
	if description != w.Description {
		facts = append(facts, WorkspaceDescribed{Description: description})
	}
	switch {
	case status == w.Status:
	case status == StatusArchived:
		facts = append(facts, WorkspaceArchived{})
	default:
		facts = append(facts, WorkspaceReinstated{})
	}
	return facts, nil
}
