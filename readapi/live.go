package readapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/streams"
)

// Timing of live connections.
const (
	pingEvery = 15 * time.Second
	pongWait  = 60 * time.Second
	liveBatch = 256
)

// feed follows one workspace's events for one client. Nothing is buffered for
// a slow client: it is simply further behind in the log, and when one frame
// takes too long it is closed knowing where to resume.
type feed struct {
	api  *API
	sub  streams.Subscription
	want atomic.Pointer[interest]
	at   domain.Position // everything up to here was delivered
}

// follow begins a feed after a position; nil is the end of the log.
func (a *API) follow(ctx context.Context, after *domain.Position, want interest) (*feed, error) {
	_, workspace := tenant(ctx)
	if workspace == "" { // to the log, no workspace is any
		return nil, domain.Errorf(domain.CodeForbidden, "this credential works in no workspace")
	}
	at, err := a.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if after != nil {
		if *after > at {
			var f domain.Faults
			f.Add(true, "after", "is beyond the end of the log (%d)", at)
			return nil, f.Err()
		}
		at = *after
	}
	sub, err := a.Store.Subscribe(ctx, at, &streams.Filter{Workspace: workspace})
	if err != nil {
		return nil, err
	}
	f := &feed{api: a, sub: sub, at: at}
	f.want.Store(&want)
	return f, nil
}

// run delivers until ctx ends or a delivery fails. caughtUp is called each
// time there is nothing more for now.
func (f *feed) run(ctx context.Context, deliver func(view.Event) error, caughtUp func(domain.Position) error) error {
	for {
		batch, err := f.sub.Next(ctx, liveBatch)
		if err != nil {
			return err
		}
		for _, r := range batch.Events {
			if f.want.Load().wants(r.Type) && public(r.Type) {
				if err := f.show(r, deliver); err != nil {
					return err
				}
			}
			f.at = r.Position
		}
		f.at = max(f.at, batch.Position)
		if batch.CaughtUp {
			if err := caughtUp(f.at); err != nil {
				return err
			}
		}
	}
}

func (f *feed) show(r streams.Recorded, deliver func(view.Event) error) error {
	decoded, err := f.api.Codec.Decode(r)
	if err != nil {
		return err
	}
	e, err := f.api.Events.View(&decoded)
	if err != nil {
		return err
	}
	return deliver(showEvent(e))
}

type liveInput struct {
	Types       string `query:"types" doc:"Event types, separated by commas: exact, without version, or a family such as session.*"`
	After       string `query:"after" doc:"Resume after this sequence; live from now when absent."`
	LastEventID string `query:"last_event_id" doc:"The same as after."`
}

func (in *liveInput) after(header string) (*domain.Position, error) {
	for _, v := range []struct{ field, text string }{{"after", in.After}, {"last_event_id", in.LastEventID}, {"Last-Event-ID", header}} {
		if v.text == "" {
			continue
		}
		n, err := strconv.ParseUint(v.text, 10, 64)
		if err != nil {
			var f domain.Faults
			f.Add(true, v.field, "must be the sequence of an event")
			return nil, f.Err()
		}
		p := domain.Position(n)
		return &p, nil
	}
	return nil, nil
}

// streamEvents follows events as server-sent events. Each carries its sequence
// as id, so a browser resumes by itself after a lost connection.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request, in *liveInput) (*httpx.Reply[view0], error) {
	after, err := in.after(r.Header.Get("Last-Event-ID"))
	if err != nil {
		return nil, err
	}
	f, err := a.follow(r.Context(), after, interestOf(in.Types))
	if err != nil {
		return nil, err
	}
	defer f.sub.Close()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	write := func(format string, args ...any) error {
		if err := control.SetWriteDeadline(time.Now().Add(a.Patience)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return err
		}
		return control.Flush()
	}
	if err := write(": following after %d\n\n", f.at); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.Live, cancel)()
	sse := &sseFeed{feed: f, write: write, lines: make(chan string)}
	return nil, sse.run(ctx)
}

// sseFeed lets keep-alive comments and events share one writer.
type sseFeed struct {
	*feed
	write func(format string, args ...any) error
	lines chan string
}

func (s *sseFeed) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- s.feed.run(ctx, func(e view.Event) error {
			b, err := json.Marshal(e)
			if err != nil {
				return err
			}
			return s.send(ctx, fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.Sequence, e.Type, b))
		}, func(domain.Position) error { return nil })
	}()
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	defer func() { cancel(); <-ended }()
	for {
		var err error
		select {
		case line := <-s.lines:
			err = s.write("%s", line)
		case <-tick.C:
			err = s.write(": keep-alive\n\n")
		case err = <-ended:
			ended <- err
			return ignoreEnd(ctx, err)
		}
		if err != nil {
			return ignoreEnd(ctx, err)
		}
	}
}

func (s *sseFeed) send(ctx context.Context, line string) error {
	select {
	case s.lines <- line:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ignoreEnd: a client that goes away is no fault.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// view0 stands for an answer that is always a stream.
type view0 struct{}

var upgrader = websocket.Upgrader{
	// The credential travels in the request itself, never in a cookie, so a
	// foreign page cannot act for somebody.
	CheckOrigin: func(*http.Request) bool { return true },
}
