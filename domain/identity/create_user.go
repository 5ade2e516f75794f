package identity

import (
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"strata/domain"
)

// CreateUser brings a person into the acting principal's organization.
type CreateUser struct {
	Email     string
	FirstName string
	LastName  string
	Role      Role // Member when empty
	Invited   bool // the person has to accept first
}

// Decide implements domain.Decider.
func (c CreateUser) Decide(env domain.Env, u *User) ([]domain.Fact, error) {
	if u.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "user %q exists already", u.ID)
	}
	if c.Role == "" {
		c.Role = Member
	}
	var f domain.Faults
	checkEmail(&f, c.Email)
	checkPersonName(&f, "first_name", c.FirstName)
	checkPersonName(&f, "last_name", c.LastName)
	f.Add(!slices.Contains(Roles(), c.Role), "role", "must be one of %v", Roles())
	if err := f.Err(); err != nil {
		return nil, err
	}
	status := StatusActive
	if c.Invited {
		status = StatusInvited
	}
	return []domain.Fact{UserCreated{
		UserID: u.ID, OrganizationID: env.Organization, Email: NormalEmail(c.Email),
		FirstName: c.FirstName, LastName: c.LastName, Role: c.Role, Status: status,
	}}, nil
}

// NormalEmail is an address in the form in which it is kept and compared:
// without surrounding space, in lower case.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func checkEmail(f *domain.Faults, email string) {
	email = NormalEmail(email)
	if email == "" {
		f.Add(true, "email", "is required")
		return
	}
	a, err := mail.ParseAddress(email)
	f.Add(err != nil || a.Address != email || len(email) > maxEmail, "email", "must be an e-mail address")
}

func checkPersonName(f *domain.Faults, field, name string) {
	f.Add(utf8.RuneCountInString(name) > maxName, field, "must be at most %d characters long", maxName)
}
