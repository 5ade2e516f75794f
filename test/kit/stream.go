package kit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Frame is one event of an SSE stream.
type Frame struct {
	ID, Event, Data string
	JSON            map[string]any // Data, when it is an object
}

// Stream reads an SSE answer.
type Stream struct {
	Header http.Header
	res    *http.Response
	lines  *bufio.Reader
}

// OpenStream sends a request whose answer is a stream of events.
func (c *Client) OpenStream(ctx context.Context, method, path string, body any, headers ...string) (*Stream, error) {
	streaming := *c
	streaming.HTTP = &http.Client{Transport: c.HTTP.Transport} // no timeout: the context bounds it
	res, err := streaming.Send(ctx, method, path, body, headers...)
	if err != nil {
		return nil, err
	}
	if ct := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(ct, "text/event-stream") {
		defer closeBody(res)
		text, err := io.ReadAll(res.Body)
		return nil, errors.Join(fmt.Errorf("%s %s: %d %s, not a stream: %s", method, path, res.StatusCode, ct, text), err)
	}
	return &Stream{Header: res.Header, res: res, lines: bufio.NewReaderSize(res.Body, 64<<10)}, nil
}

// Next returns the next event; io.EOF after the last one. Comments are skipped.
func (s *Stream) Next() (Frame, error) {
	var f Frame
	var data []string
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return f, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			if data == nil {
				continue
			}
			f.Data = strings.Join(data, "\n")
			if strings.HasPrefix(f.Data, "{") {
				err = json.Unmarshal([]byte(f.Data), &f.JSON)
			}
			return f, err
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			f.ID = value
		case "event":
			f.Event = value
		case "data":
			data = append(data, value)
		}
	}
}

// All reads the events until the end.
func (s *Stream) All() ([]Frame, error) {
	var out []Frame
	for {
		f, err := s.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
}

// Close leaves the stream.
func (s *Stream) Close() { _ = s.res.Body.Close() } // leaving early is what it is for

// Socket is a websocket that speaks JSON.
type Socket struct {
	t    testing.TB
	conn *websocket.Conn
}

// Dial opens a websocket with the client's key in the query. It closes with the test.
func (c *Client) Dial(t testing.TB, path string, params ...string) *Socket {
	t.Helper()
	url := "ws" + strings.TrimPrefix(c.URL, "http") + path + Query(append(params, "access_token", c.Key)...)
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		if res != nil {
			text, _ := io.ReadAll(res.Body) // for the message only
			t.Fatalf("open the websocket %s: %v: %d %s", path, err, res.StatusCode, text)
		}
		t.Fatalf("open the websocket %s: %v", path, err)
	}
	s := &Socket{t: t, conn: conn}
	t.Cleanup(s.Close)
	return s
}

// Send sends a message.
func (s *Socket) Send(message any) {
	s.t.Helper()
	if err := s.conn.WriteJSON(message); err != nil {
		s.t.Fatalf("websocket: %v", err)
	}
}

// Receive reads the next message; the test fails when none comes in time.
func (s *Socket) Receive() map[string]any {
	s.t.Helper()
	var m map[string]any
	if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if err := s.conn.ReadJSON(&m); err != nil {
		s.t.Fatalf("websocket: %v", err)
	}
	return m
}

// Until reads messages until one has the type.
func (s *Socket) Until(kind string) (seen []map[string]any) {
	s.t.Helper()
	for {
		m := s.Receive()
		seen = append(seen, m)
		if m["type"] == kind {
			return seen
		}
		if m["type"] == "error" && kind != "error" {
			s.t.Fatalf("websocket: %v", m)
		}
	}
}

// Close leaves.
func (s *Socket) Close() { _ = s.conn.Close() } // may be closed already
