package secret

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"strata/domain"
)

// The limits of a secret.
const (
	MaxValue        = 16 << 10 // bytes
	maxDescription  = 2000
	maxTags         = 50
	maxTag          = 100
	maxRotationDays = 3650
	maxReason       = 500
)

var nameForm = regexp.MustCompile(`^` + namePattern + `$`)

// CheckValue adds the faults of a value before it is sealed.
func CheckValue(f *domain.Faults, value string) {
	f.Add(value == "", "value", "is required")
	f.Add(len(value) > MaxValue, "value", "must be at most %d bytes long", MaxValue)
}

// Create makes a secret. Its value is sealed already, see [CheckValue].
type Create struct {
	Name, Description string
	Tags              []string
	RotationDays      int
	ExpiresAt         time.Time // zero: never
	Sealed            string
}

// Decide implements domain.Decider.
func (c Create) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	var f domain.Faults
	f.Add(c.Name == "", "name", "is required")
	f.Add(c.Name != "" && !nameForm.MatchString(c.Name), "name", "must begin with a letter, be of letters, digits, '.', '_' and '-', and at most 100 long")
	checkMeta(&f, env.Now, &c.Description, &c.Tags, &c.RotationDays, &c.ExpiresAt)
	f.Add(c.Sealed == "", "value", "is required")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "the secret name %q is taken", c.Name)
	}
	return []domain.Fact{Created{Name: c.Name, Description: c.Description, Tags: c.Tags, RotationDays: c.RotationDays,
		ExpiresAt: c.ExpiresAt.UTC(), Subject: env.NewID(Aggregate.Prefix), Value: c.Sealed}}, nil
}

func checkMeta(f *domain.Faults, now time.Time, description *string, tags *[]string, days *int, expires *time.Time) {
	if description != nil {
		f.Add(len(*description) > maxDescription, "description", "must be at most %d bytes long", maxDescription)
	}
	if tags != nil {
		f.Add(len(*tags) > maxTags, "tags", "must be at most %d", maxTags)
		bad := slices.ContainsFunc(*tags, func(t string) bool { return strings.TrimSpace(t) == "" || len(t) > maxTag })
		f.Add(bad, "tags", "must be words of at most %d bytes", maxTag)
	}
	if days != nil {
		f.Add(*days < 0 || *days > maxRotationDays, "rotation_days", "must be from 1 to %d, or 0 for none", maxRotationDays)
	}
	if expires != nil {
		f.Add(!expires.IsZero() && !expires.After(now), "expires_at", "must be in the future")
	}
}

// there says NOT_FOUND of a secret that is not, or not any more.
func (s *State) there() error {
	if s.Exists {
		return nil
	}
	if s.Name != "" {
		return domain.NotFound(Aggregate.Noun, s.Name)
	}
	return domain.NotFound(Aggregate.Noun, s.ID)
}

// Put changes a secret: what is nil, or "" for the value, stays as it is.
type Put struct {
	Description  *string
	Tags         *[]string
	RotationDays *int
	ExpiresAt    *time.Time
	Sealed       string
}

// Decide implements domain.Decider.
func (c Put) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	var f domain.Faults
	checkMeta(&f, env.Now, c.Description, c.Tags, c.RotationDays, c.ExpiresAt)
	if err := f.Err(); err != nil {
		return nil, err
	}
	var facts []domain.Fact
	if changed, any := c.changes(s); any {
		facts = append(facts, changed)
	}
	if c.Sealed != "" {
		facts = append(facts, s.rotated(c.Sealed, false))
	}
	return facts, nil
}

// changes is what of the command is not so already.
func (c Put) changes(s *State) (u Updated, any bool) {
	if c.Description != nil && *c.Description != s.Description {
		u.Description = c.Description
	}
	if c.Tags != nil && !same(*c.Tags, s.Tags) {
		u.Tags = c.Tags
	}
	if c.RotationDays != nil && *c.RotationDays != s.RotationDays {
		u.RotationDays = c.RotationDays
	}
	if c.ExpiresAt != nil && !c.ExpiresAt.Equal(s.ExpiresAt) {
		at := c.ExpiresAt.UTC()
		u.ExpiresAt = &at
	}
	return u, u != (Updated{})
}

func (s *State) rotated(sealed string, generated bool) Rotated {
	return Rotated{Version: s.Version + 1, Generated: generated, Subject: s.Subject, Value: sealed}
}

// Rotate gives a secret another value, sealed already.
type Rotate struct {
	Sealed    string
	Generated bool
}

// Decide implements domain.Decider.
func (c Rotate) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if c.Sealed == "" {
		var f domain.Faults
		f.Add(true, "value", "is required unless generate is true")
		return nil, f.Err()
	}
	return []domain.Fact{s.rotated(c.Sealed, c.Generated)}, nil
}

// Reveal records that somebody is shown a version's value, the current one for 0.
// Also of a secret that has expired: that it may not be used is no reason to keep
// it from those who look after it.
type Reveal struct {
	Version int
	Reason  string
}

// Decide implements domain.Decider.
func (c Reveal) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	reason := strings.TrimSpace(c.Reason)
	version := c.Version
	if version == 0 {
		version = s.Version
	}
	_, kept := s.Value(version)
	var f domain.Faults
	f.Add(reason == "", "reason", "is required")
	f.Add(len(reason) > maxReason, "reason", "must be at most %d bytes long", maxReason)
	f.Add(version < 1 || version > s.Version, "version", "there is none such; the current one is %d", s.Version)
	f.Add(!kept && version >= 1 && version <= s.Version, "version", "its value is not kept any more")
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{Revealed{Version: version, Reason: reason}}, nil
}

// dayForm writes the day that a use stands for.
const dayForm = "2006-01-02"

// Use records that something uses a version. Only the first use of a version by a
// consumer in a day, in UTC, is a fact.
type Use struct {
	Version  int
	Consumer string
}

// Decide implements domain.Decider.
func (c Use) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	day := Day(env.Now)
	if s.UsedOn > day { // the clock of another node is ahead
		day = s.UsedOn
	}
	if s.UsedOn == day && s.Users[c.Consumer] >= c.Version {
		return nil, nil
	}
	return []domain.Fact{Used{Version: c.Version, Consumer: c.Consumer, Day: day}}, nil
}

// Day names the day of a moment.
func Day(at time.Time) string { return at.UTC().Format(dayForm) }

// Delete removes a secret and all its values, whoever still names it.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Deleted{Subject: s.Subject}}, nil
}
