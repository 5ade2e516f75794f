package live

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
)

// readBuffer is what a waiting socket keeps to read with; clients say little.
const readBuffer = 256

// upgrader takes connections over. Frames are written by us, so it needs no
// buffer for writing.
var upgrader = websocket.Upgrader{
	// The credential travels in the request itself, never in a cookie, so a
	// foreign page cannot act for somebody.
	CheckOrigin:    func(*http.Request) bool { return true },
	ReadBufferSize: readBuffer, WriteBufferPool: new(sync.Pool),
	Error: func(http.ResponseWriter, *http.Request, int, error) {}, // the caller answers
}

// Websocket follows events over a websocket. It returns when the connection was
// taken over, or an error that is still to be answered.
func (h *Hub) Websocket(w http.ResponseWriter, r *http.Request, want Follow) error {
	f, err := h.admit(r.Context(), want, overWebsocket)
	if err != nil {
		return err
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		h.leave(f)
		return domain.Errorf(domain.CodeInvalidRequest, "this is a websocket: %v", err)
	}
	h.begin(f, newLink(conn.NetConn()), func() { f.listen(conn) })
	return nil
}

// begin runs a follower on its connection. The handler that took the connection
// over may return, and lets go of everything that belongs to its request.
func (h *Hub) begin(f *follower, l *link, listen func()) {
	release := h.Hold()
	f.link.Store(l)
	f.start()
	go func() {
		defer release()
		listen()
		f.shut(gone)
		_, _ = io.CopyBuffer(onlyWriter{}, onlyReader{l.conn}, make([]byte, 64)) // until the peer closes, too
		l.close()
		h.leave(f)
	}()
}

// onlyWriter and onlyReader hide what would make io.Copy take a larger buffer.
type (
	onlyWriter struct{}
	onlyReader struct{ io.Reader }
)

func (onlyWriter) Write(b []byte) (int, error) { return len(b), nil }

// listen handles what a client says over a websocket until the connection ends.
func (f *follower) listen(conn *websocket.Conn) {
	conn.SetReadLimit(maxSaid)
	extend := func(string) error {
		err := conn.SetReadDeadline(time.Now().Add(pongWait))
		if f.end.Load() != int32(open) { // it may have ended meanwhile
			err = conn.SetReadDeadline(time.Now().Add(closeWait))
		}
		return err
	}
	conn.SetPongHandler(extend)
	conn.SetPingHandler(func(payload string) error {
		f.say(order{answer: appendMessage(nil, websocket.PongMessage, []byte(payload))})
		return extend("")
	})
	conn.SetCloseHandler(func(int, string) error { return nil }) // answered with the last words
	for extend("") == nil {
		_, b, err := conn.ReadMessage()
		if err != nil {
			break
		}
		f.say(f.obey(b))
	}
	_ = conn.SetReadDeadline(time.Now().Add(closeWait)) // of a closed connection: fine
}

// action is what a client may say.
type action struct {
	Action string   `json:"action"` // subscribe, unsubscribe, ping
	Types  []string `json:"types"`
}

// obey turns what a client said into an order.
func (f *follower) obey(b []byte) order {
	var a action
	if err := json.Unmarshal(b, &a); err != nil {
		return order{answer: refusal("the message is not a JSON object")}
	}
	switch a.Action {
	case "ping":
		return order{answer: frame{Type: "pong"}.bytes()}
	case "subscribe":
		return order{change: func(Interest) Interest { return Interest{only: slices.Clip(a.Types)} }}
	case "unsubscribe":
		return order{change: func(want Interest) Interest { return want.without(a.Types) }}
	}
	return order{answer: refusal("action must be subscribe, unsubscribe or ping")}
}

func refusal(message string) []byte {
	return frame{Type: "error", Error: map[string]string{"code": string(domain.CodeInvalidRequest), "message": message}}.bytes()
}

func tooManyTypes() []byte { return refusal(fmt.Sprintf("types must be at most %d", maxInterest)) }
