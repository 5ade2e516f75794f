package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
	"strata/internal/config"
	"strata/streams"
	"strata/test/kit"
)

// installation is a whole Strata in this process, without the network and the
// analytics engine.
type installation struct {
	*httptest.Server
	client *http.Client
	app    *app
	ahead  atomic.Int64 // how far its clock is ahead of the machine's
}

// Client sends requests to the installation.
func (i *installation) Client() *http.Client { return i.client }

func (i *installation) now() time.Time { return time.Now().Add(time.Duration(i.ahead.Load())) }

// pass lets time pass.
func (i *installation) pass(d time.Duration) { i.ahead.Add(int64(d)) }

// testConfig is the configuration of a small installation.
func testConfig(dir string) *config.Config {
	cfg := config.Default()
	cfg.Data.Dir = dir
	cfg.Log.SegmentSize = 1 << 20
	cfg.Server.RateLimits.Anonymous = config.Limit{}
	cfg.Server.Listen = "127.0.0.1:0"
	cfg.Server.ReadWait = 10 * time.Second // a read after a write shows it, however busy the machine is
	cfg.ClickHouse.Library = filepath.Join(dir, "no-library")
	return &cfg
}

// install opens an installation over a directory and serves it; prepare may
// change it before.
func install(t *testing.T, dir string, prepare ...func(*app)) *installation {
	t.Helper()
	i := &installation{}
	i.begin(t, newApp(everything, testConfig(dir), slog.New(slog.DiscardHandler), i.now), prepare...)
	return i
}

// begin opens a process and serves it; prepare may change it in between.
func (i *installation) begin(t *testing.T, a *app, prepare ...func(*app)) {
	t.Helper()
	var err error
	if i.app, err = a.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close(t))
	for _, p := range prepare {
		p(i.app)
	}
	if _, err := beginning(t.Context(), i.app.store, i.app.handler, testKey); err != nil {
		t.Fatal(err)
	}
	router, err := i.app.routes("http://localhost:8000", nil)
	if err != nil {
		t.Fatal(err)
	}
	i.Server = httptest.NewServer(i.app.requests.count(router))
	i.client = i.Server.Client()
	i.client.Transport = kit.Patient(i.client.Transport)
}

// close stops the installation; it may be called again.
func (i *installation) close(t *testing.T) func() {
	return func() {
		i.app.drain()
		if i.Server != nil {
			i.Server.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := i.app.requests.ended(ctx); err != nil {
			t.Error("requests do not end")
		}
		if err := i.app.close(); err != nil {
			t.Error(err)
		}
	}
}

// start opens a new installation.
func start(t *testing.T) *installation { return install(t, t.TempDir()) }

// eventually waits for a condition that the installation's background work
// brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// logged returns the facts of one type in the log, oldest first.
func logged[F domain.Fact](t *testing.T, i *installation) []F {
	t.Helper()
	var zero F
	var out []F
	filter := &streams.Filter{Types: []string{zero.EventType()}}
	for r, err := range i.app.store.ReadAll(t.Context(), streams.ReadAll{Filter: filter}) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := i.app.codec.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Fact.(F))
	}
	return out
}

// stream is an open answer of server-sent events.
type stream struct {
	t    *testing.T
	res  *http.Response
	text *bufio.Scanner
	end  context.CancelFunc // the client goes away
}

// follow sends a request whose answer is a stream of events.
func (i *installation) follow(t *testing.T, method, path string, body any, header ...string) *stream {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	req, err := http.NewRequestWithContext(ctx, method, i.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	for n := 0; n < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	res, err := i.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatalf("%d %s, not a stream", res.StatusCode, ct)
	}
	s := &stream{t: t, res: res, text: bufio.NewScanner(res.Body), end: end}
	s.text.Buffer(nil, 1<<20)
	return s
}

// next returns the data of the next event; nil at the end.
func (s *stream) next() map[string]any {
	s.t.Helper()
	for s.text.Scan() {
		if data, ok := strings.CutPrefix(s.text.Text(), "data: "); ok {
			var v map[string]any
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				s.t.Fatalf("%v in %s", err, data)
			}
			return v
		}
	}
	return nil
}

// rest returns the data of all events that follow.
func (s *stream) rest() []map[string]any {
	var out []map[string]any
	for v := s.next(); v != nil; v = s.next() {
		out = append(out, v)
	}
	return out
}

// socket is a websocket of a client.
type socket struct {
	*websocket.Conn
	t *testing.T
}

func (i *installation) dial(t *testing.T, path, key string) *socket {
	t.Helper()
	url := "ws" + strings.TrimPrefix(i.URL, "http") + path
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, http.Header{"Authorization": {"Bearer " + key}})
	if err != nil {
		t.Fatalf("%s: %v %v", path, err, res)
	}
	t.Cleanup(func() { conn.Close() })
	return &socket{conn, t}
}

func (s *socket) say(v any) {
	s.t.Helper()
	if text, ok := v.(string); ok {
		if err := s.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	if err := s.WriteJSON(v); err != nil {
		s.t.Fatal(err)
	}
}

// hear returns the next frame; nil when the connection ended.
func (s *socket) hear() map[string]any {
	s.t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	var v map[string]any
	if err := s.ReadJSON(&v); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.t.Fatal("nothing came")
		}
		return nil
	}
	return v
}

// expect reads a frame of a type.
func (s *socket) expect(typ string) map[string]any {
	s.t.Helper()
	f := s.hear()
	if f == nil || f["type"] != typ {
		s.t.Fatalf("heard %v, not %s", f, typ)
	}
	return f
}

// until reads frames up to the first one of a type.
func (s *socket) until(typ string) map[string]any {
	s.t.Helper()
	for {
		f := s.hear()
		if f == nil {
			s.t.Fatalf("the connection ended before %s", typ)
		}
		if f["type"] == typ {
			return f
		}
	}
}

// kinds lists the types of frames.
func kinds(frames []map[string]any) string {
	var out []string
	for _, f := range frames {
		out = append(out, fmt.Sprint(f["type"]))
	}
	return strings.Join(out, " ")
}
