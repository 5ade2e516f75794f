package chat

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
	"strata/internal/httpx"
)

// Limits of a chat socket.
const (
	maxSocketMessage = 1 << 20
	writeWait        = 10 * time.Second
	pongWait         = 60 * time.Second
)

// incoming is what a client sends over the socket.
type incoming struct {
	Type      string         `json:"type"` // message, cancel, ping
	Message   string         `json:"message"`
	Model     string         `json:"model"`
	AppID     string         `json:"appId"`
	ChatID    string         `json:"chatId"`
	SessionID string         `json:"sessionId"`
	UserID    string         `json:"userId"`
	Variables map[string]any `json:"variables"`
}

// socket is one chat connection: one turn at a time, cancellable.
type socket struct {
	s    *Service
	conn *websocket.Conn
	out  *frames
	base Turn

	deadline sync.Mutex // orders draining and the extensions of the read deadline

	turn   chan struct{} // closed when the running turn is over; nil without one
	cancel context.CancelFunc
	// ending is set before a turn's last frame is sent: a client that has it
	// may send its next message, though the turn is still being put away.
	ending atomic.Bool
}

var upgrader = websocket.Upgrader{
	// The credential travels in the request itself, never in a cookie, so a
	// foreign page cannot act for somebody.
	CheckOrigin: func(*http.Request) bool { return true },
	Error: func(w http.ResponseWriter, r *http.Request, _ int, reason error) {
		httpx.WriteError(w, r, domain.Errorf(domain.CodeInvalidRequest, "this is a websocket: %v", reason))
	},
}

func (s *Service) serveSocket(w http.ResponseWriter, r *http.Request) {
	base := Turn{Request: requestOf(r.Context()), AppID: r.URL.Query().Get("appId"), ChatID: r.URL.Query().Get("chatId")}
	base.Request.IdempotencyKey = "" // one key cannot stand for many messages
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	c := &socket{s: s, conn: conn, base: base}
	c.out = &frames{send: func(b []byte) error {
		if err := conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
			return err
		}
		return conn.WriteMessage(websocket.TextMessage, b)
	}}
	ctx, cancel := context.WithCancel(r.Context()) // ends when the server cuts what is left
	defer cancel()
	// Draining ends the reading at once; the running turn may finish.
	defer context.AfterFunc(s.Live, func() { _ = c.patience(0) })()
	c.read(ctx)
	if s.Live.Err() == nil {
		cancel()
	}
	c.wait()
	// For a peer that is gone already, there is nothing to say.
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
}

// patience waits at most so long for the client's next frame. Once the server
// drains there is none, whoever asks last.
func (c *socket) patience(d time.Duration) error {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	if c.s.Live.Err() != nil {
		d = 0
	}
	return c.conn.SetReadDeadline(time.Now().Add(d))
}

// read handles messages until the connection ends.
func (c *socket) read(ctx context.Context) {
	c.conn.SetReadLimit(maxSocketMessage)
	extend := func(string) error { return c.patience(pongWait) }
	c.conn.SetPongHandler(extend)
	// Pings keep the connection alive and find out when the peer is gone.
	defer repeatedly(ctx, keepAlive, func() error {
		return c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
	})()
	for {
		if extend("") != nil {
			return
		}
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		var in incoming
		if err := json.Unmarshal(b, &in); err != nil {
			in.Type = "malformed"
		}
		if c.handle(ctx, in) != nil {
			return
		}
	}
}

// handle answers one message; an error means that the client is gone.
func (c *socket) handle(ctx context.Context, in incoming) error {
	switch in.Type {
	case "ping":
		return c.out.write(Frame{Type: "pong"})
	case "cancel":
		if c.running() {
			c.cancel()
			c.wait()
		}
		return nil
	case "message":
		if c.running() {
			return c.out.write(errorFrame(domain.Errorf(domain.CodeConflict, "an answer is still being given; cancel it or wait for its end")))
		}
		c.start(ctx, in)
		return nil
	case "malformed":
		return c.out.write(errorFrame(domain.Errorf(domain.CodeInvalidRequest, "the message is not a JSON object")))
	}
	return c.out.write(errorFrame(domain.Errorf(domain.CodeInvalidRequest, "type must be message, cancel or ping")))
}

func (c *socket) running() bool {
	if c.turn == nil {
		return false
	}
	if c.ending.Load() {
		c.wait()
		return false
	}
	select {
	case <-c.turn:
		c.turn = nil
		return false
	default:
		return true
	}
}

func (c *socket) wait() {
	if c.turn != nil {
		<-c.turn
		c.turn = nil
	}
}

func (c *socket) start(ctx context.Context, in incoming) {
	t := c.base
	t.Message, t.Model, t.Variables, t.SessionUID, t.UserID = in.Message, in.Model, in.Variables, in.SessionID, in.UserID
	if in.AppID != "" {
		t.AppID = in.AppID
	}
	if in.ChatID != "" {
		t.ChatID = in.ChatID
	}
	ctx, c.cancel = context.WithCancel(ctx)
	done := make(chan struct{})
	c.turn = done
	c.ending.Store(false)
	cancel := c.cancel
	go func() {
		defer close(done)
		defer cancel()
		turn, err := c.s.Run(ctx, t, c.out)
		frame := errorFrame(err)
		switch {
		case err == nil:
			frame = endFrame(turn)
		case ctx.Err() != nil:
			frame = errorFrame(domain.Errorf(domain.CodeInvalidRequest, "cancelled"))
		}
		c.ending.Store(true)
		if c.out.write(frame) != nil {
			c.conn.Close() // the reader notices
		}
	}()
}
