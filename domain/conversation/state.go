package conversation

import (
	"cmp"
	"slices"
	"time"

	"strata/domain"
)

// How much of a conversation its state keeps.
const (
	// Window is how many messages are kept for prompting.
	Window = 40
	// windowBytes bounds their text together; the last message is always kept.
	windowBytes = 1 << 20
	// rateable is how many answers back feedback can be given.
	rateable = 256
	// maxOpen is how many turns may be open at a time.
	maxOpen = 64
)

// Role of a message.
type Role string

// Who says a message.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	Tool      Role = "tool"
)

// Settings are what completions of a conversation take when they do not say
// otherwise. What is nil or empty is not set.
type Settings struct {
	Model         string   `json:"model,omitempty"`
	MaxTokens     int64    `json:"max_tokens,omitempty"`
	Temperature   *float64 `json:"temperature,omitempty"`
	GuardEnabled  *bool    `json:"guard_enabled,omitempty"`
	RouterEnabled *bool    `json:"router_enabled,omitempty"`
}

// Message is one message of the window.
type Message struct {
	ID       string
	RunID    string
	Role     Role
	Content  string
	Sequence int64
	At       time.Time
	Failed   bool // its turn failed or was blocked: not to be shown to a model
	Given    bool // by the client, beside questions and answers
	Speaker
	ToolCalls []domain.Doc
}

// OpenTurn is a turn that has been asked and neither answered nor failed.
type OpenTurn struct {
	RunID     string
	MessageID string
	AskedAt   time.Time
}

// State is what is known of a conversation at one revision.
type State struct {
	ID           string
	AppID        string
	Model        string
	UserID       string
	Title        string
	SessionUID   string
	Settings     Settings
	System       *Message   // the last system message that is out of the window
	Messages     []Message  // the last ones, oldest first
	Open         []OpenTurn // in the order asked
	Answers      []string   // ids of the last answers, oldest first
	MessageCount int64      // of all messages there ever were; also the last sequence
	Replaced     int64      // how many of them are not part of the conversation any more
	TokenUsage   TokenUsage // of all turns
	Cost         domain.Money
	LastFeedback FeedbackGiven
	Exists       bool
	Deleted      bool
	Erased       bool // whom it was held with was erased: it takes nothing more
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Aggregate folds the streams of conversations.
var Aggregate = &domain.Aggregate[State]{
	Category: "conversation", Prefix: "chat", Noun: "chat", Fold: "3",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Gone:  func(s *State) bool { return s.Erased },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Started:
		s.Exists, s.CreatedAt = true, at
		s.AppID, s.Model, s.UserID, s.Title, s.SessionUID = f.AppID, f.Model, f.UserID, f.Title, f.SessionUID
		s.Settings.Model = f.Model
	case Configured:
		s.Settings, s.Model = f.Settings, f.Settings.Model
	case MessageAdded:
		s.say(Message{ID: f.MessageID, RunID: f.RunID, Role: f.Role, Content: f.Content, Sequence: f.Sequence, At: at,
			Given: true, Speaker: f.Speaker, ToolCalls: f.ToolCalls})
	case MessagesReplaced:
		s.Messages, s.Answers, s.System, s.Replaced = nil, nil, nil, s.MessageCount
	case TurnAsked:
		if f.Title != "" {
			s.Title = f.Title
		}
		s.Open = append(s.Open, OpenTurn{f.RunID, f.MessageID, at})
		s.say(Message{ID: f.MessageID, RunID: f.RunID, Role: cmp.Or(f.Role, User), Content: f.Content, Sequence: f.Sequence, At: at,
			Speaker: f.Speaker})
	case TurnAnswered:
		s.close(f.RunID)
		s.TokenUsage.Prompt += f.TokenUsage.Prompt
		s.TokenUsage.Completion += f.TokenUsage.Completion
		s.TokenUsage.Total += f.TokenUsage.Total
		s.Cost += f.Cost
		s.answer(Message{ID: f.MessageID, RunID: f.RunID, Role: Assistant, Content: f.Content, Sequence: f.Sequence, At: at,
			ToolCalls: f.ToolCalls})
		if f.Blocked {
			s.markFailed(f.RunID)
		}
	case TurnFailed:
		s.close(f.RunID)
		s.markFailed(f.RunID)
		if f.MessageID != "" {
			s.answer(Message{ID: f.MessageID, RunID: f.RunID, Role: Assistant, Content: f.PartialContent, Sequence: f.Sequence, At: at, Failed: true})
		}
	case Renamed:
		s.Title = f.Title
	case FeedbackGiven:
		s.LastFeedback = f
	case Deleted:
		s.Deleted = true
	case domain.Erased:
		s.applyErased(f, at)
	}
	s.UpdatedAt = at
}

