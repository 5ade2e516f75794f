package readapi

import (
	"context"
	"net/http"

	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/conversations"
	"strata/projections/history"
)

// How many messages the Inference API's chats show.
const (
	chatMessages  = 1000 // of one chat; what is older is in its windows
	listedChat    = 40   // of each chat of a list
	chatWindow    = 20   // of a window, unless it says
	maxChatWindow = 200
)

type chatsWindow struct {
	Limit  int    `query:"limit" minimum:"1" default:"20" doc:"How many messages at most; more than 200 are cut to 200."`
	Before string `query:"before" doc:"Id of a message: show those before it. The latest when absent."`
}

// inferenceChats registers conversations as the Inference API shows them.
func (a *API) inferenceChats() {
	a.inferenceChatsOn(httpx.V1, "getChatV1", "V1", httpx.After)
	a.inferenceChatsOn(httpx.API, "getWholeChat", "", httpx.Cursor)
}

func (a *API) inferenceChatsOn(mount *httpx.Mount, get, suffix string, paging httpx.Paging) {
	op := func(id, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: mount, Tag: "Chats", Summary: summary,
			Permission: "conversations:" + verb, Reads: conversations.Name}
	}
	listing := op("listChats"+suffix, "/chats", "List chats", "list")
	listing.Description = "Those that were talked in last come first, each with its latest messages."
	listing.Paging, listing.Filters = paging, []string{"name"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Chat]], error) {
		_, ws := tenant(ctx)
		found, err := a.Conversations.List(ctx, conversations.Filter{Workspace: ws, Name: in.Filters["name"]}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Chat]]{}, err
		}
		return list(found, func(c conversations.Conversation) (view.Chat, error) { return a.showInferenceChat(ctx, c, listedChat) })
	})
	serve(a, a.inferenceChat(op(get, "/chats/{id}", "Get chat history", "get")))
	window := op("getChatWindow"+suffix, "/chats/{id}/window", "Get chat history window", "get")
	window.Description = "The latest messages, or those before one. `has_more` tells whether there are older ones."
	httpx.Register(a.r, window, func(ctx context.Context, in *chatsWindow) (httpx.Reply[view.Chat], error) {
		_, ws := tenant(ctx)
		c, err := a.Conversations.Get(ctx, ws, httpx.PathValue(ctx, "id"))
		if err != nil {
			return httpx.Reply[view.Chat]{}, err
		}
		said, more, err := a.Conversations.Before(ctx, c.ID, in.Before, min(in.Limit, maxChatWindow))
		out := inferenceChatOf(c, said)
		out.HasMore = &more
		return httpx.Reply[view.Chat]{Body: out, Revision: &c.Revision}, err
	})
}

// inferenceChat is one chat, now and in the past.
func (a *API) inferenceChat(op httpx.Op) resource[conversations.Past, view.Chat] {
	return resource[conversations.Past, view.Chat]{
		op: op, agg: conversations.PastAggregate(chatMessages), param: "id", grown: []string{"messages"},
		now: func(ctx context.Context) (httpx.Reply[view.Chat], error) {
			_, ws := tenant(ctx)
			c, err := a.Conversations.Get(ctx, ws, httpx.PathValue(ctx, "id"))
			if err != nil {
				return httpx.Reply[view.Chat]{}, err
			}
			out, err := a.showInferenceChat(ctx, c, chatMessages)
			return httpx.Reply[view.Chat]{Body: out, Revision: &c.Revision}, err
		},
		alive: func(m *history.Moment[conversations.Past]) bool { return m.State.Exists && !m.State.Deleted },
		show: func(m *history.Moment[conversations.Past]) (view.Chat, error) {
			return inferenceChatOf(pastChat(m.State), m.State.Said), nil
		},
		added: chatAdditions,
	}
}

func (a *API) showInferenceChat(ctx context.Context, c conversations.Conversation, messages int) (view.Chat, error) {
	said, err := a.Conversations.Latest(ctx, c.ID, messages)
	return inferenceChatOf(c, said), err
}

func inferenceChatOf(c conversations.Conversation, said []conversations.Message) view.Chat {
	out := view.ChatOf(c.ID, c.Title, c.MessageCount-c.Replaced, c.Settings, c.CreatedAt, c.UpdatedAt)
	for _, m := range said {
		out.Messages = append(out.Messages, showMessage(c.ID, m))
	}
	return out
}
