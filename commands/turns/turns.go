// Package turns reads what was said in sessions, and adds to it, for those who answer
// in them: agents and RAG endpoints.
package turns

import (
	"context"
	"encoding/json"

	"strata/commands"
	"strata/domain"
	"strata/domain/session"
)

// Turn is one message of a session.
type Turn struct {
	Role string // user or assistant
	Text string
}

// Talk is a session that somebody answers in.
type Talk struct {
	UID    string
	UserID string // whom it is with; may be ""
	Turns  []Turn // the latest, oldest first
}

// Limits of what is read of a session. Either bounds it.
type Limits struct{ Turns, Bytes int }

// Join reads the latest messages of a session. Errors: FORBIDDEN without the right
// to add to sessions, NOT_FOUND, GONE when it was erased, CONFLICT when it is closed.
func Join(ctx context.Context, h *commands.Handler, p domain.Principal, uid string, most Limits) (*Talk, error) {
	if !p.Can("sessions:update") {
		return nil, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission sessions:update, which session_id needs")
	}
	key := session.StreamKey(p.Workspace, uid)
	type standing struct {
		status  session.Status
		user    string
		deleted bool
		erased  bool
	}
	at, err := commands.Load(ctx, h, session.Aggregate, p, key, func(l *commands.Loaded[session.State]) standing {
		s := l.State
		return standing{s.Status, s.UserID, s.Deleted, s.Erased}
	})
	switch {
	case err != nil && domain.CodeOf(err) != domain.CodeNotFound:
		return nil, err
	case err != nil || at.status == "" || at.deleted:
		return nil, domain.NotFound(session.Aggregate.Noun, uid)
	case at.erased:
		return nil, domain.Gone(session.Aggregate.Noun, uid)
	case at.status == session.Closed:
		return nil, domain.Errorf(domain.CodeConflict, "session %q is closed and takes no more events", uid)
	}
	t := &Talk{UID: uid, UserID: at.user}
	size := 0
	err = commands.Events(ctx, h, session.Aggregate, p, key, func(e domain.Event) bool {
		if added, is := e.Fact.(session.EventAdded); is && added.Type == session.Message {
			if turn, says := turnOf(added); says {
				t.Turns = append(t.Turns, turn)
				size += len(turn.Text)
			}
		}
		for len(t.Turns) > most.Turns || size > most.Bytes {
			size -= len(t.Turns[0].Text)
			t.Turns = t.Turns[1:]
		}
		return true
	})
	return t, err
}

// turnOf reads what was said in an event, in any of the shapes that clients use.
func turnOf(e session.EventAdded) (Turn, bool) {
	var m struct {
		Role  string `json:"role"`
		Text  string `json:"text"`
		Parts []struct {
			Text string `json:"text"`
		} `json:"parts"`
	}
	if json.Unmarshal(e.Content, &m) != nil {
		return Turn{}, false
	}
	text := m.Text
	for _, part := range m.Parts {
		text += part.Text
	}
	role := m.Role
	switch {
	case role == "model", role == "" && e.Author != "user":
		role = "assistant"
	case role == "":
		role = "user"
	}
	return Turn{Role: role, Text: text}, text != "" && (role == "user" || role == "assistant")
}

// Say adds a message to a session and answers where it stands in the log. The key of
// req makes it one message however often it is said. Errors: NOT_FOUND, GONE, CONFLICT
// when the session is closed, VALIDATION_ERROR when the message is too long.
func Say(ctx context.Context, h *commands.Handler, req commands.Request, uid, author, invocation string, content any) (domain.Position, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return 0, err
	}
	req.ID = session.StreamKey(req.Principal.Workspace, uid)
	out, err := commands.Run[session.State, struct{}](ctx, h, session.Aggregate, req,
		session.AddEvent{Author: author, Type: session.Message, Content: b, InvocationID: invocation}, nil)
	return out.Position, err
}
