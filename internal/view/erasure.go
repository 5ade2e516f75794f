package view

import (
	"time"

	"strata/domain/privacy"
)

// Erasure is the erasure of a person's data.
type Erasure struct {
	ID          string         `json:"id" example:"era_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Subject     string         `json:"subject" doc:"Whose data." example:"user_bob"`
	Scope       string         `json:"scope" enum:"workspace,organization" doc:"Where; users of the organization are erased in all of it."`
	Status      string         `json:"status" enum:"pending,completed" doc:"What was sealed cannot be read from the beginning; completed when every copy is gone from the disks too."`
	Reason      string         `json:"reason,omitempty"`
	Places      []ErasurePlace `json:"places" doc:"What held copies, and since when it does not."`
	Events      int64          `json:"events" doc:"How many events of the log are about the subject; once completed."`
	Unsealed    int64          `json:"unsealed_events" doc:"How many of them were written before personal data was sealed: those stay readable in the log."`
	RequestedBy string         `json:"requested_by,omitempty"`
	CreatedAt   time.Time      `json:"created_at"`
	CompletedAt *time.Time     `json:"completed_at" nullable:"true"`
}

// ErasurePlace is a place that may have held data of the subject.
type ErasurePlace struct {
	Name     string     `json:"name" example:"read models"`
	ErasedAt *time.Time `json:"erased_at" nullable:"true" doc:"Null while it is pending."`
}

// ErasureOf shows an erasure.
func ErasureOf(s *privacy.Erasure) Erasure {
	v := Erasure{ID: s.ID, Subject: s.Subject, Scope: "workspace", Status: string(s.Status()), Reason: s.Reason, Events: s.Events,
		Unsealed: s.Unsealed, RequestedBy: s.By, CreatedAt: s.RequestedAt, CompletedAt: timeOrNil(s.CompletedAt),
		Places: make([]ErasurePlace, 0, len(s.Places))}
	if s.Workspace == "" {
		v.Scope = "organization"
	}
	for _, p := range s.Places {
		v.Places = append(v.Places, ErasurePlace{Name: p.Name, ErasedAt: timeOrNil(p.ErasedAt)})
	}
	return v
}
