package knowledge

import (
	"context"

	"strata/commands"
	"strata/commands/turns"
	"strata/domain"
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
	Role      string     `json:"role"`
	Text      string     `json:"text,omitempty"`
	Citations []citation `json:"citations,omitempty"`
}

// maxHistory bounds what the model is shown of a session, in bytes.
const maxHistory = 256 << 10

// join reads the latest messages of a session. Errors: as turns.Join.
func (s *Service) join(ctx context.Context, p domain.Principal, uid string) (*talk, error) {
	joined, err := turns.Join(ctx, s.Handler, p, uid, turns.Limits{Turns: historyShown, Bytes: maxHistory})
	if err != nil {
		return nil, err
	}
	t := &talk{uid: uid}
	for _, turn := range joined.Turns {
		t.history = append(t.history, gateway.Message{Role: turn.Role, Content: turn.Text})
	}
	return t, nil
}

// say adds a message to the session, if there is one.
func (s *Service) say(ctx context.Context, g *generating, role, text string, citations []citation) error {
	if g.talk == nil {
		return nil
	}
	author := role
	if role == "assistant" {
		author = "rag:" + g.endpoint.Name
	}
	r := httpx.From(ctx)
	at, err := turns.Say(ctx, s.Handler, commands.Request{Principal: g.principal, RequestID: r.ID, CorrelationID: r.CorrelationID}, g.talk.uid, author, g.id,
		said{Role: role, Text: text, Citations: citations})
	httpx.Wrote(ctx, at)
	return err
}
