package readapi

import (
	"context"
	"net/http"

	"strata/domain/conversation"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/conversations"
	"strata/projections/history"
)

// messagesShown is how many of its latest messages a chat shows.
const messagesShown = 40

func (a *API) chats() {
	a.inferenceChats() // before the others: the audit trail shows chats as those do
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
	serve(a, a.chat(op("getChat", "/chat/history/{id}", "Get one chat", "get")))
}

// chat is one chat, now and in the past.
func (a *API) chat(op httpx.Op) resource[conversations.Past, view.ChatHistory] {
	return resource[conversations.Past, view.ChatHistory]{
		op: op, agg: conversations.PastAggregate(messagesShown), param: "id", grown: []string{"messages"},
		now: func(ctx context.Context) (httpx.Reply[view.ChatHistory], error) {
			_, ws := tenant(ctx)
			c, err := a.Conversations.Get(ctx, ws, httpx.PathValue(ctx, "id"))
			if err != nil {
				return httpx.Reply[view.ChatHistory]{}, err
			}
			out, err := a.showChat(ctx, c)
			return httpx.Reply[view.ChatHistory]{Body: out, Revision: &c.Revision}, err
		},
		alive: func(m *history.Moment[conversations.Past]) bool { return m.State.Exists && !m.State.Deleted },
		show: func(m *history.Moment[conversations.Past]) (view.ChatHistory, error) {
			return chatOf(pastChat(m.State), m.State.Said), nil
		},
		added: chatAdditions,
	}
}

// pastChat is a chat at a moment as the read model has it.
func pastChat(s *conversations.Past) conversations.Conversation {
	return conversations.Conversation{ID: s.ID, AppID: s.AppID, Model: s.Model, Title: s.Title, Settings: s.Settings,
		MessageCount: s.MessageCount, Replaced: s.Replaced, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
}

// chatAdditions are the messages and the feedback that a revision brought.
func chatAdditions(m *history.Moment[conversations.Past]) []addition {
	if f, ok := m.Event.Fact.(conversation.FeedbackGiven); ok {
		return []addition{{list: "feedback", item: view.ChatFeedback{ID: f.ID, ChatID: m.State.ID, MessageID: f.MessageID,
			Rating: string(f.Rating), Comment: f.Comment, CreatedAt: m.Event.Meta.OccurredAt, CreatedBy: m.Event.Meta.Actor}}}
	}
	if said, ok := conversations.MessageOf(m.Event, m.State.MessageCount); ok {
		return []addition{{list: "messages", item: showMessage(m.State.ID, said)}}
	}
	return nil
}

func (a *API) showChat(ctx context.Context, c conversations.Conversation) (view.ChatHistory, error) {
	messages, err := a.Conversations.Latest(ctx, c.ID, messagesShown)
	return chatOf(c, messages), err
}

func chatOf(c conversations.Conversation, messages []conversations.Message) view.ChatHistory {
	out := view.ChatHistory{ID: c.ID, AppID: c.AppID, Model: c.Model, Title: c.Title, MessageCount: c.MessageCount - c.Replaced,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Messages: make([]view.ChatMessage, len(messages))}
	for i, m := range messages {
		out.Messages[i] = showMessage(c.ID, m)
	}
	return out
}

func showMessage(chat string, m conversations.Message) view.ChatMessage {
	out := view.ChatMessage{ID: m.ID, SessionID: chat, Role: string(m.Role), Content: m.Content, RunID: m.RunID,
		Name: m.Name, ToolCallID: m.ToolCallID, ToolCalls: m.ToolCalls, FinishReason: m.FinishReason, Feedback: string(m.Feedback), CreatedAt: m.At, Error: m.Error}
	if m.Role == conversation.Assistant {
		out.TokenUsage = &view.TokenUsage{Prompt: m.TokenUsage.Prompt, Completion: m.TokenUsage.Completion, Total: m.TokenUsage.Total}
	}
	return out
}
