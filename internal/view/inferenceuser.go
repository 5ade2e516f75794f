package view

import (
	"time"

	"strata/domain/identity"
)

// InferenceUser is a user as the Inference API shows one.
type InferenceUser struct {
	ID         string `json:"id" example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ExternalID string `json:"external_id" doc:"The user's id at an identity provider; empty for those who come from none."`
	Email      string `json:"email" example:"ada@example.com"`
	FirstName  string `json:"first_name" example:"Ada"`
	LastName   string `json:"last_name" example:"Example"`
	Role       string `json:"role" enum:"designer,developer" example:"developer"`
}

// InferenceUserOf shows a user.
func InferenceUserOf(u *identity.User) InferenceUser {
	return InferenceUser{ID: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, Role: string(u.Discipline)}
}

// InferenceMe is the caller as the Inference API shows one.
type InferenceMe struct {
	InferenceUser
	Permissions []string `json:"permissions" doc:"What this credential may do, resource:verb." example:"[\"benchmarks:list\"]"`
	Spaces      []Space  `json:"spaces" doc:"The spaces of the user, at most 1000."`
}

// Permissions are what a user may do.
type Permissions struct {
	Permissions []string `json:"permissions" doc:"What the user may do in this space beside what the role in the organization permits." example:"[\"benchmarks:list\"]"`
}

// Invited answers an invitation into a space.
type Invited struct {
	Emails      []string     `json:"emails" doc:"Who was invited." example:"[\"ada@example.com\"]"`
	Invitations []Invitation `json:"invitations" doc:"What is to be given to them."`
}

// Invitation is one person's.
type Invitation struct {
	ID        string    `json:"id" example:"inv_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Email     string    `json:"email" example:"ada@example.com"`
	Token     string    `json:"token,omitempty" doc:"Accepts the invitation, once. It is in this answer only."`
	ExpiresAt time.Time `json:"expires_at"`
}

// Accepted answers that an invitation was accepted.
type Accepted struct {
	Error string `json:"error" doc:"Empty: nothing went wrong."`
}

// Joined tells a new user how to begin.
type Joined struct {
	UserID  string `json:"user_id" example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	SpaceID string `json:"space_id" example:"ws_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	KeyID   string `json:"key_id" example:"key_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Key     string `json:"key" doc:"An API key of the space that acts for the user. It is in this answer only."`
}
