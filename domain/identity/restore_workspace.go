package identity

import "strata/domain"

// RestoreWorkspace brings a deleted workspace back into use.
type RestoreWorkspace struct{}

// Decide implements domain.Decider.
func (RestoreWorkspace) Decide(_ domain.Env, w *Workspace) ([]domain.Fact, error) {
	switch w.Status {
	case "":
		return nil, domain.NotFound(Workspaces.Noun, w.ID)
	case StatusDeleted:
		return []domain.Fact{WorkspaceRestored{}}, nil
	}
	return nil, domain.Errorf(domain.CodeConflict, "workspace %q was not deleted", w.ID)
}
