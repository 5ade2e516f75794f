package writeapi

import (
	"encoding/json"
	"net/http"

	"strata/commands"
	"strata/domain"
	"strata/domain/session"
	"strata/internal/httpx"
	"strata/internal/view"
)

type createSession struct {
	Body struct {
		UID       string     `json:"uid" doc:"Identifier of your own; one is made when absent." example:"support-4711"`
		AppName   string     `json:"app_name" example:"helpdesk"`
		AgentName string     `json:"agent_name" example:"triage"`
		UserID    string     `json:"user_id" example:"user_bob"`
		State     domain.Doc `json:"state" doc:"Working state to begin with."`
		Metadata  domain.Doc `json:"metadata" doc:"Your own data."`
	}
}

type addSessionEvent struct {
	UID  string `path:"uid"`
	Body struct {
		Author       string          `json:"author" required:"true" minLength:"1" doc:"user, an agent's name or a tool's." example:"user"`
		Type         string          `json:"type" enum:"message,tool_call,tool_result,state_change,error,custom" default:"message"`
		Content      json.RawMessage `json:"content" required:"true" doc:"What happened, an object." example:"{\"text\":\"hello\"}"`
		StateDelta   domain.Doc      `json:"state_delta" doc:"Merged into the session's state; null removes a key."`
		InvocationID string          `json:"invocation_id" doc:"Groups the events of one agent invocation." example:"inv_1"`
	}
}

type sessionUID struct {
	UID string `path:"uid"`
}

func (a *API) sessions() {
	command(a, operation[createSession, session.State, view.Session]{
		Op: httpx.Op{ID: "createSession", Method: http.MethodPost, Path: "/sessions", Mount: httpx.V1, Tag: "Sessions",
			Summary: "Create session", Permission: "sessions:create", Status: http.StatusCreated},
		agg: session.Aggregate,
		decide: func(req *commands.Request, in *createSession) (domain.Decider[session.State], error) {
			b := in.Body
			cmd := session.Create{UID: b.UID, AppName: b.AppName, AgentName: b.AgentName, UserID: b.UserID, State: b.State, Metadata: b.Metadata}
			req.Create = true
			if b.UID != "" {
				req.ID = session.StreamKey(req.Principal.Workspace, b.UID)
			}
			return cmd, cmd.Check()
		},
		view: showSession,
	})
	command(a, operation[addSessionEvent, session.State, view.SessionEvent]{
		Op: httpx.Op{ID: "addSessionEvent", Method: http.MethodPost, Path: "/sessions/{uid}/events", Mount: httpx.V1, Tag: "Sessions",
			Summary: "Add session event", Permission: "sessions:update", Status: http.StatusCreated},
		agg: session.Aggregate,
		decide: func(req *commands.Request, in *addSessionEvent) (domain.Decider[session.State], error) {
			b := in.Body
			req.ID = session.StreamKey(req.Principal.Workspace, in.UID)
			return session.AddEvent{Author: b.Author, Type: session.EventKind(b.Type), Content: b.Content,
				StateDelta: b.StateDelta, InvocationID: b.InvocationID}, nil
		},
		view: func(l *commands.Loaded[session.State]) view.SessionEvent {
			return view.SessionEventOf(l.State.UID, l.State.Last, l.State.LastEventAt)
		},
	})
	command(a, operation[sessionUID, session.State, view.Session]{
		Op: httpx.Op{ID: "closeSession", Method: http.MethodPost, Path: "/sessions/{uid}/close", Mount: httpx.V1, Tag: "Sessions",
			Summary: "Close session", Description: "A closed session keeps its events and takes no more.", Permission: "sessions:update"},
		agg:    session.Aggregate,
		decide: onSession(session.Close{}),
		view:   showSession,
	})
	command(a, operation[sessionUID, session.State, deletedSession]{
		Op: httpx.Op{ID: "deleteSession", Method: http.MethodDelete, Path: "/sessions/{uid}", Mount: httpx.V1, Tag: "Sessions",
			Summary: "Delete session", Permission: "sessions:delete"},
		agg:    session.Aggregate,
		decide: onSession(session.Delete{}),
		view:   func(l *commands.Loaded[session.State]) deletedSession { return deletedSession{UID: l.State.UID} },
	})
}

// deletedSession answers a delete; sessions are named by uid, not id.
type deletedSession struct {
	UID string `json:"uid" example:"ses_01jk2m3n4p5q6r7s8t9v0w1x2y"`
}

func onSession(cmd domain.Decider[session.State]) func(*commands.Request, *sessionUID) (domain.Decider[session.State], error) {
	return func(req *commands.Request, in *sessionUID) (domain.Decider[session.State], error) {
		req.ID = session.StreamKey(req.Principal.Workspace, in.UID)
		return cmd, nil
	}
}

func showSession(l *commands.Loaded[session.State]) view.Session { return view.SessionOf(l.State) }
