package writeapi

import (
	"net/http"

	"strata/commands"
	"strata/domain"
	"strata/domain/conversation"
	"strata/internal/httpx"
	"strata/internal/view"
)

type giveFeedback struct {
	Body struct {
		ChatID    string `json:"chat_id" required:"true" minLength:"1" example:"chat_01jk2m3n4p5q6r7s8t9v0w1x2y"`
		MessageID string `json:"message_id" doc:"Which answer; the last one when absent."`
		Rating    string `json:"rating" required:"true" enum:"positive,negative" example:"positive"`
		Comment   string `json:"comment" maxLength:"4000" example:"Just what I needed"`
	}
}

type chatID struct {
	ID string `path:"id"`
}

// feedback registers what can be done to a conversation beside talking.
func (a *API) feedback() {
	command(a, operation[giveFeedback, conversation.State, view.ChatFeedback]{
		Op: httpx.Op{ID: "giveChatFeedback", Method: http.MethodPost, Path: "/chat/feedback", Mount: httpx.API, Tag: "Chat",
			Summary: "Submit feedback", Permission: "conversations:update", Status: http.StatusCreated},
		agg: conversation.Aggregate,
		decide: func(req *commands.Request, in *giveFeedback) (domain.Decider[conversation.State], error) {
			b := in.Body
			req.ID = b.ChatID
			return conversation.GiveFeedback{MessageID: b.MessageID, Rating: conversation.Rating(b.Rating), Comment: b.Comment}, nil
		},
		view: func(l *commands.Loaded[conversation.State]) view.ChatFeedback {
			f := l.State.LastFeedback
			return view.ChatFeedback{ID: f.ID, ChatID: l.ID, MessageID: f.MessageID, Rating: string(f.Rating), Comment: f.Comment,
				CreatedAt: l.UpdatedAt, CreatedBy: l.UpdatedBy}
		},
	})
	command(a, operation[chatID, conversation.State, view.Deleted]{
		Op: httpx.Op{ID: "deleteChat", Method: http.MethodDelete, Path: "/chat/history/{id}", Mount: httpx.API, Tag: "Chat",
			Summary: "Delete chat", Permission: "conversations:delete"},
		agg: conversation.Aggregate,
		decide: func(req *commands.Request, in *chatID) (domain.Decider[conversation.State], error) {
			req.ID = in.ID
			return conversation.Delete{}, nil
		},
		view: func(l *commands.Loaded[conversation.State]) view.Deleted {
			return view.Deleted{ID: l.ID, Deleted: true}
		},
	})
}
