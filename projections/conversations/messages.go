package conversations

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"strata/domain"
	"strata/domain/conversation"
	"strata/projections"
	"strata/projections/fold"
)

// apply writes what an event does to messages and feedback; the conversation's
// own row follows once per batch.
func (r *row) apply(ctx context.Context, tx projections.Tx, e domain.Event) error {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case conversation.TurnAsked:
		return r.say(ctx, tx, Message{ID: f.MessageID, RunID: f.RunID, Sequence: f.Sequence, Role: conversation.User,
			Content: f.Content, Status: Open, At: at})
	case conversation.TurnAnswered:
		if err := r.end(ctx, tx, f.RunID, Done, "", ""); err != nil {
			return err
		}
		return r.say(ctx, tx, Message{ID: f.MessageID, RunID: f.RunID, Sequence: f.Sequence, Role: conversation.Assistant,
			Content: f.Content, Status: Done, FinishReason: f.FinishReason, Model: f.Model, TokenUsage: f.TokenUsage, Cost: f.Cost, At: at})
	case conversation.TurnFailed:
		if err := r.end(ctx, tx, f.RunID, Failed, f.Code, f.Message); err != nil || f.MessageID == "" {
			return err
		}
		return r.say(ctx, tx, Message{ID: f.MessageID, RunID: f.RunID, Sequence: f.Sequence, Role: conversation.Assistant,
			Content: f.PartialContent, Status: Failed, FinishReason: "error", ErrorCode: f.Code, Error: f.Message, At: at})
	case conversation.FeedbackGiven:
		return r.rate(ctx, tx, f, e)
	case domain.Erased:
		return r.erase(ctx, tx, f, e)
	}
	return nil
}

func (r *row) say(ctx context.Context, tx projections.Tx, m Message) error {
	r.readable = r.readable || m.Status != Erased
	_, err := tx.Exec(ctx, `INSERT INTO messages (conversation, sequence, id, run_id, role, content, status, finish_reason, error_code, error,
	model, prompt_tokens, completion_tokens, total_tokens, cost, feedback, at, scope)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?)`,
		r.state.ID, m.Sequence, m.ID, m.RunID, string(m.Role), m.Content, string(m.Status), m.FinishReason, m.ErrorCode, m.Error,
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

// erase takes out what is held of the conversation's messages; of a message
// that can no longer be read, only its place is shown.
func (r *row) erase(ctx context.Context, tx projections.Tx, f domain.Erased, e domain.Event) error {
	if r.readable {
		_, err := tx.Exec(ctx, `UPDATE messages SET content = '', error = '', status = 'erased' WHERE conversation = ? AND status <> 'erased'`, r.state.ID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE feedback SET comment = '' WHERE conversation = ?`, r.state.ID); err != nil {
			return err
		}
		r.readable = false
	}
	role := conversation.Assistant
	switch f.Type {
	case conversation.TurnAsked{}.EventType():
		role = conversation.User
	case conversation.TurnAnswered{}.EventType():
	default:
		return nil
	}
	return r.say(ctx, tx, Message{ID: domain.FormatID("msg", e.ID), Sequence: r.state.MessageCount, Role: role, Status: Erased, At: e.Meta.OccurredAt})
}

// scopeOf is one word of the search index that stands for a workspace.
func scopeOf(workspace string) string {
	sum := sha256.Sum256([]byte(workspace))
	return "w" + hex.EncodeToString(sum[:8])
}
