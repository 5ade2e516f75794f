package session

import (
	"regexp"

	"strata/domain"
)

// Limits of what a client may store.
const (
	maxUID      = 128       // bytes of an identifier
	maxName     = 256       // bytes of app, agent, user and author names
	maxState    = 256 << 10 // bytes of the working state, and of the metadata, as JSON
	maxContent  = 1 << 20   // bytes of one event's content
	uidAlphabet = "letters, digits, '_', ':' and '-', beginning with a letter or digit"
)

var uidPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_:-]*$`)

// Create begins a session.
type Create struct {
	// UID is the identifier the client asks for, "" for one of Strata's. The
	// session's stream must be the one of [StreamKey].
	UID       string
	AppName   string
	AgentName string
	UserID    string
	State     domain.Doc
	Metadata  domain.Doc
}

// Check names every fault of the input. It is exported because the identifier
// decides the stream, so it must be right before there is a state to decide on.
func (c Create) Check() error {
	var f domain.Faults
	if c.UID != "" {
		f.Add(len(c.UID) > maxUID, "uid", "must be at most %d bytes long", maxUID)
		f.Add(!uidPattern.MatchString(c.UID), "uid", "may hold %s", uidAlphabet)
		f.Add(domain.HasPrefix(c.UID, Aggregate.Prefix), "uid", "must not begin with %q, which Strata's own identifiers do", Aggregate.Prefix+"_")
	}
	f.Add(len(c.AppName) > maxName, "app_name", "must be at most %d bytes long", maxName)
	f.Add(len(c.AgentName) > maxName, "agent_name", "must be at most %d bytes long", maxName)
	f.Add(len(c.UserID) > maxName, "user_id", "must be at most %d bytes long", maxName)
	f.Add(size(c.State) > maxState, "state", "must be at most %d bytes of JSON", maxState)
	f.Add(size(c.Metadata) > maxState, "metadata", "must be at most %d bytes of JSON", maxState)
	return f.Err()
}

// Decide implements domain.Decider.
func (c Create) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if s.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "session %q exists already", s.UID)
	}
	subject := c.UserID
	if subject == "" {
		subject = s.UID
	}
	return []domain.Fact{Created{
		AppName: c.AppName, AgentName: c.AgentName, UserID: c.UserID,
		State: domain.Doc(nil).Merge(c.State), Metadata: c.Metadata, Subject: subject,
	}}, nil
}

// size is about how many bytes a document takes as JSON.
func size(d domain.Doc) int {
	n := 2
	for k, v := range d {
		n += len(k) + len(v) + 4
	}
	return n
}
