package agents

import (
	"context"
	"errors"
	"strconv"

	"strata/commands"
	"strata/commands/steps"
	"strata/commands/turns"
	"strata/domain"
	"strata/domain/agentrun"
)

// sessionShown is how much of a session the model is shown.
var sessionShown = turns.Limits{Turns: 20, Bytes: 256 << 10}

// join lets a run begin with what was said in its session. What it says of the
// session's person is sealed under the session's key.
func (s *Service) join(ctx context.Context, p domain.Principal, cmd *agentrun.Start) error {
	talk, err := turns.Join(ctx, s.Handler, p, cmd.SessionID, sessionShown)
	if err != nil {
		return err
	}
	var said []agentrun.Message
	for _, t := range talk.Turns {
		said = append(said, agentrun.Message{Role: t.Role, Content: t.Text})
	}
	cmd.Own, cmd.Messages = len(cmd.Messages), append(said, cmd.Messages...)
	cmd.Person, cmd.Subject = talk.UserID, talk.UserID
	if cmd.Subject == "" {
		cmd.Subject = talk.UID
	}
	return nil
}

// tellStep begins the ids of the steps that add turns to the run's session.
const tellStep = "session."

// tellSession adds a turn to the run's session, once however often it is performed. A
// session that takes no more does not keep the run from its end.
func (s *Service) tellSession(ctx context.Context, run steps.Ref, turn string, j *job) (domain.Decider[agentrun.State], error) {
	for i, m := range j.told {
		author := "user"
		if m.Role == "assistant" {
			author = j.agent.Name
		}
		req := commands.Request{Principal: domain.System(run.Organization, run.Workspace), CorrelationID: run.ID,
			IdempotencyKey: steps.Key(run, tellStep+turn+strconv.Itoa(i), 0), Route: "turn of an agent run"}
		_, err := turns.Say(ctx, s.Handler, req, j.sessionID, author, run.ID, map[string]string{"role": m.Role, "text": m.Content})
		if err == nil {
			continue
		}
		e, ours := errors.AsType[*domain.Error](err)
		if !ours || ctx.Err() != nil || e.Code == domain.CodeUnavailable || e.Code == domain.CodeTimeout {
			return nil, err
		}
		return agentrun.TellSession{SessionTold: agentrun.SessionTold{Turn: turn, Problem: e.Message}}, nil
	}
	return agentrun.TellSession{SessionTold: agentrun.SessionTold{Turn: turn}}, nil
}