// applyErased keeps existence and numbering true and forgets everything else:
// all of a conversation is sealed under one key. Which run an erased fact was
// about is lost with it, so nothing stays open, and whether a failed turn left
// a partial answer is unknown: counting one keeps its number from being used
// again.
func (s *State) applyErased(f domain.Erased, at time.Time) {
	s.AppID, s.Model, s.UserID, s.Title, s.SessionUID = "", "", "", "", ""
	s.Messages, s.System, s.Open, s.Answers, s.LastFeedback = nil, nil, nil, nil, FeedbackGiven{}
	s.Erased = true
	switch f.Type {
	case Started{}.EventType():
		s.Exists, s.CreatedAt = true, at
	case TurnAsked{}.EventType(), TurnAnswered{}.EventType(), TurnFailed{}.EventType(), MessageAdded{}.EventType():
		s.MessageCount++
	}
}

func (s *State) say(m Message) {
	s.MessageCount = max(s.MessageCount, m.Sequence)
	s.Messages = append(s.Messages, m)
	size := 0
	for i := len(s.Messages) - 1; i >= 0; i-- {
		size += len(s.Messages[i].Content)
		if n := len(s.Messages) - i; n > 1 && (n > Window || size > windowBytes) {
			s.pin(s.Messages[:i+1])
			s.Messages = slices.Delete(s.Messages, 0, i+1)
			return
		}
	}
}

// pin keeps the last system message of those that leave the window: without it,
// a model would forget what it is to be.
func (s *State) pin(leaving []Message) {
	for _, m := range leaving {
		if m.Role == System && !m.Failed {
			s.System = &m
		}
	}
}

func (s *State) answer(m Message) {
	s.say(m)
	s.Answers = append(s.Answers, m.ID)
	if len(s.Answers) > rateable {
		s.Answers = slices.Delete(s.Answers, 0, 1)
	}
}

func (s *State) close(runID string) {
	s.Open = slices.DeleteFunc(s.Open, func(t OpenTurn) bool { return t.RunID == runID })
}

func (s *State) markFailed(runID string) {
	for i := range s.Messages {
		if s.Messages[i].RunID == runID {
			s.Messages[i].Failed = true
		}
	}
}

// Turn returns an open turn.
func (s *State) Turn(runID string) (OpenTurn, bool) {
	i := slices.IndexFunc(s.Open, func(t OpenTurn) bool { return t.RunID == runID })
	if i < 0 {
		return OpenTurn{}, false
	}
	return s.Open[i], true
}

// Prompt returns what a model is to be shown for answering an open turn: what
// the client gave and the finished turns before it, each question followed by
// its answer, and the turn's own question last. Failed turns and other open ones
// are left out. Whoever is given messages must not change their tool calls.
func (s *State) Prompt(runID string) []Message {
	answers := map[string]Message{}
	for _, m := range s.Messages {
		if m.answers() {
			answers[m.RunID] = m
		}
	}
	var out []Message
	if s.System != nil {
		out = append(out, *s.System)
	}
	for _, m := range s.Messages {
		answer, answered := answers[m.RunID]
		switch {
		case m.Failed, m.answers():
		case m.Given:
			if m.RunID == "" || m.RunID == runID || answered {
				out = append(out, m)
			}
		case m.RunID == runID:
			return append(out, m)
		case answered:
			out = append(out, m, answer)
		}
	}
	return out
}

// answers tells whether a message ends a turn.
func (m *Message) answers() bool { return m.Role == Assistant && !m.Given }

// Subject is whose key seals what is said in the conversation.
func (s *State) Subject() string { return subject(s.UserID, s.ID) }

// subject is whose key seals what is said.
func subject(userID, id string) string {
	if userID != "" {
		return userID
	}
	return id
}

func (s *State) there() error {
	if !s.Exists || s.Deleted {
		return domain.NotFound(Aggregate.Noun, s.ID)
	}
	return nil
}

func (s *State) alive() error {
	if err := s.there(); err != nil {
		return err
	}
	if s.Erased {
		return domain.Gone(Aggregate.Noun, s.ID)
	}
	return nil
}
