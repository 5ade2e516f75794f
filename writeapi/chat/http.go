package chat

import (
	"context"
	"errors"
	"net/http"
	"time"

	"strata/commands"
	"strata/internal/httpx"
	"strata/internal/view"
)

// Message is the body of a chat message over HTTP.
type Message struct {
	AppID     string         `json:"app_id" required:"true" minLength:"1" doc:"Whose configuration applies." example:"app_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Message   string         `json:"message" required:"true" minLength:"1" doc:"What the user says." example:"What are your business hours?"`
	Stream    bool           `json:"stream" default:"false" doc:"Answer with server-sent events: start, token…, end."`
	ChatID    string         `json:"chat_id" doc:"Continues a conversation; a new one begins when absent."`
	SessionID string         `json:"session_id" doc:"Uid of a session that the conversation belongs to."`
	UserID    string         `json:"user_id" maxLength:"200" doc:"Your own id of the person whom a conversation that begins is held with; the key's user when absent. It is what their data is erased by." example:"user_bob"`
	Variables map[string]any `json:"variables" doc:"Values for the places of the app's system prompt."`
}

type completionInput struct{ Body Message }

// Register adds POST /chat/completions and the websocket GET /chat/stream.
func (s *Service) Register(r *httpx.Router) {
	httpx.Stream(r, httpx.Op{
		ID: "sendChatMessage", Method: http.MethodPost, Path: "/chat/completions", Mount: httpx.API, Tag: "Chat",
		Summary: "Send chat message",
		Description: "Answers as a whole, or with stream=true as server-sent events: " +
			"`{\"type\":\"start\",\"runId\",\"chatId\"}`, `{\"type\":\"token\",\"content\"}` repeated, " +
			"`{\"type\":\"end\",\"runId\",\"tokenUsage\"}`, or `{\"type\":\"error\",\"error\"}`.",
		Permission: "conversations:create", Streaming: true, ResultMedia: "text/event-stream",
		Unknown: map[string]string{
			"messages": "OpenAI's format is spoken at /openai/v1/chat/completions and /api/v1/gateway/v1/chat/completions",
		},
	}, s.complete)
	s.registerCompletions(r)
	r.Raw(httpx.Op{
		ID: "chatStream", Method: http.MethodGet, Path: "/chat/stream", Mount: httpx.API, Tag: "Chat",
		Summary: "Chat over a websocket",
		Description: "The client sends `{\"type\":\"message\",\"message\",\"model\"|\"appId\",\"chatId\"?}`, `cancel` or `ping`; " +
			"the server answers with the frames of POST /chat/completions as text frames.",
		Permission: "conversations:create", Streaming: true, Status: http.StatusSwitchingProtocols,
	}, http.HandlerFunc(s.serveSocket))
}

func (s *Service) complete(w http.ResponseWriter, req *http.Request, in *completionInput) (*httpx.Reply[view.ChatTurn], error) {
	m := in.Body
	t := Turn{Request: requestOf(req.Context()), AppID: m.AppID, ChatID: m.ChatID, SessionUID: m.SessionID,
		UserID: m.UserID, Message: m.Message, Variables: m.Variables}
	t.Request.Route += " " + m.ChatID
	if !m.Stream {
		turn, err := s.Run(req.Context(), t, nil)
		if err != nil {
			return nil, err
		}
		return &httpx.Reply[view.ChatTurn]{Body: *turn}, nil
	}
	sink := newEvents(w)
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	stop := repeatedly(ctx, keepAlive, func() error {
		err := sink.comment()
		if err != nil {
			cancel() // the client is gone
		}
		return err
	})
	turn, err := s.Run(ctx, t, sink)
	stop()
	if err != nil {
		if !sink.begun() {
			return nil, err
		}
		return nil, errors.Join(err, sink.write(errorFrame(err)))
	}
	return nil, sink.write(endFrame(turn))
}

// repeatedly does something in a goroutine until it fails, ctx ends or stop is
// called, which waits for it.
func repeatedly(ctx context.Context, every time.Duration, do func() error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if do() != nil {
					return
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

func requestOf(ctx context.Context) commands.Request {
	r := httpx.From(ctx)
	return commands.Request{Principal: r.Principal, IdempotencyKey: r.IdempotencyKey, Route: r.Operation,
		RequestID: r.ID, CorrelationID: r.CorrelationID}
}
