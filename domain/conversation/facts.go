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
	Role      Role       `json:"role,omitempty"`      // Tool for a tool's result; "" is User
	Speaker
	Subject string `json:"subject,omitempty"`
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
	ToolCalls    []domain.Doc `json:"tool_calls,omitempty"` // what the assistant wants called, as the model wrote it
	Guard        domain.Doc   `json:"guard,omitempty"`      // the guard's verdict on question and answer
	Router       domain.Doc   `json:"router,omitempty"`     // what the router chose
	Blocked      bool         `json:"blocked,omitempty"`    // the guard let the question or the answer not pass
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

// Speaker tells more of who says a message than its role.
type Speaker struct {
	Name       string `json:"name,omitempty"`         // of the participant
	ToolCallID string `json:"tool_call_id,omitempty"` // the call that a tool's message answers
}

// MessageAdded is a message that a client gave as part of the conversation: what
// was said before a question, or elsewhere.
type MessageAdded struct {
	MessageID string       `json:"message_id"`
	RunID     string       `json:"run_id,omitempty"` // turn it was given with
	Sequence  int64        `json:"sequence"`
	Role      Role         `json:"role"`
	Content   string       `json:"content"`
	ToolCalls []domain.Doc `json:"tool_calls,omitempty"`
	Speaker
	Subject string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (MessageAdded) EventType() string { return "conversation.message_added.v1" }

// DataSubject implements domain.PersonalFact.
func (f MessageAdded) DataSubject() string { return f.Subject }

// MessagesReplaced takes all messages so far out of the conversation; those that
// follow stand in their place. Numbers are not used again.
type MessagesReplaced struct{}

// EventType implements domain.Fact.
func (MessagesReplaced) EventType() string { return "conversation.messages_replaced.v1" }

// Configured sets what completions of the conversation take when they do not say
// otherwise. It carries all settings.
type Configured struct{ Settings }

// EventType implements domain.Fact.
func (Configured) EventType() string { return "conversation.configured.v1" }

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
		domain.FactOf[MessageAdded](),
		domain.FactOf[MessagesReplaced](),
		domain.FactOf[Configured](),
		domain.FactOf[Deleted](),
	}
}
