package argument

import "strata/domain"

// Usage counts the tokens of a model's call.
type Usage struct {
	Prompt     int64 `json:"prompt"`
	Completion int64 `json:"completion"`
	Total      int64 `json:"total"`
}

// Requested asks for an argument.
type Requested struct {
	Fields
	Model   string `json:"model"` // as it was asked for
	Subject string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Requested) EventType() string { return "argument.requested.v1" }

// DataSubject implements domain.PersonalFact.
func (f Requested) DataSubject() string { return f.Subject }

// Completed is what the model wrote.
type Completed struct {
	Argument     string       `json:"argument"`
	Thinking     string       `json:"thinking,omitempty"`
	DurationMS   int64        `json:"duration_ms"`
	Usage        Usage        `json:"usage"`
	FinishReason string       `json:"finish_reason,omitempty"`
	Model        string       `json:"model"` // that answered, "provider/model"
	Cost         domain.Money `json:"cost_micro_usd,omitempty"`
	Subject      string       `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Completed) EventType() string { return "argument.completed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Completed) DataSubject() string { return f.Subject }

// Failed says why there is no argument.
type Failed struct {
	Code       string `json:"code"` // an error code of the API
	Message    string `json:"message"`
	DurationMS int64  `json:"duration_ms"`
	Subject    string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Failed) EventType() string { return "argument.failed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Failed) DataSubject() string { return f.Subject }

// Revised changes fields of an argument by hand; a null removes. When the client
// came to be another, all fields are there, so that each client's key seals what
// is known under it.
type Revised struct {
	Changed domain.Doc `json:"changed"`
	Subject string     `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Revised) EventType() string { return "argument.revised.v1" }

// DataSubject implements domain.PersonalFact.
func (f Revised) DataSubject() string { return f.Subject }

// Reviewed moves the review on.
type Reviewed struct {
	Status   Status `json:"status"`
	Reviewer string `json:"reviewer,omitempty"`
	Comment  string `json:"comment,omitempty"`
	Subject  string `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (Reviewed) EventType() string { return "argument.reviewed.v1" }

// DataSubject implements domain.PersonalFact.
func (f Reviewed) DataSubject() string { return f.Subject }

// Deleted removes an argument from view.
type Deleted struct{}

// EventType implements domain.Fact.
func (Deleted) EventType() string { return "argument.deleted.v1" }

// FactTypes lists the facts of arguments for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Requested](),
		domain.FactOf[Completed](),
		domain.FactOf[Failed](),
		domain.FactOf[Revised](),
		domain.FactOf[Reviewed](),
		domain.FactOf[Deleted](),
	}
}
