package view

import (
	"time"

	"strata/domain/secret"
)

// Secret is what is shown of a secret: everything but its value.
type Secret struct {
	Name           string     `json:"name" doc:"What it is referred to by: {{secret.name}}." example:"github-token"`
	Description    string     `json:"description" example:"Reads issues"`
	Tags           []string   `json:"tags" example:"[\"ci\"]"`
	RotationDays   int        `json:"rotation_days" doc:"Days after which its value should be rotated; 0: never." example:"90"`
	ExpiresAt      *time.Time `json:"expires_at,omitempty" doc:"From then on it is not used; absent: never." example:"2027-01-01T00:00:00Z"`
	Status         string     `json:"status" enum:"active,rotation_due,expired" doc:"rotation_due: its value is older than rotation_days, and can be used all the same." example:"active"`
	Version        int        `json:"version" doc:"Of the current value, from 1." example:"2"`
	RotationDueAt  *time.Time `json:"rotation_due_at,omitempty" doc:"When its value should be rotated." example:"2026-06-12T09:26:53Z"`
	LastRotatedAt  time.Time  `json:"last_rotated_at" doc:"Since when the value is the current one."`
	LastAccessedAt *time.Time `json:"last_accessed_at,omitempty" doc:"When a value was last revealed, or used by something for the first time in a day."`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	CreatedBy      string     `json:"created_by" example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
}

// SecretOf renders a secret as it is at a moment.
func SecretOf(s *secret.State, now time.Time) Secret {
	tags := s.Tags
	if tags == nil {
		tags = []string{}
	}
	return Secret{Name: s.Name, Description: s.Description, Tags: tags, RotationDays: s.RotationDays, ExpiresAt: timeOrNil(s.ExpiresAt),
		Status: string(s.Status(now)), Version: s.Version, RotationDueAt: timeOrNil(s.RotationDueAt()), LastRotatedAt: s.LastRotatedAt,
		LastAccessedAt: timeOrNil(s.LastAccessedAt), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, CreatedBy: s.CreatedBy}
}

// SecretValue is a secret with its value.
type SecretValue struct {
	Name    string `json:"name" example:"github-token"`
	Version int    `json:"version" example:"2"`
	Value   string `json:"value" example:"ghp_example"`
}

// SecretVersion is a version of a secret.
type SecretVersion struct {
	Version   int       `json:"version" example:"2"`
	Status    string    `json:"status" enum:"current,previous,destroyed" doc:"previous: it can still be revealed; destroyed: its value is not kept." example:"current"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by" example:"user_01jk2m3n4p5q6r7s8t9v0w1x2y"`
}

// SecretVersionStatus says what became of a version of a secret.
func SecretVersionStatus(s *secret.State, version int) string {
	if version == s.Version {
		return "current"
	}
	if _, kept := s.Value(version); kept {
		return "previous"
	}
	return "destroyed"
}

// SecretAccess is something that was done with a secret.
type SecretAccess struct {
	ID         string    `json:"id" example:"sacc_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	SecretName string    `json:"secret_name" example:"github-token"`
	Action     string    `json:"action" enum:"reveal,rotate,update,delete,use" doc:"Of uses, the first of a day by each consumer and version is listed." example:"use"`
	Version    int       `json:"version,omitempty" doc:"Of the value." example:"2"`
	ActorID    string    `json:"actor_id" doc:"Who did it, \"system\" for uses." example:"system"`
	Consumer   string    `json:"consumer,omitempty" doc:"What used it." example:"mcp_server/mcp_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Reason     string    `json:"reason,omitempty" doc:"Why it was revealed."`
	Timestamp  time.Time `json:"timestamp"`
}
