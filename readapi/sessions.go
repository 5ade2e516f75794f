package readapi

import (
	"context"
	"net/http"

	"strata/domain"
	"strata/domain/session"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
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

// session is one session, now and in the past.
func (a *API) session(op httpx.Op) resource[sessions.Past, view.Session] {
	show := func(s *session.State, events []sessions.Event) view.Session {
		out := view.SessionOf(s)
		out.Events = make([]view.SessionEvent, len(events))
		for i, e := range events {
			out.Events[i] = view.SessionEventOf(s.UID, e.EventAdded, e.At)
		}
		return out
	}
	return resource[sessions.Past, view.Session]{
		op: op, agg: sessions.PastAggregate(eventsShown), param: "uid", grown: []string{"events"},
		now: func(ctx context.Context) (httpx.Reply[view.Session], error) {
			_, ws := tenant(ctx)
			s, events, err := a.Sessions.GetWithEvents(ctx, ws, httpx.PathValue(ctx, "uid"), eventsShown)
			return httpx.Reply[view.Session]{Body: show(&s.State, events), Revision: &s.Revision}, err
		},
		stream: func(ctx context.Context) (domain.StreamID, bool) {
			_, ws := tenant(ctx)
			return session.Aggregate.Stream(session.StreamKey(ws, httpx.PathValue(ctx, "uid"))), true
		},
		key: func(ctx context.Context) (string, error) {
			_, ws := tenant(ctx)
			return session.StreamKey(ws, httpx.PathValue(ctx, "uid")), nil
		},
		alive: func(m *history.Moment[sessions.Past]) bool { return m.State.Status != "" && !m.State.Deleted },
		show: func(m *history.Moment[sessions.Past]) (view.Session, error) {
			return show(&m.State.State, m.State.Events), nil
		},
		added: func(m *history.Moment[sessions.Past]) []addition {
			f, ok := m.Event.Fact.(session.EventAdded)
			if !ok {
				return nil
			}
			return []addition{{list: "events", item: view.SessionEventOf(m.State.UID, f, m.Event.Meta.OccurredAt)}}
		},
	}
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
	serve(a, a.session(op("getSession", "/sessions/{uid}", "Get session details", "get")))
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
