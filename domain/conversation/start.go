package conversation

import "strata/domain"

// Limits of what a client may store.
const (
	maxID      = 256       // bytes of an identifier or model name
	maxTitle   = 200       // characters of a title
	maxContent = 256 << 10 // bytes of a question
	maxVars    = 64 << 10  // bytes of variables as JSON
	maxComment = 4 << 10   // bytes of a comment
)

// Start begins a conversation. Asking can do it too, see [Ask.Start].
type Start struct {
	AppID      string
	Model      string
	UserID     string
	Title      string // "": the first question becomes the title
	SessionUID string
}

// Decide implements domain.Decider.
func (c Start) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "chat %q exists already", s.ID)
	}
	var f domain.Faults
	c.check(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{c.fact(s.ID)}, nil
}

func (c Start) check(f *domain.Faults) {
	for _, id := range []struct{ field, value string }{
		{"app_id", c.AppID}, {"model", c.Model}, {"user_id", c.UserID}, {"session_uid", c.SessionUID},
	} {
		f.Add(len(id.value) > maxID, id.field, "must be at most %d bytes long", maxID)
	}
	checkTitle(f, c.Title)
}

func (c Start) fact(id string) Started {
	return Started{AppID: c.AppID, Model: c.Model, UserID: c.UserID, Title: c.Title, SessionUID: c.SessionUID,
		Subject: subject(c.UserID, id)}
}
