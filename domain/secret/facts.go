package secret

import (
	"time"

	"strata/domain"
)

// Created brings a secret into being, with its first version.
type Created struct {
	Name         string    `json:"name"`
	Description  string    `json:"description,omitempty"`
	Tags         []string  `json:"tags,omitempty"`
	RotationDays int       `json:"rotation_days,omitempty"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
	// Subject is whose key seals the values in the log: this secret's, from here
	// to its deletion. One of the same name that is made later has another.
	Subject string `json:"subject"`
	Value   string `json:"value,omitempty"` // sealed
}

// EventType implements domain.Fact.
func (Created) EventType() string { return "secret.created.v1" }

// SplitPersonal implements domain.PartlyPersonalFact: when the key is gone, that
// there was a secret stays.
func (f Created) SplitPersonal() (open domain.Fact, personal any, subject string) {
	if f.Value == "" || f.Subject == "" {
		return f, nil, ""
	}
	personal = value{f.Value}
	f.Value = ""
	return f, personal, f.Subject
}

// value is the part of a fact that cannot be read without the key.
type value struct {
	Value string `json:"value"`
}

// Updated changes what is known of a secret, but not its value. What is nil stays.
type Updated struct {
	Description  *string    `json:"description,omitempty"`
	Tags         *[]string  `json:"tags,omitempty"`
	RotationDays *int       `json:"rotation_days,omitempty"`
	ExpiresAt    *time.Time `json:"expires_at,omitempty"` // the zero time: never
}

// EventType implements domain.Fact.
func (Updated) EventType() string { return "secret.updated.v1" }

// Rotated gives a secret another value.
type Rotated struct {
	Version   int    `json:"version"`
	Generated bool   `json:"generated,omitempty"` // nobody chose it
	Subject   string `json:"subject"`
	Value     string `json:"value,omitempty"` // sealed
}

// EventType implements domain.Fact.
func (Rotated) EventType() string { return "secret.rotated.v1" }

// SplitPersonal implements domain.PartlyPersonalFact.
func (f Rotated) SplitPersonal() (open domain.Fact, personal any, subject string) {
	if f.Value == "" || f.Subject == "" {
		return f, nil, ""
	}
	personal = value{f.Value}
	f.Value = ""
	return f, personal, f.Subject
}

// Revealed says that somebody was shown a value, and why.
type Revealed struct {
	Version int    `json:"version"`
	Reason  string `json:"reason"`
}

// EventType implements domain.Fact.
func (Revealed) EventType() string { return "secret.revealed.v1" }

// Used says that something used a value, for the first time that day.
type Used struct {
	Version  int    `json:"version"`
	Consumer string `json:"consumer"` // "mcp_server/mcp_…"
	Day      string `json:"day"`      // UTC, "2026-01-02"
}

// EventType implements domain.Fact.
func (Used) EventType() string { return "secret.used.v1" }

// Deleted ends a secret. The key of its values is destroyed then.
type Deleted struct {
	Subject string `json:"subject"`
}

// EventType implements domain.Fact.
func (Deleted) EventType() string { return "secret.deleted.v1" }

// FactTypes are the facts of secrets.
func FactTypes() []domain.FactType {
	return []domain.FactType{domain.FactOf[Created](), domain.FactOf[Updated](), domain.FactOf[Rotated](), domain.FactOf[Revealed](),
		domain.FactOf[Used](), domain.FactOf[Deleted]()}
}

// SecretFields are the fields of the facts that are never shown.
func SecretFields() []string { return []string{"value"} }
