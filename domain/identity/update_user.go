package identity

import (
	"slices"

	"strata/domain"
)

// UpdateUser changes what is set of a user; nil leaves a field alone.
type UpdateUser struct {
	Email     *string
	FirstName *string
	LastName  *string
	Role      *Role
	Status    *Status // active or suspended
	// Discipline is what the user says of their work.
	Discipline *Discipline
}

// Decide implements domain.Decider.
func (c UpdateUser) Decide(_ domain.Env, u *User) ([]domain.Fact, error) {
	if err := u.alive(); err != nil {
		return nil, err
	}
	profile := UserProfileChanged{
		UserID: u.ID, Email: NormalEmail(or(c.Email, u.Email)), FirstName: or(c.FirstName, u.FirstName), LastName: or(c.LastName, u.LastName),
	}
	role, status := or(c.Role, u.Role), or(c.Status, u.Status)
	var f domain.Faults
	checkEmail(&f, profile.Email)
	checkPersonName(&f, "first_name", profile.FirstName)
	checkPersonName(&f, "last_name", profile.LastName)
	f.Add(!slices.Contains(Roles(), role), "role", "must be one of %v", Roles())
	f.Add(status != u.Status && status != StatusActive && status != StatusSuspended, "status",
		"must be one of %v", []Status{StatusActive, StatusSuspended})
	discipline := or(c.Discipline, u.Discipline)
	f.Add(discipline != u.Discipline && discipline != Designer && discipline != Developer, "role",
		"must be one of %v", []Discipline{Designer, Developer})
	if err := f.Err(); err != nil {
		return nil, err
	}
	var facts []domain.Fact
	if profile.Email != u.Email || profile.FirstName != u.FirstName || profile.LastName != u.LastName {
		facts = append(facts, profile)
	}
	if role != u.Role {
		facts = append(facts, UserRoleChanged{Role: role})
	}
	if discipline != u.Discipline {
		facts = append(facts, UserDisciplineChosen{Discipline: discipline})
	}
	switch {
	case status == u.Status:
	case status == StatusActive:
		facts = append(facts, UserActivated{})
	default:
		facts = append(facts, UserSuspended{})
	}
	return facts, nil
}
