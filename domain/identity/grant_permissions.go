package identity

import (
	"fmt"
	"slices"

	"strata/domain"
)

// GrantPermissions lets a user do more in one workspace. What is permitted
// already is not granted twice; an invitation grants once. It lets an invited
// user in, who has come by now.
type GrantPermissions struct {
	Workspace   string
	Permissions []string // "resource:verb", no wildcards
	Invitation  string   // that was accepted; "" when somebody just gives
}

// Decide implements domain.Decider.
func (c GrantPermissions) Decide(_ domain.Env, u *User) ([]domain.Fact, error) {
	if err := u.alive(); err != nil {
		return nil, err
	}
	var f domain.Faults
	checkPermissions(&f, "permissions", c.Permissions)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.Invitation != "" && slices.Contains(u.Invitations, c.Invitation) {
		return nil, nil
	}
	var facts []domain.Fact
	fresh := slices.DeleteFunc(slices.Clone(c.Permissions), func(p string) bool { return slices.Contains(u.Grants[c.Workspace], p) })
	slices.Sort(fresh)
	if fresh = slices.Compact(fresh); len(fresh) > 0 || c.Invitation != "" {
		facts = append(facts, UserPermissionsGranted{WorkspaceID: c.Workspace, Permissions: fresh, InvitationID: c.Invitation})
	}
	if c.Invitation != "" && u.Status == StatusInvited {
		facts = append(facts, UserActivated{})
	}
	return facts, nil
}

func checkPermissions(f *domain.Faults, field string, permissions []string) {
	f.Add(len(permissions) == 0, field, "needs at least one")
	f.Add(len(permissions) > maxScopes, field, "must be at most %d", maxScopes)
	known := Permissions()
	for i, p := range permissions {
		f.Add(!slices.Contains(known, p), fmt.Sprintf("%s[%d]", field, i), "%q is no permission", p)
	}
}
