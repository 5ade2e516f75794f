package conversation

import "strata/domain"

// TokenUsage counts what a turn used.
type TokenUsage struct {
	Prompt     int64 `json:"prompt"`
	Completion int64 `json:"completion"`
	Total      int64 `json:"total"`
}

// Started begins a conversation.
type Started struct {
	AppID      string `json:"app_id,omitempty"`
	Model      string `json:"model,omitempty"` // default for its turns
	UserID     string `json:"user_id,omitempty"`
	Title      string `json:"title,omitempty"`
	SessionUID string `json:"session_uid,omitempty"` // session it belongs to
	Subject    string `json:"subject,omitempty"`     // whose key seals this fact
}

// EventType implements domain.Fact.
func (Started) EventType() string { return "conversation.started.v1" }

// DataSubject implements domain.PersonalFact.
func (f Started) DataSubject() string { return f.Subject }

// TurnAsked opens a turn with the user's message.
type TurnAsked struct {
	RunID     string     `json:"run_id"`     // run_…
	MessageID string     `json:"message_id"` // msg_…
	Sequence  int64      `json:"sequence"`   // of the message in the conversation, from 1
	Content   string     `json:"content"`
	Variables domain.Doc `json:"variables,omitempty"` // for the app's prompt
	Title     string     `json:"title,omitempty"`     // set when this message gave the conversation its title
	Subject   string     `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (TurnAsked) EventType() string { return "conversation.turn_asked.v1" }

// DataSubject implements domain.PersonalFact.
func (f TurnAsked) DataSubject() string { return f.Subject }

// TurnAnswered ends a turn with the assistant's message.
type TurnAnswered struct {
	RunID        string       `json:"run_id"`
	MessageID    string       `json:"message_id"`
	Sequence     int64        `json:"sequence"`
	Content      string       `json:"content"`
	TokenUsage   TokenUsage   `json:"token_usage"`
	FinishReason string       `json:"finish_reason,omitempty"` // stop, length, cancelled …
	Model        string       `json:"model,omitempty"`         // that answered, "provider/model"
	Cost         domain.Money `json:"cost_micro_usd,omitempty"`
	Subject      string       `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (TurnAnswered) EventType() string { return "conversation.turn_answered.v1" }

// DataSubject implements domain.PersonalFact.
func (f TurnAnswered) DataSubject() string { return f.Subject }

// TurnFailed ends a turn without an answer, or with the part of one that had
// come when it broke off.
type TurnFailed struct {
	RunID          string `json:"run_id"`
	Code           string `json:"code"` // an error code of the API
	Message        string `json:"message"`
	PartialContent string `json:"partial_content,omitempty"`
	MessageID      string `json:"message_id,omitempty"` // of the partial answer, when there is one
	Sequence       int64  `json:"sequence,omitempty"`   // of the partial answer
	Subject        string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (TurnFailed) EventType() string { return "conversation.turn_failed.v1" }

// DataSubject implements domain.PersonalFact.
func (f TurnFailed) DataSubject() string { return f.Subject }

// Renamed gives a conversation a title of somebody's choice.
type Renamed struct {
	Title   string `json:"title"`
	Subject string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Renamed) EventType() string { return "conversation.renamed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Renamed) DataSubject() string { return f.Subject }

// FeedbackGiven is what somebody thought of an answer. A later one on the same
// message replaces it.
type FeedbackGiven struct {
	ID        string `json:"id"` // fb_…
	MessageID string `json:"message_id"`
	Rating    Rating `json:"rating"`
	Comment   string `json:"comment,omitempty"`
	Subject   string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (FeedbackGiven) EventType() string { return "conversation.feedback_given.v1" }

// DataSubject implements domain.PersonalFact.
func (f FeedbackGiven) DataSubject() string { return f.Subject }

// Deleted removes a conversation from view.
type Deleted struct{}

// EventType implements domain.Fact.
func (Deleted) EventType() string { return "conversation.deleted.v1" }

// FactTypes lists the facts of conversations for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Started](),
		domain.FactOf[TurnAsked](),
		domain.FactOf[TurnAnswered](),
		domain.FactOf[TurnFailed](),
		domain.FactOf[Renamed](),
		domain.FactOf[FeedbackGiven](),
		domain.FactOf[Deleted](),
	}
}
