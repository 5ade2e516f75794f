package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
)

// eventFrame is what the events socket sends.
type eventFrame struct {
	Type        string            `json:"type"` // event, caught_up, pong, subscribed, error, closed
	Event       *view.Event       `json:"event,omitempty"`
	Sequence    domain.Position   `json:"sequence,omitempty"`    // caught_up: everything up to here was looked at
	Types       []string          `json:"types,omitzero"`        // subscribed: what is followed now; absent for all
	Except      []string          `json:"except,omitempty"`      // subscribed: but not these
	ResumeAfter domain.Position   `json:"resumeAfter,omitempty"` // closed: connect again with after=
	Error       map[string]string `json:"error,omitempty"`
}

// eventAction is what a client may send.
type eventAction struct {
	Action string   `json:"action"` // subscribe, unsubscribe, ping
	Types  []string `json:"types"`
}

// eventSocket is one websocket that follows events.
type eventSocket struct {
	*feed
	conn *websocket.Conn
	mu   sync.Mutex // frames are written by the feed and by the reader
}

// errSlow ends the feed of a client that is about to fall behind for good.
var errSlow = errors.New("the client is too slow")

func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	in := liveInput{Types: q.Get("types"), After: q.Get("after"), LastEventID: q.Get("lastEventId")}
	after, err := in.after("")
	if err != nil {
		httpx.WriteError(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context()) // ends when the server cuts what is left
	defer cancel()
	f, err := a.follow(ctx, after, interestOf(in.Types))
	if err != nil {
		httpx.WriteError(w, r, err)
		return
	}
	defer f.sub.Close()
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	defer context.AfterFunc(a.Live, cancel)()
	s := &eventSocket{feed: f, conn: conn}
	var reading sync.WaitGroup
	reading.Go(func() { s.read(); cancel() })
	err = s.run(ctx, s.deliver, func(at domain.Position) error {
		return s.write(eventFrame{Type: "caught_up", Sequence: at})
	})
	if ctx.Err() == nil {
		httpx.WriteError(w, r, err) // for the log: the answer has long begun
	}
	// Whether it was too slow or we are stopping: it learns where to go on. One
	// that takes nothing at all any more does not, and resumes after the last
	// event it got.
	_ = s.write(eventFrame{Type: "closed", ResumeAfter: s.at})
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseTryAgainLater, ""), time.Now().Add(time.Second))
	conn.Close()
	reading.Wait()
}

// deliver sends an event. A client that needs most of its time for it is told
// to come back while it can still be told.
func (s *eventSocket) deliver(e view.Event) error {
	begin := time.Now()
	err := s.write(eventFrame{Type: "event", Event: &e})
	if err == nil && time.Since(begin) > s.api.Patience/2 {
		s.at = domain.Position(e.Sequence)
		err = errSlow
	}
	return err
}

func (s *eventSocket) write(f eventFrame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.api.Patience)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, b)
}

// read handles what the client sends until the connection ends.
func (s *eventSocket) read() {
	s.conn.SetReadLimit(64 << 10)
	extend := func(string) error { return s.conn.SetReadDeadline(time.Now().Add(pongWait)) }
	s.conn.SetPongHandler(extend)
	stop := keepPinging(s.conn, s.api.Patience)
	defer stop()
	for {
		if extend("") != nil {
			return
		}
		_, b, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		if s.answer(b) != nil {
			return
		}
	}
}

func (s *eventSocket) answer(b []byte) error {
	var a eventAction
	if err := json.Unmarshal(b, &a); err != nil {
		return s.refuse("the message is not a JSON object")
	}
	switch a.Action {
	case "ping":
		return s.write(eventFrame{Type: "pong"})
	case "subscribe":
		return s.follow(interest{only: a.Types})
	case "unsubscribe":
		return s.follow(s.want.Load().without(a.Types))
	}
	return s.refuse("action must be subscribe, unsubscribe or ping")
}

// follow changes what the client gets from now on.
func (s *eventSocket) follow(want interest) error {
	if len(want.only)+len(want.except) > maxInterest {
		return s.refuse(fmt.Sprintf("types must be at most %d", maxInterest))
	}
	s.want.Store(&want)
	f := eventFrame{Type: "subscribed", Types: want.only, Except: want.except}
	if want.nothing {
		f.Types = []string{}
	}
	return s.write(f)
}

func (s *eventSocket) refuse(message string) error {
	return s.write(eventFrame{Type: "error", Error: map[string]string{"code": string(domain.CodeInvalidRequest), "message": message}})
}

// keepPinging finds out when the peer is gone.
func keepPinging(conn *websocket.Conn, patience time.Duration) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(pingEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience)) != nil {
					return
				}
			}
		}
	}()
	return func() { close(quit); <-done }
}
