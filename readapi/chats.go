package readapi

import (
	"context"
	"net/http"

	"strata/domain/conversation"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/conversations"
)

// messagesShown is how many of its latest messages a chat shows.
const messagesShown = 40

type chatID struct {
	ID string `path:"id"`
}

func (a *API) chats() {
	op := func(id, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.API, Tag: "Chat", Summary: summary,
			Permission: "conversations:" + verb, Reads: conversations.Name}
	}
	listing := op("listChatHistory", "/chat/history", "Get chat history", "list")
	listing.Paging, listing.Sort, listing.Search = httpx.Cursor, conversations.SortFields, true
	listing.Filters = []string{"app_id", "user_id", "session_id"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.ChatHistory]], error) {
		_, ws := tenant(ctx)
		found, err := a.Conversations.List(ctx, conversations.Filter{Workspace: ws, AppID: in.Filters["app_id"],
			UserID: in.Filters["user_id"], SessionUID: in.Filters["session_id"], Search: in.Search}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.ChatHistory]]{}, err
		}
		return list(found, func(c conversations.Conversation) (view.ChatHistory, error) { return a.showChat(ctx, c) })
	})
	httpx.Register(a.r, op("getChat", "/chat/history/{id}", "Get one chat", "get"),
		func(ctx context.Context, in *chatID) (httpx.Reply[view.ChatHistory], error) {
			_, ws := tenant(ctx)
			c, err := a.Conversations.Get(ctx, ws, in.ID)
			if err != nil {
				return httpx.Reply[view.ChatHistory]{}, err
			}
			out, err := a.showChat(ctx, c)
			return httpx.Reply[view.ChatHistory]{Body: out, Revision: &c.Revision}, err
		})
}

func (a *API) showChat(ctx context.Context, c conversations.Conversation) (view.ChatHistory, error) {
	messages, err := a.Conversations.Latest(ctx, c.ID, messagesShown)
	out := view.ChatHistory{ID: c.ID, AppID: c.AppID, Model: c.Model, Title: c.Title, MessageCount: c.MessageCount,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Messages: make([]view.ChatMessage, len(messages))}
	for i, m := range messages {
		out.Messages[i] = showMessage(c.ID, m)
	}
	return out, err
}

func showMessage(chat string, m conversations.Message) view.ChatMessage {
	out := view.ChatMessage{ID: m.ID, SessionID: chat, Role: string(m.Role), Content: m.Content, RunID: m.RunID,
		FinishReason: m.FinishReason, Feedback: string(m.Feedback), CreatedAt: m.At, Error: m.Error}
	if m.Role == conversation.Assistant {
		out.TokenUsage = &view.TokenUsage{Prompt: m.TokenUsage.Prompt, Completion: m.TokenUsage.Completion, Total: m.TokenUsage.Total}
	}
	return out
}
