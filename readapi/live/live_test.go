package live

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
	"strata/streams"
)

// reader is a client that disconnects and comes back until it has got the event
// that ends the test, and notes what it got.
type reader struct {
	path, workspace, types string
	random                 *rand.Rand
	got                    []domain.Position
}

func (r *reader) run(w *world) error {
	after, ended := domain.Position(0), false
	for deadline := time.Now().Add(30 * time.Second); !ended; {
		if time.Now().After(deadline) {
			return fmt.Errorf("has got nothing after %d", after)
		}
		c, err := w.dial(r.path, r.workspace, r.types, after)
		if err != nil {
			continue // the hub was drained at that moment
		}
		for patience := r.random.IntN(400); patience > 0 && !ended; patience-- {
			h, err := c.next()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("nothing came after %d", after)
			}
			if err != nil {
				break
			}
			switch h.Type {
			case "event":
				after = domain.Position(h.Event.Sequence)
				r.got = append(r.got, after)
				ended = h.Event.Type == "end.v1"
			case "caught_up":
				after = max(after, h.Sequence)
			case "closed":
				after = h.ResumeAfter
			}
		}
		c.close()
	}
	return nil
}

// wanted is what of the log a reader should have got.
func (r *reader) wanted(t *testing.T, w *world) (out []domain.Position) {
	t.Helper()
	want := InterestOf(r.types)
	for e, err := range w.store.ReadAll(t.Context(), streams.ReadAll{Filter: &streams.Filter{Workspace: r.workspace}}) {
		if err != nil {
			t.Fatal(err)
		}
		if want.wants(e.Type) {
			out = append(out, e.Position)
		}
	}
	return out
}

// Whatever clients do, and though the server restarts, each gets every event it
// wants once, in order, and none of another workspace.
func TestEveryEventOnceInOrder(t *testing.T) {
	w := newWorld(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	workspaces, types := []string{"ws_1", "ws_2", "ws_3"}, []string{"a.x.v1", "a.y.v1", "b.x.v2"}
	var readers []*reader
	var running sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		r := &reader{path: []string{"ws", "sse"}[i%2], workspace: workspaces[i/4],
			types: []string{"", "a.*,end", "a.x,b.x,end", "b.x.v2,end"}[random.IntN(4)], random: rand.New(rand.NewPCG(seed, uint64(i)))}
		readers = append(readers, r)
		running.Go(func() { errs[i] = r.run(w) })
	}
	for written := 0; written < 4000; {
		batch := 1 + random.IntN(10)
		if random.IntN(20) == 0 {
			batch = 1500 // more than a room keeps
		}
		w.write(workspaces[random.IntN(3)], types[random.IntN(3)], slices.Repeat([]string{`{"n":1}`}, batch)...)
		if written += batch; random.IntN(100) == 0 {
			w.restart()
		}
	}
	for _, ws := range workspaces {
		w.write(ws, "end.v1", `{}`)
	}
	running.Wait()
	for i, r := range readers {
		if want := r.wanted(t, w); errs[i] != nil || !slices.Equal(r.got, want) {
			t.Errorf("%s of %s, types %q: got %d events, wants %d: %v", r.path, r.workspace, r.types, len(r.got), len(want), errs[i])
		}
	}
}

// A client that takes nothing is cut off, and meanwhile nobody waits for it.
func TestSlowClientHoldsUpNobody(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Patience = 2 * time.Second })
	slow, quick := w.must("ws", "ws_1", "", 0), w.must("sse", "ws_1", "", 0)
	slow.until(t, "caught_up")
	large := `"` + strings.Repeat("x", 1<<20-100) + `"`
	const events = 12 // more than the system takes for a connection
	for n := range events {
		at := w.write("ws_1", "a.x.v1", large)
		if h := quick.until(t, "event"); domain.Position(h.Event.Sequence) != at {
			t.Fatalf("event %d came at %d of %d", h.Event.Sequence, n, events)
		}
	}
	// What it had got until it was cut is without gaps, and so is the rest.
	after := domain.Position(0)
	for connections := 0; after < events; connections++ {
		for c := slow; ; {
			h, err := c.next()
			if err != nil {
				break
			}
			if h.Type != "event" {
				continue
			}
			if domain.Position(h.Event.Sequence) != after+1 {
				t.Fatalf("%d after %d", h.Event.Sequence, after)
			}
			if after++; after == events {
				break
			}
		}
		if after == events && connections == 0 {
			t.Skip("this machine buffers everything")
		}
		slow.close()
		slow = w.must("ws", "ws_1", "", after)
	}
}

