package writeapi

import (
	"encoding/json"
	"net/http"
	"reflect"

	"strata/commands"
	"strata/domain"
	"strata/domain/conversation"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/writeapi/chat"
)

// chatUpdate is what can be changed of a chat.
type chatUpdate struct {
	Name          string           `json:"name" maxLength:"200" doc:"What it is called." example:"Business hours"`
	Model         string           `json:"model" maxLength:"200" doc:"Of completions that name none." example:"strata/extract-1"`
	MaxTokens     int64            `json:"max_tokens" minimum:"1" doc:"Of completions that set none." example:"256"`
	Temperature   *float64         `json:"temperature" minimum:"0" maximum:"2" doc:"Of completions that set none." example:"0.7"`
	GuardEnabled  *bool            `json:"guard_enabled" doc:"For completions that do not say." example:"true"`
	RouterEnabled *bool            `json:"router_enabled" doc:"For completions that do not say." example:"false"`
	Messages      []chat.SaidInput `json:"messages" maxItems:"256" doc:"Stand in the place of all messages so far; not while an answer is awaited."`
	LastResponse  *chatResponse    `json:"last_response" doc:"An answer that was got elsewhere, in the form of a completion: its first choice becomes the assistant's last message."`
}

// chatResponse is a completion as clients send it back; only its first choice's
// message is taken.
type chatResponse struct {
	ID        string            `json:"id"`
	Object    string            `json:"object"`
	Model     string            `json:"model"`
	CreatedAt string            `json:"created_at"`
	Choices   []chatChoiceInput `json:"choices" required:"true" minItems:"1" maxItems:"16"`
	Guard     domain.Doc        `json:"guard"`
	Router    domain.Doc        `json:"router"`
	Usage     domain.Doc        `json:"usage"`
	MessageID string            `json:"message_id"`
	RunID     string            `json:"run_id"`
}

type chatChoiceInput struct {
	Index        int            `json:"index"`
	Message      chat.SaidInput `json:"message" required:"true"`
	FinishReason string         `json:"finish_reason"`
}

type updateChat struct {
	ID   string `path:"id"`
	Body json.RawMessage
}

// chats registers what the Inference API does to a chat beside completions.
func (a *API) chats() {
	a.chatsOn(httpx.V1, "deleteChatV1", "V1")
	a.chatsOn(httpx.API, "removeChat", "")
}

func (a *API) chatsOn(mount *httpx.Mount, remover, suffix string) {
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		command(a, operation[updateChat, conversation.State, view.Chat]{
			Op: httpx.Op{ID: verbOf(method) + "Chat" + suffix, Method: method, Path: "/chats/{id}", Mount: mount, Tag: "Chats",
				Summary: "Update chat", Description: "Fields that are absent stay as they are; null removes a setting. " +
					"The settings hold for the chat's next completions that do not say otherwise.",
				Permission: "conversations:update", Body: reflect.TypeFor[chatUpdate](), BodyView: httpx.Update,
				BodyExample: json.RawMessage(`{"name":"Business hours","model":"strata/extract-1","guard_enabled":true}`)},
			agg: conversation.Aggregate,
			decide: func(req *commands.Request, in *updateChat) (domain.Decider[conversation.State], error) {
				req.ID = in.ID
				return chatRevision(in.Body)
			},
			view: showInferenceChat,
		})
	}
	remove := httpx.Op{ID: remover, Method: http.MethodDelete, Path: "/chats/{id}", Mount: mount, Tag: "Chats",
		Summary: "Delete chat", Permission: "conversations:delete"}
	decide := func(req *commands.Request, in *chatID) (domain.Decider[conversation.State], error) {
		req.ID = in.ID
		return conversation.Delete{}, nil
	}
	if mount.Envelope {
		command(a, operation[chatID, conversation.State, view.Deleted]{Op: remove, agg: conversation.Aggregate, decide: decide,
			view: func(l *commands.Loaded[conversation.State]) view.Deleted {
				return view.Deleted{ID: l.ID, Deleted: true}
			}})
		return
	}
	command(a, operation[chatID, conversation.State, view.DeletedID]{Op: remove, agg: conversation.Aggregate, decide: decide,
		view: func(l *commands.Loaded[conversation.State]) view.DeletedID { return view.DeletedID{ID: l.ID} }})
}

// chatRevision reads an update: what is absent stays.
func chatRevision(body json.RawMessage) (conversation.Revise, error) {
	var cmd conversation.Revise
	var patch domain.Doc
	var in chatUpdate
	if err := json.Unmarshal(body, &patch); err != nil {
		return cmd, err
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return cmd, err
	}
	var f domain.Faults
	if _, given := patch["name"]; given {
		cmd.Title = &in.Name
	}
	if raw, given := patch["messages"]; given && string(raw) != "null" {
		cmd.Messages = chat.Given(&f, "messages", in.Messages)
	}
	if in.LastResponse != nil && len(in.LastResponse.Choices) > 0 {
		said := chat.Given(&f, "last_response.choices", []chat.SaidInput{in.LastResponse.Choices[0].Message})[0]
		said.Role = conversation.Assistant
		cmd.Answer = &said
	}
	for _, field := range []string{"name", "messages", "last_response"} {
		delete(patch, field)
	}
	cmd.Settings = patch
	return cmd, f.Err()
}

// shownMessages is how many of its latest messages a chat shows after an update.
const shownMessages = 40

func showInferenceChat(l *commands.Loaded[conversation.State]) view.Chat {
	s := l.State
	out := view.ChatOf(s.ID, s.Title, s.MessageCount-s.Replaced, s.Settings, s.CreatedAt, s.UpdatedAt)
	said := s.Messages
	if n := len(said) - shownMessages; n > 0 {
		said = said[n:]
	}
	out.Messages = make([]view.ChatMessage, len(said))
	for i, m := range said {
		out.Messages[i] = view.ChatMessage{ID: m.ID, SessionID: s.ID, Role: string(m.Role), Content: m.Content, RunID: m.RunID,
			Name: m.Name, ToolCallID: m.ToolCallID, ToolCalls: m.ToolCalls, CreatedAt: m.At}
	}
	return out
}
