package commands_test

import (
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/session"
)

// broken panics when it decides.
type broken struct{}

func (broken) Decide(domain.Env, *session.State) ([]domain.Fact, error) { panic("broken") }

// TestAPanicDoesNotBlockTheStream: who panics may be recovered from above, as
// HTTP handlers are, and the stream must serve the next command.
func TestAPanicDoesNotBlockTheStream(t *testing.T) {
	w := newWorld(t)
	req := commands.Request{Principal: principal("ws_1"), Create: true, ID: domain.NewID("ses")}
	func() {
		defer func() {
			if p := recover(); p != "broken" {
				t.Errorf("recovered %v", p)
			}
		}()
		_, _ = commands.Run[session.State, struct{}](t.Context(), w.h, session.Aggregate, req, broken{}, nil)
	}()
	if _, err := commands.Run[session.State, struct{}](t.Context(), w.h, session.Aggregate, req, session.Create{AppName: "a"}, nil); err != nil {
		t.Fatal(err)
	}
}
