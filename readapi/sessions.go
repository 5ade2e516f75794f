package readapi

import (
	"context"
	"net/http"

	"strata/domain/session"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/sessions"
)

// eventsShown is how many of its latest events a session shows when it is
// asked for; all of them are at /sessions/{uid}/events.
const eventsShown = 100

type sessionUID struct {
	UID string `path:"uid"`
}

type sessionEvents struct {
	sessionUID
	httpx.ListParams
}

func (a *API) sessions() {
	op := func(id, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.V1, Tag: "Sessions", Summary: summary,
			Permission: "sessions:" + verb, Reads: sessions.Name}
	}
	listing := op("listSessions", "/sessions", "List sessions", "list")
	listing.Paging, listing.Sort = httpx.After, sessions.SortFields
	listing.Filters = []string{"app_name", "agent_name", "user_id", "status=active|closed"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Session]], error) {
		_, ws := tenant(ctx)
		found, err := a.Sessions.List(ctx, sessions.Filter{Workspace: ws, AppName: in.Filters["app_name"],
			AgentName: in.Filters["agent_name"], UserID: in.Filters["user_id"], Status: in.Filters["status"]}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Session]]{}, err
		}
		return list(found, always(func(s sessions.Session) view.Session { return view.SessionOf(&s.State) }))
	})
	httpx.Register(a.r, op("getSession", "/sessions/{uid}", "Get session details", "get"),
		func(ctx context.Context, in *sessionUID) (httpx.Reply[view.Session], error) {
			_, ws := tenant(ctx)
			s, events, err := a.Sessions.GetWithEvents(ctx, ws, in.UID, eventsShown)
			if err != nil {
				return httpx.Reply[view.Session]{}, err
			}
			out := view.SessionOf(&s.State)
			out.Events = make([]view.SessionEvent, len(events))
			for i, e := range events {
				out.Events[i] = view.SessionEventOf(s.UID, e.EventAdded, e.At)
			}
			return httpx.Reply[view.Session]{Body: out, Revision: &s.Revision}, nil
		})
	events := op("listSessionEvents", "/sessions/{uid}/events", "Get session events", "get")
	events.Paging = httpx.After
	events.Filters = []string{"type=message|tool_call|tool_result|state_change|error|custom"}
	httpx.Register(a.r, events, func(ctx context.Context, in *sessionEvents) (httpx.Reply[httpx.List[view.SessionEvent]], error) {
		_, ws := tenant(ctx)
		p := page(in.ListParams)
		p.Sort, p.Desc = "", false // a session is read from its beginning
		found, err := a.Sessions.Events(ctx, ws, in.UID, session.EventKind(in.Filters["type"]), p)
		if err != nil {
			return httpx.Reply[httpx.List[view.SessionEvent]]{}, err
		}
		return list(found, always(func(e sessions.Event) view.SessionEvent { return view.SessionEventOf(in.UID, e.EventAdded, e.At) }))
	})
}
