package memory

import (
	"slices"
	"time"

	"strata/domain"
)

// Internal is the built-in provider of memories.
const Internal = "internal"

// Limits of what a client may store.
const (
	maxContent  = 64 << 10 // bytes of text
	maxID       = 256      // bytes of an identifier
	maxMetadata = 64 << 10 // bytes of JSON
)

// Add makes a memory.
type Add struct {
	Provider string // "" is Internal, the only one that keeps memories here
	Fields
	OnDuplicate OnDuplicate // "" is KeepBoth
}

// Decide implements domain.Decider.
func (c Add) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "memory %q exists already", s.ID)
	}
	if c.Provider == "" {
		c.Provider = Internal
	}
	if c.Provider != Internal {
		return nil, domain.NotFound("memory provider", c.Provider)
	}
	if c.Type == "" {
		c.Type = Semantic
	}
	var f domain.Faults
	c.check(&f)
	f.Add(c.OnDuplicate != "" && !slices.Contains(OnDuplicates(), c.OnDuplicate), "on_duplicate", "must be one of %v", OnDuplicates())
	f.Add(!c.ExpiresAt.IsZero() && !c.ExpiresAt.After(env.Now), "expires_at", "must be in the future")
	if err := f.Err(); err != nil {
		return nil, err
	}
	c.ExpiresAt = inUTC(c.ExpiresAt)
	c.Metadata = withoutNulls(c.Metadata)
	if c.OnDuplicate == KeepBoth { // as if nothing had been said
		c.OnDuplicate = ""
	}
	return []domain.Fact{Added{Provider: c.Provider, Fields: c.Fields, Subject: subject(c.UserID, s.ID), OnDuplicate: c.OnDuplicate}}, nil
}

// check names every fault that does not depend on the time.
func (m *Fields) check(f *domain.Faults) {
	f.Add(m.Content == "", "content", "is required")
	f.Add(len(m.Content) > maxContent, "content", "must be at most %d bytes long", maxContent)
	f.Add(!slices.Contains(Kinds(), m.Type), "type", "must be one of %v", Kinds())
	for _, id := range []struct{ field, value string }{
		{"agent_id", m.AgentID}, {"user_id", m.UserID}, {"session_id", m.SessionID}, {"app_id", m.AppID},
	} {
		f.Add(len(id.value) > maxID, id.field, "must be at most %d bytes long", maxID)
	}
	size := 2
	for k, v := range m.Metadata {
		size += len(k) + len(v) + 4
	}
	f.Add(size > maxMetadata, "metadata", "must be at most %d bytes of JSON", maxMetadata)
	f.Add(m.Importance != nil && (*m.Importance < 0 || *m.Importance > 1), "importance", "must be between 0 and 1")
}

func inUTC(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

func withoutNulls(d domain.Doc) domain.Doc {
	if len(d) == 0 {
		return nil
	}
	return domain.Doc(nil).Merge(d)
}
