package live

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/gorilla/websocket"

	"strata/domain"
)

// shape is how a client gets events.
type shape uint8

const (
	overWebsocket shape = iota
	overSSE
	shapes
)

// String names the shape in metrics.
func (s shape) String() string { return [shapes]string{"websocket", "sse"}[s] }

// frame is what a websocket gets beside events.
type frame struct {
	Type        string            `json:"type"`                  // caught_up, pong, subscribed, error, closed
	Sequence    domain.Position   `json:"sequence,omitempty"`    // caught_up: everything up to here was looked at
	Types       []string          `json:"types,omitzero"`        // subscribed: what is followed now; absent for all
	Except      []string          `json:"except,omitempty"`      // subscribed: but not these
	ResumeAfter domain.Position   `json:"resumeAfter,omitempty"` // closed: connect again with after=
	Error       map[string]string `json:"error,omitempty"`
}

// bytes is the frame on the wire. Its fields always have a JSON form.
func (f frame) bytes() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic(fmt.Sprintf("live: encode a frame: %v", err))
	}
	return appendMessage(nil, websocket.TextMessage, b)
}

// appendMessage appends an unfragmented websocket message of a server, which is
// not masked.
func appendMessage(dst []byte, opcode byte, payload ...[]byte) []byte {
	n := 0
	for _, p := range payload {
		n += len(p)
	}
	dst = append(dst, 0x80|opcode)
	switch {
	case n <= 125:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	for _, p := range payload {
		dst = append(dst, p...)
	}
	return dst
}

// appendEvent appends an event in a shape.
func appendEvent(dst []byte, s shape, position domain.Position, typ string, event []byte) []byte {
	if s == overWebsocket {
		return appendMessage(dst, websocket.TextMessage, []byte(`{"type":"event","event":`), event, []byte("}"))
	}
	dst = strconv.AppendUint(append(dst, "id: "...), uint64(position), 10)
	dst = append(append(dst, "\nevent: "...), typ...)
	return append(append(append(dst, "\ndata: "...), event...), "\n\n"...)
}

// appendCaughtUp says that everything up to a position was looked at. Readers of
// server-sent events have no use for it.
func appendCaughtUp(dst []byte, s shape, at domain.Position) []byte {
	if s == overSSE {
		return dst
	}
	return append(dst, frame{Type: "caught_up", Sequence: at}.bytes()...)
}

// appendPing appends what keeps a connection alive, and finds out whether the
// peer is.
func appendPing(dst []byte, s shape) []byte {
	if s == overSSE {
		return append(dst, ": keep-alive\n\n"...)
	}
	return appendMessage(dst, websocket.PingMessage)
}

// appendClosed says that the server ends the connection and where to go on, for
// a websocket also in the close frame. The id makes a browser resume there by
// itself.
func appendClosed(dst []byte, s shape, code int, at domain.Position) []byte {
	if s == overSSE {
		return fmt.Appendf(dst, "id: %d\nevent: closed\ndata: {\"resumeAfter\":%d}\n\n", at, at)
	}
	dst = append(dst, frame{Type: "closed", ResumeAfter: at}.bytes()...)
	return appendMessage(dst, websocket.CloseMessage, websocket.FormatCloseMessage(code, fmt.Sprintf("resume after %d", at)))
}
