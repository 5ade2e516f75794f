package argument

import (
	"time"

	"strata/domain"
)

// Fields are what a client may set of an argument.
type Fields struct {
	ActionID    string     `json:"action_id,omitempty"`
	Argument    string     `json:"argument,omitempty"`
	Thinking    string     `json:"argument_thinking,omitempty"`
	Client      domain.Doc `json:"client,omitempty"`
	Product     domain.Doc `json:"product,omitempty"`
	InsightSpec domain.Doc `json:"insight_spec,omitempty"`
}

// Status of a review.
type Status string

// The statuses of a review.
const (
	Pending       Status = "pending"        // nobody was asked to look at it
	WaitingReview Status = "waiting_review" // somebody was
	Reviewing     Status = "reviewing"      // somebody does
	Success       Status = "success"
	Rejected      Status = "failed"
)

// Statuses lists the statuses, for validation and documentation.
func Statuses() []Status { return []Status{Pending, WaitingReview, Success, Rejected, Reviewing} }

// Transitions are the statuses that a review may go to from one. A review is
// never undone, but what was decided can be reviewed again.
func Transitions(from Status) []Status {
	switch from {
	case Pending:
		return []Status{WaitingReview, Reviewing, Success, Rejected}
	case WaitingReview:
		return []Status{Reviewing, Success, Rejected}
	case Reviewing:
		return []Status{WaitingReview, Success, Rejected}
	}
	return []Status{Reviewing}
}

// Review is what was thought of an argument.
type Review struct {
	Status     Status
	Reviewer   string
	Comment    string
	ReviewedAt time.Time // when it last moved on; zero while pending
}

// State is what is known of an argument at one revision.
type State struct {
	ID string
	Fields
	Review       Review
	Model        string // asked for, and once it has answered, that did
	Usage        Usage
	FinishReason string
	Cost         domain.Money
	DurationMS   int64
	ErrorCode    string
	Error        string // why there is no argument
	Open         bool   // the model has not answered yet
	Exists       bool
	Deleted      bool
	Erased       bool // the client was erased
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Aggregate folds the streams of arguments.
var Aggregate = &domain.Aggregate[State]{
	Category: "argument", Prefix: "arg", Noun: "argument", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Gone:  func(s *State) bool { return s.Erased },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Requested:
		s.Exists, s.CreatedAt, s.Open = true, at, true
		s.Fields, s.Model, s.Review, s.Erased = f.Fields, f.Model, Review{Status: Pending}, false
	case Completed:
		s.Open = false
		s.Argument, s.Thinking, s.DurationMS = f.Argument, f.Thinking, f.DurationMS
		s.Usage, s.FinishReason, s.Model, s.Cost = f.Usage, f.FinishReason, f.Model, f.Cost
	case Failed:
		s.Open, s.ErrorCode, s.Error, s.DurationMS = false, f.Code, f.Message, f.DurationMS
	case Revised:
		s.Fields, s.Erased = s.merged(f.Changed), false
	case Reviewed:
		s.Review = Review{Status: f.Status, Reviewer: f.Reviewer, Comment: f.Comment, ReviewedAt: at}
	case Deleted:
		s.Deleted = true
	case domain.Erased:
		// What a later fact does not say again is lost with the key.
		s.Fields, s.Error, s.Review, s.Open, s.Erased = Fields{}, "", Review{Status: Pending}, false, true
		if f.Type == (Requested{}).EventType() {
			s.Exists, s.CreatedAt = true, at
		}
	}
	s.UpdatedAt = at
}

// merged lays changed fields over the argument's. A decided change always
// decodes; if one written by a later version does not, the fields stay.
func (s *State) merged(changed domain.Doc) Fields {
	doc, err := domain.DocOf(s.Fields)
	if err != nil {
		return s.Fields
	}
	fields, err := domain.Decode[Fields](doc.Merge(changed))
	if err != nil {
		return s.Fields
	}
	return fields
}

// subject is whose key seals what is said of a client.
func (f *Fields) subject(id string) string {
	if client := f.Client.String("id"); client != "" && len(client) <= maxID {
		return client
	}
	return id
}

// Subject is whose key seals what is said in the argument.
func (s *State) Subject() string { return s.Fields.subject(s.ID) }

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
