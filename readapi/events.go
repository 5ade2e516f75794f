package readapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/events"
)

// eventTypes describes the types there are.
type eventTypes struct {
	Types []eventType `json:"types"`
}

type eventType struct {
	Type   string `json:"type" example:"session.created.v1"`
	Source string `json:"source" doc:"The kind of resource it happens to." example:"session"`
}

type eventID struct {
	ID string `path:"event_id"`
}

type listEvents struct {
	httpx.ListParams
	Types     []string  `query:"type" doc:"Exact, without version, or a family such as session.*"`
	Subject   string    `query:"subject" doc:"Events of one resource."`
	Source    string    `query:"source" doc:"Events of one kind of resource."`
	Actor     string    `query:"actor" doc:"Events that one user or key caused."`
	StartDate time.Time `query:"start_date" doc:"Not before."`
	EndDate   time.Time `query:"end_date" doc:"Before."`
}

func (a *API) events() {
	op := func(id, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.API, Tag: "Events", Summary: summary,
			Permission: "events:" + verb, Reads: events.Name}
	}
	listing := op("listEvents", "/events", "List events", "list")
	listing.Paging, listing.Sort, listing.Search = httpx.Cursor, []string{"time"}, true
	httpx.Register(a.r, listing, func(ctx context.Context, in *listEvents) (httpx.Reply[httpx.List[view.Event]], error) {
		_, ws := tenant(ctx)
		found, err := a.Events.List(ctx, events.Query{Scope: events.Scope{Workspace: ws}, Types: in.Types, Category: in.Source,
			Subject: in.Subject, Actor: in.Actor, Since: in.StartDate, Until: in.EndDate, Search: in.Search, Data: true, Page: page(in.ListParams)})
		if err != nil {
			return httpx.Reply[httpx.List[view.Event]]{}, err
		}
		return list(found, always(showEvent))
	})
	httpx.Register(a.r, op("getEvent", "/events/{event_id}", "Get an event", "get"),
		func(ctx context.Context, in *eventID) (httpx.Reply[view.Event], error) {
			_, ws := tenant(ctx)
			e, err := a.Events.Get(ctx, events.Scope{Workspace: ws}, in.ID)
			if err != nil {
				return httpx.Reply[view.Event]{}, err
			}
			return httpx.Reply[view.Event]{Body: showEvent(e)}, nil
		})
	known := a.knownTypes()
	types := op("listEventTypes", "/events/types", "List known event types", "list")
	types.Reads = ""
	httpx.Register(a.r, types, func(context.Context, *struct{}) (httpx.Reply[eventTypes], error) {
		return httpx.Reply[eventTypes]{Body: known}, nil
	})
	stream := op("streamEvents", "/events/stream", "Follow events as server-sent events", "list")
	stream.Description = "Each event carries its sequence as id, so a browser resumes by itself; `after` resumes elsewhere. " +
		"A last event `closed`, with `resumeAfter`, comes before the server closes the connection of a client that is too slow or when it stops."
	stream.Reads, stream.Streaming, stream.ResultMedia = "", true, "text/event-stream"
	httpx.Stream(a.r, stream, a.streamEvents)
	socket := op("followEvents", "/events/ws", "Follow events over a websocket", "list")
	socket.Description = "Query: `types`, `after`, `access_token`. The client may send `{\"action\":\"subscribe\"|\"unsubscribe\"|\"ping\",\"types\":[]}`: subscribe says " +
		"what is followed instead, unsubscribe what is not any more. " +
		"The server sends `{\"type\":\"event\",\"event\"}`, `caught_up` when a client has everything there is, `pong`, and, before it closes the connection of a " +
		"client that is too slow or when it stops, `closed` with `resumeAfter`: connect again with it as `after`."
	socket.Reads, socket.Streaming, socket.Status = "", true, http.StatusSwitchingProtocols
	a.r.Raw(socket, http.HandlerFunc(a.serveEvents))
}

func showEvent(e *events.Event) view.Event {
	out := view.Event{ID: e.ID, Type: e.Type, Source: e.Category(), Subject: e.Subject, Actor: e.Actor, Data: e.Data,
		Time: e.OccurredAt, Sequence: uint64(e.Position)}
	if out.Data == nil { // it has left the log
		out.Data = []byte("{}")
	}
	return out
}

// public tells whether live connections see a type: names being claimed and
// what was said in model calls are nobody's business there.
func public(typ string) bool {
	return !strings.HasPrefix(typ, "claim.") && !strings.HasPrefix(typ, "inference.payload_recorded.")
}

func (a *API) knownTypes() eventTypes {
	out := eventTypes{Types: []eventType{}}
	for _, name := range a.Codec.Types() {
		if public(name) {
			source, _, _ := strings.Cut(name, ".")
			out.Types = append(out.Types, eventType{Type: name, Source: source})
		}
	}
	slices.SortFunc(out.Types, func(x, y eventType) int { return strings.Compare(x.Type, y.Type) })
	return out
}
