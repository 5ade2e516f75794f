package view

import (
	"time"

	"strata/domain"
)

// TokenUsage counts the tokens of a turn.
type TokenUsage struct {
	Prompt     int64 `json:"prompt" example:"31"`
	Completion int64 `json:"completion" example:"17"`
	Total      int64 `json:"total" example:"48"`
}

// ChatTurn answers a chat message.
type ChatTurn struct {
	RunID      string     `json:"run_id" example:"run_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ChatID     string     `json:"chat_id" doc:"Send it with the next message to go on." example:"chat_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	MessageID  string     `json:"message_id" doc:"Of the answer; feedback refers to it." example:"msg_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Response   string     `json:"response" example:"Our business hours are 9 AM to 6 PM Monday through Friday"`
	TokenUsage TokenUsage `json:"token_usage"`
}

// ChatMessage is one message of a conversation.
type ChatMessage struct {
	ID           string       `json:"id" example:"msg_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	SessionID    string       `json:"session_id" doc:"The conversation it belongs to."`
	Role         string       `json:"role" enum:"system,user,assistant,tool" example:"user"`
	Content      string       `json:"content" example:"What are your business hours?"`
	Name         string       `json:"name,omitempty" doc:"Of the participant."`
	ToolCallID   string       `json:"tool_call_id,omitempty" doc:"The call that a tool's message answers."`
	ToolCalls    []domain.Doc `json:"tool_calls,omitempty" doc:"Tools that the assistant wants called, in OpenAI's form."`
	RunID        string       `json:"run_id,omitempty"`
	FinishReason string       `json:"finish_reason,omitempty" example:"stop"`
	TokenUsage   *TokenUsage  `json:"token_usage,omitempty"`
	Feedback     string       `json:"feedback,omitempty" enum:"positive,negative"`
	Error        string       `json:"error,omitempty" doc:"Why the turn failed, if it did."`
	CreatedAt    time.Time    `json:"created_at"`
}

// ChatHistory is a conversation with its messages.
type ChatHistory struct {
	ID           string        `json:"id" example:"chat_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	AppID        string        `json:"app_id,omitempty"`
	Model        string        `json:"model,omitempty" example:"strata/extract-1"`
	Title        string        `json:"title" example:"What are your business hours?"`
	Messages     []ChatMessage `json:"messages" doc:"The latest messages, oldest first."`
	MessageCount int64         `json:"message_count" example:"2"`
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
}

// ChatFeedback is a rating of an answer.
type ChatFeedback struct {
	ID        string    `json:"id" example:"fb_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ChatID    string    `json:"chat_id"`
	MessageID string    `json:"message_id"`
	Rating    string    `json:"rating" enum:"positive,negative" example:"positive"`
	Comment   string    `json:"comment,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}