// Draining tells clients where to go on: in the frame, in the close frame, and as
// the id of a last server-sent event.
func TestDrainSaysWhereToResume(t *testing.T) {
	w := newWorld(t)
	at := w.write("ws_1", "a.x.v1", "1", "2", "3")
	ws, sse := w.must("ws", "ws_1", "", 0), w.must("sse", "ws_1", "b.*", 0)
	ws.until(t, "caught_up")
	w.write("ws_2", "b.x.v1", "4")
	w.write("ws_1", "b.x.v1", "5")
	ws.until(t, "event")
	sse.until(t, "event")
	w.hub.Load().Drain()
	for name, c := range map[string]*client{"websocket": ws, "sse": sse} {
		if h := c.until(t, "closed"); h.ResumeAfter != at+2 {
			t.Errorf("%s: resume after %d, not %d", name, h.ResumeAfter, at+2)
		}
	}
	_, _, err := ws.ws.ReadMessage()
	if e := new(websocket.CloseError); !errors.As(err, &e) || e.Code != websocket.CloseTryAgainLater || e.Text != fmt.Sprintf("resume after %d", at+2) {
		t.Errorf("closed with %v", err)
	}
	ws.close()
	sse.close()
	w.open.Wait()
	if c, err := w.dial("ws", "ws_1", "", 0); err == nil {
		c.close()
		t.Error("a draining hub lets somebody in")
	}
}

// An event that cannot be shown ends the connections that want it, before it.
func TestBrokenEventIsNoGap(t *testing.T) {
	w := newWorld(t)
	live, others := w.must("ws", "ws_1", "", 0), w.must("ws", "ws_1", "a.*", 0)
	live.until(t, "caught_up")
	others.until(t, "caught_up")
	at := w.write("ws_1", "a.x.v1", "1")
	w.write("ws_1", "broken.v1", "2")
	w.write("ws_1", "a.x.v1", "3")
	for name, c := range map[string]*client{"live": live, "resuming": w.must("sse", "ws_1", "", 0)} {
		if h := c.until(t, "event"); domain.Position(h.Event.Sequence) != at {
			t.Errorf("%s: first event %d", name, h.Event.Sequence)
		}
		if h, err := c.next(); err != nil || h.Type == "event" {
			t.Errorf("%s: %+v %v", name, h, err)
		} else if h.Type == "caught_up" {
			h, err = c.next()
			if err != nil || h.Type != "closed" {
				t.Errorf("%s: %+v %v", name, h, err)
			}
		} else if h.ResumeAfter != at {
			t.Errorf("%s: resume after %d", name, h.ResumeAfter)
		}
	}
	others.until(t, "event")
	if h := others.until(t, "event"); domain.Position(h.Event.Sequence) != at+2 {
		t.Errorf("the others got %d", h.Event.Sequence)
	}
}

// A client is told what it follows from the moment on that it asks.
func TestInterestChangesFromNowOn(t *testing.T) {
	w := newWorld(t)
	c := w.must("ws", "ws_1", "a.*", 0)
	c.until(t, "caught_up")
	say := func(text string) {
		t.Helper()
		if err := c.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	w.write("ws_1", "b.x.v1", "1") // before it asks
	at := w.write("ws_1", "a.x.v1", "2")
	if h := c.until(t, "event"); domain.Position(h.Event.Sequence) != at {
		t.Errorf("event %d", h.Event.Sequence)
	}
	say(`{"action":"subscribe","types":["b.*"]}`)
	if h := c.until(t, "subscribed"); !slices.Equal(h.Types, []string{"b.*"}) {
		t.Errorf("subscribed %v", h)
	}
	w.write("ws_1", "a.x.v1", "3")
	at = w.write("ws_1", "b.x.v1", "4")
	if h := c.until(t, "event"); domain.Position(h.Event.Sequence) != at {
		t.Errorf("event %d", h.Event.Sequence)
	}
	if err := c.ws.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	ponged := make(chan string, 1)
	c.ws.SetPongHandler(func(p string) error { ponged <- p; return nil })
	say(`{"action":"ping"}`)
	c.until(t, "pong")
	if p := <-ponged; p != "p" {
		t.Errorf("pong %q", p)
	}
	if err := c.ws.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.next(); !websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
		t.Errorf("the close frame is answered with %v", err)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]int{
		"ws?workspace=":                http.StatusForbidden,
		"sse?workspace=":               http.StatusForbidden,
		"sse?workspace=ws_1&after=100": http.StatusBadRequest,
		"ws?workspace=ws_1":            http.StatusBadRequest, // no websocket
	} {
		res, err := http.Get(w.server.URL + "/api/v1/" + query)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d", query, res.StatusCode)
		}
	}
	res, err := http.Head(w.server.URL + "/api/v1/sse?workspace=ws_1")
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %v %v", res, err)
	}
	res.Body.Close()
}
