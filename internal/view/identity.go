package view

import (
	"time"

	"strata/domain"
	"strata/domain/identity"
)

// APIKey is an API key as answers show it.
type APIKey struct {
	ID             string     `json:"id" example:"key_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name           string     `json:"name" example:"CI"`
	Type           string     `json:"type" enum:"app,user,service" example:"user"`
	Key            string     `json:"key,omitempty" doc:"The key itself: shown once, in the answer to its creation."`
	Prefix         string     `json:"prefix" doc:"Public part, to recognise the key by."`
	AppID          string     `json:"app_id,omitempty"`
	OrganizationID string     `json:"organization_id"`
	WorkspaceID    string     `json:"workspace_id"`
	OwnerID        string     `json:"owner_id,omitempty" doc:"The user it acts as."`
	Scopes         []string   `json:"scopes" doc:"What it may do, resource:verb; all that its owner may when empty."`
	RateLimitTier  string     `json:"rate_limit_tier" enum:"free,pro,enterprise" example:"free"`
	Status         string     `json:"status" enum:"active,revoked,expired" example:"active"`
	ExpiresAt      *time.Time `json:"expires_at,omitempty"`
	CreatedAt      time.Time  `json:"created_at"`
	RevokedAt      *time.Time `json:"revoked_at,omitempty"`
}

// APIKeyOf shows a key as of a time.
func APIKeyOf(k *identity.APIKey, now time.Time) APIKey {
	scopes := k.Scopes
	if scopes == nil {
		scopes = []string{}
	}
	return APIKey{ID: k.ID, Name: k.Name, Type: string(k.Type), Prefix: k.Prefix, AppID: k.AppID, OrganizationID: k.OrganizationID,
		WorkspaceID: k.WorkspaceID, OwnerID: k.OwnerID, Scopes: scopes, RateLimitTier: string(k.RateLimitTier),
		Status: string(k.StatusAt(now)), ExpiresAt: timeOrNil(k.ExpiresAt), CreatedAt: k.CreatedAt, RevokedAt: timeOrNil(k.RevokedAt)}
}

// Organization is a tenant as answers show it.
type Organization struct {
	ID        string     `json:"id" example:"org_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name      string     `json:"name" example:"Acme"`
	Slug      string     `json:"slug" example:"acme"`
	Plan      string     `json:"plan" enum:"free,pro,enterprise" example:"enterprise"`
	Settings  domain.Doc `json:"settings"`
	Status    string     `json:"status" enum:"active,suspended" example:"active"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// OrganizationOf shows an organization.
func OrganizationOf(o *identity.Organization) Organization {
	return Organization{ID: o.ID, Name: o.Name, Slug: o.Slug, Plan: string(o.Plan), Settings: docOrEmpty(o.Settings),
		Status: string(o.Status), CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt}
}

// Workspace is a tenant's part as answers show it.
type Workspace struct {
	ID             string    `json:"id" example:"ws_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	OrganizationID string    `json:"organization_id"`
	Name           string    `json:"name" example:"Production"`
	Slug           string    `json:"slug" example:"production"`
	Description    string    `json:"description"`
	Status         string    `json:"status" enum:"active,archived,deleted" example:"active"`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedAt      time.Time `json:"updated_at"`
}

// WorkspaceOf shows a workspace.
func WorkspaceOf(w *identity.Workspace) Workspace {
	return Workspace{ID: w.ID, OrganizationID: w.OrganizationID, Name: w.Name, Slug: w.Slug, Description: w.Description,
		Status: string(w.Status), CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt}
}

// Space is a workspace as the Inference API shows it.
type Space struct {
	ID          string    `json:"id" example:"ws_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name        string    `json:"name" example:"Marketing"`
	Description string    `json:"description" example:"Campaigns and their data"`
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by" doc:"Who created it: a user or key id."`
	UpdatedAt   time.Time `json:"updated_at"`
	UpdatedBy   string    `json:"updated_by" doc:"Who changed it last: a user or key id."`
}

// SpaceOf shows a workspace as a space.
func SpaceOf(w *identity.Workspace) Space {
	return Space{ID: w.ID, Name: w.Name, Description: w.Description,
		CreatedAt: w.CreatedAt, CreatedBy: w.CreatedBy, UpdatedAt: w.UpdatedAt, UpdatedBy: w.UpdatedBy}
}

// User is a user as the enveloped mount shows one.
type User struct {
	ID             string    `json:"id" example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Email          string    `json:"email" example:"ann@example.com"`
	FirstName      string    `json:"first_name"`
	LastName       string    `json:"last_name"`
	Name           string    `json:"name" doc:"First and last name."`
	Role           string    `json:"role" enum:"owner,admin,member,viewer,guest" example:"owner"`
	Status         string    `json:"status" enum:"invited,active,suspended,removed" example:"active"`
	OrganizationID string    `json:"organization_id"`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedAt      time.Time `json:"updated_at"`
}

// WhoAmI tells a caller who they are.
type WhoAmI struct {
	User         *User         `json:"user" nullable:"true" doc:"Null for a service without a user."`
	Organization *Organization `json:"organization"`
	WorkspaceID  string        `json:"workspace_id"`
	AuthType     string        `json:"auth_type" enum:"jwt,api_key,service_token" example:"api_key"`
	Permissions  []string      `json:"permissions" doc:"resource:verb; * is everything."`
}

// UserOf shows a user.
func UserOf(u *identity.User) User {
	return User{ID: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, Name: u.Name(), Role: string(u.Role),
		Status: string(u.Status), OrganizationID: u.OrganizationID, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt}
}
