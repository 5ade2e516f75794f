package mem0

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/memory"
)

// own is how names of ours begin in a memory's metadata.
const own = "strata_"

// Names of ours in metadata.
const (
	ownType       = own + "type"
	ownImportance = own + "importance"
	ownExpires    = own + "expires_at"
	ownApp        = own + "app_id" // at servers, which know no apps
)

// record is a memory as mem0 tells of it. Which fields are there depends on the
// operation and on mem0's version.
type record struct {
	ID        string          `json:"id"`
	Memory    string          `json:"memory"`
	Data      json.RawMessage `json:"data"` // {"memory": …} in answers to additions
	Event     string          `json:"event"`
	EventID   string          `json:"event_id"` // of an addition that is done later
	UserID    string          `json:"user_id"`
	AgentID   string          `json:"agent_id"`
	AppID     string          `json:"app_id"`
	RunID     string          `json:"run_id"`
	Metadata  domain.Doc      `json:"metadata"`
	Score     float64         `json:"score"`
	CreatedAt moment          `json:"created_at"`
	UpdatedAt moment          `json:"updated_at"`
}

// moment is a time as mem0 writes it: some of its versions leave out the zone.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler. What is no time is no time: no memory is
// worth losing over it.
func (m *moment) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			m.Time = at.UTC()
			return nil
		}
	}
	return nil
}

// records reads a list in any of the shapes that mem0's versions answer with: an
// array, or an object that has one. more tells of a further page.
func records(body []byte) (all []record, more bool, err error) {
	if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '[' {
		err = json.Unmarshal(body, &all)
		return all, false, err
	}
	var wrapped struct {
		Results  []record `json:"results"`
		Memories []record `json:"memories"`
		Next     *string  `json:"next"`
		EventID  string   `json:"event_id"`
	}
	if err = json.Unmarshal(body, &wrapped); err != nil {
		return nil, false, err
	}
	all = append(wrapped.Results, wrapped.Memories...)
	if len(all) == 0 && wrapped.EventID != "" {
		all = []record{{EventID: wrapped.EventID}}
	}
	return all, wrapped.Next != nil && *wrapped.Next != "", nil
}

// found is a record as one of our memories.
func (r *record) found(provider string) memory.Found {
	f := memory.Found{Score: max(0, min(1, r.Score)), State: memory.State{ID: r.ID, Provider: provider, Exists: true,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
		Fields: memory.Fields{Content: r.Memory, Type: memory.Semantic, AgentID: r.AgentID, UserID: r.UserID, SessionID: r.RunID, AppID: r.AppID}}}
	if f.UpdatedAt.IsZero() {
		f.UpdatedAt = f.CreatedAt
	}
	for name, value := range r.Metadata {
		switch name {
		case ownType:
			_ = json.Unmarshal(value, &f.Type) // what somebody else wrote there is not ours
		case ownImportance:
			_ = json.Unmarshal(value, &f.Importance)
		case ownExpires:
			_ = json.Unmarshal(value, &f.ExpiresAt)
		case ownApp:
			_ = json.Unmarshal(value, &f.AppID)
		default:
			if f.Metadata == nil {
				f.Metadata = domain.Doc{}
			}
			f.Metadata[name] = value
		}
	}
	if !slices.Contains(memory.Kinds(), f.Type) {
		f.Type = memory.Semantic
	}
	if f.Importance != nil && (*f.Importance < 0 || *f.Importance > 1) {
		f.Importance = nil
	}
	return f
}

// metadata is what mem0 keeps with a text.
func (p *Provider) metadata(f memory.Fields) (domain.Doc, error) {
	values := map[string]any{ownType: f.Type}
	if f.Importance != nil {
		values[ownImportance] = *f.Importance
	}
	if !f.ExpiresAt.IsZero() {
		values[ownExpires] = f.ExpiresAt
	}
	if p.Server && f.AppID != "" {
		values[ownApp] = f.AppID
	}
	out := domain.Doc{}
	for name, value := range f.Metadata {
		out[name] = value
	}
	for name, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

// check names what mem0 could not keep.
func (p *Provider) check(m memory.Fields) error {
	var f domain.Faults
	f.Add(m.UserID == "" && m.AgentID == "" && m.SessionID == "" && (m.AppID == "" || p.Server), "user_id",
		"or agent_id or session_id is required by mem0")
	for name := range m.Metadata {
		f.Add(strings.HasPrefix(name, own), "metadata."+name, "is reserved: names may not begin with %s", own)
	}
	return f.Err()
}

// belongs are the fields that say whom a memory belongs to.
func (p *Provider) belongs(agent, user, session, app string) map[string]string {
	out := map[string]string{}
	for name, id := range map[string]string{"agent_id": agent, "user_id": user, "run_id": session, "app_id": app} {
		if id != "" && (name != "app_id" || !p.Server) {
			out[name] = id
		}
	}
	return out
}
