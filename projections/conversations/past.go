package conversations

import (
	"cmp"

	"strata/domain"
	"strata/domain/conversation"
)

// Past is a chat at some revision with its latest messages.
type Past struct {
	conversation.State
	Said []Message // oldest first
}

// PastAggregate folds a chat together with its n latest messages, to the same
// that the model's tables would have shown.
func PastAggregate(n int) *domain.Aggregate[Past] {
	plain := conversation.Aggregate
	return &domain.Aggregate[Past]{Category: plain.Category, Prefix: plain.Prefix, Noun: plain.Noun, Facts: plain.Facts,
		New:   func(id string) *Past { return &Past{State: *plain.New(id)} },
		Apply: func(p *Past, e domain.Event) { p.apply(n, e) }}
}

func (p *Past) apply(n int, e domain.Event) {
	conversation.Aggregate.Apply(&p.State, e)
	switch f := e.Fact.(type) {
	case conversation.TurnAnswered:
		p.end(f.RunID, Done, "", "")
	case conversation.TurnFailed:
		p.end(f.RunID, Failed, f.Code, f.Message)
	case conversation.FeedbackGiven:
		for i := range p.Said {
			if p.Said[i].ID == f.MessageID {
				p.Said[i].Feedback = f.Rating
			}
		}
	case conversation.MessagesReplaced:
		p.Said = nil
	case domain.Erased:
		for i := range p.Said {
			p.Said[i].Content, p.Said[i].Error, p.Said[i].Status = "", "", Erased
		}
	}
	if m, ok := MessageOf(e, p.MessageCount); ok {
		p.Said = append(p.Said, m)
	}
	if len(p.Said) > n {
		p.Said = p.Said[len(p.Said)-n:]
	}
}

func (p *Past) end(runID string, status Status, code, message string) {
	for i := range p.Said {
		if m := &p.Said[i]; m.RunID == runID && m.Status == Open {
			m.Status, m.ErrorCode, m.Error = status, code, message
		}
	}
}

// MessageOf is the message that an event adds to a chat, if it does; count is
// how many there are with it.
func MessageOf(e domain.Event, count int64) (Message, bool) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case conversation.TurnAsked:
		return Message{ID: f.MessageID, RunID: f.RunID, Sequence: f.Sequence, Role: cmp.Or(f.Role, conversation.User),
			Speaker: f.Speaker, Content: f.Content, Status: Open, At: at}, true
	case conversation.MessageAdded:
		return Message{ID: f.MessageID, RunID: f.RunID, Sequence: f.Sequence, Role: f.Role, Content: f.Content, Status: Done,
			Speaker: f.Speaker, ToolCalls: f.ToolCalls, At: at}, true
	case conversation.TurnAnswered:
		return Message{ID: f.MessageID, RunID: f.RunID, Sequence: f.Sequence, Role: conversation.Assistant, Content: f.Content, Status: Done,
			FinishReason: f.FinishReason, Model: f.Model, ToolCalls: f.ToolCalls, TokenUsage: f.TokenUsage, Cost: f.Cost, At: at}, true
	case conversation.TurnFailed:
		return Message{ID: f.MessageID, RunID: f.RunID, Sequence: f.Sequence, Role: conversation.Assistant, Content: f.PartialContent, Status: Failed,
			FinishReason: "error", ErrorCode: f.Code, Error: f.Message, At: at}, f.MessageID != ""
	case domain.Erased:
		role := conversation.Assistant
		switch f.Type {
		case conversation.TurnAsked{}.EventType(), conversation.MessageAdded{}.EventType(): // by whom is lost
			role = conversation.User
		case conversation.TurnAnswered{}.EventType():
		default:
			return Message{}, false
		}
		return Message{ID: domain.FormatID("msg", e.ID), Sequence: count, Role: role, Status: Erased, At: at}, true
	}
	return Message{}, false
}
