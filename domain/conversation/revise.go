package conversation

import (
	"fmt"
	"reflect"
	"unicode/utf8"

	"strata/domain"
)

// Revise changes what a conversation is called, what its completions take, and
// what is said in it. What is nil stays as it is.
type Revise struct {
	Title *string
	// Settings is laid over [Settings], by their JSON names; a null removes.
	Settings domain.Doc
	// Messages, when not nil, stand in the place of all messages so far.
	Messages []Given
	// Answer is an answer that the client got elsewhere; it becomes the
	// assistant's last message.
	Answer *Given
}

// Decide implements domain.Decider. Messages cannot be replaced while a turn is
// open: its answer would follow no question.
func (c Revise) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	settings, err := c.settings(s)
	if err != nil {
		return nil, err
	}
	if err := c.check(settings); err != nil {
		return nil, err
	}
	if c.Messages != nil && len(s.Open) > 0 {
		return nil, domain.Errorf(domain.CodeConflict, "chat %q is waiting for an answer; its messages can be replaced when it has come", s.ID)
	}
	var facts []domain.Fact
	if c.Title != nil && *c.Title != s.Title {
		facts = append(facts, Renamed{Title: *c.Title, Subject: s.Subject()})
	}
	if !reflect.DeepEqual(settings, s.Settings) {
		facts = append(facts, Configured{settings})
	}
	added := c.Messages
	if c.Messages != nil {
		facts = append(facts, MessagesReplaced{})
	}
	if c.Answer != nil {
		added = append(added[:len(added):len(added)], *c.Answer)
	}
	for i, g := range added {
		facts = append(facts, g.fact(env, s.MessageCount+1+int64(i), "", s.Subject()))
	}
	return facts, nil
}

func (c Revise) settings(s *State) (Settings, error) {
	if len(c.Settings) == 0 {
		return s.Settings, nil
	}
	before, err := domain.DocOf(s.Settings)
	if err != nil {
		return Settings{}, fmt.Errorf("settings of chat %s as a document: %w", s.ID, err)
	}
	return domain.Decode[Settings](before.Merge(c.Settings))
}

func (c Revise) check(settings Settings) error {
	var f domain.Faults
	if c.Title != nil {
		f.Add(*c.Title == "", "name", "must not be empty")
		f.Add(utf8.RuneCountInString(*c.Title) > maxTitle, "name", "must be at most %d characters long", maxTitle)
	}
	f.Add(len(settings.Model) > maxID, "model", "must be at most %d bytes long", maxID)
	f.Add(settings.MaxTokens < 0, "max_tokens", "must be at least 1")
	f.Add(settings.Temperature != nil && (*settings.Temperature < 0 || *settings.Temperature > 2), "temperature", "must be between 0 and 2")
	checkGiven(&f, "messages", c.Messages)
	if c.Answer != nil {
		c.Answer.check(&f, "last_response.choices[0].message")
	}
	return f.Err()
}
