package identity

import (
	"cmp"
	"unicode/utf8"

	"strata/domain"
)

// CreateWorkspace begins a workspace of the acting principal's organization.
type CreateWorkspace struct {
	Name        string
	Slug        string // made of the name when empty, or of the id when the name has no ASCII letter or digit
	Description string
}

// Decide implements domain.Decider.
func (c CreateWorkspace) Decide(env domain.Env, w *Workspace) ([]domain.Fact, error) {
	if w.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "workspace %q exists already", w.ID)
	}
	if c.Slug == "" {
		c.Slug = cmp.Or(Slug(c.Name), Slug(w.ID))
	}
	var f domain.Faults
	checkNaming(&f, c.Name, c.Slug)
	checkDescription(&f, c.Description)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{WorkspaceCreated{OrganizationID: env.Organization, Name: c.Name, Slug: c.Slug, Description: c.Description}}, nil
}

func checkDescription(f *domain.Faults, s string) {
	f.Add(utf8.RuneCountInString(s) > maxDescription, "description", "must be at most %d characters long", maxDescription)
}
