package readapi

import (
	"context"
	"encoding/json"
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
	Types       []string          `json:"types,omitempty"`       // subscribed: what is followed now
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

func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	in := liveInput{Types: q.Get("types"), After: q.Get("after"), LastEventID: q.Get("lastEventId")}
	after, err := in.after("")
	if err != nil {
		httpx.WriteError(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
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
	a.Sockets.Add(1)
	defer a.Sockets.Done()
	defer context.AfterFunc(a.Live, cancel)()
	s := &eventSocket{feed: f, conn: conn}
	var reading sync.WaitGroup
	reading.Go(func() { s.read(); cancel() })
	err = s.run(ctx, func(e view.Event) error {
		return s.write(eventFrame{Type: "event", Event: &e})
	}, func(at domain.Position) error {
		return s.write(eventFrame{Type: "caught_up", Sequence: at})
	})
	if err != nil {
		// Whether it was too slow or we are stopping: it learns where to go on.
		// That this may fail as well is in the nature of the matter.
		_ = s.write(eventFrame{Type: "closed", ResumeAfter: s.at})
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseTryAgainLater, ""), time.Now().Add(time.Second))
	}
	conn.Close()
	reading.Wait()
}

func (s *eventSocket) write(f eventFrame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, b)
}

// read handles what the client sends until the connection ends.
func (s *eventSocket) read() {
	s.conn.SetReadLimit(64 << 10)
	extend := func(string) error { return s.conn.SetReadDeadline(time.Now().Add(pongWait)) }
	s.conn.SetPongHandler(extend)
	stop := keepPinging(s.conn)
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
		want := interest(a.Types)
		s.want.Store(&want)
		return s.write(eventFrame{Type: "subscribed", Types: want})
	case "unsubscribe":
		var want interest
		for _, t := range *s.want.Load() {
			if !interest(a.Types).wants(t) {
				want = append(want, t)
			}
		}
		if len(want) == 0 { // nothing is left: that is not "everything"
			want = interest{""}
		}
		s.want.Store(&want)
		return s.write(eventFrame{Type: "subscribed", Types: want})
	}
	return s.refuse("action must be subscribe, unsubscribe or ping")
}

func (s *eventSocket) refuse(message string) error {
	return s.write(eventFrame{Type: "error", Error: map[string]string{"code": string(domain.CodeInvalidRequest), "message": message}})
}

// keepPinging finds out when the peer is gone.
func keepPinging(conn *websocket.Conn) (stop func()) {
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
				if conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait)) != nil {
					return
				}
			}
		}
	}()
	return func() { close(quit); <-done }
}
