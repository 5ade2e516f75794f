package identity

import "strata/domain"

// DeleteWorkspace ends a workspace; [RestoreWorkspace] brings it back.
type DeleteWorkspace struct{}

// Decide implements domain.Decider.
func (DeleteWorkspace) Decide(_ domain.Env, w *Workspace) ([]domain.Fact, error) {
	if err := w.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{WorkspaceDeleted{}}, nil
}
