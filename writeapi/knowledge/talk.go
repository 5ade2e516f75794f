package knowledge

import (
	"context"
	"encoding/json"

	"strata/commands"
	"strata/domain"
	"strata/domain/session"
	"strata/gateway"
	"strata/internal/httpx"
)

// talk is a session that a question belongs to.
type talk struct {
	uid     string
	history []gateway.Message // the latest messages
}

func (g *generating) session() string {
	if g.talk == nil {
		return ""
	}
	return g.talk.uid
}

// said is the content of a message in a session.
type said struct {
	Role  string `json:"role"`
	Text  string `json:"text,omitempty"`
	Parts []struct {
		Text string `json:"text"`
	} `json:"parts,omitempty"`
	Citations []citation `json:"citations,omitempty"`
}

// join reads the latest messages of a session. Errors: FORBIDDEN without the right
// to add to sessions, NOT_FOUND, CONFLICT when it is closed.
func (s *Service) join(ctx context.Context, p domain.Principal, uid string) (*talk, error) {
	if !p.Can("sessions:update") {
		return nil, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission sessions:update, which session_id needs")
	}
	key := session.StreamKey(p.Workspace, uid)
	status, err := commands.Load(ctx, s.Handler, session.Aggregate, p, key, func(l *commands.Loaded[session.State]) session.Status {
		if l.State.Deleted {
			return ""
		}
		return l.State.Status
	})
	if err != nil && domain.CodeOf(err) != domain.CodeNotFound {
		return nil, err
	}
	if err != nil || status == "" {
		return nil, domain.NotFound(session.Aggregate.Noun, uid)
	}
	if status == session.Closed {
		return nil, domain.Errorf(domain.CodeConflict, "session %q is closed and takes no more events", uid)
	}
	t := &talk{uid: uid}
	err = commands.Events(ctx, s.Handler, session.Aggregate, p, key, func(e domain.Event) bool {
		if added, ok := e.Fact.(session.EventAdded); ok && added.Type == session.Message {
			if m, ok := messageOf(added); ok {
				t.history = append(t.history, m)
			}
			if len(t.history) > historyShown {
				t.history = t.history[1:]
			}
		}
		return true
	})
	return t, err
}

// messageOf reads what was said in an event, in any of the shapes that clients use.
func messageOf(e session.EventAdded) (gateway.Message, bool) {
	var m said
	if json.Unmarshal(e.Content, &m) != nil {
		return gateway.Message{}, false
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
	return gateway.Message{Role: role, Content: text}, text != "" && (role == "user" || role == "assistant")
}

// say adds a message to the session, if there is one.
func (s *Service) say(ctx context.Context, g *generating, role, text string, citations []citation) error {
	if g.talk == nil {
		return nil
	}
	content, err := json.Marshal(said{Role: role, Text: text, Citations: citations})
	if err != nil {
		return err
	}
	author := role
	if role == "assistant" {
		author = "rag:" + g.endpoint.Name
	}
	r := httpx.From(ctx)
	req := commands.Request{Principal: g.principal, ID: session.StreamKey(g.principal.Workspace, g.talk.uid), RequestID: r.ID, CorrelationID: r.CorrelationID}
	out, err := commands.Run[session.State, struct{}](ctx, s.Handler, session.Aggregate, req,
		session.AddEvent{Author: author, Type: session.Message, Content: content, InvocationID: g.id}, nil)
	httpx.Wrote(ctx, out.Position)
	return err
}
