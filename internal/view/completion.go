package view

import (
	"time"

	"strata/domain"
	"strata/domain/conversation"
)

// Chat is a conversation as the Inference API shows it.
type Chat struct {
	ID            string        `json:"id" example:"chat_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name          string        `json:"name" doc:"What it is called; the beginning of its first question until it is given a name." example:"What are your business hours?"`
	Messages      []ChatMessage `json:"messages" doc:"Oldest first."`
	MessageCount  int64         `json:"message_count" doc:"Of the whole chat." example:"2"`
	HasMore       *bool         `json:"has_more,omitempty" doc:"Whether there are messages before these. Only of a window."`
	Model         string        `json:"model,omitempty" doc:"Model of its completions that name none." example:"strata/extract-1"`
	MaxTokens     int64         `json:"max_tokens,omitempty"`
	Temperature   *float64      `json:"temperature,omitempty"`
	GuardEnabled  *bool         `json:"guard_enabled,omitempty"`
	RouterEnabled *bool         `json:"router_enabled,omitempty"`
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
}

// ChatCompletion answers a completion of the Inference API.
type ChatCompletion struct {
	ID        string         `json:"id" doc:"Of the chat: send it with the next request to go on." example:"chat_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Object    string         `json:"object" example:"chat.completion"`
	Model     string         `json:"model" doc:"That answered." example:"strata/extract-1"`
	CreatedAt time.Time      `json:"created_at"`
	Choices   []ChatChoice   `json:"choices"`
	Guard     GuardVerdict   `json:"guard"`
	Router    RouterChoice   `json:"router"`
	Usage     CompletionUsed `json:"usage"`
	MessageID string         `json:"message_id" doc:"Of the answer; feedback refers to it." example:"msg_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	RunID     string         `json:"run_id" doc:"Of the turn." example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
}

// ChatChoice is the answer of a completion.
type ChatChoice struct {
	Index        int         `json:"index" example:"0"`
	Message      ChatSaid    `json:"message"`
	FinishReason string      `json:"finish_reason" doc:"stop, length, tool_calls, or content_filter when the guard let something not pass." example:"stop"`
	Prompt       *[]ChatSaid `json:"prompt,omitempty" doc:"With echo: what the model was sent, experts included."`
}

// ChatSaid is a message without its place in a chat.
type ChatSaid struct {
	Role       string       `json:"role" example:"assistant"`
	Content    string       `json:"content" example:"Our business hours are 9 AM to 6 PM Monday through Friday"`
	Name       string       `json:"name,omitempty" doc:"Of the participant."`
	ToolCallID string       `json:"tool_call_id,omitempty" doc:"The call that a tool's message answers."`
	ToolCalls  []domain.Doc `json:"tool_calls,omitempty" doc:"Tools that the assistant wants called, in OpenAI's form."`
}

// CompletionUsed counts tokens under OpenAI's names.
type CompletionUsed struct {
	PromptTokens     int64 `json:"prompt_tokens" example:"31"`
	CompletionTokens int64 `json:"completion_tokens" example:"17"`
	TotalTokens      int64 `json:"total_tokens" example:"48"`
}

// GuardVerdict is what the guard says of a question and its answer.
type GuardVerdict struct {
	Enabled    bool     `json:"enabled" doc:"Whether the guard was asked." example:"true"`
	Flagged    bool     `json:"flagged" doc:"Something was found." example:"false"`
	Allowed    bool     `json:"allowed" doc:"Nothing of it had to be stopped." example:"true"`
	Categories []string `json:"categories" doc:"Of what was found."`
	Side       string   `json:"side,omitempty" doc:"Where something was stopped: input or output." enum:"input,output"`
	Reason     string   `json:"reason,omitempty" doc:"With guard_reasoning_enabled: what was found, in words."`
	CheckedBy  []string `json:"checked_by" doc:"What looked: rules, and the id of the guard model if there is one."`
}

// RouterChoice is what the router chose for a question.
type RouterChoice struct {
	Enabled   bool    `json:"enabled" doc:"Whether the router was asked." example:"true"`
	ExpertID  string  `json:"expert_id,omitempty" doc:"Expert that was chosen; absent when none fits." example:"exp_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Expert    string  `json:"expert,omitempty" doc:"Its name." example:"Tax adviser"`
	Model     string  `json:"model,omitempty" doc:"Model route that was chosen, of requests that name no model." example:"flotorch/smart-model"`
	Score     float64 `json:"score" doc:"How well the choice fits the question, from 0 to 1." example:"0.42"`
	Reasoning string  `json:"reasoning,omitempty" doc:"With router_reasoning_enabled: why."`
}

// ChatOf renders what a chat is without its messages.
func ChatOf(id, title string, messages int64, set conversation.Settings, created, updated time.Time) Chat {
	return Chat{ID: id, Name: title, MessageCount: messages, Model: set.Model, MaxTokens: set.MaxTokens, Temperature: set.Temperature,
		GuardEnabled: set.GuardEnabled, RouterEnabled: set.RouterEnabled, CreatedAt: created, UpdatedAt: updated, Messages: []ChatMessage{}}
}
