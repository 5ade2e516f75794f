package chat

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/view"
)

// Frame is one message of a streamed turn, on SSE and websocket alike: the
// frames FastGPT's clients know, with the conversation added.
type Frame struct {
	Type       string           `json:"type"` // start, token, end, error, pong
	RunID      string           `json:"runId,omitempty"`
	ChatID     string           `json:"chatId,omitempty"`
	MessageID  string           `json:"messageId,omitempty"`
	Content    *string          `json:"content,omitempty"`
	TokenUsage *view.TokenUsage `json:"tokenUsage,omitempty"`
	Error      *FrameError      `json:"error,omitempty"`
}

// FrameError says why a turn ended without an end frame.
type FrameError struct {
	Code    domain.Code `json:"code"`
	Message string      `json:"message"`
}

func endFrame(t *view.ChatTurn) Frame {
	return Frame{Type: "end", RunID: t.RunID, ChatID: t.ChatID, MessageID: t.MessageID, TokenUsage: &t.TokenUsage}
}

func errorFrame(err error) Frame {
	out := FrameError{Code: domain.CodeOf(err), Message: "internal error"}
	if e, ok := errors.AsType[*domain.Error](err); ok {
		out.Message = e.Message
	}
	return Frame{Type: "error", Error: &out}
}

// frames is a Sink that sends frames through a function, one at a time.
type frames struct {
	mu      sync.Mutex
	send    func([]byte) error
	started bool
}

func (f *frames) write(fr Frame) error {
	b, err := json.Marshal(fr)
	if err != nil {
		return err
	}
	return f.sendText(b)
}

// sendText sends the text of one frame.
func (f *frames) sendText(b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = true
	return f.send(b)
}

// Start implements Sink.
func (f *frames) Start(runID, chatID string) error {
	return f.write(Frame{Type: "start", RunID: runID, ChatID: chatID})
}

// Token implements Sink.
func (f *frames) Token(text string) error { return f.write(Frame{Type: "token", Content: &text}) }

// begun tells whether the client has been sent anything.
func (f *frames) begun() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

// keepAlive is how often a silent stream shows that it lives.
const keepAlive = 15 * time.Second

// events sends frames as server-sent events. The headers leave with the first
// frame, so that an error before it can still be answered with a status.
type events struct {
	frames
	w       http.ResponseWriter
	flusher *http.ResponseController
	headers sync.Once
}

func newEvents(w http.ResponseWriter) *events {
	e := &events{w: w, flusher: http.NewResponseController(w)}
	e.send = e.event
	return e
}

func (e *events) event(b []byte) error {
	e.headers.Do(func() {
		h := e.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache")
		h.Set("Connection", "keep-alive")
		h.Set("X-Accel-Buffering", "no") // proxies that buffer would hold the tokens back
		e.w.WriteHeader(http.StatusOK)
	})
	return e.flush([]byte("data: "), b, []byte("\n\n"))
}

// flush sends text at once. A client that takes none of it in time counts as
// gone, so that no model waits for it.
func (e *events) flush(parts ...[]byte) error {
	if err := e.flusher.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := e.w.Write(part); err != nil {
			return err
		}
	}
	return e.flusher.Flush()
}

// comment keeps the connection open through proxies while a model thinks.
func (e *events) comment() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.started {
		return nil
	}
	return e.flush([]byte(": keep-alive\n\n"))
}
