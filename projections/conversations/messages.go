package conversations

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"strata/domain"
	"strata/domain/conversation"
	"strata/projections"
	"strata/projections/fold"
)

// apply writes what an event does to messages and feedback; the conversation's
// own row follows once per batch.
func (r *row) apply(ctx context.Context, tx projections.Tx, e domain.Event) error {
	var err error
	switch f := e.Fact.(type) {
	case conversation.TurnAnswered:
		err = r.end(ctx, tx, f.RunID, Done, "", "")
	case conversation.TurnFailed:
		err = r.end(ctx, tx, f.RunID, Failed, f.Code, f.Message)
	case conversation.FeedbackGiven:
		err = r.rate(ctx, tx, f, e)
	case conversation.MessagesReplaced:
		err = r.clear(ctx, tx)
	case domain.Erased:
		err = r.erase(ctx, tx)
	}
	if m, said := MessageOf(e, r.state.MessageCount); said && err == nil {
		err = r.say(ctx, tx, m)
	}
	return err
}

func (r *row) say(ctx context.Context, tx projections.Tx, m Message) error {
	r.readable = r.readable || m.Status != Erased
	calls := ""
	if len(m.ToolCalls) > 0 {
		b, err := json.Marshal(m.ToolCalls)
		if err != nil {
			return err
		}
		calls = string(b)
	}
	_, err := tx.Exec(ctx, `INSERT INTO messages (conversation, sequence, id, run_id, role, name, tool_call_id, tool_calls, content, status, finish_reason, error_code, error,
	model, prompt_tokens, completion_tokens, total_tokens, cost, feedback, at, scope)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?)`,
		r.state.ID, m.Sequence, m.ID, m.RunID, string(m.Role), m.Name, m.ToolCallID, calls, m.Content, string(m.Status), m.FinishReason, m.ErrorCode, m.Error,
		m.Model, m.TokenUsage.Prompt, m.TokenUsage.Completion, m.TokenUsage.Total, int64(m.Cost), fold.Micros(m.At), scopeOf(r.workspace))
	return err
}

// end closes the question of a turn, which the index of open ones finds.
func (r *row) end(ctx context.Context, tx projections.Tx, runID string, status Status, code, message string) error {
	_, err := tx.Exec(ctx, `UPDATE messages SET status = ?, error_code = ?, error = ? WHERE conversation = ? AND status = 'open' AND run_id = ?`,
		string(status), code, message, r.state.ID, runID)
	return err
}

func (r *row) rate(ctx context.Context, tx projections.Tx, f conversation.FeedbackGiven, e domain.Event) error {
	_, err := tx.Exec(ctx, `INSERT INTO feedback (conversation, message_id, id, rating, comment, at, by) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (conversation, message_id) DO UPDATE SET id = excluded.id, rating = excluded.rating, comment = excluded.comment,
	at = excluded.at, by = excluded.by`,
		r.state.ID, f.MessageID, f.ID, string(f.Rating), f.Comment, fold.Micros(e.Meta.OccurredAt), e.Meta.Actor)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE messages SET feedback = ? WHERE id = ? AND conversation = ?`, string(f.Rating), f.MessageID, r.state.ID)
	return err
}

// clear takes messages out that others stand in the place of.
func (r *row) clear(ctx context.Context, tx projections.Tx) error {
	for _, statement := range []string{`DELETE FROM messages WHERE conversation = ?`, `DELETE FROM feedback WHERE conversation = ?`} {
		if _, err := tx.Exec(ctx, statement, r.state.ID); err != nil {
			return err
		}
	}
	return nil
}

// erase takes out what is held of the conversation's messages.
func (r *row) erase(ctx context.Context, tx projections.Tx) error {
	if !r.readable {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE messages SET content = '', error = '', status = 'erased' WHERE conversation = ? AND status <> 'erased'`, r.state.ID)
	if err != nil {
		return err
	}
	r.readable = false
	_, err = tx.Exec(ctx, `UPDATE feedback SET comment = '' WHERE conversation = ?`, r.state.ID)
	return err
}

// scopeOf is one word of the search index that stands for a workspace.
func scopeOf(workspace string) string {
	sum := sha256.Sum256([]byte(workspace))
	return "w" + hex.EncodeToString(sum[:8])
}
