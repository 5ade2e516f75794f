package readapi

import (
	"net/http"
	"strconv"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/readapi/live"
	"strata/streams"
)

type liveInput struct {
	Types       string `query:"types" doc:"Event types, separated by commas: exact, without version, or a family such as session.*"`
	After       string `query:"after" doc:"Resume after this sequence; live from now when absent."`
	LastEventID string `query:"last_event_id" doc:"The same as after."`
}

// follow is what a request asks the hub for; header is its Last-Event-ID.
func (in *liveInput) follow(r *http.Request, header string) (live.Follow, error) {
	_, workspace := tenant(r.Context())
	out := live.Follow{Workspace: workspace, Want: live.InterestOf(in.Types)}
	for _, v := range []struct{ field, text string }{{"after", in.After}, {"last_event_id", in.LastEventID}, {"Last-Event-ID", header}} {
		if v.text == "" {
			continue
		}
		n, err := strconv.ParseUint(v.text, 10, 64)
		if err != nil {
			var f domain.Faults
			f.Add(true, v.field, "must be the sequence of an event")
			return out, f.Err()
		}
		p := domain.Position(n)
		out.After = &p
		break
	}
	return out, nil
}

// streamEvents follows events as server-sent events. Each carries its sequence
// as id, so a browser resumes by itself after a lost connection.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request, in *liveInput) (*httpx.Reply[view0], error) {
	want, err := in.follow(r, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return nil, err
	}
	return nil, a.hub.SSE(w, r, want)
}

// serveEvents follows events over a websocket.
func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	in := liveInput{Types: q.Get("types"), After: q.Get("after"), LastEventID: q.Get("lastEventId")}
	want, err := in.follow(r, "")
	if err == nil {
		err = a.hub.Websocket(w, r, want)
	}
	if err != nil {
		httpx.WriteError(w, r, err)
	}
}

// showRecorded shows an event of the log as clients see it.
func (a *API) showRecorded(r streams.Recorded) (view.Event, error) {
	decoded, err := a.Codec.Decode(r)
	if err != nil {
		return view.Event{}, err
	}
	e, err := a.Events.View(&decoded)
	if err != nil {
		return view.Event{}, err
	}
	return showEvent(e), nil
}

// view0 stands for an answer that is always a stream.
type view0 struct{}
