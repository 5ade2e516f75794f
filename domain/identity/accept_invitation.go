package identity

import (
	"crypto/subtle"

	"strata/domain"
)

// AcceptInvitation uses an invitation up.
type AcceptInvitation struct {
	SecretHash string // SHA-256 of the token that was shown
	UserID     string // who accepts
}

// Decide implements domain.Decider.
func (c AcceptInvitation) Decide(env domain.Env, i *Invitation) ([]domain.Fact, error) {
	if err := i.Opens(c.SecretHash); err != nil {
		return nil, err
	}
	switch {
	case i.UserID != c.UserID:
		return nil, domain.Errorf(domain.CodeForbidden, "this invitation is for another person")
	case i.Status == StatusActive:
		return nil, i.used()
	case !env.Now.Before(i.ExpiresAt):
		return nil, domain.Errorf(domain.CodeConflict, "this invitation has expired; ask for another")
	}
	return []domain.Fact{InvitationAccepted{UserID: c.UserID}}, nil
}

// Opens refuses a token that is not the invitation's. It does not tell a wrong
// token from an invitation that does not exist.
func (i *Invitation) Opens(hash string) error {
	if i.SecretHash == "" || subtle.ConstantTimeCompare([]byte(i.SecretHash), []byte(hash)) != 1 {
		return NoInvitation()
	}
	return nil
}

// NoInvitation is the answer to a token that opens nothing.
func NoInvitation() error {
	return domain.Errorf(domain.CodeNotFound, "there is no invitation with this token")
}

func (i *Invitation) used() error {
	return domain.Errorf(domain.CodeConflict, "this invitation was used already")
}
