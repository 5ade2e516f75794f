package live

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log with a server of live events over it. Restarting replaces the
// hub, as a new process would.
type world struct {
	testing.TB
	store  *embedded.Log
	server *httptest.Server
	config Config
	hub    atomic.Pointer[Hub]
	open   sync.WaitGroup // connections
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	store, err := embedded.Open(t.TempDir(), embedded.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, store: store}
	w.config = Config{Store: store, Show: show, Hold: func() func() { w.open.Add(1); return w.open.Done }}
	for _, c := range change {
		c(&w.config)
	}
	w.hub.Store(New(w.config))
	routes := httpx.New(httpx.Options{})
	op := func(id string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Mount: httpx.API, Path: "/" + id, Public: true, Streaming: true}
	}
	routes.Raw(op("ws"), w.serve((*Hub).Websocket))
	routes.Raw(op("sse"), w.serve((*Hub).SSE))
	w.server = httptest.NewServer(routes)
	t.Cleanup(func() {
		w.hub.Load().Drain()
		w.open.Wait()
		w.server.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// restart drains the hub and begins with a new one.
func (w *world) restart() {
	old := w.hub.Swap(New(w.config))
	old.Drain()
}

func (w *world) serve(follow func(*Hub, http.ResponseWriter, *http.Request, Follow) error) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		want := Follow{Workspace: q.Get("workspace"), Want: InterestOf(q.Get("types"))}
		if after := q.Get("after"); after != "" {
			n, err := strconv.ParseUint(after, 10, 64)
			if err != nil {
				httpx.WriteError(rw, r, err)
				return
			}
			p := domain.Position(n)
			want.After = &p
		}
		if err := follow(w.hub.Load(), rw, r, want); err != nil {
			httpx.WriteError(rw, r, err)
		}
	})
}

// show shows an event; type "broken" has no form.
func show(r streams.Recorded) (view.Event, error) {
	if r.Type == "broken.v1" {
		return view.Event{}, fmt.Errorf("event %d cannot be decoded", r.Position)
	}
	return view.Event{ID: r.ID.String(), Type: r.Type, Subject: string(r.Stream), Sequence: uint64(r.Position), Data: r.Data}, nil
}

// write appends events of a type to the log.
func (w *world) write(workspace, typ string, data ...string) domain.Position {
	w.Helper()
	events := make([]streams.Proposed, len(data))
	for i, d := range data {
		events[i] = streams.Proposed{ID: uuid.Must(uuid.NewV7()), Type: typ, Workspace: workspace, Data: []byte(d), Meta: []byte("{}")}
	}
	r, err := w.store.Append(context.Background(), domain.StreamID("thing-"+workspace), streams.Any, events...)
	if err != nil {
		w.Fatal(err)
	}
	return r.Position
}

// client is a connection that reads events over either protocol.
type client struct {
	conn net.Conn
	ws   *websocket.Conn
	sse  *bufio.Scanner
}

// heard is a frame of either protocol, or an event.
type heard struct {
	Type        string
	Sequence    domain.Position
	ResumeAfter domain.Position
	Types       []string
	Event       *view.Event
}

// dial connects. A refusal or a server that is gone is an error.
func (w *world) dial(path, workspace, types string, after domain.Position) (*client, error) {
	query := fmt.Sprintf("%s?workspace=%s&types=%s&after=%d", path, workspace, types, after)
	url := w.server.URL + "/api/v1/" + query
	if path == "ws" {
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http"), nil)
		if err != nil {
			return nil, err
		}
		return &client{conn: ws.NetConn(), ws: ws}, nil
	}
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "GET /api/v1/%s HTTP/1.1\r\nHost: x\r\n\r\n", query); err != nil {
		return nil, err
	}
	c := &client{conn: conn, sse: bufio.NewScanner(conn)}
	c.sse.Buffer(nil, 4<<20)
	return c, nil
}

// next reads a frame; an error means that the connection has ended.
func (c *client) next() (h heard, err error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return h, err
	}
	if c.ws != nil {
		return h, c.ws.ReadJSON(&h)
	}
	for c.sse.Scan() {
		line := c.sse.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			h.Type = name
		}
		data, ok := strings.CutPrefix(line, "data: ")
		switch {
		case !ok:
		case h.Type == "closed":
			return h, json.Unmarshal([]byte(data), &h)
		default:
			h.Type, h.Event = "event", &view.Event{}
			return h, json.Unmarshal([]byte(data), h.Event)
		}
	}
	if err := c.sse.Err(); err != nil {
		return h, err
	}
	return h, net.ErrClosed
}

func (c *client) close() { _ = c.conn.Close() }

// must dials, which has to succeed.
func (w *world) must(path, workspace, types string, after domain.Position) *client {
	w.Helper()
	c, err := w.dial(path, workspace, types, after)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.close)
	return c
}

// until reads up to the first frame of a type.
func (c *client) until(t testing.TB, typ string) heard {
	t.Helper()
	for {
		h, err := c.next()
		if err != nil {
			t.Fatalf("waiting for %s: %v", typ, err)
		}
		if h.Type == typ {
			return h
		}
	}
}
